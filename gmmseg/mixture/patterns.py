"""Samples, sorted by which of their features are known, so that missing data cost by the pattern, not by the sample.

Where nearly every sample has a pattern of its own, that would cost more: these are worked on one by one (`incomplete`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import numpy as np

from gmmseg import kernels
from gmmseg.arrays import Array
from gmmseg.mixture.incomplete import posterior_of_incomplete, workable
from gmmseg.records import dataclass

__all__ = ["Part", "SortedSamples", "classify", "has_missing", "patterns", "posterior"]

Arguments = Callable[[Array | None], kernels.Densities]

_FEW_PATTERNS, _FEW_SAMPLES = 16, 256  # of more patterns, those of fewer samples are worked on sample by sample
# Of more features, posteriors of incomplete samples are taken one by one, however many there are; images have fewer.
# Not by their number: images are labelled tile by tile, and no label may depend on what else is in a tile.
_MOST_FEATURES = 16


@dataclass(frozen=True, eq=False)
class Part:
    """Samples of which the same features are known, such as the first and the third; or each others.

    Parameters
    ----------
    observed : ndarray of int, shape (o,), optional
        The features that are known; None for all of them, or where they differ: there is NaN in the planes then.
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
    scattered : Part, optional
        Samples whose patterns have hardly any others, in ascending number of features that they lack.
    """

    parts: tuple[Part, ...]
    n_features: int
    dtype: np.dtype[Any]
    scattered: Part | None = None

    def __repr__(self) -> str:
        """Say how many samples of how many patterns they are, on one line."""
        n = sum(part.planes.shape[1] for part in self.all_parts)
        size = f"n_samples={n}, n_features={self.n_features}"
        return f"SortedSamples({size}, n_patterns={len(self.parts)}, dtype={self.dtype.name!r})"

    @classmethod
    def of(
        cls,
        planes: Array,
        weights: Array | None = None,
        log_prior: Array | None = None,
        *,
        by_pattern: bool = False,
    ) -> SortedSamples:
        """Sort planes (d, n), where NaN is a feature that is not known; `by_pattern`, none of them is scattered."""
        weights, log_prior = (
            None if each is None else np.ascontiguousarray(each, planes.dtype) for each in (weights, log_prior)
        )
        if not has_missing(planes):
            return cls((Part(None, planes, weights, log_prior),), len(planes), planes.dtype)

        def part(observed: Array | None, index: Array) -> Part:
            return Part(
                observed,
                _columns(planes, index, observed),
                None if weights is None else weights[index],
                None if log_prior is None else _columns(log_prior, index),
            )

        order, starts, sizes, missing = _counted(planes)
        single = _scattered(sizes, missing) & (not by_pattern)
        parts = tuple(part(*each) for each in _known(planes, order, starts[~single], sizes[~single]))
        single &= missing < len(planes)
        scattered = None
        if single.any():
            index = order[np.repeat(single, sizes)]
            scattered = part(None, index[np.argsort(np.repeat(missing[single], sizes[single]), kind="stable")])
        return cls(parts, len(planes), planes.dtype, scattered)

    @cached_property
    def gathered(self) -> SortedSamples:
        """The same samples with none of them scattered, whatever it costs."""
        if self.scattered is None:
            return self
        some = self.scattered
        more = SortedSamples.of(some.planes, some.weights, some.log_prior, by_pattern=True)
        return SortedSamples(self.parts + more.parts, self.n_features, self.dtype)

    @property
    def all_parts(self) -> tuple[Part, ...]:
        """The parts and, as a last one, what is scattered."""
        return self.parts if self.scattered is None else (*self.parts, self.scattered)

    @cached_property
    def least(self) -> float:
        """The least weight of a sample that is not 0."""
        weights = [part.weights for part in self.all_parts if part.weights is not None]
        return float(min((w.min(initial=np.inf, where=w > 0) for w in weights), default=1.0))


def has_missing(planes: Array) -> bool:
    """Whether any number is NaN."""
    if planes.dtype.kind != "f" or not planes.size:
        return False
    least = np.minimum.reduce(planes, axis=None)  # quicker than looking at each
    return bool(least != least)


def posterior(
    planes: Array,
    arguments: Arguments,
    out: Array | None,
    log_density: Array | None,
    *,
    threads: int = 1,
    log_prior: Array | None = None,
    whole: bool = False,
) -> bool:
    """Write posteriors (K, n) and log densities (n,), either of which may be None, of samples with missing features.

    `arguments` gives the mixture of some features, None for all, as the kernels take it; posteriors are of its classes
    where these are of several components. Samples without any feature
    have the components' weights and the log density 0. Where these samples are the `whole`, and not a tile, those of
    rare patterns are taken one by one. Returns whether all numbers certainly are finite.
    """
    # To look for missing features first would take half as long as the kernel does (predict of `scripts/benchmark.py`).
    if kernels.posterior(planes, arguments(None), out, log_density, threads, log_prior):
        return True
    if has_missing(planes):
        _write_incomplete(planes, arguments, out, log_density, threads, log_prior, whole)
    return False


def _write_incomplete(
    planes: Array,
    arguments: Arguments,
    out: Array | None,
    log_density: Array | None,
    threads: int,
    log_prior: Array | None,
    whole: bool,
) -> None:
    if out is not None:
        out[...] = np.nan
    if log_density is not None:
        log_density[...] = 0
    groups, singles = _groups(planes, arguments, whole)
    if len(singles):
        prior = None if log_prior is None else _columns(log_prior, singles)
        found = posterior_of_incomplete(_columns(planes, singles), arguments(None), prior, threads)
        if out is not None:
            out[:, singles] = arguments(None).of_classes(found[0])
        if log_density is not None:
            log_density[singles] = found[1]
    for observed, index in groups:
        part = _columns(planes, index, observed)
        soft = None if out is None else np.empty((len(out), len(index)), planes.dtype)
        density = None if log_density is None else np.empty(len(index), planes.dtype)
        prior = None if log_prior is None else _columns(log_prior, index)
        kernels.posterior(part, arguments(observed), soft, density, threads, prior)
        if out is not None:
            out[:, index] = soft
        if log_density is not None:
            log_density[index] = density


def classify(planes: Array, arguments: Arguments, out: Array, first: int, *, threads: int = 1) -> bool:
    """Write `first` plus the index of the likeliest component or class into `out`; 0 where every feature is missing.

    Returns whether all numbers certainly are finite.
    """
    if kernels.classify(planes, arguments(None), out, first, threads):
        return True
    if not has_missing(planes):
        return False
    out[...] = 0
    groups, singles = _groups(planes, arguments, False)
    if len(singles):
        soft, _ = posterior_of_incomplete(_columns(planes, singles), arguments(None), None, threads)
        out[singles] = arguments(None).of_classes(soft).argmax(axis=0) + first
    for observed, index in groups:
        labels = np.empty(len(index), out.dtype)
        kernels.classify(_columns(planes, index, observed), arguments(observed), labels, first, threads)
        out[index] = labels
    return False


def _groups(planes: Array, arguments: Arguments, whole: bool) -> tuple[list[tuple[Array | None, Array]], Array]:
    """Patterns of samples, as of `patterns`, and the indices of samples that are worked on one by one."""
    many = len(planes) > _MOST_FEATURES
    if not (whole or many) or not workable(arguments(None)):
        return list(patterns(planes)), np.empty(0, np.intp)
    if many:
        known = (~np.isnan(planes)).sum(axis=0)
        complete = np.flatnonzero(known == len(planes))
        return [(None, complete)] * bool(len(complete)), np.flatnonzero((known > 0) & (known < len(planes)))
    order, starts, sizes, missing = _counted(planes)
    single = _scattered(sizes, missing)
    groups = list(_known(planes, order, starts[~single], sizes[~single]))
    return groups, order[np.repeat(single & (missing < len(planes)), sizes)]


def _counted(planes: Array) -> tuple[Array, Array, Array, Array]:
    """Samples by pattern, as of `_by_pattern`, and how many samples each pattern has, and missing features."""
    order, starts = _by_pattern(planes)
    return order, starts, np.diff(starts, append=planes.shape[1]), np.isnan(planes[:, order[starts]]).sum(axis=0)


def _scattered(sizes: Array, missing: Array) -> Array:
    """Which patterns, of so many samples and missing features, have hardly any samples."""
    return (sizes < _FEW_SAMPLES) & (missing > 0) & (len(sizes) > _FEW_PATTERNS)


def _columns(planes: Array, index: Array, rows: Array | None = None) -> Array:
    out = np.empty((len(planes) if rows is None else len(rows), len(index)), planes.dtype)
    for row, plane in zip(out, planes if rows is None else (planes[i] for i in rows), strict=True):
        np.take(plane, index, out=row, mode="clip")  # five times as quick as planes[:, index]
    return out


def patterns(planes: Array) -> Iterator[tuple[Array | None, Array]]:
    """Yield each set of known features, such as [0, 2] or None for all, and the indices of its samples, ascending."""
    order, starts = _by_pattern(planes)
    yield from _known(planes, order, starts, np.diff(starts, append=planes.shape[1]))


def _by_pattern(planes: Array) -> tuple[Array, Array]:
    """Indices of samples (n,), pattern by pattern, and where each pattern starts among them."""
    d, n = planes.shape
    codes = np.zeros((-(-d // 8), n), np.uint8)
    for i, plane in enumerate(planes):
        codes[i // 8] |= np.isnan(plane).view(np.uint8) << (i % 8)
    keys = codes[0]
    if 1 < len(codes) <= 8:
        keys = np.zeros(n, np.uint64)
        for code in codes:
            keys = (keys << np.uint64(8)) | code
    elif len(codes) > 8:
        rows = np.ascontiguousarray(codes.T).view(np.dtype((np.void, len(codes))))[:, 0]
        keys = np.unique(rows, return_inverse=True)[1]
    order = np.argsort(keys, kind="stable")  # of bytes by counting, in no time
    ordered = keys[order]
    return order, np.flatnonzero(np.concatenate([[n > 0], ordered[1:] != ordered[:-1]]))


def _known(planes: Array, order: Array, starts: Array, sizes: Array) -> Iterator[tuple[Array | None, Array]]:
    """Yield what `patterns` does, of some of them."""
    for start, size in zip(starts, sizes, strict=True):
        index = order[start : start + size]
        observed = np.flatnonzero(~np.isnan(planes[:, index[0]]))
        if len(observed):
            yield (None if len(observed) == len(planes) else observed), index
