"""Images: pixels, where they lie, and which of them are used."""

from gmmseg.image.image import Image

__all__ = ["Image"]
