"""NRRD volumes and pictures."""
