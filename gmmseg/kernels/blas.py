"""Threads of the BLAS: NumPy and SciPy each bring one, with threads that `threads=` knows nothing of.

OpenBLAS has a thread for each processor. They spin while they wait for each other and for more to do, which beside
other programs costs many times the work itself. So what may run in several threads at once, tile by tile, is written in
products so small that none is started; the few decompositions that are larger are held to one thread here.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["ALONE", "one_blas_thread", "product"]

ALONE = 1 << 18
"""Products of numbers that a multiplication of two matrices may take: of more, OpenBLAS starts threads."""

_SMALL = 24  # rows of the largest matrices that OpenBLAS decomposes without threads, whichever way
_AT_ONCE = 8192  # numbers times up to 16 rows: OpenBLAS starts threads beyond 9216 times 1, and 16384 times 16
_ROWS = 16

_NOTHING = contextlib.nullcontext()
_one_at_a_time = threading.RLock()


def one_blas_thread(size: int) -> contextlib.AbstractContextManager[None]:
    """Hold the BLAS to the thread that calls it, while matrices with this many rows are worked on.

    The number of BLAS threads belongs to the whole process, and is as before afterwards: one thread at a time changes
    it. Small matrices start no threads, and for these nothing is changed.
    """
    return _NOTHING if size <= _SMALL else _limited()


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    with _one_at_a_time:
        # By hand: threadpoolctl's own context asks for more than the number, three times as long.
        before = [(each, each.get_num_threads()) for each in _libraries("scipy.linalg" in sys.modules)]
        several = [(each, number) for each, number in before if number != 1]
        try:
            for each, _ in several:
                each.set_num_threads(1)
            yield
        finally:
            for each, number in several:
                each.set_num_threads(number)


@cache
def _libraries(with_scipy: bool) -> list[Any]:
    """Return what controls the threads of NumPy's BLAS, and of SciPy's where that is loaded, which takes .2 s."""
    from threadpoolctl import ThreadpoolController  # here, because few runs have so many features

    return [each for each in ThreadpoolController().lib_controllers if each.user_api == "blas"]


def product(samples: NDArray[Any], rows: NDArray[Any]) -> NDArray[Any]:
    """Return the products (m, n) of samples (n, c) with rows (m, c), by the calling thread alone.

    Some samples at a time: where c is up to 4096, and c times m up to 131072, no part is large enough for the BLAS to
    start threads.
    """
    (n, c), m = samples.shape, len(rows)
    step = max(2, _AT_ONCE * _ROWS // (c * max(m, _ROWS)))
    if samples.strides[0] == samples.itemsize:  # planes: feature by feature a third of the time
        planes, out = samples.T, np.empty((m, n), np.result_type(samples, rows))
        for part in (slice(first, first + step) for first in range(0, n, step)):
            np.matmul(rows, planes[:, part], out=out[:, part])
        return out
    whole = n - n % step
    out = np.empty((n, m), np.result_type(samples, rows))
    parts = whole // step, step
    np.matmul(samples[:whole].reshape(*parts, c), rows.T, out=out[:whole].reshape(*parts, m))
    np.matmul(samples[whole:], rows.T, out=out[whole:])
    return out.T
