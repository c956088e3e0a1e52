"""How well labels agree with a truth, or with several people's.

All measures but the boundary's follow from the table of how many pixels each pair of a label and a true segment share,
so they cost one pass over the pixels. Pixels with label 0 on either side are left out, except in the Dice coefficient
and the boundary measure, in which they count as wrong: unless the truth is partly labelled, so that nothing is known
where it is 0. In a mask, in which all others are one number, 0 is not no data but the background, a class like any
other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from gmmseg.arrays import Array
from gmmseg.errors import ParameterError
from gmmseg.evaluation.confusion import Confusion

__all__ = ["Agreement", "evaluate", "is_mask", "whole_numbers"]

_TOLERANCE = 0.0075  # of the diagonal, by which boundaries may lie apart (Martin, Fowlkes and Malik 2004)


@dataclass(frozen=True)
class Agreement:
    """Scores of a label map; of several truths the mean.

    Parameters
    ----------
    rand_index : float
        Probabilistic Rand index: how often two pixels are together in both or apart in both; 1 at best.
    variation_of_information : float
        What the two segmentations say that the other does not, in bits; 0 at best (Meila 2007).
    covering : float
        Overlap of each true segment with the best label, weighted by size; 1 at best (Arbelaez et al. 2011).
    adjusted_rand_index : float
        Rand index less what chance gives; 1 at best, 0 by chance (Hubert and Arabie 1985).
    dice : dict of int to float
        Dice coefficient of each true class with the label that matches it, where every label is matched once, such
        that the coefficients' sum is largest.
    matching : dict of int to int
        The label that was matched with each true class; 0 where there was none left, and the background of a mask.
    boundary_f : float or None
        Harmonic mean of the shares of boundary pixels that have a boundary pixel of the other within 0.75 % of the
        diagonal; None for volumes.
    segments : int
        Number of labels.
    confusion : Confusion
        Which labels are taken for which true classes: confusion matrix, overall accuracy, kappa, user's and producer's
        accuracies, by the same matching.

    Examples
    --------
    >>> found = evaluate([[1, 1, 2, 2]], [[7, 7, 7, 3]])
    >>> found.segments, found.rand_index, found.variation_of_information, found.matching
    (2, 0.5, 1.188721875540867, {3: 2, 7: 1})
    """

    rand_index: float
    variation_of_information: float
    covering: float
    adjusted_rand_index: float
    dice: dict[int, float]
    matching: dict[int, int]
    boundary_f: float | None
    segments: int
    confusion: Confusion


def evaluate(
    labels: ArrayLike,
    truths: ArrayLike | Sequence[ArrayLike],
    *,
    as_numbered: bool = False,
    background: bool | None = None,
    partly_labelled: bool = False,
) -> Agreement:
    """Compare labels with one truth or several.

    Parameters
    ----------
    labels : array_like of int, shape (*spatial)
        0 = no data.
    truths : array_like of int, or a sequence of them
        Of the labels' shape; the numbers need not be those of the labels.
    as_numbered : bool
        Whether they are those of the labels all the same, so that no class is matched with another number's.
    background : bool, optional
        Whether 0 is a class. By default it is where the truth is a mask, of 0 and one other number, and in the labels
        where these are a mask as well.
    partly_labelled : bool
        Whether nothing is known where the truth is 0, as of training areas: such pixels are left out of Dice
        coefficients and boundaries, too, and 0 is no class.

    Returns
    -------
    Agreement
        Dice coefficients, matching and confusion are those with the first truth.

    Raises
    ------
    ParameterError
        Shapes differ, values are no whole numbers from 0, no pixel has both a label and a truth, or 0 is to be both a
        class and unknown.

    Examples
    --------
    >>> found = evaluate([[1, 1, 2, 2]], [[7, 7, 7, 3]])
    >>> found.covering, found.dice
    (0.625, {3: 0.6666666666666666, 7: 0.8})
    >>> evaluate([[1, 1, 2, 2]], [[1, 0, 2, 0]], partly_labelled=True).dice
    {1: 1.0, 2: 1.0}
    """
    if partly_labelled and background:
        raise ParameterError("background=True makes 0 a class, partly_labelled=True unknown; leave one of them out")
    ours = whole_numbers("labels", labels)
    several = isinstance(truths, list | tuple) and np.ndim(truths[0]) == ours.ndim
    given: Any = truths if several else [truths]
    theirs = [whole_numbers("truth", truth) for truth in given]
    for truth in theirs:
        if truth.shape != ours.shape:
            raise ParameterError(
                f"labels have shape {ours.shape}, the truth has {truth.shape}; compare the same pixels"
            )
    if partly_labelled:
        background = False
    masks = [is_mask(truth) if background is None else background for truth in theirs]
    counted = any(masks) and (is_mask(ours) if background is None else background)
    # Where 0 is a class, all numbers are one more in here.
    ours, theirs = _lifted(ours, counted), [_lifted(*each) for each in zip(theirs, masks, strict=True)]
    tables = [_Table.of(ours, truth, unknown=partly_labelled) for truth in theirs]
    inner = [table.counts[1:, 1:] for table in tables]
    if not all(each.sum() for each in inner):
        raise ParameterError("no pixel has both a label and a truth above 0; there is nothing to compare")
    covered = sum((_overlaps(each).max(axis=0) * each.sum(axis=0)).sum() for each in inner)
    rule = _same_number if as_numbered else _matched
    first = tables[0].unlifted(counted, masks[0])
    dice, matching = rule(first)
    matched = {number: label for number, label in matching.items() if label or dice[number]}
    boundaries = [_boundary_f(ours, truth, partly_labelled) for truth in theirs] if ours.ndim == 2 else None
    return Agreement(
        rand_index=float(np.mean([_rand(each) for each in inner])),
        variation_of_information=float(np.mean([_variation(each) for each in inner])),
        covering=float(covered / sum(each.sum() for each in inner)),
        adjusted_rand_index=float(np.mean([_adjusted_rand(each) for each in inner])),
        dice=dice,
        matching=matching,
        boundary_f=None if boundaries is None else float(np.mean(boundaries)),
        segments=len(tables[0].labels) - 1,
        confusion=Confusion.of(first.labels[1:].tolist(), first.numbers[1:].tolist(), inner[0], matched),
    )


def whole_numbers(name: str, values: ArrayLike) -> Array:
    """Return a map as an array; ParameterError where it is none of whole numbers from 0."""
    array = np.asarray(values)
    if array.dtype.kind not in "bui" or array.size == 0 or (array.dtype.kind == "i" and array.min() < 0):
        raise ParameterError(
            f"{name} has dtype {array.dtype} and shape {array.shape}; give whole numbers from 0, as "
            "gmmseg.io.read_labels reads them from a file"
        )
    return array


def is_mask(values: Array) -> bool:
    """Return whether there are zeros, and all other numbers are one."""
    low, high = values.min(), values.max()
    return bool(low == 0 < high and ((values == 0) | (values == high)).all())


def _lifted(values: Array, by_one: bool) -> Array:
    return values.astype(np.promote_types(values.dtype, np.uint16)) + 1 if by_one else values


@dataclass(frozen=True, eq=False)
class _Table:
    """How many pixels have each pair of a label (rows) and a true number (columns); no data is the first of both."""

    labels: Array
    numbers: Array
    counts: Array

    @classmethod
    def of(cls, ours: Array, theirs: Array, *, unknown: bool) -> _Table:
        """Count; what has no true number is as if it was not there where it is unknown."""
        (labels, a), (numbers, b) = _places(ours), _places(theirs)
        counts = np.bincount(a * len(numbers) + b, minlength=len(labels) * len(numbers))
        table = counts.reshape(len(labels), len(numbers)).astype(np.float64)
        if unknown:
            table[:, 0] = 0
        return cls(labels, numbers, table)

    def unlifted(self, labels: bool, numbers: bool) -> _Table:
        """Return the table with the numbers of the maps, where those in here are one more."""
        return _Table(self.labels - labels, self.numbers - numbers, self.counts)


def _places(values: Array) -> tuple[Array, Array]:
    """0 and the numbers that occur, and each pixel's place among them."""
    flat = values.reshape(-1)
    found = np.flatnonzero(np.bincount(flat)) if values.dtype.itemsize <= 2 else np.unique(flat)
    found = np.union1d([0], found).astype(np.int64)
    if found[-1] < 1 << 24:  # a table from numbers to places is quicker than a search
        place = np.zeros(int(found[-1]) + 1, np.intp)
        place[found] = np.arange(len(found))
        return found, place[flat]
    return found, np.searchsorted(found, flat)


