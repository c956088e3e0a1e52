"""The numbers behind figures: histograms, densities and contours, whatever draws them."""

from __future__ import annotations

import numpy as np

from gmmseg.arrays import Array
from gmmseg.mixture.parameters import Mixture

__all__ = ["REACH", "around", "bin_edges", "dense", "normal", "spreads"]

REACH = 3.0
"""Standard deviations of a component that its curve is drawn to."""

_SHOWN = (0.1, 99.9)  # percentiles of a histogram's samples
_MOST_BINS = 120
_FEWEST_ON_LATTICE = 8  # any two numbers are evenly spaced


def dense(mixture: Mixture) -> Array:
    """Covariances (K, d, d), whatever the family."""
    return mixture.family.dense(mixture.covariances, mixture.n_components, mixture.n_features)


def spreads(mixture: Mixture, pair: list[int]) -> Array:
    """Lower triangular roots (K, 2, 2) of the marginal covariances, exact whatever the features' scales."""
    covariances = dense(mixture)[:, pair][:, :, pair]
    deviations = np.sqrt(np.diagonal(covariances, axis1=1, axis2=2))
    products = np.maximum(deviations.prod(axis=1), np.finfo(float).tiny)
    correlation = np.clip(covariances[:, 0, 1] / products, -1, 1)
    roots = np.zeros_like(covariances)
    roots[:, 0, 0] = deviations[:, 0]
    roots[:, 1, 0] = deviations[:, 1] * correlation
    roots[:, 1, 1] = deviations[:, 1] * np.sqrt(1 - correlation**2)
    return roots


def normal(x: Array, mean: Array, deviation: Array) -> Array:
    """Density of Gaussians."""
    deviation = np.maximum(deviation, np.finfo(float).tiny)
    return np.asarray(np.exp(-0.5 * ((x - mean) / deviation) ** 2) / (deviation * np.sqrt(2 * np.pi)))


def around(means: Array, deviations: Array) -> Array:
    """Abscissae that follow each component, however narrow it is beside the others."""
    return np.asarray(means[:, None] + deviations[:, None] * np.linspace(-REACH, REACH, 61)).ravel()


def bin_edges(values: Array) -> Array:
    """Edges of the histogram; of values on a lattice, between these, or bins would hold now one and now two of them."""
    if not len(values):
        return np.array([0.0, 1.0])
    low, lower, upper, high = np.percentile(values, (_SHOWN[0], 25, 75, _SHOWN[1]))
    width = max(2 * (upper - lower) / np.cbrt(len(values)), (high - low) / _MOST_BINS)
    step = _lattice(values)
    if step:
        first = values.min() - step / 2
        width = step * max(1, round(width / step))
        start = first + step * np.floor((low - first) / step)
        return np.asarray(start + width * np.arange(1 + max(1, np.ceil((high - start) / width))))
    if width <= 0:
        width = max(1e-6, 1e-3 * abs(low))
        return np.array([low - width, low + width])
    return np.linspace(low, high, 1 + int(np.ceil((high - low) / width)))


def _lattice(values: Array) -> float:
    """Distance between neighbours where all values are evenly spaced, such as 8-bit numbers and positions; else 0."""
    distinct = np.unique(values)
    if len(distinct) < _FEWEST_ON_LATTICE:
        return float((distinct == np.rint(distinct)).all())
    step = float(np.diff(distinct).min())
    places = (distinct - distinct[0]) / step
    return step if np.abs(places - np.rint(places)).max() < 0.05 else 0.0
