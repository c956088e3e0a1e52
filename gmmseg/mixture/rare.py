"""Rare classes: what a start on a subset leaves so far out that samples of it would not lie there."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import cache, reduce
from typing import NamedTuple

import numpy as np

from gmmseg import kernels
from gmmseg.arrays import Array
from gmmseg.kernels.blas import product
from gmmseg.kernels.chance import default_rng
from gmmseg.mixture.covariance import count_parameters
from gmmseg.mixture.em import Fit
from gmmseg.mixture.incomplete import distances_of_incomplete, workable
from gmmseg.mixture.kmeans import clustered, from_labels, standardize
from gmmseg.mixture.missing import fill_in
from gmmseg.mixture.moves import merge_pairs
from gmmseg.mixture.parameters import Mixture
from gmmseg.mixture.patterns import SortedSamples, has_missing
from gmmseg.records import replace

__all__ = ["with_rare_classes"]

Climb = Callable[[Array | SortedSamples, Array | None, Mixture, int], Fit]  # samples, weights, a start, iterations

_FAR = 4.7534  # deviations of a normal distribution that one sample in 1e6 exceeds
_MOST_FAR, _REST = 1024, 4096  # samples of either kind that a move is tried on
_MIDDLES, _FEWEST_NEAR = 256, 3  # samples around which there may be most others, and how many at least
_MOST_CLASSES = 3
_LEFT = 0.1  # of the weight of outliers, which else would have a class that starts lighter than it is
_FIRST, _THEN = 4, 8  # iterations of every trial, and of the best one
_REACH = 0.02  # what it may be short of after the first, in nats a sample
_RARE = 0.02  # more of a class is in any subset
# Of what merging two components loses at first, EM takes back up to .03 nats a sample where a rare class is found.
_TAKEN_BACK = 0.2
_WORTHWHILE = 5e-4  # as of a move: least gain in nats a sample


def with_rare_classes(
    mixture: Mixture,
    planes: Array,
    weights: Array | None,
    climb: Climb,
    *,
    least: float,
    most: float = 1.0,
    n: float | None = None,
) -> Mixture:
    """Return the mixture with components moved to where samples lie far out together, if that is likelier.

    Parameters
    ----------
    mixture : Mixture
    planes : ndarray, shape (d, n), float32 or float64
        NaN is a feature that is not known.
    weights : ndarray, shape (n,), optional
    climb : callable
        Takes samples, their weights, a mixture and a number of iterations and returns the Fit of these.
    least, most : float
        Weight that such a class needs, and that it may have.
    n : float, optional
        Samples that these stand for; as many as there are by default.

    Notes
    -----
    Far out is what lies as far from every component as one in a million of its own Gaussian samples would; whether
    outliers or long tails explain it is left to the likelihood. These samples are taken whole, the others at equal
    steps and with weights to match: a class of two samples in a thousand then has enough of them. The two components
    that merging costs least make room for the largest cluster among the far ones, or for where these lie most densely,
    as long as that is likelier by more than a component's parameters fit by chance. A light component may have drawn
    samples of others to itself: what lies far from all but it is tried without these. Or it may be two classes, and is
    tried as two. Where nothing lies far out and no component is light the cost is two densities a sample.
    """
    of_one = count_parameters(mixture.family, 2, mixture.n_features, frozen=1)  # a component more
    chance = of_one / (planes.shape[1] if n is None else n)
    for _ in range(_MOST_CLASSES):
        limits = least, most, chance
        moved = _moved(mixture, planes, weights, climb, limits) if mixture.n_components > 1 else None
        if moved is None:
            break
        mixture = moved
    return mixture


def _light(mixture: Mixture, most: float) -> float:
    """Up to what weight a component is a light one; of many hardly any is heavy, and half as heavy as all is light."""
    return min(_RARE, most, 0.5 / mixture.n_components)


def _moved(
    mixture: Mixture, planes: Array, weights: Array | None, climb: Climb, limits: tuple[float, float, float]
) -> Mixture | None:
    """The mixture with one component moved to a cluster far out; None where that is not likelier.

    The `limits` are the least and the most weight of a class, and what its parameters fit by chance, in nats a sample.
    """
    reached = None
    for fewer, some, needed, starts in _promising(mixture, planes, weights, limits):
        tried = _tried(mixture, fewer, some, climb, limits[0], starts)
        if tried is not None:
            reached = climb(planes, weights, mixture, 1).history[0] if reached is None else reached
            before, after = (climb(planes, weights, each, 1).history[0] for each in tried)
            if after > max(before, reached) + needed:
                return tried[1]
    return None


def _promising(
    mixture: Mixture, planes: Array, weights: Array | None, limits: tuple[float, float, float]
) -> Iterator[tuple[Mixture, _Some, float, tuple[Start, ...]]]:
    """Components that stay, samples, the gain needed and how others begin, for each way that could gain enough."""
    least, most, chance = limits
    if mixture.dof is None and mixture.outlier_ranges is None and not mixture.family.shared:
        # In one call, where nothing is missing: .95 of the time of a picture of 64 x 64.
        start = mixture.weights, mixture.means, mixture.covariances, mixture.covariance
        marks = least, most, chance, _light(mixture, most), _WORTHWHILE, _TAKEN_BACK, float(_limits(len(planes))[-1])
        own = None if weights is None else np.ascontiguousarray(weights, planes.dtype)
        found = kernels.outlying(planes, own, start, marks, (_MOST_FAR, _REST, _MOST_CLASSES), 1)
        if found is not None:
            for kind, shares, means, covariances, index, mass, n_far, needed in found:
                fewer = Mixture(shares, means, covariances, mixture.covariance)
                yield fewer, _Some(np.take(planes, index, axis=1), mass, n_far), needed, _STARTS[kind]
            return
    mass = np.ones(planes.shape[1]) if weights is None else weights.astype(np.float64)
    light = mixture.weights <= _light(mixture, most)
    labels = mixture.classify(planes) if light.any() else np.zeros(planes.shape[1], np.int64)
    of_light = light[labels] if light.any() else np.zeros(planes.shape[1], bool)
    for fewer, far, limit, gain, starts in _ways(mixture, planes, labels, most, chance):
        if not least / 3 <= mass[far].sum() / mass.sum() <= limit:  # some of a class may be with a component
            continue
        some, needed = _some(planes, mass, far, of_light & ~far), max(_WORTHWHILE, gain)
        if _at_most(mixture, fewer, some) >= needed - _TAKEN_BACK:
            yield fewer, some, needed, starts


def _ways(mixture: Mixture, planes: Array, labels: Array, most: float, chance: float) -> Iterator[_Way]:
    """What makes room for what samples, whose components `labels` (n,) tells where any is light: see `_Way`."""
    every, rare = np.arange(mixture.n_components), _light(mixture, most)
    light, heavy = np.flatnonzero(mixture.weights <= rare), np.flatnonzero(mixture.weights > rare)
    pairs = heavy if len(heavy) > 1 else every  # a light one would cost least, whatever it is
    merged, lighter = _merged(mixture, pairs)
    yield _Way(merged, _far_out(mixture, planes, every), most, chance, _STARTS[0])
    # The lighter one may be a rare class that has drawn others' samples to itself, and so does not lie far out.
    others = np.delete(every, lighter if len(pairs) == len(every) else _merged(mixture, every)[1])
    yield _Way(mixture.select(others), _far_out(mixture, planes, others), rare, 0.0, _STARTS[1])
    # A light one may be two rare classes, and two light ones, or two heavy ones, one.
    for one in light[np.argsort(-mixture.weights[light], kind="stable")][:_MOST_CLASSES]:
        for pair in (light[light != one], heavy):
            if len(pair) > 1:
                whole = merged if pair is heavy else _merged(mixture, pair)[0]
                place = len(pair) - 1 + np.searchsorted(np.delete(every, pair), one)
                yield _Way(whole.select(np.delete(every[:-1], place)), labels == one, 1.0, chance, _STARTS[2])


def _at_most(mixture: Mixture, fewer: Mixture, samples: _Some) -> float:
    """What components for far samples could gain, in nats a sample, after what the others lose by being `fewer`.

    That is as if each of the far ones came to the middle of the narrowest component; without limit where features are
    missing, and less than anything where one that is left has no volume.
    """
    if has_missing(samples.planes):
        return np.inf
    n_far, mass = samples.n_far, samples.weights.astype(np.float64)
    now, near = mixture.log_density(samples.planes), np.ascontiguousarray(samples.planes[:, samples.n_far :])
    middle = (mixture.densities.log_constants - np.log(mixture.weights)).max()
    with contextlib.suppress(np.linalg.LinAlgError):
        gained, lost = middle - now[:n_far], now[n_far:] - fewer.log_density(near)
        return float((mass[:n_far] @ gained - mass[n_far:] @ lost) / mass.sum())
    return -np.inf


def _tried(
    mixture: Mixture, fewer: Mixture, samples: _Some, climb: Climb, least: float, starts: tuple[Start, ...]
) -> tuple[Mixture, Mixture] | None:
    """What a short EM makes of the mixture, and of the best with components for far samples beside `fewer`."""
    given = SortedSamples.of(samples.planes, samples.weights)

    def short(start: Mixture, iterations: int) -> Fit:
        return climb(given, None, start, iterations)

    def is_whole(fit: Fit) -> bool:
        return fit.mixture.n_components == mixture.n_components and bool(fit.mixture.weights.min() >= least)

    as_it_is, found = short(mixture, 1), []
    for start in starts:
        with contextlib.suppress(np.linalg.LinAlgError):  # of a cluster without volume
            found.append(short(start(fewer, samples, least), _FIRST))
    best = max(filter(is_whole, found), key=_score, default=None)
    if best is None or _score(best) < _score(as_it_is) - _REACH:
        return None
    as_it_is, best = short(as_it_is.mixture, _FIRST + _THEN - 1), short(best.mixture, _THEN)
    return (as_it_is.mixture, best.mixture) if is_whole(best) else None


def _score(fit: Fit) -> float:
    return fit.history[-1]


class _Some(NamedTuple):
    """Samples (d, m), the first of which lie far out, their weights (m,), which stand for all, and how many are far."""

    planes: Array
    weights: Array
    n_far: int

    @property
    def far(self) -> tuple[Array, Array]:
        """Those that lie far out (d, l), and their shares (l,) of all."""
        mass = self.weights[: self.n_far].astype(np.float64)
        return np.ascontiguousarray(self.planes[:, : self.n_far]), mass / self.weights.sum(dtype=np.float64)


Start = Callable[[Mixture, _Some, float], Mixture]  # components that stay, samples, the least weight of one more


class _Way(NamedTuple):
    """Components that stay, the samples (n,) that others are for, their most share, the least gain, how they begin."""

    fewer: Mixture
    far: Array
    most: float
    gain: float
    starts: tuple[Start, ...]


def _some(planes: Array, mass: Array, far: Array, light: Array) -> _Some:
    """Some of the samples (d, n), which weigh `mass` (n,) and of which some are `far` out, or of `light` components."""
    index, parts = [], []
    for part, most in ((far, _MOST_FAR), (light, _MOST_FAR), (~(far | light), _REST)):
        every = np.flatnonzero(part)
        steps, share = every, 1.0
        if len(every) > most:
            steps = every[np.linspace(0, len(every), most, endpoint=False).astype(np.intp)]
            share = mass[every].sum() / max(mass[steps].sum(), np.finfo(float).tiny)
        index.append(steps)
        parts.append(mass[steps] * share)
    own = np.concatenate(parts)
    weights = (own / own.mean()).astype(planes.dtype)
    return _Some(np.take(planes, np.concatenate(index), axis=1), weights, len(index[0]))


def _far_out(mixture: Mixture, planes: Array, components: Array) -> Array:
    """Which samples (n,) lie so far from each of some components as hardly one of a Gaussian one does."""
    d, n = planes.shape
    far, index, limits = np.zeros(n, bool), np.arange(n), _limits(d)
    gaussian = mixture if mixture.dof is None else replace(mixture, dof=None)
    constants, means, factors, *_ = gaussian.densities
    densities = kernels.Densities(constants[components], means[components], factors[components], None)
    if not has_missing(planes):  # what is far from all is less likely than all of them are in their middle, by so much
        log_density = np.empty(n, planes.dtype)
        kernels.posterior(planes, densities, None, log_density, 1)
        index = np.flatnonzero(log_density < np.logaddexp.reduce(densities.log_constants) - limits[d] / 2)
    elif not workable(densities):
        return far
    if len(index):
        some = planes[:, index]
        distances = distances_of_incomplete(some, densities)
        far[index] = (distances > limits[d - np.isnan(some).sum(axis=0)]).all(axis=0)
    return far


@cache
def _limits(d: int) -> Array:
    """Squared distance (d + 1,) that one in a million exceeds, by the number of features that are known.

    It is the chi-square distribution's quantile, but for what it is too large for few (Wilson and Hilferty 1931).
    """
    known = np.arange(1, d + 1)
    return np.append(np.inf, known * (1 - 2 / (9 * known) + _FAR * np.sqrt(2 / (9 * known))) ** 3)


def _merged(mixture: Mixture, among: Array) -> tuple[Mixture, int]:
    """The mixture with those two of some components as one that merging costs least; the lighter of them.

    The other components come last.
    """
    fewer, into = merge_pairs(mixture.select(among), len(among) - 1)
    pair = among[np.flatnonzero(into == np.bincount(into).argmax())]
    rest = np.delete(np.arange(mixture.n_components), among)  # np.setdiff1d would load numpy.ma: 2 % of a photograph
    share, left = mixture.weights[among].sum(), mixture.weights[rest].sum()
    if mixture.family.shared:
        covariances = (share * fewer.covariances + left * mixture.covariances) / (share + left)
    else:
        covariances = np.concatenate([fewer.covariances, mixture.covariances[rest]])
    whole = replace(
        mixture,
        weights=np.append(share * fewer.weights, mixture.weights[rest]),
        means=np.concatenate([fewer.means, mixture.means[rest]]),
        covariances=covariances,
        dof=None if mixture.dof is None else np.full(mixture.n_components - 1, mixture.dof.mean()),
    )
    return whole, int(pair[mixture.weights[pair].argmin()])


def _clusters(mixture: Mixture, samples: _Some, number: int) -> list[tuple[Array, Array, float]]:
    """Mean, covariance and share of all of each of so many clusters of the samples that lie far out, largest first."""
    planes, shares = samples.far
    complete = fill_in(planes)
    labels, number = clustered(standardize(complete)[0], number, default_rng(0))
    found = from_labels(complete, labels, number, mixture.covariance, None, 0.0)
    each = (found.select([row]) for row in np.argsort(-found.weights, kind="stable"))
    whole = np.sort(found.weights)[::-1] * shares.sum()
    return [(one.means, one.covariances, float(share)) for one, share in zip(each, whole, strict=True)]


def _with_all(mixture: Mixture, samples: _Some, least: float) -> Mixture:
    """The mixture with the samples that lie far out as its last component."""
    return _with_one_more(mixture, *_clusters(mixture, samples, 1)[0])


def _with_largest(mixture: Mixture, samples: _Some, least: float) -> Mixture:
    """The mixture with the largest of four clusters of the samples that lie far out as its last component."""
    return _with_one_more(mixture, *_clusters(mixture, samples, 4)[0])


def _with_two(mixture: Mixture, samples: _Some, least: float) -> Mixture:
    """The mixture with two components more, clusters of the samples that lie far out."""
    return reduce(lambda whole, one: _with_one_more(whole, *one), _clusters(mixture, samples, 2), mixture)


def _with_densest(mixture: Mixture, samples: _Some, least: float) -> Mixture:
    """The mixture with one component more, as wide as they are on average, where far samples lie most densely.

    That is about the one that has as many others as a component needs nearest, in the features that both have.
    """
    planes, shares = samples.far
    d, n = planes.shape
    rules, weights = mixture.family, mixture.weights / mixture.weights.sum()
    within = weights @ np.diagonal(rules.dense(mixture.covariances, len(weights), d), axis1=1, axis2=2)
    known = ~np.isnan(planes).T
    values = np.where(known, (planes / np.sqrt(within)[:, None]).T, 0)
    values -= np.where(known, values.sum(axis=0) / np.maximum(known.sum(axis=0), 1), 0)  # so that no square cancels
    present, middles = known.astype(np.float64), np.arange(0, n, -(-n // _MIDDLES))
    common = product(present, present[middles])
    distances = product(values**2, present[middles]) + product(present, values[middles] ** 2)
    distances -= 2 * product(values, values[middles])
    distances = np.where(common > 0, distances / np.maximum(common, 1), np.inf)
    count = min(max(int(np.ceil(least / shares.mean())), _FEWEST_NEAR), n)
    densest = np.partition(distances, count - 1, axis=1)[:, count - 1].argmin()
    near = np.argsort(distances[densest], kind="stable")[:count]
    some, parts = planes[:, near], known[near].sum(axis=0)
    mean = np.where(parts > 0, np.where(np.isnan(some), 0, some).sum(axis=1), weights @ mixture.means)
    mean /= np.maximum(parts, 1)
    average = mixture.covariances if rules.shared else np.tensordot(weights, mixture.covariances, 1)[None]
    return _with_one_more(mixture, mean[None], average, 0.5 * float(shares.sum()))


def _with_one_more(mixture: Mixture, means: Array, covariances: Array, share: float) -> Mixture:
    """The mixture with a component more, of such a mean (1, d), covariance and share of all samples."""
    rules = mixture.family
    covariances = mixture.covariances if rules.shared else np.concatenate([mixture.covariances, covariances])
    share, outliers = min(share, 0.5), mixture.outlier_weight * _LEFT
    weights = np.append(mixture.weights * (1 - share), share * mixture.weights.sum())
    dof = None if mixture.dof is None else np.append(mixture.dof, mixture.dof.mean())
    means = np.concatenate([mixture.means, means])
    weights *= (1 - outliers) / weights.sum()
    return replace(mixture, weights=weights, means=means, covariances=covariances, dof=dof, outlier_weight=outliers)


_STARTS: tuple[tuple[Start, ...], ...] = ((_with_densest, _with_all, _with_largest), (_with_densest,), (_with_two,))
