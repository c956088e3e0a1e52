"""Volumes and pictures whose header is text: NRRD, segmentations of 3D Slicer among them, and MetaImage."""
