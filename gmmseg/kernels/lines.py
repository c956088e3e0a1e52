"""Lines of the nearest cache: planes whose rows begin with one, so that no register's load takes two."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

__all__ = ["empty_planes"]

_LINE = 64  # bytes


def empty_planes(d: int, n: int, dtype: DTypeLike) -> NDArray[Any]:
    """Return planes `(d, n)` to be written, whose rows begin with lines of the cache.

    NumPy's begin 16 bytes behind a line where they are large: the kernel of EM takes .93 of the time
    without that (d = 64; `scripts/benchmark_tables.py iterations`).
    """
    step = _LINE // np.dtype(dtype).itemsize
    width = -(-n // step) * step
    room = np.empty(d * width + step, dtype)
    skipped = -room.__array_interface__["data"][0] % _LINE // room.itemsize
    return room[skipped : skipped + d * width].reshape(d, width)[:, :n]
