"""Blocks of a result's file, at each resolution that it has: made here of windows, or by who computes the windows.

A block is encoded once, by the first who has all of its pixels; what it is at half the resolution is a quarter of a
block there. So a window comes as the blocks that lie in it, of as many resolutions as it spans, and the pixels of those
that reach beyond it; no two write one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

import numpy as np

from gmmseg.arrays import Array
from gmmseg.extras import require
from gmmseg.image.windows import Window
from gmmseg.io.coarser import mean_of_four, most_frequent
from gmmseg.io.tiff.segments import compressed

__all__ = ["Key", "Plan", "StoredPart", "blocks_of"]

Key = tuple[int, ...]
"""Of a block: its resolution, 0 the finest, and its place along each axis."""


@dataclass(frozen=True, eq=False)
class StoredPart:
    """A window of a result as its file has it.

    Parameters
    ----------
    blocks : list of (tuple of int, bytes)
        Those that lie in the window, as they are stored; empty where nothing is stored of one.
    shared : list of (tuple of int, tuple of slice, ndarray)
        Pixels (rows, columns, n_bands) of blocks that other windows have pixels of too, and where in the block.
    """

    blocks: list[tuple[Key, bytes]]
    shared: list[tuple[Key, Window, Array]]


@dataclass(frozen=True)
class Plan:
    """How a result is stored.

    Parameters
    ----------
    shape : tuple of int
        (..., rows, columns); blocks have one place along the axes before these.
    dtype : numpy.dtype
        As stored.
    sides : tuple of int
        Rows and columns of a block; even where there are several.
    n_levels : int
        Resolutions, each half of the one before.
    n_bands : int
    scale : float
        What the stored numbers are multiplied with to get those that were meant.
    nodata : float, optional
    classes : bool
        Whether the most frequent number stands for others, and not their mean.
    codec : {"zlib", "zstd"}
        Of "zstd" nothing is stored where all is 0, as Zarr has it.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    sides: tuple[int, int]
    n_levels: int = 1
    n_bands: int = 1
    scale: float = 1.0
    nodata: float | None = None
    classes: bool = True
    codec: Literal["zlib", "zstd"] = "zlib"

    def shape_at(self, level: int) -> tuple[int, ...]:
        """Return the shape at one of the resolutions."""
        rows, columns = (-(-n // (1 << level)) for n in self.shape[-2:])
        return (*self.shape[:-2], rows, columns)

    def grid(self, level: int = 0) -> tuple[int, int]:
        """Return the number of blocks along the rows and the columns."""
        rows, columns = (-(-n // side) for n, side in zip(self.shape_at(level)[-2:], self.sides, strict=True))
        return rows, columns

    @property
    def nbytes(self) -> int:
        """Of all blocks of the finest resolution, before compression."""
        n_blocks = int(np.prod([*self.shape[:-2], *self.grid()], dtype=np.int64))
        return n_blocks * self.sides[0] * self.sides[1] * self.n_bands * self.dtype.itemsize

    def extent(self, key: Key) -> tuple[int, int]:
        """Rows and columns of a block that lie in the image."""
        around = zip(self.shape_at(key[0])[-2:], key[-2:], self.sides, strict=True)
        rows, columns = (min(side, n - index * side) for n, index, side in around)
        return rows, columns

    def cut(self, window: Window, values: Array) -> Iterator[tuple[Key, Window, Array]]:
        """Cut a window into pieces of blocks: key, where in the block, pixels (rows, columns, n_bands) as stored."""
        pixels = np.moveaxis(values, 0, -1) if values.ndim > len(window) else values[..., None]
        for place in product(*(range(s.stop - s.start) for s in window[:-2])):
            deep = tuple(s.start + number for s, number in zip(window[:-2], place, strict=True))
            for index in product(*map(_touched, window[-2:], self.sides)):
                own = [_overlap(s, i * side, side) for s, i, side in zip(window[-2:], index, self.sides, strict=True)]
                here = tuple(slice(o.start - s.start, o.stop - s.start) for o, s in zip(own, window[-2:], strict=True))
                inside = tuple(
                    slice(o.start - i * side, o.stop - i * side)
                    for o, i, side in zip(own, index, self.sides, strict=True)
                )
                where: tuple[Any, ...] = (*place, *here)
                part = pixels[where]
                stored = part if self.scale == 1 else np.rint(np.clip(part, 0, 1) / np.float64(self.scale))
                yield (0, *deep, *index), inside, stored.astype(self.dtype, copy=False)

    def empty(self) -> Array:
        """Return a block (rows, columns, n_bands) of zeros."""
        return np.zeros((*self.sides, self.n_bands), self.dtype)

    def encode(self, block: Array) -> bytes:
        """Return a block as it is stored."""
        if self.codec == "zlib":
            return compressed(block)
        if not block.any():
            return b""
        numbers = block.astype(self.dtype.newbyteorder("<"), copy=False)
        return bytes(require("numcodecs", "zarr", "Zarr files need").Zstd(level=0).encode(numbers))

    def coarser(self, key: Key, block: Array) -> tuple[Key, Window, Array]:
        """Return what a whole block is at half its resolution: a piece of a block there, as `cut` has it."""
        rows, columns = self.extent(key)
        own = block[:rows, :columns]
        half = most_frequent(own[..., 0])[..., None] if self.classes else mean_of_four(own)
        starts = (index % 2 * (side // 2) for index, side in zip(key[-2:], self.sides, strict=True))
        inside = tuple(slice(start, start + n) for start, n in zip(starts, half.shape[:2], strict=True))
        return (key[0] + 1, *key[1:-2], key[-2] // 2, key[-1] // 2), inside, half

    def pack(self, window: Window, values: Array) -> StoredPart:
        """Return a window as the file has it: what is encoded by those who compute it need not be by who writes."""
        growing = _Growing(self)
        whole = [(key, self.encode(block)) for piece in self.cut(window, values) for key, block in growing.add(*piece)]
        left = growing.pending.items()
        return StoredPart(whole, [(key, here, block[here]) for key, (block, places) in left for here in places])


class _Growing:
    """Blocks of which pixels are still to come: their values, and what of them is there."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.pending: dict[Key, tuple[Array, list[Window]]] = {}

    def add(self, key: Key, inside: Window, part: Array) -> Iterator[tuple[Key, Array]]:
        """Add a piece of a block; yield the block where that was the last one, and those that follow of it."""
        block, places = self.pending.setdefault(key, (self.plan.empty(), []))
        block[inside] = part
        places.append(inside)
        rows, columns = self.plan.extent(key)
        if sum((r.stop - r.start) * (c.stop - c.start) for r, c in places) < rows * columns:
            return
        del self.pending[key]
        yield key, block
        if key[0] + 1 < self.plan.n_levels:
            yield from self.add(*self.plan.coarser(key, block))


def blocks_of(plan: Plan, windows: Iterable[tuple[Window, Array | StoredPart]]) -> Iterator[tuple[Key, Array | bytes]]:
    """Make blocks of windows, of all resolutions: key and values (rows, columns, n_bands) once whole, or bytes."""
    growing = _Growing(plan)
    for window, values in windows:
        if isinstance(values, StoredPart):
            yield from values.blocks
        for piece in values.shared if isinstance(values, StoredPart) else plan.cut(window, values):
            yield from growing.add(*piece)


def _touched(along: slice, side: int) -> range:
    """Return the blocks along an axis that a window has pixels of."""
    return range(along.start // side, -(-along.stop // side))


def _overlap(whole: slice, start: int, length: int) -> slice:
    return slice(max(whole.start, start), min(whole.stop, start + length))
