"""Which pixels hold data: finite numbers, and where two masks agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gmmseg.errors import warn

if TYPE_CHECKING:
    import numpy as np

__all__ = ["combine", "finite"]

_AT_ONCE = 1 << 20  # numbers that are looked at together


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
    large = pixels.dtype.itemsize > 4
    valid: np.ndarray = np.empty_like(pixels[..., 0], bool)
    # Part by part along the axis of the longest steps, so that no second array of numbers is made.
    axis = int(np.argmax(np.abs(pixels.strides[:-1])))
    parts, where = np.moveaxis(pixels, axis, 0), np.moveaxis(valid, axis, 0)
    step = max(1, _AT_ONCE * len(parts) // max(1, pixels.size))
    for start in range(0, len(parts), step):
        part = parts[start : start + step]
        known = np.abs(part) <= np.finfo(np.float32).max if large else np.isfinite(part)
        (known.all if every else known.any)(axis=-1, out=where[start : start + step])
    if valid.all():
        return None
    missing = np.count_nonzero(~valid if among is None else ~valid & among)
    if name is not None and missing:
        warn(f"{name}: {missing} pixels are NaN, infinite or beyond float32; their label is 0")
    return valid


def combine(valid: np.ndarray | None, also: np.ndarray | None) -> np.ndarray | None:
    """Return the pixels that both allow, or None where that is all of them; None allows all."""
    both = also if valid is None else valid if also is None else valid & also
    return None if both is None or both.all() else both
