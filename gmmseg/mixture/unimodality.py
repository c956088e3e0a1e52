"""How many bumps samples have: several Gaussians may make up one class that is not Gaussian, such as a skewed one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, Self

import numpy as np

from gmmseg import kernels
from gmmseg.arrays import Array
from gmmseg.kernels.blas import one_blas_thread
from gmmseg.mixture.parameters import Mixture

__all__ = ["Group", "Moments", "classes_apart", "line_between", "merged", "samples_of", "second_bump"]

Group = list[int]  # of components

_POINTS, _LEVELS = 1024, 32  # of the distribution, a hundredth of which spans ten; of densities, of each kind
_FEWEST = 8  # samples that can have two bumps
_CERTAIN = 1.5  # of the root of the number: what an even density, the worst of one bump, exceeds once in thousands
_ALONE = 0.3  # of agreement; components of noise have next to none, those of what people photograph .45 and more


class Moments(NamedTuple):
    """What is known of the place and the spread of some samples.

    Parameters
    ----------
    n : int
        How many there are.
    mean : ndarray, shape (d,)
    scatter : ndarray, shape (d, d)
        Sum of the products of their offsets from the mean.
    """

    n: int
    mean: Array
    scatter: Array

    @classmethod
    def of(cls, samples: Array) -> Self:
        """Return those of samples (d, n)."""
        d, n = samples.shape
        if not n:
            return cls(0, np.zeros(d), np.zeros((d, d)))
        mean = samples.mean(axis=1, dtype=np.float64)
        offsets = samples - mean[:, None]
        with one_blas_thread(d):
            return cls(n, mean, offsets @ offsets.T)

    @classmethod
    def of_all(cls, parts: Sequence[Moments], group: Group) -> Moments:
        """Return those of the samples of a group together: .95 of the time of k="auto" for pictures of 64 x 64."""
        whole = parts[group[0]]
        for other in (parts[i] for i in group[1:]):
            n, step = max(whole.n + other.n, 1), other.mean - whole.mean
            between = whole.n * other.n / n * np.outer(step, step)
            whole = cls(whole.n + other.n, whole.mean + other.n / n * step, whole.scatter + other.scatter + between)
        return whole


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
    wide = max(1, points // 32)
    widths = np.maximum(x[wide:] - x[:-wide], np.finfo(np.float64).tiny)
    densities = np.sort(wide / (points - 1) / widths)
    least, most = np.log(densities[[0, -1]])
    spaced = np.exp(np.linspace(least, most, _LEVELS))
    return kernels.second_mass(x, np.append(spaced, densities[:: -(-len(densities) // _LEVELS)]))


def samples_of(planes: Array, mixture: Mixture, noise: Array) -> list[Array]:
    """Return the samples (d, m) of each of the K components, those that lack a feature left out.

    Parameters
    ----------
    planes : ndarray, shape (d, n)
    mixture : Mixture
    noise : ndarray, shape (d,)
        Variance of rounding, which is filled in at random.
    """
    known = planes[:, np.isfinite(planes).all(axis=0)]
    owner = mixture.classify(known)
    blur = np.sqrt(12 * np.asarray(noise, np.float64))[:, None]
    samples = known + blur * (np.random.default_rng(0).random(known.shape) - 0.5)
    return [samples[:, owner == i] for i in range(mixture.n_components)]


def classes_apart(
    parts: Sequence[Array],
    side_by_side: Array,
    effective: float,
    one_field: Callable[[Group], bool] | None = None,
) -> int:
    """Count the classes that the components of a mixture make up.

    Two are one where the samples of both have one bump, along the line that tells them best apart (Hennig 2010, merging
    by the dip), and where pixels of the one lie beside those of the other as if by chance, or as in smooth noise. So a
    skewed noise is one class, and the nuclei that are but the long tail of a background are another one.

    Parameters
    ----------
    parts : sequence of ndarray
        Samples of each component, see `samples_of`.
    side_by_side : ndarray, shape (K, K)
        How many pairs of neighbouring pixels are of these two components.
    effective : float
        How many independent samples say as much as all of these do.
    one_field : callable, optional
        Whether pixels of these components are spread as smooth noise is.
    """
    certain = _CERTAIN / math.sqrt(max(effective, 1.0) / max(sum(part.shape[1] for part in parts), 1))

    moments = [Moments.of(part) for part in parts]

    def gap(a: Group, b: Group) -> float:
        """How surely there is a gap between two groups; 1 is the limit."""
        one, two = (Moments.of_all(moments, group) for group in (a, b))
        if min(one.n, two.n) < _FEWEST:
            return 0.0
        line = line_between(one, two)
        values = np.concatenate([line @ parts[i] for i in (*a, *b)])
        return second_bump(values) * math.sqrt(len(values)) / certain

    def surely(a: Group, b: Group) -> float:
        """How surely two groups are two classes; 1 is the limit."""
        return np.inf if _agreement(side_by_side, a, b) >= _ALONE else gap(a, b)

    groups = [[i] for i in range(len(parts))]
    if one_field is not None:
        wide = [group for group in merged(groups, gap) if len(group) > 1 and one_field(group)]
        groups = wide + [[i] for [i] in groups if not any(i in group for group in wide)]
    return len(merged(groups, surely))


def merged(groups: Sequence[Group], apart: Callable[[Group, Group], float]) -> list[Group]:
    """Merge the two that are least apart, again and again, until all are by 1 or more."""
    kept = dict(enumerate(groups))
    found = {(i, j): apart(kept[i], kept[j]) for i in kept for j in range(i)}
    while found:
        (i, j), least = min(found.items(), key=lambda each: each[1])
        if least >= 1:
            break
        kept[j] = kept[j] + kept.pop(i)
        found = {pair: value for pair, value in found.items() if i not in pair and j not in pair}
        found |= {(max(j, other), min(j, other)): apart(kept[j], kept[other]) for other in kept if other != j}
    return list(kept.values())


def _agreement(pairs: Array, a: Group, b: Group) -> float:
    """Correlation of neighbours being of the one group and not the other; 1 where it cannot be told."""
    both, neither = pairs[np.ix_(a, a)].sum(), pairs[np.ix_(b, b)].sum()
    mixed = 0.5 * (pairs[np.ix_(a, b)].sum() + pairs[np.ix_(b, a)].sum())
    scale = (both + mixed) * (neither + mixed)
    return float((both * neither - mixed**2) / scale) if scale > 0 and both + neither + mixed >= _FEWEST else 1.0


def line_between(one: Moments, two: Moments) -> Array:
    """Direction (d,) along which samples of two kinds, at least two each, are told best apart by their moments."""
    d = len(one.mean)
    spread = one.scatter / (one.n - 1) + two.scatter / (two.n - 1)
    spread += np.diag(np.full(d, 1e-6 * np.trace(spread) / d + np.finfo(np.float64).tiny))
    with one_blas_thread(d):
        return np.asarray(np.linalg.solve(spread, one.mean - two.mean))
