"""Samples that lack features."""

from __future__ import annotations

import numpy as np

from gmmseg.arrays import Array
from gmmseg.mixture.em import Iteration, expectation_maximization
from gmmseg.mixture.incomplete import imputed
from gmmseg.mixture.parameters import Mixture
from gmmseg.mixture.patterns import has_missing

__all__ = ["fill_in"]


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
    few = Iteration(max_iterations=10, regularization=1e-6 * variance)
    one = expectation_maximization(planes, start, few, weights=weights).mixture
    filled = imputed(planes, one.densities, np.ones((1, planes.shape[1])), 1)
    return np.ascontiguousarray(filled)
