"""RegionTree: what regions() returns, a picture's connected regions at every level of detail, to be cut at one."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np

from gmmseg import io
from gmmseg.arrays import Array
from gmmseg.checks import whole_number
from gmmseg.errors import ParameterError
from gmmseg.extras import face
from gmmseg.hierarchy.merging import Merges
from gmmseg.image import Image

__all__ = ["RegionTree"]

DETAIL = 0.38
"""Level of detail that agrees best with people on photographs, see scripts/quality.py."""

_POWER, _UNIT, _STEEPNESS = 0.5, 8.0, 3.5
"""Of the height at a level of detail: how it follows the highest, at which it begins, and how soon it falls."""


@dataclass(frozen=True, eq=False)
class RegionTree:
    """Connected regions at every level of detail.

    Parameters
    ----------
    image : Image
    pieces : ndarray of int32, shape (rows, columns)
        The finest regions, from 0; -1 where there is no data.
    merges : Merges
    """

    image: Image
    pieces: Array
    merges: Merges

    def __repr__(self) -> str:
        rows, columns = self.pieces.shape
        return f"RegionTree({rows} x {columns} pixels, {self.n_finest} piece{'' if self.n_finest == 1 else 's'})"

    def _repr_html_(self) -> str:
        """Show the regions in a notebook."""
        return str(face("gmmseg.integrations.notebook.html_views:tree_html")(self))

    @property
    def n_finest(self) -> int:
        """Number of regions before any are merged."""
        return self.merges.n_pieces

    def count(self, detail: float = DETAIL) -> int:
        """Return the number of regions at a level of detail."""
        return self.merges.n_pieces - self._mergers(detail)

    def labels(self, detail: float | None = None, *, n: int | None = None, min_size: int | str | None = None) -> Array:
        """Cut the tree.

        Parameters
        ----------
        detail : float, 0 to 1
            How fine: mergers that cost little compared with the image's costliest are made, the fewer the larger it is.
            By default the level that agrees best with people on photographs.
        n : int, optional
            Number of regions instead; at most `n_finest`, at least one for each part that touches no other.
        min_size : int or str, optional
            Regions below it go to the neighbour with which they share the longest boundary, smallest first, so that
            fewer than `n` may be left: pixels, or an area, as of `Segmentation.clean`.

        Returns
        -------
        ndarray, shape (rows, columns), uint16 or uint32
            Regions from 1, in the order of their first pixels; 0 where there is no data.
        """
        if n is not None and detail is not None:
            raise ParameterError(f"detail={detail} and n={n} both say how fine; give one of them")
        if n is None:
            mergers = self._mergers(DETAIL if detail is None else detail)
        else:
            mergers = min(max(self.n_finest - whole_number("n", n, 1, None), 0), len(self.merges.pairs))
        numbers = np.append(self.merges.regions(mergers), 0)  # the last is for -1
        found: Array = numbers.astype(np.uint16 if len(numbers) <= 1 << 16 else np.uint32)[self.pieces]
        return found if min_size is None else self._cleaned(found, min_size)

    def _cleaned(self, labels: Array, min_size: int | str) -> Array:
        """Give small regions to their neighbours, and number those that are left in the order of first pixels."""
        from gmmseg.image.sizes import least_pixels  # here, because most trees are cut as they are
        from gmmseg.spatial.sieve import sieve  # here, because most trees are cut as they are

        cleaned = sieve(labels, least_pixels(min_size, self.image), spacing=self.image.spacing)
        kept, first = np.unique(cleaned, return_index=True)
        kept = kept[np.argsort(first)]
        numbers = np.zeros(int(labels.max()) + 1, labels.dtype)
        numbers[kept[kept > 0]] = np.arange(1, np.count_nonzero(kept) + 1)
        return numbers[cleaned]

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        detail: float | None = None,
        n: int | None = None,
        min_size: int | str | None = None,
        overwrite: bool = False,
    ) -> None:
        """Write the labels at a level of detail; the suffix chooses the format, as of `Segmentation.save`.

        They take 16 bits or more, however few they are: exports know by it that numbers are not of classes.
        """
        found = self.labels(detail, n=n, min_size=min_size)
        io.write_labels(path, found, image=self.image, objects=True, overwrite=overwrite)

    def _mergers(self, detail: float) -> int:
        try:
            level = float(detail)
        except (TypeError, ValueError):
            level = np.nan
        if not 0 <= level <= 1:
            raise ParameterError(f"detail={detail!r} is not usable; use a number from 0 (coarse) to 1 (fine)")
        heights = self.merges.heights
        highest = max(float(heights[-1]), 0.0) if len(heights) else 0.0
        return int(np.searchsorted(heights, _UNIT * highest**_POWER * np.exp(-_STEEPNESS * level), side="right"))
