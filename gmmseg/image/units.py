"""Numbers of any dtype on one scale: 8-bit 255, 16-bit 65535 and 1.0 are the same white."""

from __future__ import annotations

from typing import Any

import numpy as np

from gmmseg.arrays import Array

__all__ = ["as_float", "as_stored", "unit_range"]


def unit_range(values: Array) -> Array:
    """Values as float32 from 0 to 1: integers are divided by the largest of their dtype."""
    if values.dtype.kind in "iu":
        return np.asarray(values / np.float32(np.iinfo(values.dtype).max), np.float32)
    return values.astype(np.float32, copy=False)


def as_float(values: Array, color: bool) -> Array:
    """Values as float32: colour from 0 to 1, whatever its dtype, and other numbers in their own units."""
    if color and values.dtype.kind in "iu":
        return values * np.float32(1 / np.iinfo(values.dtype).max)
    return values.astype(np.float32, copy=False)


def as_stored(values: Array, dtype: np.dtype[Any]) -> Array:
    """Colours in the units of the dtype that they are stored in, of which `as_float` may have made 0 to 1."""
    if values.dtype.kind == "f" and dtype.kind in "iu":
        return values * np.float32(np.iinfo(dtype).max)
    return values
