"""Smooth noise, however skewed: pairs of its values are Gaussian once the values are, unlike those of objects."""

from __future__ import annotations

import math

import numpy as np

from gmmseg.arrays import Array

__all__ = ["departure", "normal_scores"]


def normal_scores(values: Array, ranked: Array) -> Array:
    """What Gaussian variables would have where values rank as they do.

    Parameters
    ----------
    values : ndarray, shape (d, n)
    ranked : ndarray, shape (d, m)
        The values to rank by, ascending.

    Examples
    --------
    >>> normal_scores(np.array([[90.0, 4.0]]), np.array([[3.0, 4.0, 90.0]])).round(2)
    array([[0.97, 0.  ]])
    """
    from scipy.special import ndtri  # here, because few runs choose the number of classes

    sides = [[np.searchsorted(a, b, side) for a, b in zip(ranked, values, strict=True)] for side in ("left", "right")]
    n = max(ranked.shape[1], 1)
    return np.asarray(ndtri((np.sum(sides, axis=0) / 2).clip(0.5, n - 0.5) / n))


def departure(here: Array, there: Array) -> float:
    """How far pairs of numbers are from pairs of correlated Gaussian ones.

    Parameters
    ----------
    here, there : ndarray, shape (n,)
        Numbers whose distribution is Gaussian, such as normal scores.

    Returns
    -------
    float
        From 0, as where numbers are all the same; about 1 / sqrt(n) by chance, where n pairs are independent.

    Notes
    -----
    Sums and differences of Gaussian pairs of equal variance are independent and Gaussian. Where edges are crossed here
    and there, differences have heavy tails; where one of two classes is the more even, as a background is beside bright
    objects, differences are small where sums are small. The third and fourth moments tell (Mardia 1970).
    """
    total, difference = here + there, here - there
    total, squared = total - total.mean(), (difference - difference.mean()) ** 2
    if not (total.any() and squared.any()):
        return 0.0
    total, squared = total / total.std(), squared / squared.mean()
    third, both, tails = (total * squared).mean(), (total**2 * squared).mean() - 1, (squared**2).mean() - 3
    return float(max(abs(third) / math.sqrt(2), abs(both) / 2, abs(tails) / math.sqrt(24)))
