"""Minimum sizes as people say them, in pixels or in square and cubic units, and label maps that are kept on disk."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gmmseg.errors import ParameterError
from gmmseg.image.distortion import ground_share

if TYPE_CHECKING:
    from gmmseg.image import Image

__all__ = ["USABLE", "Size", "least_pixels"]

USABLE = "use pixels or voxels (50), an area (20mm2, 900m2, 2.5ha, 15um2) or a volume (200mm3, 40um3, 1ml)"
"""What sizes look like, for messages."""

_METRES = {"nm": 1e-9, "um": 1e-6, "mm": 1e-3, "cm": 1e-2, "m": 1.0, "km": 1e3}
_NAMED = {"ha": (1e4, 2), "l": (1e-3, 3), "ml": (1e-6, 3), "ul": (1e-9, 3)}  # square or cubic metres, and which of both
_PIXELS = ("", "px", "pixel", "pixels", "voxel", "voxels")
_SIZE = re.compile(r"(\d+\.?\d*|\.\d+)\s*([a-zµμ]*)(?:\^?([23²³]))?", re.IGNORECASE)
_KINDS = {2: "an area", 3: "a volume"}
_REMEDY = "give a number of pixels, as in 50"
_SAID = ", or say it (--spacing 0.5um; in Python spacing= and unit=)"


@dataclass(frozen=True)
class Size:
    """The size of a region.

    Parameters
    ----------
    text : str
        As it was given, for messages.
    amount : float
        Pixels, square metres or cubic metres.
    ndim : int or None
        2 for an area, 3 for a volume, None for pixels.
    """

    text: str
    amount: float
    ndim: int | None

    @classmethod
    def parse(cls, value: Any) -> Size:
        """Read a number of pixels, or an area or volume such as 20mm2, 2.5ha, 15um2 or 1ml.

        Raises
        ------
        ParameterError
            It is none of these, or not above 0.

        Examples
        --------
        >>> Size.parse("2.5ha"), Size.parse(50).ndim
        (Size(text='2.5ha', amount=25000.0, ndim=2), None)
        """
        text = str(value).strip()
        found = None if isinstance(value, bool) else _SIZE.fullmatch(text)
        unit, power = (_ascii(found[2]), found[3]) if found else ("unknown", None)
        amount, ndim = (float(found[1]) if found else 0.0), None
        if unit in _METRES and power:
            ndim = 2 if power in "2²" else 3
            amount *= _METRES[unit] ** ndim
        elif unit in _NAMED and not power:
            factor, ndim = _NAMED[unit]
            amount *= factor
        elif unit not in _PIXELS or power or not amount.is_integer():
            amount = 0.0
        if not 0 < amount < math.inf:
            raise ParameterError(f"a minimum size of {text!r} is not usable; {USABLE}")
        return cls(text, amount, ndim)


def _ascii(unit: str) -> str:
    """Return a unit in lower case and ASCII: both the micro sign and the Greek letter are u."""
    return unit.lower().replace("µ", "u").replace("μ", "u")


def least_pixels(min_size: int | str, image: Image) -> int:
    """Return how many pixels of an image a region needs to be no smaller than a size.

    Parameters
    ----------
    min_size : int or str
        As of `Size.parse`.
    image : Image
        Physical sizes need its spacing, and a file that says the unit. Regions of a time-lapse are of a frame. On a map
        in Mercator's projection, such as "Web Mercator", an area is that on the ground, at the latitude of the image's
        middle.

    Raises
    ------
    ParameterError
        The size is not usable, of another number of axes than the image, or larger than the image; or nothing tells how
        large a pixel is.
    """
    size = Size.parse(min_size)
    count, space = size.amount, image.shape[image.time :]
    if size.ndim is not None:
        if size.ndim != len(space):
            given, wanted = _KINDS[size.ndim], f"{_KINDS[len(space)]} or " if len(space) in _KINDS else ""
            raise ParameterError(
                f"{image.name} has {len(space)} spatial axes, but a minimum size of {size.text} is {given}; "
                f"give {wanted}a number of pixels"
            )
        side = _metres(image, size)
        count /= math.prod(step * side for step in image.spacing or ()) * ground_share(image)
    pixels = max(1, math.ceil(count * (1 - 1e-9)))  # 4 pixels of 5 mm2 are 20 mm2, whatever the division rounds to
    if pixels > math.prod(space):
        meant = f"{size.text} pixels" if size.ndim is None else f"{size.text} ({pixels} pixels)"
        frame = " in a frame" if image.time else ""
        raise ParameterError(
            f"{image.name} has {math.prod(space)} pixels{frame}, fewer than a minimum size of {meant}; "
            "give a smaller one"
        )
    return pixels


def _metres(image: Image, size: Size) -> float:
    """Return the metres in one unit of an image's spacing."""
    start, place = f"{image.name}: a minimum size of {size.text} needs", image.place
    if image.spacing is None:
        raise ParameterError(f"{start} the size of a pixel, which is not known; {_REMEDY}{_SAID}")
    if place is not None and place.unit == "degree":
        raise ParameterError(
            f"{start} pixels of one size, but these are measured in degrees; {_REMEDY}, or reproject it to metres"
        )
    if place is None or place.metres is None:
        raise ParameterError(f"{start} the unit of length of its coordinates, which is not known; {_REMEDY}{_SAID}")
    return place.metres
