"""Fractions of the classes in each pixel: what its value says, and how far its neighbours' fractions are from it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmseg.kernels.neighbours import overlap, support
from gmmseg.mixture import patterns
from gmmseg.model import Model

__all__ = ["fractions_of"]

Array = NDArray[Any]

# On simulated brains, errors of fractions are least from 2 to 4 nats, and volumes nearer the fewer they are.
_NATS = 2.0
_SWEEPS = 3  # no more than the halo of the smoothing
_AT_ONCE = 1 << 14  # pixels: there are many components
_LEAST = np.float32(-80.0)  # logarithm of a prior


def fractions_of(
    model: Model, planes: Array, valid: Array, neighbours: tuple[Array, Array] | None, prior: Array | None = None
) -> Array:
    """Return fractions (k, z, y, x) of the classes, float32, summing to 1.

    Parameters
    ----------
    model : Model
        Its components are pure classes and mixtures of two, its memberships their fractions.
    planes : ndarray, shape (d, n)
        In the features' own units.
    valid : ndarray of bool, shape (z, y, x)
    neighbours : tuple of ndarray, optional
        Offsets (m, 3), one of each opposite pair, and their weights (m,); where None, each pixel is for itself.
    prior : ndarray, shape (k, n), optional
        Logarithms of the classes' prior probabilities.

    Notes
    -----
    They are expected values. Fractions m cost a pixel `|m - f|**2` nats, f being the mean of its neighbours' fractions:
    on a border mixtures are likelier, within a class the class itself.
    """
    parts = np.asarray(model.memberships, np.float32)
    alone = None if prior is None else np.maximum(prior, _LEAST)
    found = _expected(model, parts, planes, alone).reshape(-1, *valid.shape)
    if neighbours is None:
        return found
    offsets, weights = neighbours
    edges = []
    for offset, weight in zip(offsets, weights, strict=True):
        here, there = overlap(offset)
        edges.append(np.float32(weight) * (valid[here] & valid[there]))
    total = np.maximum(support(np.ones((1, *valid.shape), np.float32), offsets, edges), np.float32(1e-6))
    for _ in range(_SWEEPS):
        heard = np.float32(2 * _NATS) * (support(found, offsets, edges) / total).reshape(len(parts), -1)
        found = _expected(model, parts, planes, heard if alone is None else heard + alone, _NATS).reshape(found.shape)
    return found


def _expected(model: Model, parts: Array, planes: Array, said: Array | None, cost: float = 0.0) -> Array:
    """Expected fractions (k, n), where `said` (k, n) is what speaks for a class, in nats, and purity has a cost."""
    k, n_components = parts.shape
    out = np.zeros((k, planes.shape[1]), np.float32)
    pure = np.float32(-cost) * np.square(parts).sum(axis=0)
    for first in range(0, planes.shape[1], _AT_ONCE):
        columns = slice(first, first + _AT_ONCE)
        some = np.ascontiguousarray(planes[:, columns])
        prior = None
        if said is not None:
            prior = np.repeat(pure[:, None], some.shape[1], axis=1)
            _add_products(parts.T, said[:, columns], prior)
        posterior = np.empty((n_components, some.shape[1]), np.float32)
        patterns.posterior(some, model.arguments_of, posterior, None, log_prior=prior)
        _add_products(parts, posterior, out[:, columns])
    return out


def _add_products(matrix: Array, values: Array, out: Array) -> None:
    """Add matrix @ values, pixel by pixel the same whatever is beside it; most of the matrix is 0."""
    for row, target in zip(matrix, out, strict=True):
        for index in np.flatnonzero(row):
            target += row[index] * values[index]
