"""Blocks of a GeoTIFF file: windows are cut into them, here or by the workers that compute the windows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gmmseg.image.windows import Window
from gmmseg.io.tiff.segments import compressed

if TYPE_CHECKING:
    from gmmseg.io.contents import Contents

__all__ = ["SIDE", "Plan", "StoredPart", "blocks_of"]

SIDE = 512
"""Of a block, in pixels."""

_MOST_TILE_BYTES = 16 << 20  # of all bands: of many classes blocks are smaller


@dataclass(frozen=True, eq=False)
class StoredPart:
    """A window of a result as its file has it.

    Parameters
    ----------
    blocks : list of (int, bytes)
        Those that lie in the window, by their numbers in the file, as they are stored.
    shared : list of (int, tuple of slice, ndarray)
        Pixels (rows, columns, n_bands) of blocks that other windows have pixels of too, and where in the block.
    """

    blocks: list[tuple[int, bytes]]
    shared: list[tuple[int, Window, np.ndarray]]


@dataclass(frozen=True)
class Plan:
    """How a result is stored.

    Parameters
    ----------
    shape : tuple of int
        (rows, columns).
    dtype : numpy.dtype
        As stored.
    n_bands : int
    scale : float
        What the stored numbers are multiplied with to get those that were meant.
    nodata : float, optional
    """

    shape: tuple[int, int]
    dtype: np.dtype[Any]
    n_bands: int = 1
    scale: float = 1.0
    nodata: float | None = None

    @property
    def side(self) -> int:
        """Of a block: rows and columns."""
        side = SIDE
        while side > 64 and side * side * self.n_bands * self.dtype.itemsize > _MOST_TILE_BYTES:
            side //= 2
        return side

    @property
    def grid(self) -> tuple[int, int]:
        """Blocks along the rows and the columns."""
        rows, columns = self.shape
        return -(-rows // self.side), -(-columns // self.side)

    @property
    def nbytes(self) -> int:
        """Of all blocks, before compression."""
        return self.grid[0] * self.grid[1] * self.side**2 * self.n_bands * self.dtype.itemsize

    @classmethod
    def of(cls, contents: Contents) -> Plan:
        """Return how a result is stored."""
        rows, columns = contents.shape
        if contents.kind == "labels":
            return cls((rows, columns), np.dtype(contents.dtype), nodata=0)
        if contents.kind == "map":
            return cls((rows, columns), np.dtype(np.float32), nodata=np.nan)
        dtype = np.dtype(contents.options.get("dtype", "float32"))
        scale = 1.0 if dtype.kind == "f" else 1 / np.iinfo(dtype).max
        return cls((rows, columns), dtype, len(contents.names), scale)

    def extent(self, number: int) -> tuple[int, int]:
        """Rows and columns of a block that lie in the image."""
        starts = (index * self.side for index in divmod(number, self.grid[1]))
        rows, columns = (min(self.side, n - start) for n, start in zip(self.shape, starts, strict=True))
        return rows, columns

    def cut(self, window: Window, values: np.ndarray) -> Iterator[tuple[int, Window, np.ndarray]]:
        """Cut a window into pieces of blocks: number, where in the block, pixels (rows, columns, n_bands) as stored."""
        rows, columns = window
        side = self.side
        pixels = np.moveaxis(values, 0, -1) if values.ndim == 3 else values[..., None]
        for i in range(rows.start // side, -(-rows.stop // side)):
            for j in range(columns.start // side, -(-columns.stop // side)):
                r, c = _overlap(rows, i * side, side), _overlap(columns, j * side, side)
                part = pixels[
                    r.start - rows.start : r.stop - rows.start, c.start - columns.start : c.stop - columns.start
                ]
                inside = (
                    slice(r.start - i * side, r.stop - i * side),
                    slice(c.start - j * side, c.stop - j * side),
                )
                stored = part if self.scale == 1 else np.rint(np.clip(part, 0, 1) / np.float64(self.scale))
                yield i * self.grid[1] + j, inside, stored.astype(self.dtype, copy=False)

    def empty(self) -> np.ndarray:
        """Return a block (side, side, n_bands) of zeros."""
        return np.zeros((self.side, self.side, self.n_bands), self.dtype)

    def pack(self, window: Window, values: np.ndarray) -> StoredPart:
        """Return a window as the file has it: what is encoded by those who compute it need not be by who writes."""
        found = StoredPart([], [])
        for number, inside, part in self.cut(window, values):
            if part.shape[:2] == self.extent(number):
                block = self.empty()
                block[inside] = part
                found.blocks.append((number, compressed(block)))
            else:
                found.shared.append((number, inside, part))
        return found


@dataclass
class _Pending:
    """A block of which pixels are still to come."""

    values: np.ndarray
    filled: int = 0


def blocks_of(
    plan: Plan, windows: Iterable[tuple[Window, np.ndarray | StoredPart]]
) -> Iterator[tuple[int, np.ndarray | bytes]]:
    """Make blocks of windows: number and values (side, side, n_bands), when the last pixel has come, or bytes."""
    pending = dict[int, _Pending]()
    for window, values in windows:
        if isinstance(values, StoredPart):
            yield from values.blocks
        pieces = values.shared if isinstance(values, StoredPart) else plan.cut(window, values)
        for number, inside, part in pieces:
            if number not in pending:
                pending[number] = _Pending(plan.empty())
            block = pending[number]
            block.values[inside] = part
            block.filled += part.shape[0] * part.shape[1]
            rows, columns = plan.extent(number)
            if block.filled == rows * columns:
                yield number, pending.pop(number).values


def _overlap(whole: slice, start: int, length: int) -> slice:
    return slice(max(whole.start, start), min(whole.stop, start + length))
