"""The reproduction of both papers: runs, figures, tables, claims, and the command line."""
