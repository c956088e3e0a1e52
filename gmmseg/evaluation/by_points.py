"""How accurate a map of classes is by a sample of places whose true class is known (Olofsson et al. 2014).

Olofsson, Foody, Herold, Stehman, Woodcock and Wulder (2014), Good practices for estimating area and assessing accuracy
of land change, Remote Sensing of Environment 148, equations 1 to 11: each class of the map is a stratum of known area,
so that what the sample says of a class counts by that area, however many of the points lie in it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from gmmseg.arrays import Array
from gmmseg.errors import ParameterError
from gmmseg.evaluation.confusion import kappa

__all__ = ["Accuracy", "Estimate", "accuracy"]


@dataclass(frozen=True)
class Estimate:
    """A share, and what it may be off by.

    Parameters
    ----------
    value : float
        NaN where no point tells it.
    error : float
        Half the width of its confidence interval.

    Examples
    --------
    >>> overall = accuracy([1, 1, 1, 2, 2], [1, 1, 2, 2, 2]).overall
    >>> round(overall.value, 2), round(overall.error, 2)
    (0.8, 0.39)
    """

    value: float
    error: float


@dataclass(frozen=True)
class Accuracy:
    """What a sample says of a map.

    Parameters
    ----------
    classes : tuple of int
        All that the map or the truth have, in ascending order: rows and columns of the matrix.
    matrix : list of list of int
        How many points the map has in the class of the row, and the truth in that of the column.
    overall : Estimate
        Share of the area that is mapped right.
    kappa : float
        Agreement less that by chance (Cohen 1960), by area.
    users : dict of int to Estimate
        Of the area mapped as a class, what is of that class.
    producers : dict of int to Estimate
        Of the area of a class, what is mapped as it.
    area : dict of int to Estimate
        Share of each true class in the area.
    confidence : float
        Of the intervals.

    Examples
    --------
    >>> found = accuracy([1, 1, 1, 2, 2], [1, 1, 2, 2, 2])
    >>> found.classes, found.matrix, round(found.kappa, 3), round(found.users[1].value, 3)
    ((1, 2), [[2, 1], [0, 2]], 0.615, 0.667)
    """

    classes: tuple[int, ...]
    matrix: list[list[int]]
    overall: Estimate
    kappa: float
    users: dict[int, Estimate]
    producers: dict[int, Estimate]
    area: dict[int, Estimate]
    confidence: float


def accuracy(
    mapped: ArrayLike, truth: ArrayLike, *, areas: Mapping[int, float] | None = None, confidence: float = 0.95
) -> Accuracy:
    """Estimate the accuracy of a map from a sample.

    Parameters
    ----------
    mapped, truth : array_like of int, shape (n_points,)
        The class of each point in the map and in truth.
    areas : mapping of int to float, optional
        Area of each class in the map, in any unit; by default in proportion to the points, as in a simple random
        sample. Classes without a point are left out.
    confidence : float
        Between 0 and 1.

    Returns
    -------
    Accuracy

    Raises
    ------
    ParameterError
        There is no point, lengths differ, a class has points but no area, or the confidence is out of range.

    Notes
    -----
    The intervals are those of a sample that is random within each class of the map. A class with one point has no
    spread: it counts as exact.

    Examples
    --------
    >>> found = accuracy([1, 1, 1, 2, 2], [1, 1, 2, 2, 2], areas={1: 30, 2: 70})
    >>> found.matrix, round(found.overall.value, 3), round(found.area[2].value, 3)
    ([[2, 1], [0, 2]], 0.9, 0.8)
    """
    ours, theirs = (np.asarray(each).ravel().astype(np.int64) for each in (mapped, truth))
    if len(ours) != len(theirs) or not len(ours):
        raise ParameterError(f"{len(ours)} points have a label and {len(theirs)} a truth; give both of each point")
    if not 0 < confidence < 1:
        raise ParameterError(f"confidence={confidence} is not usable; use a number between 0 and 1, such as 0.95")
    classes = np.union1d(ours, theirs)
    counts = np.zeros((len(classes), len(classes)))
    np.add.at(counts, (np.searchsorted(classes, ours), np.searchsorted(classes, theirs)), 1)
    weights = _weights(classes, counts, areas)
    return _estimated(classes, counts, weights, confidence)


def _weights(classes: Array, counts: Array, areas: Mapping[int, float] | None) -> Array:
    """Share of each class of the map in the area of those that have points."""
    sizes = counts.sum(axis=1)
    if areas is not None:
        for number in classes[sizes > 0].tolist():
            if not areas.get(number, 0) > 0:
                raise ParameterError(
                    f"class {number} has points, but areas say nothing of it; give areas of all classes"
                )
        sizes = np.array([areas.get(number, 0) for number in classes.tolist()], float) * (sizes > 0)
    return np.asarray(sizes / sizes.sum())


def _estimated(classes: Array, counts: Array, weights: Array, confidence: float) -> Accuracy:
    from scipy.special import ndtri

    n = counts.sum(axis=1)
    rows = counts / np.maximum(n, 1)[:, None]
    spread = np.maximum(n - 1, 1)
    shares = weights[:, None] * rows  # equation 4
    true = shares.sum(axis=0)
    right = np.diag(shares)
    with np.errstate(invalid="ignore", divide="ignore"):
        users, producers = right / weights, right / true  # equations 2 and 3
        user_variance = users * (1 - users) / spread  # equation 6
        others = weights[:, None] ** 2 * rows * (1 - rows) / spread[:, None]
        np.fill_diagonal(others, 0)
        own = weights**2 * (1 - producers) ** 2 * np.nan_to_num(user_variance)
        producer_variance = (own + producers**2 * others.sum(axis=0)) / true**2  # equation 7
    overall_variance = float((weights**2 * np.nan_to_num(user_variance)).sum())  # equation 5
    area_variance = ((weights[:, None] * shares - shares**2) / spread[:, None]).sum(axis=0)  # equation 10
    z = float(ndtri(0.5 + confidence / 2))
    by_chance = float((weights * true).sum())
    overall = float(right.sum())

    def estimates(values: Array, variances: Array) -> dict[int, Estimate]:
        errors = z * np.sqrt(np.maximum(variances, 0))
        every = zip(classes.tolist(), values.tolist(), errors.tolist(), strict=True)
        return {number: Estimate(value, error) for number, value, error in every}

    return Accuracy(
        classes=tuple(classes.tolist()),
        matrix=counts.astype(int).tolist(),
        overall=Estimate(overall, z * math.sqrt(overall_variance)),
        kappa=kappa(overall, by_chance),
        users=estimates(users, user_variance),
        producers=estimates(producers, producer_variance),
        area=estimates(true, area_variance),
        confidence=confidence,
    )
