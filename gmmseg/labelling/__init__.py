"""Labelling: from a model and an image to labels, probabilities and maps."""
