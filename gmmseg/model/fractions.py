"""Fractions of the classes in each pixel: what its value says, and how far its neighbours' fractions are from it.

Neighbours are heard by mean field, of fractions rather than of labels (after Tohka, Zijdenbos and Evans 2004).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gmmseg.arrays import Array
from gmmseg.kernels.neighbours import overlap, support
from gmmseg.mixture import patterns
from gmmseg.model.model import Model

__all__ = ["balanced", "fractions_of"]

# On simulated brains at 2 mm, errors of fractions are least with 4 to 5 nats, volumes in much noise nearer with fewer:
# `scripts/benchmark_fractions.py`.
_NATS = 3.0
_SWEEPS = 3  # no more than the halo of the smoothing
_AT_ONCE = 1 << 14  # pixels: there are many components
_LEAST = np.float32(-80.0)  # logarithm of a prior
_ROUNDS, _BALANCED = 12, 0.002  # at most, of balancing; shares off by less than this are left
_RARE = 1e-4  # share of a kind, below which it need not be balanced


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
    They are expected values. Fractions m cost a pixel `|m - f|**2` times 3 nats, f being the mean of its neighbours'
    fractions: on a border mixtures are likelier, within a class the class itself.
    """
    inside = np.flatnonzero(valid)
    planes = np.ascontiguousarray(planes[:, inside])
    alone = None if prior is None else np.maximum(prior[:, inside], _LEAST)
    found = np.zeros((len(np.asarray(model.memberships)), valid.size), np.float32)
    found[:, inside] = _expected(model, planes, alone)
    if neighbours is not None:
        around = _Around(valid, *neighbours)
        for _ in range(_SWEEPS):
            said = around.said(found)[:, inside]
            found[:, inside] = _expected(model, planes, said if alone is None else said + alone, _NATS)
    return found.reshape(-1, *valid.shape)


def balanced(
    model: Model,
    planes: Array,
    valid: Array,
    weights: Array,
    neighbours: tuple[Array, Array],
    prior: Array | None = None,
) -> Model:
    """Return the model with other weights: classes and kinds of pixels are as frequent with neighbours as without.

    Parameters
    ----------
    model, planes, valid, neighbours, prior
        As of `fractions_of`.
    weights : ndarray, shape (n,)
        How much each pixel counts.

    Notes
    -----
    Heard, neighbours make what is frequent more so: at the expense of small classes, and of mixtures or of what is
    pure. How frequent each is the values alone tell better. The kinds are the classes and their pairs. Some rounds of
    neighbours, each followed by a step of the weights, take the time of as many looks at these pixels.
    """
    parts = np.asarray(model.memberships, np.float64)
    kinds = np.unique(parts.T > 0, axis=0, return_inverse=True)[1].reshape(-1)
    inside = np.flatnonzero(valid)
    planes, weights = np.ascontiguousarray(planes[:, inside]), weights[inside]
    alone = None if prior is None else np.maximum(prior[:, inside], _LEAST)
    around, total = _Around(valid, *neighbours), max(float(weights.sum(dtype=np.float64)), 1e-30)
    found, mass = _counted(model, planes, alone, weights)
    shares, volumes = np.bincount(kinds, mass / total), parts @ mass / total
    best, least, whole = model, np.inf, np.zeros((len(parts), valid.size), np.float32)
    for _ in range(_ROUNDS):
        whole[:, inside] = found
        said = around.said(whole)[:, inside]
        found, mass = _counted(model, planes, said if alone is None else said + alone, weights, _NATS)
        of_kinds = np.log((shares + _RARE) / (np.bincount(kinds, mass / total) + _RARE))
        of_classes = np.log((volumes + _RARE) / (parts @ mass / total + _RARE))
        off = max(float(np.abs(of_classes).max()), float(shares @ np.abs(of_kinds)))
        if off < least:
            best, least = model, off
        if off < _BALANCED:
            break
        step = model.mixture.weights * np.exp(of_kinds[kinds] + 2 * of_classes @ parts)
        mixture = replace(model.mixture, weights=step * (model.mixture.weights.sum() / step.sum()))
        model = replace(model, mixture=mixture)
    return best


class _Around:
    """Which neighbours each pixel hears.

    Parameters
    ----------
    valid, offsets, weights
        As of `fractions_of`.
    """

    def __init__(self, valid: Array, offsets: Array, weights: Array) -> None:
        self._offsets, self._edges = offsets, []
        for offset, weight in zip(offsets, weights, strict=True):
            here, there = overlap(offset)
            self._edges.append(np.float32(weight) * (valid[here] & valid[there]))
        self._shape, ones = valid.shape, np.ones((1, *valid.shape), np.float32)
        self._total = np.maximum(support(ones, offsets, self._edges), np.float32(1e-6))

    def said(self, fractions: Array) -> Array:
        """Return how much the fractions (k, n) around each pixel speak for each class (k, n), in nats."""
        mean = support(fractions.reshape(-1, *self._shape), self._offsets, self._edges) / self._total
        return np.asarray(np.float32(2 * _NATS) * mean.reshape(len(fractions), -1))


def _expected(model: Model, planes: Array, said: Array | None, cost: float = 0.0) -> Array:
    """Expected fractions (k, n), where `said` (k, n) is what speaks for a class, in nats, and purity has a cost."""
    return _counted(model, planes, said, None, cost)[0]


def _counted(
    model: Model, planes: Array, said: Array | None, weights: Array | None, cost: float = 0.0
) -> tuple[Array, Array]:
    """Expected fractions (k, n), see `_expected`, and how much there is of each component (K,) where pixels count."""
    parts = np.asarray(model.memberships, np.float32)
    (k, n_components), n = parts.shape, planes.shape[1]
    out, mass = np.zeros((k, n), np.float32), np.zeros(n_components)
    pure = np.float32(-cost) * np.square(parts).sum(axis=0)
    for first in range(0, n, _AT_ONCE):
        columns = slice(first, first + _AT_ONCE)
        some = np.ascontiguousarray(planes[:, columns])
        prior = None
        if said is not None:
            prior = np.repeat(pure[:, None], some.shape[1], axis=1)
            _add_products(parts.T, said[:, columns], prior)
        posterior = np.empty((n_components, some.shape[1]), np.float32)
        patterns.posterior(some, model.arguments_of, posterior, None, log_prior=prior)
        _add_products(parts, posterior, out[:, columns])
        if weights is not None:
            mass += np.einsum("jn,n->j", posterior, weights[columns], dtype=np.float64)
    return out, mass


def _add_products(matrix: Array, values: Array, out: Array) -> None:
    """Add matrix @ values, pixel by pixel the same whatever is beside it; most of the matrix is 0."""
    for row, target in zip(matrix, out, strict=True):
        for index in np.flatnonzero(row):
            target += row[index] * values[index]
