"""Lines of the nearest cache: planes whose rows begin with one, so that no register's load takes two."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

__all__ = ["empty_planes", "planes_of"]

_LINE = 64  # bytes
_PART = 1 << 17  # bytes of rows, which stay in the second cache while they are read column by column


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


def planes_of(rows: NDArray[Any]) -> NDArray[Any]:
    """Return a copy of samples `(n, d)` as planes `(d, n)`, whose rows begin with lines of the cache.

    A part of the samples after the other: half the time of all at once, which is a tenth of a fit to classes that
    lie apart (d = 64; `scripts/benchmark_tables.py iterations`).
    """
    n, d = rows.shape
    planes = empty_planes(d, n, rows.dtype)
    step = max(1, _PART // (d * rows.itemsize))
    for first in range(0, n, step):
        planes[:, first : first + step] = rows[first : first + step].T
    return planes
