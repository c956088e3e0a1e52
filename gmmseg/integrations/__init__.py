"""gmmseg within other programs: each module is for one of them, and is imported by who uses it."""
