"""Runs of EM without a word of what is out of the ordinary, and mergers of components."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmseg.kernels.densities import Densities
from gmmseg.kernels.reference.mixture import statistics

__all__ = ["climb", "climb_each", "merge"]

Array = NDArray[Any]
Components = tuple[Array, Array, Array]  # weights, means, covariances

_MOST_PRECISE = 1e15
_NONE = 10 * np.finfo(np.float64).eps


def climb(
    planes: Array,
    weights: Array | None,
    start: tuple[Array, Array, Array, str],
    added: Array,
    noise: Array | None,
    limits: tuple[float, float, float],
    iterations: int,
    threads: int,
) -> tuple[Array, Array, Array, Array | None, list[float], bool, float]:
    """See gmmseg.kernels.climb."""
    *now, family = start
    tolerance, precision, least = limits
    total = float(planes.shape[1] if weights is None else weights.sum(dtype=np.float64))
    slack = added if noise is None else added - noise
    history: list[float] = []
    factors, settled, fall = _factors(now, family), False, 0.0
    while factors is not None and len(history) < iterations and not settled:
        diagonals = factors if factors.ndim == 2 else np.diagonal(factors, axis1=1, axis2=2)
        constants = np.log(now[0]) + np.log(diagonals).sum(axis=1) - 0.5 * len(planes) * np.log(2 * np.pi)
        if noise is not None:
            constants = constants - _blur(factors, noise)
        sums, reached = statistics(planes, weights, Densities(constants, now[1], factors), threads)
        following = _step(sums, now[1].astype(planes.dtype).astype(np.float64), family, added)
        next_factors = _factors(following, family)
        if next_factors is None or (sums[:, 0] < 0.999 * least).any():
            break
        history.append(reached / max(total, np.finfo(float).tiny))
        gain = history[-1] - history[-2] if len(history) > 1 else np.inf
        explained = precision * max(1.0, abs(history[-1])) + float(now[0] @ _blur(factors, slack))
        fall = max(fall, -gain if -gain > explained else 0.0)
        settled = bool(abs(gain) < tolerance and -gain <= explained)
        now, factors = list(following), next_factors
    return now[0], now[1], now[2], factors, history, settled, fall


def climb_each(
    planes: Array,
    weights: Array | None,
    starts: tuple[Array, Array, Array, str],
    added: Array,
    noise: Array | None,
    limits: tuple[float, float, float],
    iterations: int,
    threads: int,
) -> tuple[Array, Array, Array, Array]:
    """See gmmseg.kernels.climb_each."""
    *each, family = starts
    found, reached = [], []
    for own in zip(*each, strict=True):
        *components, _, history, settled, _ = climb(
            planes, weights, (*own, family), added, noise, limits, iterations, threads
        )
        found.append(components)
        reached.append(history[-1] if settled or len(history) == iterations else -np.inf)
    shares, means, covariances = (np.stack(values) for values in zip(*found, strict=True))
    return shares, means, covariances.reshape(len(found), -1), np.array(reached)


def _factors(components: Any, family: str) -> Array | None:
    """Lower precision factors (K, d, d), or their diagonals (K, d); None where a component is degenerate."""
    _, means, covariances = components
    k, d = means.shape
    if family in ("diag", "spherical"):
        variances = np.broadcast_to(covariances if family == "diag" else covariances[:, None], (k, d))
        if not (np.isfinite(variances).all() and (variances > 0).all()):
            return None
        factors = 1 / np.sqrt(variances)
    else:
        try:
            lower = np.linalg.cholesky(np.broadcast_to(covariances, (k, d, d)))
        except np.linalg.LinAlgError:
            return None
        factors = np.tril(np.linalg.solve(lower, np.broadcast_to(np.eye(d), (k, d, d))))
    usable = np.isfinite(means).all() and (np.abs(factors) < _MOST_PRECISE).all()
    return np.ascontiguousarray(factors) if usable else None


def _blur(factors: Array, noise: Array) -> Array:
    return np.asarray(0.5 * ((factors**2 if factors.ndim == 2 else (factors**2).sum(axis=1)) @ noise))


def _step(sums: Array, origins: Array, family: str, added: Array) -> Components:
    k, d = origins.shape
    counts = sums[:, 0] + _NONE
    offsets = sums[:, 1 : 1 + d] / counts[:, None]
    weights, means = counts / counts.sum(), origins + offsets
    if family in ("diag", "spherical"):
        variances = sums[:, 1 + d :] / counts[:, None] - offsets**2 + added
        return weights, means, variances if family == "diag" else variances.mean(axis=1)
    square = np.zeros((k, d, d))
    rows, columns = np.tril_indices(d)
    square[:, rows, columns] = square[:, columns, rows] = sums[:, 1 + d :]
    square = square / counts[:, None, None] - offsets[:, :, None] * offsets[:, None]
    if family == "tied":
        square = np.einsum("k,kij->ij", weights, square)
    return weights, means, square + np.diag(added)


def merge(
    weights: Array, means: Array, second: Array, k: int, spherical: bool
) -> tuple[Array, Array, Array, list[int]]:
    """See gmmseg.kernels.merge."""
    weights, means, second = weights.copy(), means.copy(), second.copy()
    d, diagonal = means.shape[1], second.ndim == 2

    def log_volume(moments: Array) -> Array:
        with np.errstate(divide="ignore"):
            if not diagonal:
                return np.asarray(np.linalg.slogdet(moments)[1])
            return np.asarray(d * np.log(moments.mean(axis=1)) if spherical else np.log(moments).sum(axis=1))

    def joined(i: Any, j: Any) -> Components:
        """Weights, means and second moments of the components that mergers of i with j would make."""
        weight = weights[i] + weights[j]
        share = (weights[j] / weight)[:, None]
        step = means[j] - means[i]
        outer = step**2 if diagonal else step[:, :, None] * step[:, None, :]
        part = share if diagonal else share[:, :, None]
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
    into = left.copy()
    while len(left) > k:
        i, j = np.divmod(np.argmin(costs), len(costs))
        weights[i], means[i], second[i] = (values[0] for values in joined(np.array([i]), np.array([j])))
        volumes[i] = log_volume(second[[i]])[0]
        costs[j], costs[:, j] = np.inf, np.inf
        left = left[left != j]
        into[into == j] = i
        others = left[left != i]
        price(np.full(len(others), i), others)
    return weights[left], means[left], second[left], np.searchsorted(left, into).tolist()
