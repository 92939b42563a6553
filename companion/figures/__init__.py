"""Numbers in, a figure out: pure functions, so that a stored figure can be drawn again."""
