"""How many bumps samples have: several Gaussians may make up one class that is not Gaussian, such as a skewed one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmseg.kernels.blas import one_blas_thread
from gmmseg.mixture.parameters import Mixture

__all__ = ["classes_apart", "second_bump"]

Array = NDArray[Any]

_POINTS, _LEVELS = 1024, 32  # of the distribution, a hundredth of which spans ten; of densities, of each kind
_FEWEST = 8  # samples that can have two bumps
_CERTAIN = 1.5  # of the root of the number: what an even density, the worst of one bump, exceeds once in thousands
_ALONE = 0.3  # of agreement; components of noise have next to none, those of what people photograph .45 and more


def second_bump(values: Array) -> float:
    """How much of the values a second bump holds that one bump would have to do without.

    Parameters
    ----------
    values : ndarray, shape (n,)

    Returns
    -------
    float
        From 0 to 1/2: the largest excess of mass of two intervals over that of one (Müller and Sawitzki 1991), which is
        twice the dip of Hartigan and Hartigan (1985). Of one bump it falls with the root of n.

    Examples
    --------
    >>> low = np.linspace(0, 1, 500)
    >>> round(second_bump(low), 2), round(second_bump(np.append(low, low + 3)), 2)
    (0.0, 0.32)
    """
    n = len(values)
    if n < _FEWEST:
        return 0.0
    points = min(n, _POINTS)
    x = np.interp(np.linspace(0, n - 1, points), np.arange(n), np.sort(values.astype(np.float64)))
    mass, wide = np.linspace(0, 1, points), max(1, points // 32)
    widths = np.maximum(x[wide:] - x[:-wide], np.finfo(np.float64).tiny)
    densities = np.sort(wide / (points - 1) / widths)
    levels = np.append(np.geomspace(densities[0], densities[-1], _LEVELS), densities[:: -(-len(densities) // _LEVELS)])
    # An interval of the line has as much mass above a level as this rises along it.
    above = mass - levels[:, None] * (x - x[0])
    until = np.maximum.accumulate(above - np.minimum.accumulate(above, axis=1), axis=1)
    back = above[:, ::-1]
    since = np.maximum.accumulate(np.maximum.accumulate(back, axis=1) - back, axis=1)[:, ::-1]
    return float(((until + since).max(axis=1) - until[:, -1]).max())


def classes_apart(planes: Array, mixture: Mixture, noise: Array, side_by_side: Array, effective: float) -> int:
    """Count the classes that the components of a mixture make up.

    Two are one where the samples of both have one bump, along the line that tells them best apart (Hennig 2010, merging
    by the dip), and where pixels of the one lie beside those of the other as if by chance. So a skewed noise is one
    class, and the nuclei that are but the long tail of a background are another one.

    Parameters
    ----------
    planes : ndarray, shape (d, n)
    mixture : Mixture
    noise : ndarray, shape (d,)
        Variance of rounding, which is filled in at random.
    side_by_side : ndarray, shape (K, K)
        How many pairs of neighbouring pixels are of these two components.
    effective : float
        How many independent samples say as much as these n.
    """
    groups = [[i] for i in range(mixture.n_components)]
    if all(_agreement(side_by_side, a, b) >= _ALONE for i, a in enumerate(groups) for b in groups[:i]):
        return len(groups)
    known = planes[:, np.isfinite(planes).all(axis=0)]
    owner = mixture.classify(known)
    blur = np.sqrt(12 * np.asarray(noise, np.float64))[:, None]
    samples = known + blur * (np.random.default_rng(0).random(known.shape) - 0.5)
    certain = _CERTAIN / math.sqrt(max(effective, 1.0) / max(known.shape[1], 1))

    def surely(a: list[int], b: list[int]) -> float:
        """How surely two groups are two classes; 1 is the limit."""
        if _agreement(side_by_side, a, b) >= _ALONE:
            return np.inf
        one, two = (samples[:, np.isin(owner, group)] for group in (a, b))
        n = one.shape[1] + two.shape[1]
        if min(one.shape[1], two.shape[1]) < _FEWEST:
            return 0.0
        line = _between(one, two)
        return second_bump(np.append(line @ one, line @ two)) * math.sqrt(n) / certain

    found = {(i, j): surely(groups[i], groups[j]) for i in range(len(groups)) for j in range(i)}
    left = set(range(len(groups)))
    while found:
        (i, j), least = min(found.items(), key=lambda each: each[1])
        if least >= 1:
            break
        groups[j], left = groups[j] + groups[i], left - {i}
        found = {pair: value for pair, value in found.items() if i not in pair and j not in pair}
        found |= {(max(j, other), min(j, other)): surely(groups[j], groups[other]) for other in left - {j}}
    return len(left)


def _agreement(pairs: Array, a: list[int], b: list[int]) -> float:
    """Correlation of neighbours being of the one group and not the other; 1 where it cannot be told."""
    both, neither = pairs[np.ix_(a, a)].sum(), pairs[np.ix_(b, b)].sum()
    mixed = 0.5 * (pairs[np.ix_(a, b)].sum() + pairs[np.ix_(b, a)].sum())
    scale = (both + mixed) * (neither + mixed)
    return float((both * neither - mixed**2) / scale) if scale > 0 and both + neither + mixed >= _FEWEST else 1.0


def _between(one: Array, two: Array) -> Array:
    """Direction (d,) along which samples (d, n) of two kinds are told best apart, from their first two moments."""
    d = len(one)
    with one_blas_thread(d):
        spread = np.cov(one).reshape(d, d) + np.cov(two).reshape(d, d)
        spread += np.diag(np.full(d, 1e-6 * np.trace(spread) / d + np.finfo(np.float64).tiny))
        return np.asarray(np.linalg.solve(spread, one.mean(axis=1) - two.mean(axis=1)))
