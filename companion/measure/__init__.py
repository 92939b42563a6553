"""Scores, intervals, comparison tables, and how each claim is measured and judged."""
