"""Windows over an image: inner parts that cover it once, and around each a halo that its result depends on."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Tile", "tile_sides", "tiles"]

Window = tuple[slice, ...]


@dataclass(frozen=True)
class Tile:
    """One window.

    Parameters
    ----------
    outer : tuple of slice
        Pixels to read.
    inner : tuple of slice
        Pixels to write, in the coordinates of the image.
    local : tuple of slice
        The same pixels in the coordinates of `outer`.
    """

    outer: Window
    inner: Window
    local: Window

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the outer window."""
        return tuple(s.stop - s.start for s in self.outer)


def tile_sides(shape: tuple[int, ...], pixels: int, halo: int) -> tuple[int, ...]:
    """Sides of a tile of about so many pixels that is as wide as it is high, and wide compared with its halo."""
    side = max(int(pixels ** (1 / len(shape))), 12 * halo, 1)
    return tuple(min(side, n) for n in shape)


def tiles(shape: tuple[int, ...], sides: tuple[int, ...], halo: int) -> Iterator[Tile]:
    """Cover a shape with tiles of these sides, each with a halo that ends at the image's border.

    Examples
    --------
    >>> [(t.outer[0], t.local[0]) for t in tiles((5,), (3,), 1)]
    [(slice(0, 4, None), slice(0, 3, None)), (slice(2, 5, None), slice(1, 3, None))]
    """
    for starts in itertools.product(*(range(0, n, side) for n, side in zip(shape, sides, strict=True))):
        inner = tuple(slice(a, min(a + side, n)) for a, side, n in zip(starts, sides, shape, strict=True))
        outer = tuple(slice(max(s.start - halo, 0), min(s.stop + halo, n)) for s, n in zip(inner, shape, strict=True))
        local = tuple(slice(i.start - o.start, i.stop - o.start) for i, o in zip(inner, outer, strict=True))
        yield Tile(outer, inner, local)