def _pairs(counts: Array) -> float:
    """Pairs of pixels within the same group."""
    return float((counts * (counts - 1)).sum() / 2)


def _rand(table: Array) -> float:
    together, ours, theirs = _pairs(table), _pairs(table.sum(axis=1)), _pairs(table.sum(axis=0))
    every = _pairs(np.array([table.sum()]))
    return 1.0 if every == 0 else (every + 2 * together - ours - theirs) / every


def _adjusted_rand(table: Array) -> float:
    together, ours, theirs = _pairs(table), _pairs(table.sum(axis=1)), _pairs(table.sum(axis=0))
    by_chance = ours * theirs / max(_pairs(np.array([table.sum()])), 1.0)
    span = (ours + theirs) / 2 - by_chance
    return 1.0 if span == 0 else (together - by_chance) / span


def _variation(table: Array) -> float:
    def entropy(counts: Array) -> float:
        shares = counts[counts > 0] / counts.sum()
        return float(-(shares * np.log2(shares)).sum())

    return max(0.0, 2 * entropy(table) - entropy(table.sum(axis=1)) - entropy(table.sum(axis=0)))


def _overlaps(table: Array) -> Array:
    """Intersection over union of each pair."""
    union = table.sum(axis=1)[:, None] + table.sum(axis=0) - table
    return np.asarray(table / np.maximum(union, 1))


