"""Grey values that are stored as red, green and blue: one channel, three times."""

from __future__ import annotations

from collections.abc import Iterator

from gmmseg.image.image import Image
from gmmseg.image.sources import Selected
from gmmseg.image.windows import Window
from gmmseg.records import replace

__all__ = ["as_grey"]

_LOOK = 32  # pixels along each axis that tell most pictures of colour from grey ones


def as_grey(image: Image) -> Image:
    """Return a colour image whose three channels are equal wherever it is valid as one channel; any other as it is.

    Notes
    -----
    Most colour images are told by a few pixels in the middle. Only where these are grey the others are looked at, up to
    the first window with a colour in it; a file whose values are all grey is read once for that.

    Examples
    --------
    >>> import numpy as np
    >>> pixels = np.full((4, 5, 3), 7, np.uint8)
    >>> as_grey(Image(pixels, color=True)).n_channels
    1
    >>> pixels[0, 0, 1] = 8
    >>> as_grey(Image(pixels, color=True)).n_channels
    3
    """
    if not image.color or not all(_is_grey(image.crop(window)) for window in _looks(image)):
        return image
    # What is valid is told by all three channels, also in a file that stays there.
    pixels = image.pixels.select((0,)) if image.in_memory else Selected(image.pixels, (0,))
    return replace(image, pixels=pixels, color=False, channel_names=())


def _looks(image: Image) -> Iterator[Window]:
    """The middle of an image, then all of it."""
    yield tuple(slice(n // 2, min(n, n // 2 + _LOOK)) for n in image.shape)
    yield from image.windows()


def _is_grey(part: Image) -> bool:
    red, green, blue = (part.array[..., channel] for channel in range(3))
    colored = (red != green) | (red != blue)
    return not (colored if part.valid is None else colored & part.valid).any()
