"""The command line, photographs given to it, and the best weights at hand."""
