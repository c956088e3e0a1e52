"""Numbers of any dtype on one scale."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["unit_range"]

Array = NDArray[Any]


def unit_range(values: Array) -> Array:
    """Values as float32 from 0 to 1: integers are divided by the largest of their dtype."""
    if values.dtype.kind in "iu":
        return np.asarray(values / np.float32(np.iinfo(values.dtype).max), np.float32)
    return values.astype(np.float32, copy=False)
