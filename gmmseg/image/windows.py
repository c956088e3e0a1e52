"""Windows: rectangular parts of an image, such as its first 256 rows and columns, and how to cover an image by them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "Tile",
    "Window",
    "everything",
    "holding",
    "shape_of",
    "shifted",
    "strips",
    "tile_sides",
    "tiles",
    "tiles_holding",
    "widened",
    "windows_across",
]

Window = tuple[slice, ...]
"""A slice with start and stop along each spatial axis, such as (slice(0, 256), slice(512, 768))."""


class Tile(NamedTuple):
    """A window whose result is written, and the larger one around it that has to be read to find that result.

    Parameters
    ----------
    outer : tuple of slice
        Pixels to read.
    inner : tuple of slice
        Pixels to write, in the coordinates of the image.
    """

    outer: Window
    inner: Window

    @property
    def local(self) -> Window:
        """The pixels to write, in the coordinates of the window that is read."""
        return shifted(self.inner, tuple(-s.start for s in self.outer))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the window that is read."""
        return shape_of(self.outer)


def everything(shape: tuple[int, ...]) -> Window:
    """Return the window that holds a whole image of this shape."""
    return tuple(slice(0, n) for n in shape)


def windows_across(sides: Iterable[Iterable[int]]) -> Iterator[Window]:
    """Go through the windows of a grid, of which the sides along each axis are given.

    Examples
    --------
    >>> list(windows_across([(2, 1)]))
    [(slice(0, 2, None),), (slice(2, 3, None),)]
    """
    edges = [list(itertools.accumulate(each, initial=0)) for each in sides]
    yield from itertools.product(*([slice(a, b) for a, b in itertools.pairwise(each)] for each in edges))


def shape_of(window: Window) -> tuple[int, ...]:
    """Return the number of pixels of a window along each axis."""
    return tuple(s.stop - s.start for s in window)


def shifted(window: Window, by: tuple[int, ...]) -> Window:
    """Return a window moved by so many pixels along each axis."""
    return tuple(slice(s.start + step, s.stop + step) for s, step in zip(window, by, strict=True))


def holding(windows: Iterable[Window], index: np.ndarray) -> Iterator[tuple[Window, np.ndarray]]:
    """Go through the windows that hold some of the pixels at index (ndim, n), and say which of the pixels (m,)."""
    import numpy as np

    for window in windows:
        starts, stops = ([[getattr(s, name)] for s in window] for name in ("start", "stop"))
        here = np.flatnonzero(((index >= starts) & (index < stops)).all(axis=0))
        if len(here):
            yield window, here


def tile_sides(shape: tuple[int, ...], pixels: int, halo: int) -> tuple[int, ...]:
    """Choose the sides of a tile of about `pixels` pixels, such as (512, 512), at least twelve times its halo each.

    The halo is computed anew for each tile, so that it has to be narrow against the tile. In volumes a tile is four
    times as long along the last axis, where pixels follow one another in memory.
    """
    sides: list[int] = []
    for axis, n in enumerate(shape):
        left = len(shape) - axis
        part = pixels / 4 if len(shape) == 3 and left > 1 else pixels
        sides.append(min(max(int(part ** (1 / left)), 12 * halo, 1), n))
        pixels //= sides[-1]
    return tuple(sides)


def tiles(shape: tuple[int, ...], sides: tuple[int, ...], halo: int, *, within: Window | None = None) -> Iterator[Tile]:
    """Cover an image, or a window of it, by tiles; what is read for one reaches `halo` pixels farther than it.

    No tile reaches beyond the image; the last ones along an axis may be smaller.

    Examples
    --------
    >>> [(t.outer[0], t.local[0]) for t in tiles((5,), (3,), 1)]
    [(slice(0, 4, None), slice(0, 3, None)), (slice(2, 5, None), slice(1, 3, None))]
    """
    within = within or everything(shape)
    for starts in itertools.product(*(range(s.start, s.stop, side) for s, side in zip(within, sides, strict=True))):
        inner = tuple(slice(a, min(a + side, s.stop)) for a, side, s in zip(starts, sides, within, strict=True))
        yield Tile(widened(inner, halo, shape), inner)


