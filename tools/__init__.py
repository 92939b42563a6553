"""What the makers of this project run: README's board, weights to ship, results without
photographs."""
