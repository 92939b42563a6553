"""What a figure shows: a study in, numbers out."""
