"""From an image to planes of features, such as lightness and position, by a recipe that can be typed: "lab,xy"."""

from gmmseg.features.recipe import Recipe

__all__ = ["Recipe"]
