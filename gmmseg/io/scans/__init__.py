"""Volumes of other programs for scans, whose files nibabel reads."""
