"""Official data sets in, `People` out."""
