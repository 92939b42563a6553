"""Drawn people, in the official formats."""
