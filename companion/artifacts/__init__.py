"""Figures and tables under their ids, the claims ledger as a file, the front page, and verify."""
