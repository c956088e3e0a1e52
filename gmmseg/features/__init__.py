"""Image to planes of features, by a recipe that can be typed, saved and replayed exactly."""

from gmmseg.features.recipe import Recipe

__all__ = ["Recipe"]
