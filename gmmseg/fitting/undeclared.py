"""Margins of a number that stands for no data, but that the file does not declare: they would become a class."""

from __future__ import annotations

import warnings
from typing import Any

from numpy.typing import NDArray

from gmmseg.errors import DataWarning
from gmmseg.image import Image

__all__ = ["warn_of_margins"]

_FILLS = (0, -9999, -32768)  # that programs write around scenes
_LEAST_SHARE = 0.05  # of the pixels: fewer hardly move a class


def warn_of_margins(image: Image, values: NDArray[Any]) -> None:
    """Say so where many pixels of a map are 0 or -9999 in every band, and some of its corners too.

    Parameters
    ----------
    image : Image
    values : ndarray, shape (n, n_channels)
        Of pixels that hold data, as far as the file says it.

    Notes
    -----
    Only maps are looked at: 0 around a cell or a brain is what was measured. Corners are read where values are suspect.
    """
    if image.ndim != 2 or image.place is None or image.place.crs is None or not len(values):
        return
    for fill in _FILLS:
        share = float((values == fill).all(axis=1).mean())
        if share >= _LEAST_SHARE and (corners := _corners_of(image, fill)):
            warnings.warn(
                f"{image.name}: {100 * share:.0f} % of its pixels are {fill} in every band, {corners} of its 4 corners "
                f"too, and the file does not declare it; where that is no data, use --nodata {fill}, "
                f"or read it with nodata {fill}",
                DataWarning,
                stacklevel=6,
            )
            return


def _corners_of(image: Image, fill: int) -> int:
    """Return how many of the corners hold a number in every band."""
    found = 0
    for row in {0, image.shape[0] - 1}:
        for column in {0, image.shape[1] - 1}:
            part = image.crop((slice(row, row + 1), slice(column, column + 1)))
            found += bool((part.array == fill).all()) and part.valid is None
    return found
