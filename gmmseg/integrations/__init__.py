"""gmmseg within other programs."""
