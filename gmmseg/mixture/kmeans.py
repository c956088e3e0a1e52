"""k-means on planes: whitening, k-means++ and the iterations of Lloyd."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmseg import kernels
from gmmseg.kernels.blas import one_blas_thread, product
from gmmseg.mixture.covariance import family, pooled
from gmmseg.mixture.parameters import Mixture
from gmmseg.mixture.statistics import m_step, measure

__all__ = ["both_spaces", "from_labels", "lloyd", "nearest", "plus_plus", "principal", "standardize", "whiten"]

Array = NDArray[Any]


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


def both_spaces(planes: Array, weights: Array | None = None) -> tuple[Array, Array]:
    """Return the samples (d, n) twice: whitened, and only standardised."""
    standard, correlation = standardize(planes, weights)
    with one_blas_thread(len(planes)):
        variances, axes = np.linalg.eigh(correlation)
    usable = variances > 1e-6
    matrix = np.where(usable, 1 / np.sqrt(np.where(usable, variances, 1)), 0)[:, None] * axes.T
    # Not a matrix product: BLAS threads would go on spinning beside the kernels'.
    return np.asarray(np.einsum("ij,jn->in", matrix.astype(planes.dtype), standard)), standard


def principal(planes: Array, n_components: int, weights: Array | None = None) -> Array:
    """Return the first principal components (m, n) of the standardised samples (d, n)."""
    standard, correlation = standardize(planes, weights)
    with one_blas_thread(len(planes)):
        axes = np.linalg.eigh(correlation)[1][:, -n_components:][:, ::-1].T
    return np.ascontiguousarray(product(standard.T, np.ascontiguousarray(axes, planes.dtype)))


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
    candidates = 2 + int(np.log(k))
    centres = [planes[:, rng.choice(n, p=mass / mass.sum())]] if given is None else list(given.astype(planes.dtype))
    distance = np.full(n, np.inf)
    for centre in centres:
        distance = np.minimum(distance, ((planes - centre[:, None]) ** 2).sum(axis=0) * mass)
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


def _balls(centres: Array) -> kernels.Densities:
    """Equal balls of hardly any size at the centres (k, d): k-means is the limit of a mixture of such."""
    return kernels.Densities(np.zeros(len(centres)), np.ascontiguousarray(centres), np.full(centres.shape, 1e3))


def nearest(planes: Array, centres: Array) -> Array:
    """Index of the nearest centre of each sample (n,)."""
    out = np.empty(planes.shape[1], np.int64)
    kernels.classify(planes, _balls(centres), out, 0, 1)
    return out


def lloyd(
    planes: Array, centres: Array, weights: Array | None = None, *, iterations: int = 5, threads: int = 1
) -> Array:
    """Return the centres (k, d) after some iterations of k-means (Lloyd 1982); one that loses all samples stays."""
    d = len(planes)
    for _ in range(iterations):
        sums, _ = kernels.statistics(planes, weights, _balls(centres), threads)
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
    common = pooled(counts, second)
    second += common * (d / (counts + d)).reshape(-1, *[1] * (second.ndim - 1))
    variances = common if rules.diagonal else np.diagonal(common)
    variances = np.maximum(variances, values.var(axis=1))  # weights of extreme ratios may leave one sample alone
    floor = 1e-12 * np.where(variances > 0, variances, 1)
    covariances = rules.estimate(counts, second, np.maximum(regularization, floor))
    return Mixture(counts / counts.sum(), means, covariances, covariance)
