"""The bookkeeping of a reproduction: which runs there are, what they made, and how we know."""
