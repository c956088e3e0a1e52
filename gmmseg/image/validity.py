"""Which pixels hold data: finite numbers, and where two masks agree."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from gmmseg.errors import DataWarning

if TYPE_CHECKING:
    import numpy as np

__all__ = ["combine", "finite"]


def finite(
    pixels: np.ndarray, *, every: bool, name: str | None = None, among: np.ndarray | None = None
) -> np.ndarray | None:
    """Return where any channel, or every channel, is finite; None where that is everywhere.

    A name is what a warning calls the image where it is not, `among` the pixels that the warning is for.
    """
    import numpy as np

    if pixels.dtype.kind != "f":
        return None
    # Features are float32: what does not fit is a fill value, and no data.
    known = np.abs(pixels) <= np.finfo(np.float32).max if pixels.dtype.itemsize > 4 else np.isfinite(pixels)
    valid: np.ndarray = known.all(axis=-1) if every else known.any(axis=-1)
    if valid.all():
        return None
    missing = np.count_nonzero(~valid if among is None else ~valid & among)
    if name is not None and missing:
        warnings.warn(
            f"{name}: {missing} pixels are NaN, infinite or beyond float32; their label is 0", DataWarning, stacklevel=4
        )
    return valid


def combine(valid: np.ndarray | None, also: np.ndarray | None) -> np.ndarray | None:
    """Return the pixels that both allow, or None where that is all of them; None allows all."""
    both = also if valid is None else valid if also is None else valid & also
    return None if both is None or both.all() else both
