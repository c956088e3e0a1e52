"""Starting points: the subset that a start is looked for on, and what is done where features are many or missing."""

from __future__ import annotations

import contextlib
from functools import partial
from math import isqrt
from typing import Any

import numpy as np

from gmmseg.arrays import Array
from gmmseg.errors import ParameterError
from gmmseg.mixture.budget import Budget, work_of_pass
from gmmseg.mixture.covariance import count_parameters, family
from gmmseg.mixture.em import Fit, expectation_maximization, with_outliers
from gmmseg.mixture.kmeans import (
    both_spaces,
    clustered,
    from_labels,
    nearest,
    plus_plus,
    principal,
    standardize,
    whiten,
)
from gmmseg.mixture.missing import fill_in
from gmmseg.mixture.parameters import Mixture
from gmmseg.mixture.patterns import SortedSamples, has_missing
from gmmseg.mixture.rare import with_rare_classes
from gmmseg.mixture.search import NO_DOUBT, PER_FEATURE, SUBSET, Samples, Search, Seeding, doubt

__all__ = ["Seeding", "distinct_samples", "drawn", "frame", "loneliness", "seed_from_classes", "seed_mixture"]

_LARGEST = 1e140  # number whose square can be added up for any number of samples
_JUDGES = 32_768  # samples that rare classes are looked for in
_NEAR = 12  # neighbours that a sample is not alone with
_PER_CLASS = 5  # least samples of one, and as many as its covariance needs
_RARE_TRIAL = 10  # iterations of EM that take as long as the search for a rare class
_ON_AXES = 0.5  # part of the budget that a search on axes may take, where one in all features follows
_IN_UNITS = 5  # most starts of many features in the data's units
_FEWEST_AXES, _MOST_AXES = 8, 16  # of more features a start is found on so many principal axes, one a component
# With more multiplications an iteration, and samples a component and feature, a start is looked for in single
# precision, two thirds of the time, if no sample lies farther out, in standard deviations: EM from it is as exact as
# ever. With fewer, Python takes longer than the kernels.
_ROUGHLY, _PER_ROUGH, _TAME = 50_000, 3, 1e3
_SORTED = 1024  # samples up to which a start takes equal ones for one, wherever they are
# Of more samples of so many features, where at most such a part of so many is distinct: a fit of 20 components to rows
# that come five times takes a sixth of the time. Of fewer features a fit takes no longer than sorting.
_REPEATED, _UNLIKE = 8, 0.95
_MOST_FEATURES = 32  # of more, or with more parameters than samples, on these alone


