"""How many objects were found: F1 and average precision at overlaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from gmmseg.arrays import Array
from gmmseg.errors import ParameterError
from gmmseg.evaluation.agreement import whole_numbers

__all__ = ["OVERLAPS", "Detection", "detection", "numbered_on"]

OVERLAPS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
"""Those over which COCO averages."""


@dataclass(frozen=True)
class Detection:
    """How the objects of a label map agree with the true ones.

    Parameters
    ----------
    found, true : int
        How many there are.
    f1 : dict of float to float
        For each overlap 2 TP / (2 TP + FP + FN), where TP objects have a true one to themselves with at least that
        intersection over union.
    average_precision : dict of float to float
        For each overlap TP / (TP + FP + FN).
    mean_average_precision : float
        Over all overlaps.

    Examples
    --------
    >>> found = detection([[1, 1, 0, 2]], [[5, 5, 5, 0]], overlaps=[0.5])
    >>> found.found, found.true, found.mean_average_precision
    (2, 1, 0.5)
    """

    found: int
    true: int
    f1: dict[float, float]
    average_precision: dict[float, float]
    mean_average_precision: float


def detection(
    labels: ArrayLike, truth: ArrayLike, *, overlaps: Sequence[float] = OVERLAPS, time: bool = False
) -> Detection:
    """Compare objects with true ones.

    Parameters
    ----------
    labels, truth : array_like of int, shape (*spatial)
        The number of each pixel's object; 0 = none. In a mask, of 0 and one other number, objects are the connected
        regions (by edges, not corners).
    overlaps : sequence of float
        Intersection over union from which an object counts as found; above 0, up to 1.
    time : bool
        Whether the first axis is time: an object is one of a frame, also where its number goes on through frames.

    Returns
    -------
    Detection
        Without objects on either side all scores are 1.

    Raises
    ------
    ParameterError
        Shapes differ, an array has no whole numbers from 0, or an overlap is out of range.

    Examples
    --------
    >>> found = detection([[1, 1, 0, 2]], [[5, 5, 5, 0]], overlaps=[0.5, 0.8])
    >>> found.f1, found.average_precision
    ({0.5: 0.6666666666666666, 0.8: 0.0}, {0.5: 0.5, 0.8: 0.0})
    """
    ours, theirs = _objects("labels", labels, time=time), _objects("truth", truth, time=time)
    if ours.shape != theirs.shape:
        raise ParameterError(f"labels have shape {ours.shape}, the truth has {theirs.shape}; compare the same pixels")
    wrong = [overlap for overlap in overlaps if not 0 < overlap <= 1]
    if wrong:
        raise ParameterError(f"an overlap of {wrong[0]:g} is not usable; use shares above 0, up to 1")
    n_found, n_true = int(ours.max()), int(theirs.max())
    rows, columns, shared = _pairs(ours, theirs, n_true)
    sizes = np.bincount(ours.ravel())[rows] + np.bincount(theirs.ravel())[columns]
    shares = shared / (sizes - shared)
    f1, precision = {}, {}
    for overlap in map(float, overlaps):
        near = shares >= overlap
        matched = _most_pairs(rows[near], columns[near], (n_found + 1, n_true + 1))
        either = n_found + n_true - matched
        f1[overlap] = 2 * matched / (n_found + n_true) if either else 1.0
        precision[overlap] = matched / either if either else 1.0
    return Detection(n_found, n_true, f1, precision, float(np.mean(list(precision.values()))))


def _objects(name: str, values: ArrayLike, *, time: bool) -> Array:
    """Return objects numbered from 1 without gaps, those of frames on from frame to frame."""
    array = whole_numbers(name, values)
    numbers = np.unique(array)
    mask = len(numbers[numbers > 0]) <= 1
    if not time:
        return _places(array, mask=mask)
    return numbered_on([_places(frame, mask=mask) for frame in array])


def numbered_on(frames: Sequence[Array]) -> Array:
    """Return the numbers of objects of frames, (n_frames, *spatial), so that no two frames share one."""
    labels, last = np.stack(frames), 0
    for frame in labels:
        frame[frame > 0] += last
        last = max(last, int(frame.max(initial=0)))
    return labels


def _places(array: Array, *, mask: bool) -> Array:
    """Number the connected regions of a mask, or the numbers of objects, from 1."""
    if mask:
        from skimage.measure import label

        return np.asarray(label(array > 0, connectivity=1))
    numbers = np.unique(array)
    places = np.searchsorted(numbers, array)
    return places if numbers[0] == 0 else places + 1


def _pairs(ours: Array, theirs: Array, n_true: int) -> tuple[Array, Array, Array]:
    """Return the pairs of objects that share pixels, and how many they share."""
    both = (ours > 0) & (theirs > 0)
    codes, shared = np.unique(ours[both].astype(np.int64) * (n_true + 1) + theirs[both], return_counts=True)
    return codes // (n_true + 1), codes % (n_true + 1), shared


def _most_pairs(rows: Array, columns: Array, shape: tuple[int, int]) -> int:
    """Return how many pairs there are at most of which no two share an object."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_bipartite_matching

    graph = csr_array((np.ones(len(rows), np.int8), (rows.astype(np.int32), columns.astype(np.int32))), shape=shape)
    return int((maximum_bipartite_matching(graph) >= 0).sum())
