"""Gain and offset of each feature at which samples are likeliest under a mixture whose classes are known.

C and E are gain and offset from the samples z to the mixture's features: C z + E. K is the number of components, d of
features, N of samples.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gmmseg.arrays import Array
from gmmseg.mixture.parameters import Mixture
from gmmseg.mixture.statistics import Statistics, measure

__all__ = ["calibrate"]

_MAX_ITERATIONS, _TOLERANCE = 300, 1e-5
_FARTHEST = 1e15  # a start that goes there leads nowhere, and squares would overflow
# The prior counts as this part of the samples. Where it decides is between maxima, of which a sample of one class has
# as many as there are classes: the nearest to gain 1 and offset 0, and to the mixture's weights, is then meant.
_PRIOR, _PRIOR_BETWEEN, _SHARES_BETWEEN = 1e-3, 0.06, 0.1
_LOG_GAIN, _OFFSET = 0.5, 1.0  # half widths of the prior, in the mixture's features
_EVIDENCE = 0.01  # nats a sample and feature: less does not tell from gain 1 and offset 0, as neighbours are alike
_SHARE = 1e-3  # samples that each class has beforehand, as a part of all, so that none is lost on the way
_NEWTON_STEPS, _LEAST_STEP, _SETTLED = 20, 1e-6, 1e-9
_PAIRS = ((25, 75), (10, 90), (2, 98))  # percentiles that are laid over each other to start


def calibrate(mixture: Mixture, planes: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return gains (d,), above 0, and offsets (d,) with which samples of the mixture become samples like these.

    Parameters
    ----------
    mixture : Mixture
        Its means and covariances stay; its weights are free.
    planes : ndarray, shape (d, N), float32
        Samples; NaN is a number that is missing. A feature that does not vary has gain 1 and offset 0.
    rng : numpy.random.Generator

    Notes
    -----
    EM (Dempster, Laird and Rubin 1977): given the responsibilities, the objective is concave in C and E (a quadratic,
    plus log C for the change of density), so that Newton's method finds its maximum. The starts are gain 1 and offset
    0, and those that lay quantiles of the samples over those of the mixture, near where the shares differ little or
    where both ends of the range are still there. Weak priors (Cauchy distributions of log gain and offset about 0)
    settle what the samples leave open. Time grows with d^2 K N, some 50 iterations for each of four starts.
    """
    d = len(planes)
    active = _varying(planes)
    if not active.any():
        return np.ones(d), np.zeros(d)
    own = mixture.sample(10_000, rng)[0]
    found = [_climb(mixture, planes, active, start) for start in _starts(planes, own, active)]
    best = max(found, key=lambda each: each.score(mixture.weights))
    unmoved = _climb(mixture, planes, np.zeros(d, bool), (np.ones(d), np.zeros(d)))
    if best.log_likelihood - unmoved.log_likelihood < _EVIDENCE * np.count_nonzero(active):
        best = unmoved
    return 1 / best.gain, -best.offset / best.gain


@dataclass(frozen=True, eq=False)
class _Place:
    """Where one run of EM arrived: gain C, offset E, the log-likelihood a sample, and the weights."""

    gain: Array
    offset: Array
    log_likelihood: float
    weights: Array

    def score(self, weights: Array) -> float:
        shares = self.weights / self.weights.sum()
        change = float((shares * np.log(shares * weights.sum() / np.maximum(weights, 1e-12))).sum())
        prior = _PRIOR_BETWEEN * _penalty(self.gain, self.offset) + _SHARES_BETWEEN * change
        return self.log_likelihood - prior if np.isfinite(self.log_likelihood) else -np.inf


def _varying(planes: Array) -> Array:
    highest = np.fmax.reduce(planes, axis=1, initial=-np.inf)  # NaN counts for nothing
    return np.asarray(highest > np.fmin.reduce(planes, axis=1, initial=np.inf))


def _starts(planes: Array, own: Array, active: Array) -> list[tuple[Array, Array]]:
    starts = [(np.ones(len(planes)), np.zeros(len(planes)))]
    for pair in _PAIRS:
        gain, offset = np.ones(len(planes)), np.zeros(len(planes))
        for row in np.flatnonzero(active):
            low, middle, high = np.nanpercentile(planes[row], [pair[0], 50, pair[1]]).astype(np.float64)
            own_low, own_middle, own_high = np.percentile(own[row], [pair[0], 50, pair[1]])
            if high > low:
                gain[row] = (own_high - own_low) / (high - low)
                inner = pair == _PAIRS[0]
                offset[row] = own_middle - gain[row] * middle if inner else own_low - gain[row] * low
        starts.append((gain, offset))
    return starts


