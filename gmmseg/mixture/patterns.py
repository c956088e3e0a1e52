"""Samples, sorted by which of their features are known, so that missing data cost by the pattern, not by the sample."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmseg import kernels

__all__ = ["Part", "SortedSamples", "classify", "has_missing", "patterns", "posterior"]

Array = NDArray[Any]
Arguments = Callable[[Array | None], kernels.Densities]


@dataclass(frozen=True, eq=False)
class Part:
    """Samples of which the same features are known, such as the first and the third.

    Parameters
    ----------
    observed : ndarray of int, shape (o,), optional
        The features that are known; None for all of them.
    planes : ndarray, shape (o, m)
    weights : ndarray, shape (m,), optional
    log_prior : ndarray, shape (K, m), optional
    """

    observed: Array | None
    planes: Array
    weights: Array | None = None
    log_prior: Array | None = None

    def __repr__(self) -> str:
        """Say how many samples it has, of how many features, on one line."""
        return f"Part(n_samples={self.planes.shape[1]}, n_features={self.planes.shape[0]})"

    @cached_property
    def weight(self) -> float:
        """Sum of the samples' weights."""
        return float(self.planes.shape[1] if self.weights is None else self.weights.sum(dtype=np.float64))


@dataclass(frozen=True, eq=False)
class SortedSamples:
    """All samples of a fit, sorted by which of their features are known; those without any are left out.

    Parameters
    ----------
    parts : tuple of Part
        One for each pattern of known features.
    n_features : int
    dtype : numpy.dtype
    """

    parts: tuple[Part, ...]
    n_features: int
    dtype: np.dtype[Any]

    def __repr__(self) -> str:
        """Say how many samples of how many patterns they are, on one line."""
        n = sum(part.planes.shape[1] for part in self.parts)
        size = f"n_samples={n}, n_features={self.n_features}"
        return f"SortedSamples({size}, n_patterns={len(self.parts)}, dtype={self.dtype.name!r})"

    @classmethod
    def of(cls, planes: Array, weights: Array | None = None, log_prior: Array | None = None) -> SortedSamples:
        """Sort planes (d, n), where NaN is a feature that is not known."""
        if log_prior is not None:
            log_prior = np.ascontiguousarray(log_prior, planes.dtype)
        if not has_missing(planes):
            return cls((Part(None, planes, weights, log_prior),), len(planes), planes.dtype)
        parts = tuple(
            Part(
                observed,
                _columns(planes, index, observed),
                None if weights is None else weights[index],
                None if log_prior is None else _columns(log_prior, index),
            )
            for observed, index in patterns(planes)
        )
        return cls(parts, len(planes), planes.dtype)

    @cached_property
    def least(self) -> float:
        """The least weight of a sample that is not 0."""
        weights = [part.weights for part in self.parts if part.weights is not None]
        return float(min((w.min(initial=np.inf, where=w > 0) for w in weights), default=1.0))


def has_missing(planes: Array) -> bool:
    """Whether any number is NaN."""
    if planes.dtype.kind != "f" or not planes.size:
        return False
    with np.errstate(over="ignore", invalid="ignore"):
        doubtful = np.isnan(planes.sum())  # quicker than looking at each; infinities of both signs give it too
    return bool(doubtful and np.isnan(planes).any())


def posterior(
    planes: Array,
    arguments: Arguments,
    out: Array | None,
    log_density: Array | None,
    *,
    threads: int = 1,
    log_prior: Array | None = None,
) -> None:
    """Write posteriors (K, n) and log densities (n,), either of which may be None, of samples with missing features.

    `arguments` gives the mixture of some features, None for all, as the kernels take it. Samples without any feature
    have the components' weights and the log density 0.
    """
    if not has_missing(planes):
        kernels.posterior(planes, arguments(None), out, log_density, threads, log_prior)
        return
    if out is not None:
        out[...] = np.nan
    if log_density is not None:
        log_density[...] = 0
    for observed, index in patterns(planes):
        part = _columns(planes, index, observed)
        soft = None if out is None else np.empty((len(out), len(index)), planes.dtype)
        density = None if log_density is None else np.empty(len(index), planes.dtype)
        prior = None if log_prior is None else _columns(log_prior, index)
        kernels.posterior(part, arguments(observed), soft, density, threads, prior)
        if out is not None:
            out[:, index] = soft
        if log_density is not None:
            log_density[index] = density


def classify(planes: Array, arguments: Arguments, out: Array, first: int, *, threads: int = 1) -> None:
    """Write `first` plus the index of the likeliest component into `out` (n,); 0 where every feature is missing."""
    if not has_missing(planes):
        kernels.classify(planes, arguments(None), out, first, threads)
        return
    out[...] = 0
    for observed, index in patterns(planes):
        labels = np.empty(len(index), out.dtype)
        kernels.classify(_columns(planes, index, observed), arguments(observed), labels, first, threads)
        out[index] = labels


def _columns(planes: Array, index: Array, rows: Array | None = None) -> Array:
    out = np.empty((len(planes) if rows is None else len(rows), len(index)), planes.dtype)
    for row, plane in zip(out, planes if rows is None else (planes[i] for i in rows), strict=True):
        np.take(plane, index, out=row, mode="clip")  # five times as quick as planes[:, index]
    return out


def patterns(planes: Array) -> Iterator[tuple[Array | None, Array]]:
    """Yield each set of known features, such as [0, 2] or None for all, and the indices of its samples, ascending."""
    d, n = planes.shape
    codes = np.zeros((-(-d // 8), n), np.uint8)
    for i, plane in enumerate(planes):
        codes[i // 8] |= np.isnan(plane).view(np.uint8) << (i % 8)
    keys = codes[0]
    if len(codes) > 1:
        rows = np.ascontiguousarray(codes.T).view(np.dtype((np.void, len(codes))))[:, 0]
        keys = np.unique(rows, return_inverse=True)[1]
    order = np.argsort(keys, kind="stable")  # of bytes by counting, in no time
    ordered = keys[order]
    for index in np.split(order, np.flatnonzero(ordered[1:] != ordered[:-1]) + 1):
        observed = np.flatnonzero(~np.isnan(planes[:, index[0]])) if len(index) else index
        if len(observed):
            yield (None if len(observed) == d else observed), index
