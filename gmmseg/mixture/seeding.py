"""Starting points: k-means++, short runs of Lloyd and EM on a subset, and splits and mergers where they help."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmseg import kernels
from gmmseg.errors import GmmsegWarning, ParameterError
from gmmseg.mixture.covariance import family
from gmmseg.mixture.fitting import Fit, expectation_maximization, with_outliers
from gmmseg.mixture.parameters import Mixture
from gmmseg.mixture.samples import has_missing, patterns
from gmmseg.mixture.statistics import m_step, measure

__all__ = [
    "fill_in",
    "frame",
    "from_labels",
    "lloyd",
    "nearest",
    "plus_plus",
    "seed_mixture",
    "split_and_merge",
    "standardize",
    "whiten",
]

Array = NDArray[Any]

_QUARTERED = 8  # up to so many components, trials split each into four: dear, and worth it while they are few
_LARGEST = 1e140  # number whose square can be added up for any number of samples
_WORTHWHILE = 5e-4  # least gain of a move, in nats a sample


def seed_mixture(
    planes: Array,
    k: int,
    rng: np.random.Generator,
    *,
    covariance: str = "full",
    weights: Array | None = None,
    regularization: Array | float = 0.0,
    noise: Array | float = 0.0,
    outliers: str | None = None,
    starts: int | None = None,
    subset: int | None = None,
    threads: int = 1,
) -> Mixture:
    """Return a mixture to start EM from.

    Parameters
    ----------
    planes : ndarray, shape (d, n), float32 or float64
        NaN is a feature that is not known; for a start it is filled in by regression on the others.
    k : int
        Components; at most n.
    rng : numpy.random.Generator
    weights : ndarray, shape (n,), optional
        A weight of 2 counts a sample twice; samples of weight 0 are never chosen.
    regularization, noise : float or ndarray, shape (d,)
        As of `expectation_maximization`.
    outliers : {"uniform", "student"}, optional
        As of `with_outliers`: the start is then found without the fifth of the samples that lie most alone.
    starts : int, optional
        Independent starts on a subset, the best of which is improved: by default 2, from 6 components on 4. 1 returns
        the first as it is, without any EM.
    subset : int, optional
        Samples to start from: by default 4096, or 256 a component where that is more.
    threads : int
        Changes the time, never the result.

    Notes
    -----
    k-means++ (Arthur and Vassilvitskii 2007), by turns on samples whitened by their covariance, which takes away the
    tilt of the whole, and on samples only standardised, where that tilt may be what tells the components apart; so the
    units of the features do not matter. The start of highest likelihood after a short EM (Biernacki, Celeux and Govaert
    2003) is then improved by `split_and_merge`. Time O(subset * k * d**2), with a few dozen passes over the subset.
    """
    starts = starts or (2 if k <= 5 else 4)
    some, some_weights = draw_subset(planes, weights, subset or max(4096, 256 * k), rng)
    if has_missing(some):
        seen = ~np.isnan(some).all(axis=0)
        some, some_weights = some[:, seen], None if some_weights is None else some_weights[seen]
    complete = fill_in(some, some_weights)
    if outliers is not None:
        crowded = _crowded(complete)
        some, complete = (np.ascontiguousarray(values[:, crowded]) for values in (some, complete))
        some_weights = None if some_weights is None else some_weights[crowded]
    spaces = _spaces(complete, some_weights)

    def begin(turn: int) -> Mixture:
        space = spaces[turn % 2]
        centres = lloyd(space, plus_plus(space, k, rng, some_weights), some_weights, threads=threads)
        labels = nearest(space, centres)
        return from_labels(complete, labels, len(centres), covariance, some_weights, regularization + noise)

    def climb(mixture: Mixture, iterations: int) -> Fit:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", GmmsegWarning)  # of a trial; the fit that follows warns where there is need
            return expectation_maximization(
                some,
                mixture,
                weights=some_weights,
                regularization=regularization,
                noise=noise,
                max_iterations=iterations,
                threads=threads,
            )

    if k == 1 or starts == 1:
        return with_outliers(begin(0), outliers, planes)
    best = max((climb(begin(turn), 4) for turn in range(starts)), key=lambda fit: fit.history[-1])
    return with_outliers(split_and_merge(climb(best.mixture, 6), climb, some.shape[1]).mixture, outliers, planes)


def draw_subset(
    planes: Array, weights: Array | None, size: int, rng: np.random.Generator
) -> tuple[Array, Array | None]:
    """Return samples (d, m), m at most `size`, that stand for all, and their weights (m,); None is one each.

    Neighbouring copies of a sample are taken together, and samples are drawn at equal steps of the cumulated weight:
    integer weights then do what `numpy.repeat` does, draw for draw.
    """
    n = planes.shape[1]
    copies = np.flatnonzero(planes[0, 1:] == planes[0, :-1]) + 1
    for plane in planes[1:]:
        copies = copies[plane[copies] == plane[copies - 1]]
    firsts = np.delete(np.arange(n), copies)
    mass = np.ones(n) if weights is None else weights.astype(np.float64)
    if len(copies):
        mass = np.add.reduceat(mass, firsts)
    if weights is not None:
        firsts, mass = firsts[mass > 0], mass[mass > 0]
    if len(firsts) > size:
        cumulated = np.cumsum(mass)
        steps = (np.arange(size) + rng.random()) * (cumulated[-1] / size)
        drawn = np.searchsorted(cumulated, steps, side="right").clip(max=len(firsts) - 1)
        return np.ascontiguousarray(planes[:, firsts[drawn]]), None
    unweighted = weights is None and not len(copies)
    return np.ascontiguousarray(planes[:, firsts]), None if unweighted else (mass / mass.mean()).astype(planes.dtype)


def frame(planes: Array, *, common: bool) -> tuple[Array, Array]:
    """A centre near the mean and a scale, a power of two, near the standard deviation, so that no sum cancels.

    Nothing is more than 1e15 scales from the centre in float32, so that the sums of its squares are finite. Numbers of
    more than 1e140 are a ParameterError, but for infinity, which is left to the caller.
    """
    bounds = np.fmin.reduce(planes, axis=1), np.fmax.reduce(planes, axis=1)
    low, high = (np.where(np.isnan(bound), 0, bound).astype(np.float64) for bound in bounds)  # NaN: no sample has it
    largest = float(np.maximum(-low, high).max())
    if np.isinf(largest):
        return np.zeros(len(planes)), np.ones(len(planes))
    if largest > _LARGEST:
        raise ParameterError(f"X reaches {largest:.3g}, whose square is too large; divide X to {_LARGEST:g} or less")
    some = fill_in(planes[:, :: max(1, planes.shape[1] // 4096)].astype(np.float64))
    center, scale = some.mean(axis=1), some.std(axis=1)
    scale = np.where(scale > 0, scale, 1)
    if planes.dtype == np.float32:  # of all samples, not some: one may lie far out
        scale = np.maximum(scale, np.maximum(high - center, center - low) / 1e15)
    scale = np.maximum(scale, 1 / _LARGEST if planes.dtype == np.float64 else 2.0**-120)  # its inverse is finite
    scale = 2.0 ** np.round(np.log2(np.full_like(scale, scale.max()) if common else scale))
    return center.astype(planes.dtype).astype(np.float64), scale


def fill_in(planes: Array, weights: Array | None = None) -> Array:
    """Return the samples (d, n) with what is missing expected from the rest, under one Gaussian distribution of all."""
    if not has_missing(planes):
        return planes
    known = ~np.isnan(planes)
    counts = np.maximum(known.sum(axis=1), 1)
    mean = np.where(known, planes, 0).sum(axis=1, dtype=np.float64) / counts
    variance = np.where(known, (planes - mean[:, None]) ** 2, 0).sum(axis=1, dtype=np.float64) / counts
    variance = np.maximum(variance, np.where(variance > 0, 0, 1))
    start = Mixture(np.ones(1), mean[None], np.diag(variance)[None])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GmmsegWarning)
        one = expectation_maximization(
            planes, start, weights=weights, regularization=1e-6 * variance, max_iterations=10
        ).mixture
    mean, covariance = one.means[0], one.covariances[0]
    filled = np.where(known, planes, mean[:, None].astype(planes.dtype))
    for observed, index in patterns(planes):
        if observed is not None:
            missing = np.setdiff1d(np.arange(len(planes)), observed)
            slope = np.linalg.solve(covariance[np.ix_(observed, observed)], covariance[np.ix_(observed, missing)]).T
            offsets = planes[np.ix_(observed, index)] - mean[observed, None]
            filled[np.ix_(missing, index)] += (slope @ offsets).astype(planes.dtype)
    return np.ascontiguousarray(filled)


def _crowded(planes: Array) -> Array:
    """Indices of the samples but for the fifth whose neighbours are farthest (after Byers and Raftery 1998)."""
    from scipy.spatial import cKDTree

    n = planes.shape[1]
    low, high = np.quantile(planes, (0.25, 0.75), axis=1)
    scaled = (planes / np.where(high > low, high - low, 1)[:, None]).T
    distances, _ = cKDTree(scaled).query(scaled, [min(12, n)])
    order = np.argsort(np.asarray(distances)[:, 0], kind="stable")
    return np.sort(order[: n - n // 5])


# ---------------------------------------------------------------------------------------------------------------------
# Splitting and merging
# ---------------------------------------------------------------------------------------------------------------------


def split_and_merge(fit: Fit, climb: Callable[[Mixture, int], Fit], n: int) -> Fit:
    """Improve a fit by splitting all its components, a short EM, and merging down to as many as there were.

    Parameters
    ----------
    fit : Fit
        Of K components.
    climb : callable
        Takes a mixture and a number of iterations and returns the Fit of so many iterations of EM.
    n : int
        Samples that `climb` fits.

    Notes
    -----
    Ueda, Nakano, Ghahramani and Hinton (2000) split one component and merge two, chosen by heuristics, at a time. Here
    EM with all of them split shows at once which halves differ, and merging the pairs that cost least, halves or not,
    makes all promising moves together. Splits across the longest axis and into a narrow and a wide component take
    turns; a result is kept where its likelihood is higher and was not bought by a component of very few samples.
    """
    k, d = fit.mixture.means.shape
    least = min(5 * (d + 1) / n, fit.mixture.weights.min())
    splits = (lambda mixture: split_lengthwise(split_lengthwise(mixture)), split_in_scale)
    if k > _QUARTERED:
        splits = (split_lengthwise, split_in_scale)
    failures = 0
    for _ in range(4 + 2 * k):
        with contextlib.suppress(np.linalg.LinAlgError):  # of halves without volume
            other = climb(merge_down(climb(splits[failures](fit.mixture), 5).mixture, k), 12)
            weights = other.mixture.weights
            if len(weights) == k and weights.min() >= least and other.history[-1] > fit.history[-1] + _WORTHWHILE:
                fit, failures = other, 0
                continue
        failures += 1
        if failures == len(splits):
            break
    return fit


def split_lengthwise(mixture: Mixture) -> Mixture:
    """Return 2 K components, two for each that together keep its mean and covariance, side by side on its longest axis.

    The longest axis is that in units of the standard deviations of the whole, so the units of the features do not
    matter.
    """
    rules, (k, d), weights = mixture.family, mixture.means.shape, mixture.weights
    dense = rules.dense(mixture.covariances, k, d)
    offsets = mixture.means - weights @ mixture.means
    variances = weights @ (np.diagonal(dense, axis1=1, axis2=2) + offsets**2)
    unit = np.sqrt(np.where(variances > 0, variances, 1))
    lengths, axes = np.linalg.eigh(dense / unit[:, None] / unit)
    steps = 0.8 * np.sqrt(np.maximum(lengths[:, -1:], 0)) * axes[:, :, -1] * unit
    halves = dense - steps[:, :, None] * steps[:, None, :]
    return _doubled(mixture, (mixture.means - steps, mixture.means + steps), (halves, halves))


def split_in_scale(mixture: Mixture) -> Mixture:
    """Return 2 K components, a narrow and a wide one for each, that together keep its mean and covariance."""
    dense = mixture.family.dense(mixture.covariances, mixture.n_components, mixture.n_features)
    return _doubled(mixture, (mixture.means, mixture.means), (0.25 * dense, 1.75 * dense))


def _doubled(mixture: Mixture, means: tuple[Array, Array], dense: tuple[Array, Array]) -> Mixture:
    weights, second = np.tile(mixture.weights / 2, 2), np.concatenate(dense)
    if mixture.family.diagonal:
        second = np.diagonal(second, axis1=1, axis2=2)
    covariances = mixture.family.estimate(weights, second, np.zeros(mixture.n_features))
    return Mixture(weights, np.concatenate(means), covariances, mixture.covariance)


def merge_down(mixture: Mixture, k: int) -> Mixture:
    """Merge pairs of components, at each step that of least cost, until k are left.

    Notes
    -----
    The cost is the bound of Runnalls (2007) on the divergence that a merger of moments brings: it needs no samples,
    takes no notice of units, and is 0 for equal components. Time O(K**2 d**3).
    """
    rules, d = mixture.family, mixture.n_features
    weights, means = mixture.weights.copy(), mixture.means.copy()
    second = rules.dense(mixture.covariances, len(weights), d).copy()
    if rules.diagonal:
        second = np.diagonal(second, axis1=1, axis2=2).copy()

    def log_volume(moments: Array) -> Array:
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(moments).sum(axis=-1) if rules.diagonal else np.linalg.slogdet(moments)[1])

    def joined(i: Any, j: Any) -> tuple[Array, Array, Array]:
        """Weights, means and second moments of the pairs (i, j)."""
        weight = weights[i] + weights[j]
        share = (weights[j] / weight)[:, None]
        step = means[j] - means[i]
        outer = step**2 if rules.diagonal else step[:, :, None] * step[:, None, :]
        part = share if rules.diagonal else share[:, :, None]
        moments = (1 - part) * second[i] + part * second[j] + part * (1 - part) * outer
        return weight, means[i] + share * step, moments

    def price(i: Array, j: Array) -> None:
        weight, _, moments = joined(i, j)
        with np.errstate(invalid="ignore"):  # of components without volume
            value = weight * log_volume(moments) - weights[i] * volumes[i] - weights[j] * volumes[j]
        costs[i, j] = costs[j, i] = np.fmin(value, np.finfo(np.float64).max)  # infinite are those that are gone

    volumes = log_volume(second)
    costs = np.full((len(weights), len(weights)), np.inf)
    price(*np.triu_indices(len(weights), 1))
    left = np.arange(len(weights))
    while len(left) > k:
        i, j = np.divmod(np.argmin(costs), len(costs))
        weights[i], means[i], second[i] = (values[0] for values in joined(np.array([i]), np.array([j])))
        volumes[i] = log_volume(second[i])
        costs[j], costs[:, j] = np.inf, np.inf
        left = left[left != j]
        others = left[left != i]
        price(np.full(len(others), i), others)
    covariances = rules.estimate(weights[left], second[left], np.zeros(d))
    return Mixture(weights[left] / weights[left].sum(), means[left], covariances, mixture.covariance)


# ---------------------------------------------------------------------------------------------------------------------
# k-means
# ---------------------------------------------------------------------------------------------------------------------


def standardize(planes: Array, weights: Array | None = None) -> tuple[Array, Array]:
    """Return the samples (d, n) at mean 0 and variance 1, constant features at 0, and their correlations (d, d)."""
    d = len(planes)
    anywhere = Mixture(np.ones(1), planes[:, :1].T.astype(np.float64), np.eye(d)[None])
    overall = m_step(measure(planes, anywhere, weights), "full", np.zeros(d))
    covariance, mean = overall.covariances[0], overall.means[0]
    variances = np.diagonal(covariance)
    varied = variances > (16 * np.finfo(planes.dtype).eps * np.abs(mean)) ** 2
    scale = np.where(varied, 1 / np.sqrt(np.where(varied, variances, 1)), 0)
    return ((planes - mean[:, None]) * scale[:, None]).astype(planes.dtype), covariance * scale[:, None] * scale


def _spaces(planes: Array, weights: Array | None = None) -> tuple[Array, Array]:
    """The samples whitened, and standardised, both (d, n)."""
    standard, correlation = standardize(planes, weights)
    variances, axes = np.linalg.eigh(correlation)
    usable = variances > 1e-6
    matrix = np.where(usable, 1 / np.sqrt(np.where(usable, variances, 1)), 0)[:, None] * axes.T
    # Not a matrix product: BLAS threads would go on spinning beside the kernels'.
    return np.asarray(np.einsum("ij,jn->in", matrix.astype(planes.dtype), standard)), standard


def whiten(planes: Array, weights: Array | None = None) -> Array:
    """Return the samples (d, n) turned and scaled to mean 0 and unit covariance; constant directions become 0."""
    return _spaces(planes, weights)[0]


def plus_plus(planes: Array, k: int, rng: np.random.Generator, weights: Array | None = None) -> Array:
    """Choose up to k distinct samples as centres (k, d), each the best of a few drawn by squared distance.

    Fewer than k come back where there are fewer distinct samples.
    """
    n = planes.shape[1]
    mass = np.ones(n) if weights is None else weights.astype(np.float64)
    candidates = 2 + int(np.log(k))
    centres = [planes[:, rng.choice(n, p=mass / mass.sum())]]
    distance = ((planes - centres[0][:, None]) ** 2).sum(axis=0) * mass
    while len(centres) < k:
        cumulated = np.cumsum(distance, dtype=np.float64)
        if not cumulated[-1] > 0:
            break
        drawn = np.searchsorted(cumulated, rng.random(candidates) * cumulated[-1], side="right").clip(max=n - 1)
        options = np.zeros((candidates, n), planes.dtype)
        for plane in planes:
            options += (plane - plane[drawn, None]) ** 2
        options = np.minimum(options * mass.astype(planes.dtype), distance)
        winner = int(np.argmin(options.sum(axis=1)))
        centres.append(planes[:, drawn[winner]])
        distance = options[winner]
    return np.stack(centres).astype(np.float64)


def _as_mixture(centres: Array) -> tuple[Array, Array, Array]:
    """k-means as the limit of a mixture of equal balls of no size, as the kernels take it."""
    return np.zeros(len(centres)), np.ascontiguousarray(centres), np.full(centres.shape, 1e3)


def nearest(planes: Array, centres: Array) -> Array:
    """Index of the nearest centre of each sample (n,)."""
    out = np.empty(planes.shape[1], np.int64)
    kernels.classify(planes, *_as_mixture(centres), out, 0, 1)
    return out


def lloyd(
    planes: Array, centres: Array, weights: Array | None = None, *, iterations: int = 5, threads: int = 1
) -> Array:
    """Return the centres (k, d) after some iterations of k-means (Lloyd 1982); one that loses all samples stays."""
    d = len(planes)
    for _ in range(iterations):
        sums, _ = kernels.statistics(planes, weights, *_as_mixture(centres), threads)
        origins = centres.astype(planes.dtype).astype(np.float64)
        centres = origins + sums[:, 1 : 1 + d] / np.maximum(sums[:, :1], np.finfo(float).tiny)
    return centres


def from_labels(
    planes: Array, labels: Array, k: int, covariance: str, weights: Array | None, regularization: Array | float
) -> Mixture:
    """Return the mixture whose components are the samples of each label (n,), 0 to k - 1; empty labels are left out."""
    d = len(planes)
    values = planes.astype(np.float64)
    mass = np.ones(len(labels)) if weights is None else weights.astype(np.float64)
    counts = np.bincount(labels, mass, minlength=k)
    kept = np.flatnonzero(counts > 0)
    counts = counts[kept]
    means = np.stack([np.bincount(labels, mass * row, minlength=k)[kept] / counts for row in values], axis=1)
    regularization = np.broadcast_to(np.asarray(regularization, np.float64), (d,))
    rules = family(covariance)
    second = np.empty((len(kept), d) if rules.diagonal else (len(kept), d, d))
    for row, label in enumerate(kept):
        inside = labels == label
        centred = values[:, inside] - means[row][:, None]
        weighted = centred * mass[inside]
        second[row] = (weighted * centred).sum(axis=1) if rules.diagonal else np.einsum("in,jn->ij", weighted, centred)
        second[row] /= counts[row]
    # A class of few samples may lie in a plane: a little of the covariance of all keeps its first density finite.
    overall = np.tensordot(counts / counts.sum(), second, 1)
    second += overall * (d / (counts + d)).reshape(-1, *[1] * (second.ndim - 1))
    variances = overall if rules.diagonal else np.diagonal(overall)
    variances = np.maximum(variances, values.var(axis=1))  # weights of extreme ratios may leave one sample alone
    floor = 1e-12 * np.where(variances > 0, variances, 1)
    covariances = rules.estimate(counts, second, np.maximum(regularization, floor))
    return Mixture(counts / counts.sum(), means, covariances, covariance)
