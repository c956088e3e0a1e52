"""Strips and tiles of a TIFF file that is written: compressed on all cores, in the order of the file."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np

from gmmseg.platforms import processors, starts_threads

__all__ = ["compressed", "encoded", "in_order"]

Name = TypeVar("Name")
"""By what a block is known."""

_LEVEL = 3  # of 353 KB of Landsat labels and 2.5 MB of soft masks 6 saves 19 and 1 %, for 3 and 2 times the time


def compressed(block: np.ndarray) -> bytes:
    """Return a block as it is stored."""
    import zlib

    return zlib.compress(block.data, _LEVEL)


def encoded(
    blocks: Iterable[tuple[Name, np.ndarray | bytes]], encode: Callable[[np.ndarray], bytes] = compressed
) -> Iterator[tuple[Name, bytes]]:
    """Encode blocks on all cores, a few ahead; those that are bytes already pass."""

    # Predictors made every kind of result larger: labels and probabilities change at edges only.
    def stored(block: np.ndarray | bytes) -> bytes:
        return block if isinstance(block, bytes) else encode(block)

    workers = processors()
    if workers == 1 or not starts_threads():
        yield from ((name, stored(values)) for name, values in blocks)
        return
    waiting: deque[tuple[Name, Any]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for name, values in blocks:
            waiting.append((name, pool.submit(stored, values)))
            if len(waiting) > 2 * workers:
                ready, data = waiting.popleft()
                yield ready, data.result()
        for ready, data in waiting:
            yield ready, data.result()


def in_order(encoded: Iterator[tuple[int, bytes]], count: int, spool: Any) -> Iterator[bytes]:
    """Put blocks into the order of the file: what comes before its turn waits in a temporary file."""
    places: dict[int, tuple[int, int]] = {}
    end = 0
    for number in range(count):
        while number not in places:
            came, data = next(encoded)
            if came == number:
                yield data
                break
            spool.seek(end)
            spool.write(data)
            places[came] = (end, len(data))
            end += len(data)
        else:
            offset, size = places.pop(number)
            spool.seek(offset)
            yield spool.read(size)
