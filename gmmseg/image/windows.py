"""Windows: rectangular parts of an image, and how to cover an image with them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Tile", "Window", "everything", "holding", "shape_of", "shifted", "strips", "tile_sides", "tiles", "widened"]

Window = tuple[slice, ...]
"""A slice with start and stop along each spatial axis."""


class Tile(NamedTuple):
    """One window and what its result depends on.

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
        """Pixels to write, in the coordinates of `outer`."""
        return shifted(self.inner, tuple(-s.start for s in self.outer))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the outer window."""
        return shape_of(self.outer)


def everything(shape: tuple[int, ...]) -> Window:
    """Return the window that is a whole image."""
    return tuple(slice(0, n) for n in shape)


def shape_of(window: Window) -> tuple[int, ...]:
    """Return the shape of a window."""
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
    """Sides of a tile of about so many pixels, wide compared with its halo.

    In volumes it is four times as long along the last axis, where pixels follow one another in memory.
    """
    sides: list[int] = []
    for axis, n in enumerate(shape):
        left = len(shape) - axis
        part = pixels / 4 if len(shape) == 3 and left > 1 else pixels
        sides.append(min(max(int(part ** (1 / left)), 12 * halo, 1), n))
        pixels //= sides[-1]
    return tuple(sides)


def tiles(shape: tuple[int, ...], sides: tuple[int, ...], halo: int, *, within: Window | None = None) -> Iterator[Tile]:
    """Cover a window of a shape, or all of it, with tiles of these sides, each with a halo that ends at the border.

    Examples
    --------
    >>> [(t.outer[0], t.local[0]) for t in tiles((5,), (3,), 1)]
    [(slice(0, 4, None), slice(0, 3, None)), (slice(2, 5, None), slice(1, 3, None))]
    """
    within = within or everything(shape)
    for starts in itertools.product(*(range(s.start, s.stop, side) for s, side in zip(within, sides, strict=True))):
        inner = tuple(slice(a, min(a + side, s.stop)) for a, side, s in zip(starts, sides, within, strict=True))
        yield Tile(widened(inner, halo, shape), inner)


def widened(inner: Window, halo: int, shape: tuple[int, ...]) -> Window:
    """Return a window with so many pixels more on each side, as far as the shape goes."""
    return tuple(slice(max(s.start - halo, 0), min(s.stop + halo, n)) for s, n in zip(inner, shape, strict=True))


def strips(shape: tuple[int, ...], blocks: tuple[int, ...], sweep: int, pixels: int, halo: int) -> Iterator[list[Tile]]:
    """Cover a shape with tiles that follow one another along one axis and end where blocks of a file end.

    Parameters
    ----------
    shape : tuple of int
    blocks : tuple of int
        Sides of the blocks in which the file is stored.
    sweep : int
        The axis along which tiles follow one another.
    pixels : int
        About the most that a tile holds, halo included; at least one block is read at a time.
    halo : int

    Yields
    ------
    list of Tile
        One strip: its tiles share all slices but that along `sweep`. Each outer window goes on where the last one
        ended, or twice the halo before that, so that a reader that keeps these rows reads every block of a strip once.
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
    """Sides of whole blocks: as wide as the image where one row of blocks fits, then as long as fits."""
    sides = [min(block, n) for block, n in zip(blocks, shape, strict=True)]
    for axis in [*(a for a in reversed(range(len(shape))) if a != sweep), sweep]:
        unit = math.prod(sides) // sides[axis]
        sides[axis] = min(shape[axis], max(1, pixels // (unit * sides[axis])) * sides[axis])
    return tuple(sides)
