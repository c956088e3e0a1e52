"""Cuts through a volume, upright and as long as they are in space: three that meet, side by side, or many in rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gmmseg.arrays import Array
from gmmseg.errors import ParameterError
from gmmseg.image.image import Image

__all__ = ["Cuts"]

_LONGEST = 1024  # pixels of the page along an axis: a cut has at most a megapixel
_GAP = 4  # pixels between cuts


@dataclass(frozen=True)
class _Cut:
    """One of the three: the axis it is square to, those down and to the right, and its top and left on the page."""

    square: int
    axes: tuple[int, int]
    corner: tuple[int, int]

    def within(self, sizes: tuple[int, ...]) -> tuple[slice, slice]:
        """Return where on the page it lies."""
        rows, columns = (slice(start, start + sizes[axis]) for start, axis in zip(self.corner, self.axes, strict=True))
        return rows, columns


@dataclass(frozen=True)
class Cuts:
    """How three cuts that are square to each other lie on the page.

    The first lies left and above; to its right is the one across its columns, below it the one across its rows. So a
    place in one cut lies in the same row or column of the next.

    Parameters
    ----------
    shape : tuple of int
        Voxels along each axis.
    sizes : tuple of int
        Pixels of the page along each axis: as long as the axis is in space.
    order : tuple of int
        Axes into the page, down and to the right, as the first cut shows them.
    flipped : tuple of bool
        Whether an axis begins at the bottom or the right.
    patient : bool
        Whether the page is seen from the patient: the right to the right, the front and the top above.

    Examples
    --------
    >>> cuts = Cuts((2, 3, 4), (2, 3, 4), (0, 1, 2), (False, False, False))
    >>> cuts.page
    (9, 10)
    >>> cuts.laid(np.arange(1, 25).reshape(2, 3, 4), (1, 0, 0))[:3].tolist()  # doctest: +NORMALIZE_WHITESPACE
    [[13, 14, 15, 16, 0, 0, 0, 0, 1, 13],
     [17, 18, 19, 20, 0, 0, 0, 0, 5, 17],
     [21, 22, 23, 24, 0, 0, 0, 0, 9, 21]]
    """

    shape: tuple[int, ...]
    sizes: tuple[int, ...]
    order: tuple[int, ...]
    flipped: tuple[bool, ...]
    patient: bool = False

    @classmethod
    def of(cls, image: Image, longest: int = _LONGEST) -> Cuts:
        """Return the cuts of a volume: of a patient with the front and the top above, else in the file's order.

        No axis has more than `longest` pixels.
        """
        lengths = np.array(image.shape) * np.array(image.spacing or (1.0, 1.0, 1.0))
        finest = min(image.spacing or (1.0,))
        scale = min(1 / finest, longest / lengths.max())
        sizes = tuple(max(1, round(float(each) * scale)) for each in lengths)
        place = image.place
        if place is None or place.affine3d is None:
            return cls(image.shape, sizes, (0, 1, 2), (False, False, False))
        matrix = np.array(place.affine3d)[:3, :3]
        right, front, top = (int(each) for each in np.abs(matrix).argmax(axis=1))
        if {right, front, top} != {0, 1, 2}:  # turned by so much that no axis is nearest
            return cls(image.shape, sizes, (0, 1, 2), (False, False, False))
        flipped = [False, False, False]
        for axis, row in ((front, 1), (top, 2)):
            flipped[axis] = bool(matrix[row, axis] > 0)
        flipped[right] = bool(matrix[0, right] < 0)
        return cls(image.shape, sizes, (top, front, right), tuple(flipped), True)

    @property
    def page(self) -> tuple[int, int]:
        """Rows and columns of the picture in which the cuts lie."""
        into, down, across = (self.sizes[axis] for axis in self.order)
        return down + _GAP + into, across + _GAP + into

    def laid(self, values: Array, at: Sequence[int]) -> Array:
        """Lay out the cuts through a voxel.

        Parameters
        ----------
        values : ndarray, shape (n_0, n_1, n_2, ...)
            Of the volume, on its grid or on a coarser one of the same extent.
        at : sequence of int
            The voxel, on the grid of the volume.

        Returns
        -------
        ndarray, shape (*page, ...)
            0 where there is no cut.

        Raises
        ------
        ParameterError
            The volume has no such voxel.
        """
        page = np.zeros((*self.page, *values.shape[3:]), values.dtype)
        for cut in self._cuts():
            rows, columns = (self._places(axis, values.shape[axis]) for axis in cut.axes)
            page[cut.within(self.sizes)] = self._plane(values, cut, at)[np.ix_(rows, columns)]
        return page

    def mark(
        self, values: Array, at: Sequence[int], start: Sequence[float], drawn: tuple[Array, Array], to: int
    ) -> None:
        """Give voxels of one cut the value `to`: what is drawn on the page beyond that cut is left out.

        Parameters
        ----------
        values : ndarray, shape (n_0, n_1, n_2)
            Of the volume, on its grid or on a coarser one of the same extent; changed in place.
        at : sequence of int
            The voxel that the cuts go through, on the grid of the volume.
        start : sequence of float
            Pixels of the page to the right and down: the cut is the one that lies there.
        drawn : tuple of ndarray, shape `page`
            Not 0 in an area, of which voxels are those whose centres lie in it, and on a line, of which they are all
            that it touches: so an area has its size however long a voxel is, and no line has gaps.

        Raises
        ------
        ParameterError
            The volume has no such voxel, or there is no cut.

        Examples
        --------
        >>> cuts, values, page = Cuts((2, 2, 2), (2, 2, 6), (0, 1, 2), (False,) * 3), np.zeros((2, 2, 2), int), (8, 12)
        >>> area, line = np.zeros(page), np.zeros(page)
        >>> area[0, :3] = line[1, 5] = 1
        >>> cuts.mark(values, (1, 0, 0), (0.5, 0.5), (area, line), 7)
        >>> values.tolist()
        [[[0, 0], [0, 0]], [[7, 0], [0, 7]]]
        """
        cut = self._cut_at(*start)
        plane = self._plane(values, cut, at)
        area, line = (each[cut.within(self.sizes)] for each in drawn)
        plane[area[np.ix_(*(self._centres(axis, values.shape[axis]) for axis in cut.axes))] > 0] = to
        places = (self._places(axis, values.shape[axis]) for axis in cut.axes)
        plane[tuple(each[pixels] for each, pixels in zip(places, np.nonzero(line), strict=True))] = to

    def _cuts(self) -> list[_Cut]:
        into, down, across = self.order
        left, top = self.sizes[across] + _GAP, self.sizes[down] + _GAP
        return [
            _Cut(into, (down, across), (0, 0)),
            _Cut(across, (down, into), (0, left)),
            _Cut(down, (into, across), (top, 0)),
        ]

    def _cut_at(self, x: float, y: float) -> _Cut:
        for cut in self._cuts():
            (top, left), (rows, columns) = cut.corner, (self.sizes[axis] for axis in cut.axes)
            if 0 <= x - left < columns and 0 <= y - top < rows:
                return cut
        raise ParameterError(f"points={x:g},{y:g} lie in none of the three cuts; begin a stroke in one")

    def _plane(self, values: Array, cut: _Cut, at: Sequence[int]) -> Array:
        """Return the values of a cut, one for each voxel, as a view, with the axis that goes down the page first."""
        if len(at) != 3 or not all(0 <= each < length for each, length in zip(at, self.shape, strict=True)):
            raise ParameterError(f"at={','.join(map(str, at))} is no voxel; the volume has {self.shape} of them")
        ordered = np.moveaxis(values, (cut.square, *cut.axes), (0, 1, 2))
        return np.asarray(ordered[at[cut.square] * values.shape[cut.square] // self.shape[cut.square]])

    def whole(self, values: Array, most: int) -> Array:
        """Return the volume itself as it lies on the page: with axes into the page, down and to the right.

        Parameters
        ----------
        values : ndarray, shape (n_0, n_1, n_2)
            Of the volume, on any grid.
        most : int
            Voxels along an axis: of longer ones those in the middle of so many equal parts.

        Examples
        --------
        >>> Cuts((1, 2, 3), (1, 2, 3), (0, 2, 1), (False, False, True)).whole(np.arange(6).reshape(1, 2, 3), 2).tolist()
        [[[2, 5], [0, 3]]]
        """
        lengths = {axis: values.shape[axis] for axis in self.order}
        places = (self._places(axis, length, min(length, most)) for axis, length in lengths.items())
        return np.moveaxis(values, self.order, (0, 1, 2))[np.ix_(*places)]

    def in_rows(self, values: Array, places: Sequence[Sequence[int]]) -> Array:
        """Lay out many cuts: a row of those into the page, then of those across the rows, then across the columns.

        Parameters
        ----------
        values : ndarray, shape (n_0, n_1, n_2, ...)
            Of the volume.
        places : sequence of sequences of int
            For each row the voxels, along the axis that the cuts are square to, at which they lie.

        Returns
        -------
        ndarray, shape (rows, columns, ...)
            0 where there is no cut.
        """
        ordered = np.moveaxis(values, self.order, (0, 1, 2))
        into, down, across = (self._places(axis, values.shape[axis]) for axis in self.order)
        grids = (np.ix_(down, across), np.ix_(into, across), np.ix_(into, down))
        rows = [
            [np.take(ordered, place, axis)[grid] for place in some]
            for axis, (some, grid) in enumerate(zip(places, grids, strict=True))
        ]
        heights = [some[0].shape[0] for some in rows]
        width = max(sum(each.shape[1] + _GAP for each in some) for some in rows) - _GAP
        page = np.zeros((sum(heights) + 2 * _GAP, width, *values.shape[3:]), values.dtype)
        top = 0
        for some, height in zip(rows, heights, strict=True):
            left = 0
            for each in some:
                page[top : top + height, left : left + each.shape[1]] = each
                left += each.shape[1] + _GAP
            top += height + _GAP
        return page

    def described(self) -> dict[str, Any]:
        """Return what the page needs to find the voxel that was clicked."""
        kept = {"shape": self.shape, "sizes": self.sizes, "order": self.order, "flipped": self.flipped}
        # Of the axes into the page, down and to the right: where they begin, and where they end.
        letters = ["SI", "AP", "LR"] if self.patient else None
        return {**{name: list(each) for name, each in kept.items()}, "gap": _GAP, "letters": letters}

    def _places(self, axis: int, length: int, size: int | None = None) -> Array:
        size = self.sizes[axis] if size is None else size
        places = (2 * np.arange(size) + 1) * length // (2 * size)
        return places[::-1] if self.flipped[axis] else places

    def _centres(self, axis: int, length: int) -> Array:
        """Return the pixel in which the centre of each voxel lies."""
        pixels = (2 * np.arange(length) + 1) * self.sizes[axis] // (2 * length)
        return self.sizes[axis] - 1 - pixels if self.flipped[axis] else pixels
