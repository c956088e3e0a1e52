"""Expectation-maximisation: iterate, watch the objective, stop."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmseg.errors import ConvergenceWarning, DataWarning
from gmmseg.mixture.parameters import Mixture
from gmmseg.mixture.statistics import Statistics, m_step, measure

__all__ = ["Fit", "expectation_maximization"]

Array = NDArray[Any]
log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Fit:
    """The result of EM; it holds no samples.

    Parameters
    ----------
    mixture : Mixture
    history : tuple of float
        Mean log-likelihood a sample before each M step, in nats.
    converged : bool
        Whether the last step gained less than the tolerance.
    rescued : int
        How often an emptied or degenerate component was set up anew; history may fall there.
    """

    mixture: Mixture
    history: tuple[float, ...]
    converged: bool
    rescued: int = 0


def expectation_maximization(
    planes: Array,
    start: Mixture,
    *,
    weights: Array | None = None,
    regularization: Array | float = 1e-6,
    tolerance: float = 1e-3,
    max_iterations: int = 100,
    threads: int = 1,
) -> Fit:
    """Fit a mixture by EM from a given start.

    Parameters
    ----------
    planes : ndarray, shape (d, n), float32 or float64
    start : Mixture
    weights : ndarray, shape (n,), optional
        Samples' weights, of the planes' dtype.
    regularization : float or ndarray, shape (d,)
        Added to the variances at every M step.
    tolerance : float
        Stop when an iteration gains less than this, in nats a sample. A gain is never negative but for rounding and
        regularisation; a fall beyond rounding is reported, and never taken for convergence.
    max_iterations : int
    threads : int
        Changes the time, never the result.

    Notes
    -----
    A component that holds less than one sample, or whose covariance is degenerate, is put on one half of the widest
    component instead; if that does not help it is dropped, with a DataWarning.
    """
    regularization = np.broadcast_to(np.asarray(regularization, np.float64), (len(planes),))
    mixture, history, rescued, comparable = start, [], 0, False
    rounding = 1e-5 if planes.dtype == np.float32 else 1e-10
    converged = False
    for _ in range(max_iterations):
        statistics = measure(planes, mixture, weights, threads=threads)
        history.append(statistics.log_likelihood / max(statistics.weight, np.finfo(float).tiny))
        gain = history[-1] - history[-2] if comparable else np.inf
        mixture, healthy = _maximize(
            statistics, mixture, regularization, planes.shape[1], may_rescue=rescued < start.n_components
        )
        rescued += not healthy
        if healthy and gain < tolerance:
            fall = -gain > rounding * max(1.0, abs(history[-1]))
            if not fall:
                converged = True
                break
            log.warning("log-likelihood fell by %.3g nats a sample at iteration %d", -gain, len(history))
        comparable = healthy
    if history and not converged and tolerance > 0:
        warnings.warn(
            f"EM stopped after {max_iterations} iterations before the log-likelihood settled within {tolerance:g}; "
            "allow more iterations or a larger tolerance",
            ConvergenceWarning,
            stacklevel=3,
        )
    return Fit(mixture, tuple(history), converged, rescued)


def _maximize(
    statistics: Statistics, previous: Mixture, regularization: Array, n: int, *, may_rescue: bool
) -> tuple[Mixture, bool]:
    """M step, and whether it needed no rescue."""
    mixture = m_step(statistics, previous.covariance, regularization)
    bad = _degenerate(mixture, statistics, n)
    if not bad.any():
        return mixture, True
    good = np.flatnonzero(~bad)
    if len(good) == 0:  # nothing to build on: one component for all the samples
        warnings.warn(
            "every component was degenerate; variances were raised until they were not", DataWarning, stacklevel=4
        )
        return _inflate(mixture, regularization), False
    if may_rescue:
        return _split_widest(mixture, good, np.flatnonzero(bad)), False
    warnings.warn(
        f"{bad.sum()} of {len(bad)} components found no samples of their own and were dropped",
        DataWarning,
        stacklevel=4,
    )
    return mixture.select(good), False


def _degenerate(mixture: Mixture, statistics: Statistics, n: int) -> Array:
    """Which components hold less than one sample or have no usable covariance."""
    bad = statistics.counts * n < 0.999 * statistics.weight
    try:
        if np.isfinite(mixture.factors).all() and np.isfinite(mixture.means).all():
            return bad
    except np.linalg.LinAlgError:
        pass
    if mixture.family.shared:
        return np.ones_like(bad)
    for k in range(mixture.n_components):
        try:
            usable = np.isfinite(mixture.means[k]).all() and np.isfinite(mixture.select([k]).factors).all()
        except np.linalg.LinAlgError:
            usable = False
        bad[k] |= not usable
    return bad


def _split_widest(mixture: Mixture, good: Array, bad: Array) -> Mixture:
    """Put each bad component on one half of the good component with the most spread samples."""
    dense = mixture.family.dense(mixture.covariances, mixture.n_components, mixture.n_features)
    weights, means, covariances = mixture.weights.copy(), mixture.means.copy(), mixture.covariances.copy()
    spread, axes = np.linalg.eigh(dense[good])
    for k in bad:
        widest = int(np.argmax(weights[good] * spread[:, -1]))
        donor, step = good[widest], np.sqrt(max(spread[widest, -1], 0.0)) * axes[widest, :, -1]
        weights[k] = weights[donor] = weights[donor] / 2
        means[k] = means[donor] + step
        means[donor] = means[donor] - step
        if not mixture.family.shared:
            covariances[k] = covariances[donor]
    return replace(mixture, weights=weights / weights.sum(), means=means, covariances=covariances)


def _inflate(mixture: Mixture, regularization: Array) -> Mixture:
    """Raise all variances until they can be used."""
    family, k, d = mixture.family, mixture.n_components, mixture.n_features
    means = np.nan_to_num(mixture.means)
    floor = np.maximum(regularization, 1e-6)
    second = np.broadcast_to(floor, (k, d)) if family.diagonal else np.broadcast_to(np.diag(floor), (k, d, d))
    return replace(mixture, means=means, covariances=family.estimate(np.ones(k), second, floor))
