"""The compiled kernels, called as their NumPy twins are: what is one object here goes to C++ array by array."""

from __future__ import annotations

from typing import Any

import numpy as np

import gmmseg.kernels._native as _native  # compiled, may be absent
from gmmseg.kernels.densities import Densities
from gmmseg.kernels.neighbours import Neighbourhood

__all__ = [
    "INSTRUCTION_SET",
    "agreement",
    "attempt",
    "class_moments",
    "classify",
    "climb",
    "climb_each",
    "cluster",
    "conditional_sums",
    "divisions",
    "expected",
    "halve",
    "invert_lower",
    "known_distances",
    "lab",
    "merge",
    "plus_plus",
    "posterior",
    "precision_factors",
    "smooth",
    "smooth_planes",
    "split",
    "spread",
    "statistics",
    "step_levels",
    "texture",
    "unfilter",
    "uniform",
]

INSTRUCTION_SET: str = _native.INSTRUCTION_SET
conditional_sums, expected = _native.conditional_sums, _native.expected
known_distances = _native.known_distances
agreement, lab, texture = _native.agreement, _native.lab, _native.texture
halve, step_levels, unfilter = _native.halve, _native.step_levels, _native.unfilter
class_moments, cluster, plus_plus = _native.class_moments, _native.cluster, _native.plus_plus
attempt, climb, climb_each = _native.attempt, _native.climb, _native.climb_each
invert_lower, precision_factors, spread = _native.invert_lower, _native.precision_factors, _native.spread
divisions, merge, split = _native.divisions, _native.merge, _native.split


def statistics(planes: Any, weights: Any, densities: Densities, threads: int, log_prior: Any = None) -> Any:
    """See gmmseg.kernels.statistics."""
    log_constants, means, factors, dof = densities
    return _native.statistics(planes, weights, log_constants, means, factors, threads, log_prior, dof)


def posterior(
    planes: Any, densities: Densities, out: Any, log_density: Any, threads: int, log_prior: Any = None
) -> bool:
    """See gmmseg.kernels.posterior."""
    log_constants, means, factors, dof = densities
    return _native.posterior(planes, log_constants, means, factors, out, log_density, threads, log_prior, dof)


def classify(planes: Any, densities: Densities, out: Any, first: int, threads: int, log_prior: Any = None) -> bool:
    """See gmmseg.kernels.classify."""
    log_constants, means, factors, dof = densities
    return _native.classify(planes, log_constants, means, factors, out, first, threads, log_prior, dof)


def uniform(seed: int, first: int, count: int) -> Any:
    """See gmmseg.kernels.uniform."""
    words, out = [seed & 0xFFFFFFFF], np.empty(count)
    while seed := seed >> 32:
        words.append(seed & 0xFFFFFFFF)
    _native.uniform(words, first, out)
    return out


def smooth(
    prior: Any,
    guide: Any,
    valid: Any,
    neighbourhood: Neighbourhood,
    inner_first: tuple[int, int, int],
    labels: Any,
    probabilities: Any,
) -> None:
    """See gmmseg.kernels.smooth."""
    offsets, strengths, sharpness, sweeps = neighbourhood
    _native.smooth(prior, guide, valid, offsets, strengths, sharpness, sweeps, inner_first, labels, probabilities)


def smooth_planes(
    planes: Any,
    densities: Densities,
    valid: Any,
    neighbourhood: Neighbourhood,
    inner_first: tuple[int, int, int],
    labels: Any,
) -> bool:
    """See gmmseg.kernels.smooth_planes."""
    found: bool = _native.smooth_planes(planes, *densities, valid, *neighbourhood, inner_first, labels)
    return found