def _matched(table: _Table) -> tuple[dict[int, float], dict[int, int]]:
    """Dice coefficient of each true class with its match, and the match."""
    from scipy.optimize import linear_sum_assignment

    coefficients = _coefficients(table)
    return _scored(table, coefficients, *linear_sum_assignment(coefficients, maximize=True))


def _same_number(table: _Table) -> tuple[dict[int, float], dict[int, int]]:
    """Dice coefficient of each true class with the label of its number, and that label."""
    _, rows, columns = np.intersect1d(table.labels[1:], table.numbers[1:], return_indices=True)
    return _scored(table, _coefficients(table), rows, columns)


def _coefficients(table: _Table) -> Array:
    counts = table.counts
    sizes = counts.sum(axis=1)[1:, None] + counts.sum(axis=0)[None, 1:]
    return np.asarray(2 * counts[1:, 1:] / np.maximum(sizes, 1))


def _scored(table: _Table, coefficients: Array, rows: Array, columns: Array) -> tuple[dict[int, float], dict[int, int]]:
    dice = {int(number): 0.0 for number in table.numbers[1:]}
    matching = dict.fromkeys(dice, 0)
    for row, column in zip(rows, columns, strict=True):
        number = int(table.numbers[1 + column])
        dice[number], matching[number] = float(coefficients[row, column]), int(table.labels[1 + row])
    return dice, matching


def _boundary_f(ours: Array, theirs: Array, partly_labelled: bool) -> float:
    """F measure of boundary pixels, each found where one of the other map is near."""
    from scipy.ndimage import distance_transform_edt

    near = max(1.0, _TOLERANCE * float(np.hypot(*ours.shape)))
    known = theirs > 0 if partly_labelled else None
    found, true = _boundary(ours, known), _boundary(theirs, known)
    if not found.any() or not true.any():
        return float(found.any() == true.any())
    precision = float((distance_transform_edt(~true)[found] <= near).mean())
    recall = float((distance_transform_edt(~found)[true] <= near).mean())
    return 0.0 if precision + recall == 0 else 2 * precision * recall / (precision + recall)


def _boundary(labels: Array, known: Array | None) -> Array:
    """Pixels whose next one to the right or below has another number; both among those that are known, if not all."""
    edge = np.zeros(labels.shape, bool)
    right, below = labels[:, :-1] != labels[:, 1:], labels[:-1] != labels[1:]
    if known is not None:
        right, below = right & known[:, :-1] & known[:, 1:], below & known[:-1] & known[1:]
    edge[:, :-1] = right
    edge[:-1] |= below
    return edge
