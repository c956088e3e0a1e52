"""One channel that is stored as red, green and blue: grey values three times, or one colour beside two of zeros."""

from __future__ import annotations

from collections.abc import Iterator

from gmmseg.image.image import Image
from gmmseg.image.sources import Selected
from gmmseg.image.windows import Window
from gmmseg.records import replace

__all__ = ["as_grey"]

_GREY = -1
_LOOK = 32  # pixels along each axis that tell most pictures of colour from grey ones


def as_grey(image: Image) -> Image:
    """Return a colour image whose three channels are equal wherever it is valid, or two of them 0, as one channel.

    Any other is returned as it is.

    Notes
    -----
    Most colour images are told by a few pixels in the middle. Only where these may be of one channel the others are
    looked at, up to the first window with other colours in it; a file of one channel is read once for that.

    Examples
    --------
    >>> import numpy as np
    >>> pixels = np.full((4, 5, 3), 7, np.uint8)
    >>> as_grey(Image(pixels, color=True)).n_channels
    1
    >>> pixels[0, 0, 1] = 8
    >>> as_grey(Image(pixels, color=True)).n_channels
    3
    >>> pixels[..., [0, 2]] = 0  # as a fluorescent stain is shown
    >>> as_grey(Image(pixels, color=True)).array[0, :2, 0].tolist()
    [8, 7]
    """
    channel = _only_channel(image) if image.color else None
    if channel is None:
        return image
    # What is valid is told by all three channels, also in a file that stays there.
    pixels = image.pixels.select((channel,)) if image.in_memory else Selected(image.pixels, (channel,))
    return replace(image, pixels=pixels, color=False, channel_names=())


def _looks(image: Image) -> Iterator[Window]:
    """The middle of an image, then all of it."""
    yield tuple(slice(n // 2, min(n, n // 2 + _LOOK)) for n in image.shape)
    yield from image.windows()


def _only_channel(image: Image) -> int | None:
    """The channel that tells all; None where there is none."""
    left = [_GREY, 0, 1, 2]
    for window in _looks(image):
        part = image.crop(window)
        left = [each for each in left if _tells(part, each)]
        if not left:
            return None
    return max(0, left[0])


def _tells(part: Image, channel: int) -> bool:
    """Whether the other two channels are 0; or, for grey, whether all are equal."""
    others = [part.array[..., each] for each in range(3) if each != max(0, channel)]
    same = part.array[..., 0] if channel == _GREY else 0
    colored = (others[0] != same) | (others[1] != same)
    return not (colored if part.valid is None else colored & part.valid).any()
