"""Fitting: from images to a model."""
