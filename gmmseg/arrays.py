"""What an array is to those who check types, whatever its numbers: docstrings say shapes, dtypes and units."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

__all__ = ["Array"]

Array = NDArray[Any]