def tiles_holding(
    which: np.ndarray, index: np.ndarray, window: Window, outer: Window, sides: tuple[int, ...]
) -> Iterator[tuple[Window, np.ndarray, tuple[np.ndarray, ...]]]:
    """Yield tiles of a window, in the coordinates of the outer one, with which pixels each holds, and where in it.

    Parameters
    ----------
    which : ndarray of int, shape (n,)
        The pixels by their numbers.
    index : ndarray of int, shape (ndim, n)
        Where they are in the image.
    window, outer : tuple of slice
    sides : tuple of int
        Of the tiles.
    """
    import numpy as np

    first = np.array([s.start for s in window])
    corners = (index.T - first) // sides * sides + first
    order = np.lexsort(corners.T)
    ends = np.flatnonzero((np.diff(corners[order], axis=0) != 0).any(axis=1)) + 1
    for some in np.split(order, ends):
        corner = corners[some[0]].tolist()
        inner = tuple(
            slice(c - o.start, min(c + side, s.stop) - o.start)
            for c, side, s, o in zip(corner, sides, window, outer, strict=True)
        )
        place = tuple(index[axis, some] - corner[axis] for axis in range(len(corner)))
        yield inner, which[some], place


def widened(inner: Window, halo: int, shape: tuple[int, ...]) -> Window:
    """Return a window enlarged by `halo` pixels on each side, but not beyond an image of this shape."""
    return tuple(slice(max(s.start - halo, 0), min(s.stop + halo, n)) for s, n in zip(inner, shape, strict=True))


def strips(shape: tuple[int, ...], blocks: tuple[int, ...], sweep: int, pixels: int, halo: int) -> Iterator[list[Tile]]:
    """Cover an image in a file by strips of tiles, in the order in which the file's blocks are read at least cost.

    A strip goes from one end of the image to the other, tile by tile; a raster of moderate width is one strip of tiles
    as wide as itself.

    Parameters
    ----------
    shape : tuple of int
        Of the image.
    blocks : tuple of int
        Sides of the blocks in which the file is stored; what is read for a tile ends where blocks end.
    sweep : int
        The axis along which the tiles of a strip follow one another: 0 where they go down a raster.
    pixels : int
        About the most that is read for a tile; at least one block is.
    halo : int
        Pixels around a tile that are read with it.

    Yields
    ------
    list of Tile
        One strip: its tiles share all slices but that along `sweep`. What is read for a tile begins twice the halo
        before the end of what was read for the last one, so that a reader that keeps these rows reads every block of a
        strip once.

    Examples
    --------
    >>> (strip,) = strips((6, 4), (2, 4), 0, 8, 1)
    >>> [(tile.outer[0].start, tile.outer[0].stop) for tile in strip]
    [(0, 2), (0, 4), (2, 6)]
    >>> [(tile.inner[0].start, tile.inner[0].stop) for tile in strip]
    [(0, 1), (1, 3), (3, 6)]
    """
    sides = _strip_sides(shape, blocks, sweep, pixels)
    across = [
        range(0, n, side) if axis != sweep else [0] for axis, (n, side) in enumerate(zip(shape, sides, strict=True))
    ]
    length = shape[sweep]
    ends = [*range(sides[sweep], length, sides[sweep]), length]
    for starts in itertools.product(*across):
        frame = tuple(slice(a, min(a + side, n)) for a, side, n in zip(starts, sides, shape, strict=True))
        wide = widened(frame, halo, shape)
        strip, done = [], 0
        for end in ends:
            stop = end if end == length else max(end - halo, done)
            if stop == done:
                continue
            outer = (*wide[:sweep], slice(max(done - halo, 0), end), *wide[sweep + 1 :])
            inner = (*frame[:sweep], slice(done, stop), *frame[sweep + 1 :])
            strip.append(Tile(outer, inner))
            done = stop
        yield strip


def _strip_sides(shape: tuple[int, ...], blocks: tuple[int, ...], sweep: int, pixels: int) -> tuple[int, ...]:
    """Sides of what is read at once, in whole blocks: as wide as the image where that fits, then as long as fits."""
    sides = [min(block, n) for block, n in zip(blocks, shape, strict=True)]
    for axis in [*(a for a in reversed(range(len(shape))) if a != sweep), sweep]:
        unit = math.prod(sides) // sides[axis]
        sides[axis] = min(shape[axis], max(1, pixels // (unit * sides[axis])) * sides[axis])
    return tuple(sides)