def _climb(mixture: Mixture, planes: Array, active: Array, start: tuple[Array, Array]) -> _Place:
    """Run EM from a start, a gain (d,) and an offset (d,), until nothing changes."""
    gain, offset = start
    total, known = mixture.weights.sum(), np.isfinite(planes).mean(axis=1)
    for _ in range(_MAX_ITERATIONS):
        moved = np.asarray(gain[:, None] * planes + offset[:, None], np.float32)
        statistics = measure(moved, mixture)
        likelihood = statistics.log_likelihood / statistics.weight + float(known @ np.log(gain))
        place = _Place(gain, offset, likelihood, mixture.weights)
        step, shift = _Objective.of(statistics, mixture, gain, offset).highest(active)
        gain, offset = step * gain, step * offset + shift
        counts = statistics.counts + _SHARE * statistics.weight / mixture.n_components
        mixture = replace(mixture, weights=counts * (total / counts.sum()))
        change = np.abs(np.concatenate([np.log(step), shift, mixture.weights - place.weights])).max()
        if change < _TOLERANCE or np.abs([gain, offset]).max() > _FARTHEST:
            break
    return place


def _penalty(gain: Array, offset: Array) -> float:
    """Return what a gain and an offset cost under the prior, in nats.

    Of a Cauchy distribution: what is far, as after a change of units, costs hardly more for being farther.
    """
    return float(np.log1p((np.log(gain) / _LOG_GAIN) ** 2).sum() + np.log1p((offset / _OFFSET) ** 2).sum())


def _cauchy(x: Array, width: float) -> tuple[Array, Array]:
    """Return the slope of the prior's cost at x, and the curvature of the parabola that touches it there from above."""
    curvature = 2 * _PRIOR / (width**2 + x**2)
    return curvature * x, curvature


@dataclass(frozen=True, eq=False)
class _Objective:
    """What an M step minimises to find a further gain c and offset e: a quadratic, a logarithm and the prior.

    With t = (c, e) it is t'Ht/2 - b't - N log c, plus the prior's cost.

    Parameters
    ----------
    hessian : ndarray, shape (2d, 2d)
    slope : ndarray, shape (2d,)
    weight : float
        N.
    gain, offset : ndarray, shape (d,)
        C and E before the step.
    """

    hessian: Array
    slope: Array
    weight: float
    gain: Array
    offset: Array

    @classmethod
    def of(cls, statistics: Statistics, mixture: Mixture, gain: Array, offset: Array) -> _Objective:
        """Take the moments of the samples about 0, weighted by the components' precisions."""
        factors, diagonal = mixture.factors, np.eye(mixture.n_features)
        precisions = np.swapaxes(factors, 1, 2) @ factors if factors.ndim == 3 else factors[:, :, None] ** 2 * diagonal
        mass = statistics.counts if statistics.mass is None else statistics.mass
        origins, first, second = statistics.origins, statistics.first, statistics.second
        if second.ndim == 2:
            second = second[:, :, None] * diagonal
        cross = first[:, :, None] * origins[:, None, :]
        square = mass[:, None, None] * origins[:, :, None] * origins[:, None, :]
        second = second + cross + np.swapaxes(cross, 1, 2) + square
        first = first + mass[:, None] * origins
        mixed = np.einsum("ki,kij->ij", first, precisions)
        hessian = np.block(
            [[(precisions * second).sum(axis=0), mixed], [mixed.T, np.einsum("k,kij->ij", mass, precisions)]]
        )
        pulled = np.einsum("kij,kj->ki", precisions, mixture.means)
        slope = np.concatenate([(first * pulled).sum(axis=0), mass @ pulled])
        return cls(hessian, slope, statistics.weight, gain, offset)

    def value(self, t: Array) -> float:
        c, e = np.split(t, 2)
        prior = _PRIOR * _penalty(self.gain * c, self.offset * c + e)
        return float(0.5 * t @ self.hessian @ t - self.slope @ t + self.weight * (prior - np.log(c).sum()))

    def derivatives(self, t: Array) -> tuple[Array, Array]:
        """Gradient, and Hessian with the prior's made positive."""
        c, e = np.split(t, 2)
        n, moved = self.weight, self.offset * c + e
        pull, stiffness = _cauchy(np.log(self.gain * c), _LOG_GAIN)
        push, strain = _cauchy(moved, _OFFSET)
        gradient = self.hessian @ t - self.slope
        gradient += n * np.concatenate([(pull - 1) / c + push * self.offset, push])
        corner, side = (1 + stiffness) / c**2 + strain * self.offset**2, np.diag(strain * self.offset)
        return gradient, self.hessian + n * np.block([[np.diag(corner), side], [side, np.diag(strain)]])

    def highest(self, active: Array) -> tuple[Array, Array]:
        """Minimise from c = 1, e = 0 by Newton's method, over the features that are active."""
        free = np.flatnonzero(np.concatenate([active, active]))
        t = np.repeat([1.0, 0.0], len(active))
        value = self.value(t)
        for _ in range(_NEWTON_STEPS):
            gradient, hessian = self.derivatives(t)
            direction = np.zeros_like(t)
            try:
                direction[free] = -np.linalg.solve(hessian[np.ix_(free, free)], gradient[free])
            except np.linalg.LinAlgError:  # of classes so far from the samples that all digits are lost
                break
            step = 1.0
            while True:
                trial = t + step * direction
                if (trial[: len(active)] > 0).all() and (lower := self.value(trial)) <= value:
                    break
                step /= 2
                if step < _LEAST_STEP:
                    return t[: len(active)], t[len(active) :]
            fall, t, value = value - lower, trial, lower
            if fall <= _SETTLED * self.weight:
                break
        return t[: len(active)], t[len(active) :]