def seed_mixture(
    planes: Array,
    k: int,
    rng: np.random.Generator,
    seeding: Seeding | None = None,
    *,
    weights: Array | None = None,
) -> Mixture:
    """Return a mixture to start EM from.

    Parameters
    ----------
    planes : ndarray, shape (d, n), float32 or float64
        NaN is a feature that is not known; for a start it is filled in by regression on the others.
    k : int
        Components; at most n.
    rng : numpy.random.Generator
    seeding : Seeding, optional
        `Seeding()` by default.
    weights : ndarray, shape (n,), optional
        A weight of 2 counts a sample twice; samples of weight 0 are never chosen.

    Notes
    -----
    k-means++ (Arthur and Vassilvitskii 2007), by turns on samples whitened by their covariance, which takes away the
    tilt of the whole, and on samples only standardised, where that tilt may be what tells the components apart; so the
    units of the features do not matter. The start of highest likelihood after a short EM (Biernacki, Celeux and Govaert
    2003) is then improved by `split_and_merge`. Fewer samples than a subset are started on several times, where that
    takes no more passes, and the best is kept: luck matters most where samples are few. That ends where two starts come
    to the same and no sample is in doubt, and is not begun where components have hardly more samples than a covariance
    needs: what is likeliest there is what fits by chance. Where it is `judged`, rare classes are looked for in the end,
    among more samples than a subset (`with_rare_classes`). Time O(subset * k * d**2), with a few
    dozen passes over the subset.
    """
    how = seeding or Seeding()
    added = how.regularization + how.noise
    if how.judged and (planes.shape[1] <= _SORTED or _repeat(planes)):
        planes, weights = _sorted(planes, weights)
    distinct, size = distinct_samples(planes, weights), how.subset or max(SUBSET, 256 * k)
    larger = len(distinct[0]) > size
    some, some_weights = drawn(planes, weights, distinct, size, rng.random() if larger else 0.0)
    if has_missing(some):
        seen = ~np.isnan(some).all(axis=0)
        some, some_weights = some[:, seen], None if some_weights is None else some_weights[seen]
    complete, whole = fill_in(some, some_weights), (some, some_weights)
    if how.outliers is not None:
        near = np.sort(np.argsort(loneliness(complete, _NEAR), kind="stable")[: -(complete.shape[1] // 5) or None])
        some, complete = (np.ascontiguousarray(values[:, near]) for values in (some, complete))
        some_weights = None if some_weights is None else some_weights[near]
    d, n = complete.shape
    budget = Budget.of_one_start(len(distinct[0]), d, k, how.covariance) if how.judged else Budget()
    on_axes = None
    if d > _MOST_AXES:
        alone = d > _MOST_FEATURES or n < max(PER_FEATURE * k * d, count_parameters(family(how.covariance), k, d))
        part = Budget(budget.most * (1 if alone else _ON_AXES))
        on_axes, certain = _seed_on_axes(some, complete, k, rng, how, some_weights, part)
        if certain or alone:
            return with_outliers(on_axes, how.outliers, planes, added)
        budget.add(part)
    more = None
    if how.judged and how.moves and k > 1 and n > PER_FEATURE * k * d:
        more = drawn(planes, weights, distinct, max(_JUDGES, size), 0.5) if larger else whole
    dtype = _precision(some, k, how, None if more is None else more[0])
    complete, some_weights = _in(dtype, complete, some_weights)
    some, more = some.astype(dtype, copy=False), None if more is None else _in(dtype, *more)
    judges = more if larger and how.outliers is None and not has_missing(planes) else None
    samples = Samples(some, complete, both_spaces(complete, some_weights), some_weights, on_axes, judges)
    found, _ = Search(samples, k, rng, how, budget).best()
    found = with_outliers(found, how.outliers, planes, added)
    trial = k * _RARE_TRIAL * work_of_pass(n, d, how.covariance)
    # Of fewer samples than parameters a rare class fits by chance.
    if more is not None and more[0].shape[1] >= found.count_parameters() and budget.affords(trial):
        n_all = planes.shape[1] if weights is None else float(weights.sum() / weights.max())
        found = _with_rare_classes(found, *more, how, n_all)
    return found


def _precision(planes: Array, k: int, how: Seeding, judges: Array | None = None) -> np.dtype[Any]:
    """The dtype in which a start is looked for among samples (d, n), and judged by more of them."""
    d, n = planes.shape
    heavy = how.judged and n > _PER_ROUGH * k * d and n * k * d**2 > _ROUGHLY
    looked_at = (planes,) if judges is None else (planes, judges)
    tame = heavy and not any((np.abs(each) > _TAME).any() for each in looked_at)
    return np.dtype(np.float32) if tame else planes.dtype


def _in(dtype: np.dtype[Any], planes: Array, weights: Array | None) -> tuple[Array, Array | None]:
    return planes.astype(dtype, copy=False), None if weights is None else weights.astype(dtype, copy=False)


def _with_rare_classes(found: Mixture, planes: Array, weights: Array | None, how: Seeding, n: float) -> Mixture:
    """Return the mixture with rare classes of n samples that the subset had too little of; judged on more of them."""
    least = max(_PER_CLASS, 0 if found.family.shared or found.family.diagonal else found.n_features + 2) / n

    def climb(samples: Array | SortedSamples, own: Array | None, mixture: Mixture, iterations: int) -> Fit:
        return expectation_maximization(samples, mixture, how.iteration(iterations), weights=own)

    return with_rare_classes(found, planes, weights, climb, least=least)


def _seed_on_axes(
    given: Array,
    complete: Array,
    k: int,
    rng: np.random.Generator,
    how: Seeding,
    weights: Array | None,
    budget: Budget,
) -> tuple[Mixture, bool]:
    """Return a start from samples with many features, found on their principal axes, and whether that is certain.

    These span the components' means as soon as they are apart (Ding and He 2004); in all features the covariances of a
    subset are mostly noise, and cost its square. Unless it is certain, starts by k-means in the data's own units are
    compared with it in all features, the better half after one iteration of EM: where these have a unit in common, as
    pixels do, standardising makes most of those that say least.
    """
    added = how.regularization + how.noise
    few = principal(complete, min(max(k, _FEWEST_AXES), _MOST_AXES), weights)
    spread = complete.var(axis=1, dtype=np.float64)
    small = float(np.mean(added / np.where(spread > 0, spread, 1)))
    how_there = how._replace(regularization=small, noise=0.0, rounds=how.rounds or 1)
    few, few_weights = _in(_precision(few, k, how), few, weights)
    search = Search(Samples(few, few, (few, whiten(few, few_weights)), few_weights), k, rng, how_there, budget)
    found, certain = search.best()
    labels = [_labels(found, few)]
    several = 2 * complete.shape[1] > k * len(complete)  # with fewer every covariance is singular, whatever the start
    several &= not certain and found.n_components == k
    if how.units is not None and several and doubt(found, few) > NO_DOUBT:
        space = complete * (how.units / how.units.max()).astype(complete.dtype)[:, None]
        tame = how.judged and not (np.abs(space) > _TAME).any()
        space, few_weights = _in(np.dtype(np.float32) if tame else space.dtype, space, weights)
        times = min(isqrt(k), _IN_UNITS)  # the more components, the more ways to cluster
        clusters = (clustered(space, k, rng, few_weights, threads=how.threads) for _ in range(times))
        labels += [each for each, number in clusters if number == k]
    # Of few samples, k-means often comes to the same clusters.
    labels = list({_in_order(each).tobytes(): each for each in labels}.values())
    starts = [from_labels(complete, each, found.n_components, how.covariance, weights, added) for each in labels]
    if len(starts) > 1:
        starts, certain = _better_half(starts, k, given, weights), False
    if len(starts) > 1:
        one = how.iteration(1)
        starts = [expectation_maximization(given, each, one, weights=weights).mixture for each in starts]
        starts = _better_half(starts, k, given, weights)
    return starts[0], certain


def _better_half(mixtures: list[Mixture], k: int, planes: Array, weights: Array | None) -> list[Mixture]:
    """The likelier half of some mixtures, the likeliest first, of those that have k components if any has."""

    def likelihood(mixture: Mixture) -> float:
        with contextlib.suppress(np.linalg.LinAlgError):  # of a component without volume
            return float(np.average(mixture.log_density(planes), weights=weights))
        return -np.inf

    kept = [each for each in mixtures if each.n_components == k] or mixtures
    return sorted(kept, key=likelihood, reverse=True)[: -(-len(mixtures) // 2)]


def _in_order(labels: Array) -> Array:
    """The labels (n,) by other numbers: in the order in which they come first."""
    _, first, own = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[own]


def _labels(mixture: Mixture, planes: Array) -> Array:
    """Component of each sample (n,), none without a sample while there are as many."""
    q = mixture.posterior(planes)
    labels: Array = q.argmax(axis=0)
    for empty in np.setdiff1d(np.arange(len(q)), labels):
        labels[q[empty].argmax()] = empty
    return labels


def seed_from_classes(
    planes: Array,
    classes: Array,
    k: int,
    rng: np.random.Generator,
    *,
    covariance: str = "full",
    regularization: Array | float = 0.0,
    outliers: str | None = None,
) -> Mixture:
    """Return a mixture to start EM from, where the components of some samples are given.

    Parameters
    ----------
    planes : ndarray, shape (d, n), float32 or float64
        NaN is a feature that is not known.
    classes : ndarray, shape (n,), of integers
        1 to k where the component is given, 0 where it is free.
    k : int
        Components; those that no sample is given of start by k-means++ among the free samples.
    rng : numpy.random.Generator
    covariance, regularization, outliers
        As of `Seeding`.
    """
    complete = fill_in(planes)
    space = standardize(complete)[0]
    named = np.unique(classes[classes > 0])
    others = np.setdiff1d(np.arange(1, k + 1), named)
    centres = np.stack([space[:, classes == c].mean(axis=1) for c in named]) if len(named) else None
    chosen = plus_plus(space, k, rng, given=centres)
    order = np.concatenate([named, others])[: len(chosen)]
    labels = order[nearest(space, chosen)]
    labels = np.where(classes > 0, classes, labels).astype(np.intp)
    found = from_labels(complete, labels - 1, k, covariance, None, regularization)
    present = np.unique(labels) - 1
    if len(present) < k:  # too few samples for some of them: they start as wide as all samples, and light
        whole = from_labels(complete, np.zeros(len(labels), np.intp), 1, covariance, None, regularization)
        place = np.full(k, -1)
        place[present] = np.arange(len(present))
        pick = np.where(place < 0, len(present), place)
        weights = np.append(found.weights, 1 / len(labels))[pick]
        covariances = found.covariances
        if not found.family.shared:
            covariances = np.concatenate([found.covariances, whole.covariances])[pick]
        means = np.concatenate([found.means, whole.means])[pick]
        found = Mixture(weights / weights.sum(), means, covariances, covariance)
    return with_outliers(found, outliers, planes, regularization)


def _sorted(planes: Array, weights: Array | None) -> tuple[Array, Array | None]:
    """The samples and their weights in ascending order, so that these alone, and not their order, tell the start."""
    for m in (1, 2, len(planes)):  # the first two features mostly tell samples apart: a tenth of the time for thirty
        order = np.lexsort(planes[:m][::-1])
        before, after = planes[:m, order[:-1]], planes[:m, order[1:]]
        if ((before < after) | (before > after)).any(axis=0).all():  # NaN tells nothing apart
            break
    return np.ascontiguousarray(planes[:, order]), None if weights is None else weights[order]


def _repeat(planes: Array) -> bool:
    """Whether samples (d, n) repeat others, by as many as are sorted anyway, and are worth to be sorted, too."""
    d, n = planes.shape
    if d < _REPEATED or n > _JUDGES:
        return False
    some = planes[:, :: -(-n // _SORTED)]
    distinct, _ = distinct_samples(_sorted(some, None)[0], None)
    return len(distinct) < _UNLIKE * len(some[0])


def distinct_samples(planes: Array, weights: Array | None) -> tuple[Array, Array]:
    """Return the first of each run of equal samples (m,), and the weight of all of it (m,)."""
    n = planes.shape[1]
    copies = np.flatnonzero(planes[0, 1:] == planes[0, :-1]) + 1
    for plane in planes[1:]:
        if not len(copies):
            break
        copies = copies[plane[copies] == plane[copies - 1]]
    firsts = np.delete(np.arange(n), copies)
    mass = np.ones(n) if weights is None else weights.astype(np.float64)
    if len(copies):
        mass = np.add.reduceat(mass, firsts)
    if weights is not None:
        firsts, mass = firsts[mass > 0], mass[mass > 0]
    return firsts, mass


def drawn(
    planes: Array, weights: Array | None, distinct: tuple[Array, Array], size: int, first: float
) -> tuple[Array, Array | None]:
    """Return samples (d, m), m at most `size`, that stand for all, and their weights (m,); None is one each.

    They are drawn at equal steps of the cumulated weight of distinct ones, the `first` of them that part of a step:
    integer weights then do what `numpy.repeat` does, draw for draw.
    """
    firsts, mass = distinct
    unweighted = weights is None and len(firsts) == planes.shape[1]
    if len(firsts) > size and unweighted:  # the same steps, and nothing to look up: a tenth of a fit to 50 000 samples
        steps = (np.arange(size) + first) * (len(firsts) / size)
        return np.take(planes, steps.astype(np.intp).clip(max=len(firsts) - 1), axis=1), None
    if len(firsts) > size:
        cumulated = np.cumsum(mass)
        steps = (np.arange(size) + first) * (cumulated[-1] / size)
        drawn = np.searchsorted(cumulated, steps, side="right").clip(max=len(firsts) - 1)
        return np.take(planes, firsts[drawn], axis=1), None
    if unweighted:
        return np.ascontiguousarray(planes[:, firsts]), None
    shares = (mass / mass.mean()).astype(np.float32)  # those of weights and of repeated samples differ by rounding
    return np.ascontiguousarray(planes[:, firsts]), shares.astype(planes.dtype)


def frame(planes: Array, weights: Array | None = None, *, common: bool) -> tuple[Array, Array]:
    """Return a centre (d,) near the samples' mean and a scale (d,), powers of two, near their standard deviations.

    No sum over samples that are centred and scaled so cancels; with `common` all features have one scale. The centre is
    a whole number of scales, so that weights and repeated samples have the same frame bit for bit. Nothing is more than
    1e15 scales from the centre in float32, so that the sums of its squares are finite. Numbers of more than 1e140 are a
    ParameterError, but for infinity, which is left to the caller, with a centre of 0.
    """
    bounds = planes.min(axis=1), planes.max(axis=1)
    if np.isnan(bounds[0]).any():  # ten times as slow
        bounds = np.fmin.reduce(planes, axis=1), np.fmax.reduce(planes, axis=1)
    low, high = (np.where(np.isnan(bound), 0, bound).astype(np.float64) for bound in bounds)  # NaN: no sample has it
    largest = float(np.maximum(-low, high).max())
    if np.isinf(largest):
        return np.zeros(len(planes)), np.ones(len(planes))
    if largest > _LARGEST:
        raise ParameterError(f"X reaches {largest:.3g}, whose square is too large; divide X to {_LARGEST:g} or less")
    step = max(1, planes.shape[1] // 4096)
    some, own = planes[:, ::step].astype(np.float64), None if weights is None else weights[::step]
    if has_missing(some):  # near enough: to fill them in takes as long as all that follows does
        known, average = np.ma.masked_invalid(some), partial(np.ma.average, axis=1, weights=own)
        center = average(known).filled(0)
        scale = np.sqrt(average((known - center[:, None]) ** 2).filled(0))
    else:
        center = np.average(some, axis=1, weights=own)
        scale = np.sqrt(np.average((some - center[:, None]) ** 2, axis=1, weights=own))
    scale = np.where(scale > 0, scale, 1)
    if planes.dtype == np.float32:  # of all samples, not some: one may lie far out
        scale = np.maximum(scale, np.maximum(high - center, center - low) / 1e15)
    scale = np.maximum(scale, 1 / _LARGEST if planes.dtype == np.float64 else 2.0**-120)  # its inverse is finite
    scale = 2.0 ** np.round(np.log2(np.full_like(scale, scale.max()) if common else scale))
    center = np.round(center / scale) * scale
    return center.astype(planes.dtype).astype(np.float64), scale


def loneliness(planes: Array, neighbours: int, weights: Array | None = None) -> Array:
    """Return how far (n,) each sample is from so many others, in spreads of the samples (Byers and Raftery 1998).

    Parameters
    ----------
    planes : ndarray, shape (d, n)
        Without missing features.
    neighbours : int
        With the sample itself; fewer that lie together are alone.
    weights : ndarray, shape (n,), optional
        Where they are not one each, neighbours are counted among some samples drawn by them.
    """
    from scipy.spatial import cKDTree

    n = planes.shape[1]
    low, high = np.quantile(planes, (0.25, 0.75), axis=1)
    others = scaled = (planes / np.where(high > low, high - low, 1)[:, None]).T
    if weights is not None:
        cumulated = np.cumsum(weights, dtype=np.float64)
        steps = (np.arange(SUBSET) + 0.5) * (cumulated[-1] / SUBSET)
        others = scaled[np.searchsorted(cumulated, steps, side="right").clip(max=n - 1)]
    distances, _ = cKDTree(others).query(scaled, [min(neighbours, len(others))])
    return np.asarray(distances)[:, 0]
