"""k-means on planes: whitening, k-means++ and clusters as components."""

from __future__ import annotations

import numpy as np

from gmmseg import kernels
from gmmseg.arrays import Array
from gmmseg.kernels.blas import one_blas_thread, product
from gmmseg.mixture.covariance import family
from gmmseg.mixture.incomplete import symmetric
from gmmseg.mixture.parameters import Mixture

__all__ = ["both_spaces", "clustered", "from_labels", "nearest", "plus_plus", "principal", "standardize", "whiten"]

_ITERATIONS = 5  # of k-means
_MANY = 16  # features; with more, a product is quicker than sums of products
_AXES_AT_ONCE, _TURNS = 5, 8  # of so many times fewer axes than features, these are found by so many turns


def standardize(planes: Array, weights: Array | None = None) -> tuple[Array, Array]:
    """Return the samples (d, n) at mean 0 and variance 1, constant features at 0, and their correlations (d, d)."""
    d, origin = len(planes), planes[:, 0].astype(np.float64)
    # Of one component, wherever it is; a `Mixture` and its M step take twice as long as the sums of few samples.
    sums = kernels.statistics(planes, weights, kernels.Densities(np.zeros(1), origin[None], np.eye(d)[None]), 1)[0][0]
    count, square = sums[0] + 10 * np.finfo(np.float64).eps, symmetric(sums[1 + d :], d)
    offset = sums[1 : 1 + d] / count
    mean, covariance = origin + offset, (square - count * (offset[:, None] * offset)) / count
    variances = np.diagonal(covariance)
    varied = variances > (16 * np.finfo(planes.dtype).eps * np.abs(mean)) ** 2
    scale = np.where(varied, 1 / np.sqrt(np.where(varied, variances, 1)), 0)
    return ((planes - mean[:, None]) * scale[:, None]).astype(planes.dtype), covariance * scale[:, None] * scale


def both_spaces(planes: Array, weights: Array | None = None) -> tuple[Array, Array]:
    """Return the samples (d, n) twice: whitened, and only standardised."""
    standard, correlation = standardize(planes, weights)
    with one_blas_thread(len(planes)):
        variances, axes = np.linalg.eigh(correlation)
    usable = variances > 1e-6
    matrix = np.where(usable, 1 / np.sqrt(np.where(usable, variances, 1)), 0)[:, None] * axes.T
    if len(planes) > _MANY:
        return np.ascontiguousarray(product(standard.T, matrix.astype(planes.dtype))), standard
    return np.asarray(np.einsum("ij,jn->in", matrix.astype(planes.dtype), standard)), standard


def principal(planes: Array, n_components: int, weights: Array | None = None) -> Array:
    """Return the first principal components (m, n) of the standardised samples (d, n)."""
    standard, correlation = standardize(planes, weights)
    with one_blas_thread(len(planes)):
        axes = _longest_axes(correlation, n_components).T
    return np.ascontiguousarray(product(standard.T, np.ascontiguousarray(axes, planes.dtype)))


def _longest_axes(correlation: Array, m: int) -> Array:
    """The first m principal axes (d, m): of many, by orthogonal iteration, a fifth of the time at d = 200."""
    d = len(correlation)
    if d <= _AXES_AT_ONCE * m:
        return np.asarray(np.linalg.eigh(correlation)[1][:, -m:][:, ::-1])
    some = np.random.default_rng(0).standard_normal((d, 2 * m))
    for _ in range(_TURNS // 2):  # two products keep enough digits for one turn to lengths of one: a fifth of the time
        some = np.linalg.qr(correlation @ (correlation @ some))[0]
    return np.asarray(some @ np.linalg.eigh(some.T @ correlation @ some)[1][:, -m:][:, ::-1])


def whiten(planes: Array, weights: Array | None = None) -> Array:
    """Return the samples (d, n) turned and scaled to mean 0 and unit covariance; constant directions become 0."""
    return both_spaces(planes, weights)[0]


def plus_plus(
    planes: Array, k: int, rng: np.random.Generator, weights: Array | None = None, *, given: Array | None = None
) -> Array:
    """Choose up to k distinct samples as centres (k, d), each the best of a few drawn by squared distance.

    The first ones may be `given` (m, d). Fewer than k come back where there are fewer distinct samples.
    """
    n = planes.shape[1]
    mass = np.ones(n) if weights is None else weights.astype(np.float64)
    if given is None:
        share = np.cumsum(mass)
        centres = [planes[:, np.searchsorted(share, rng.random() * share[-1], side="right").clip(max=n - 1)]]
    else:
        centres = list(given.astype(planes.dtype))
    distance = np.full(n, np.inf)
    for centre in centres:
        distance = np.minimum(distance, ((planes - centre[:, None]) ** 2).sum(axis=0) * mass)
    draws = rng.random((max(k - len(centres), 0), _candidates(k)))
    chosen = kernels.plus_plus(planes, mass, distance, draws)
    centres += [planes[:, each] for each in chosen]
    return np.stack(centres).astype(np.float64)


def _balls(centres: Array) -> kernels.Densities:
    """Equal balls of hardly any size at the centres (k, d): k-means is the limit of a mixture of such."""
    return kernels.Densities(np.zeros(len(centres)), np.ascontiguousarray(centres), np.full(centres.shape, 1e3))


def nearest(planes: Array, centres: Array) -> Array:
    """Index of the nearest centre of each sample (n,)."""
    out = np.empty(planes.shape[1], np.int64)
    kernels.classify(planes, _balls(centres), out, 0, 1)
    return out


def clustered(
    planes: Array, k: int, rng: np.random.Generator, weights: Array | None = None, *, threads: int = 1
) -> tuple[Array, int]:
    """Return the cluster of each sample (n,), by k-means++ and a few iterations of Lloyd (1982), and their number.

    They are fewer than k where there are fewer distinct samples.
    """
    draws = rng.random(1 + (k - 1) * _candidates(k))
    return kernels.cluster(planes, weights, draws, _candidates(k), _ITERATIONS, threads)


def _candidates(k: int) -> int:
    return 2 + int(np.log(k))


def from_labels(
    planes: Array, labels: Array, k: int, covariance: str, weights: Array | None, regularization: Array | float
) -> Mixture:
    """Return the mixture whose components are the samples of each label (n,), 0 to k - 1; empty labels are left out."""
    rules = family(covariance)
    mass = None if weights is None else weights.astype(np.float64)
    # A class of few samples may lie in a plane: a little of the covariance of all keeps its first density finite.
    counts, means, second, variances = kernels.class_moments(
        planes, labels.astype(np.int64, copy=False), mass, k, rules.diagonal
    )
    if not counts.all():
        kept = np.flatnonzero(counts > 0)
        counts, means, second = counts[kept], means[kept], second[kept]
    floor = 1e-12 * np.where(variances > 0, variances, 1)
    covariances = rules.estimate(counts, second, np.maximum(regularization, floor))
    return Mixture(counts / counts.sum(), means, covariances, covariance)
