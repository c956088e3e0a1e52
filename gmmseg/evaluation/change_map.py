"""What changed between two label maps: a map of the changes, and a matrix of areas."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from gmmseg.arrays import Array
from gmmseg.errors import ParameterError
from gmmseg.evaluation.agreement import whole_numbers

__all__ = ["Changes", "changes"]

_MOST = 255  # numbers of a label map


@dataclass(frozen=True, eq=False)
class Changes:
    """What changed between two label maps.

    Parameters
    ----------
    classes : tuple of int
        All that either map has, in ascending order: rows and columns of the matrix.
    areas : ndarray of float64, shape (n_classes, n_classes)
        Of what was the class of the row and is that of the column.
    labels : ndarray of uint8, shape (*spatial)
        1 where nothing changed, then a number for each kind of change, the largest first; 0 where either map has no
        data.
    kinds : tuple of (int, int)
        Class before and after of the numbers from 2.

    Examples
    --------
    >>> found = changes([[1, 1, 2, 0]], [[1, 2, 2, 2]])
    >>> found.classes, found.areas.tolist(), found.kinds
    ((1, 2), [[1.0, 1.0], [0.0, 1.0]], ((1, 2),))
    """

    classes: tuple[int, ...]
    areas: Array
    labels: Array
    kinds: tuple[tuple[int, int], ...]


def changes(before: ArrayLike, after: ArrayLike, *, areas: ArrayLike = 1.0) -> Changes:
    """Compare two label maps of one place.

    Parameters
    ----------
    before, after : array_like of int, shape (*spatial)
        0 = no data.
    areas : array_like of float
        Of a pixel, of the pixels of each row, shape (rows,), or of each pixel, shape (*spatial).

    Returns
    -------
    Changes

    Raises
    ------
    ParameterError
        Shapes differ, the numbers are none from 0, no pixel has a class in both, or there are more kinds of change than
        a label map has numbers.

    Examples
    --------
    >>> found = changes([[1, 1, 2, 0]], [[1, 2, 2, 2]], areas=0.09)
    >>> found.areas.tolist(), found.labels.tolist(), found.kinds
    ([[0.09, 0.09], [0.0, 0.09]], [[1, 2, 1, 0]], ((1, 2),))
    """
    old, new = whole_numbers("before", before), whole_numbers("after", after)
    if old.shape != new.shape:
        raise ParameterError(f"the maps have shapes {old.shape} and {new.shape}; compare the same pixels")
    both = (old > 0) & (new > 0)
    if not both.any():
        raise ParameterError("no pixel has a class in both maps; there is nothing to compare")
    classes = np.union1d(np.unique(old[both]), np.unique(new[both])).astype(np.int64)
    n = len(classes)
    pairs = np.searchsorted(classes, old[both]) * n + np.searchsorted(classes, new[both])
    sizes = np.asarray(areas, float)
    weights = sizes[both if sizes.shape == old.shape else np.nonzero(both)[0]] if sizes.ndim else None
    matrix = np.bincount(pairs, weights, minlength=n * n) * (1.0 if sizes.ndim else float(sizes))
    off = np.flatnonzero((matrix > 0) & (np.arange(n * n) // n != np.arange(n * n) % n))
    kinds = off[np.argsort(-matrix[off], kind="stable")]
    if len(kinds) > _MOST - 1:
        raise ParameterError(
            f"there are {len(kinds)} kinds of change, a map of them holds {_MOST - 1}; merge classes first"
        )
    number = np.ones(n * n, np.uint8)
    number[kinds] = np.arange(2, len(kinds) + 2)
    labels = np.zeros(old.shape, np.uint8)
    labels[both] = number[pairs]
    found = [(int(classes[kind // n]), int(classes[kind % n])) for kind in kinds.tolist()]
    return Changes(tuple(classes.tolist()), matrix.reshape(n, n), labels, tuple(found))
