"""Estimation of a bias field together with a mixture, by EM."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from gmmseg.fitting.scene import Scene
from gmmseg.image.units import as_float
from gmmseg.mixture import patterns
from gmmseg.mixture.em import Iteration, expectation_maximization
from gmmseg.mixture.parameters import Mixture
from gmmseg.mixture.seeding import Seeding, seed_mixture
from gmmseg.spatial.bias import DEGREE, BiasField, Evidence

__all__ = ["Shaded", "Shading", "fit_shading"]

Array = NDArray[Any]

_PIXELS = 1 << 14
_DEGREES = 2, DEGREE  # one after the other, so that no detail is fitted before the whole
_ITERATIONS = 40
_MOST = 3.0  # logarithm of the ratio of the greatest gain and the least, about 20
_MOST_CHANNELS = 16  # time grows with their third power
_WHITE, _WHITENED = 0.98, 0.01  # colour that counts as white; share of pixels that a gain may make so
_RUN_AWAY = 0.9  # of that ratio: a field that goes so far would have gone on
_MARGIN = 0.1  # of the logarithm, beyond what valid pixels show
_SETTLED = 3e-3  # change of the logarithm of the gain


class Shading:
    """A bias field as it is estimated from some pixels of a scene.

    Parameters
    ----------
    scene : Scene
    index : ndarray of int, shape (n,)
        Its pixels that the field is estimated from.
    field : BiasField
        As it is now; `degree` is the highest of its polynomials that may change.
    """

    def __init__(self, scene: Scene, index: Array, field: BiasField, threads: int) -> None:
        self.scene, self.index, self.field, self.degree = scene, index, field, DEGREE
        self.threads = threads
        self._basis = field.basis(scene.patches.flat)
        values = scene.patches.values
        lit = np.isfinite(values) & (values != 0)  # what is 0 is 0 under any gain
        self._seen = lit.any(axis=1)[None] if len(field.coefficients) == 1 else lit.T

    @property
    def extent(self) -> tuple[float, float]:
        """Least and greatest logarithm of a gain on pixels that show it."""
        shown = self._gain[np.broadcast_to(self._seen, self._gain.shape)]
        return float(shown.min(initial=0)), float(shown.max(initial=0))

    def _is_usable(self, gain: Array) -> bool:
        """Whether a gain, given by its logarithm (m, n), is within bounds, and makes hardly any colour white."""
        shown = np.where(self._seen, gain, 0)
        if np.ptp(shown) > _MOST:
            return False
        if not self.scene.image.color:
            return True
        values = as_float(self.scene.patches.values, color=True)
        whitened = (values < _WHITE) & (values * np.exp(-gain).T > 1)
        return bool(whitened.any(axis=1).mean() < _WHITENED)

    @property
    def planes(self) -> Array:
        """Scaled planes (d, n) of the pixels under the field."""
        return self.scene.planes(self._gain)

    @property
    def _gain(self) -> Array:
        return self.field.at(self._basis)

    def start_from_logarithms(self) -> None:
        """Take the field that the logarithms of the pixels follow, as if there were one class alone."""
        values = self.scene.patches.values.astype(np.float64)
        m = len(self.field.coefficients)
        channels = values.mean(axis=1, keepdims=True) if m == 1 else values
        for channel, own in enumerate(channels.T):
            lit = own > 0
            if not lit.any():
                continue
            logs = np.zeros(len(own))
            logs[lit] = np.log(np.maximum(own[lit], 0.05 * np.median(own[lit])))
            logs[lit] -= logs[lit].mean()

            def objective(field: BiasField, logs: Array = logs, lit: Array = lit, channel: int = channel) -> float:
                gain = field.at(self._basis)
                error = ((logs - gain[channel])[lit] ** 2).sum()
                return -0.5 * float(error) if self._is_usable(gain) else -np.inf

            weights = lit.astype(np.float64)
            evidence = Evidence(self._basis, logs, weights, objective, self._seen[channel])
            self.field = self.field.ascend(channel, evidence)

    def step(self, mixture: Mixture, q: Array) -> float:
        """Raise the likelihood expected over classes (K, n) by a step of scoring for each gain.

        Returns
        -------
        float
            The largest change of a gain's logarithm.
        """
        before = self._gain
        for channel in range(len(self.field.coefficients)):
            gain = self._gain
            white = _whitened(mixture, self.scene.planes(gain), mixture.means)
            slope = _whitened(mixture, self.scene.slopes(gain, channel))
            gradient = (q * (white * slope).sum(axis=1)).sum(axis=0)
            curvature = (q * (slope * slope).sum(axis=1)).sum(axis=0)

            def objective(field: BiasField) -> float:
                gain = field.at(self._basis)
                if not self._is_usable(gain):
                    return -np.inf
                white = _whitened(mixture, self.scene.planes(gain), mixture.means)
                return -0.5 * float((q * (white * white).sum(axis=1)).sum(dtype=np.float64))

            evidence = Evidence(self._basis, gradient, curvature, objective, self._seen[channel])
            self.field = self.field.ascend(channel, evidence, degree=self.degree, threads=self.threads)
        return float(np.abs(self._gain - before).max(initial=0))


def _whitened(mixture: Mixture, planes: Array, means: Array | None = None) -> Array:
    """Planes (K, d, n), less each component's mean, in units of its spread; 0 where a feature is missing."""
    factors = mixture.factors.astype(np.float32)
    centred = planes[None] if means is None else planes[None] - means.astype(np.float32)[:, :, None]
    centred = np.nan_to_num(centred)
    whole = (
        factors[:, :, None] * centred
        if factors.ndim == 2
        else np.einsum("kij,kjn->kin", factors, np.broadcast_to(centred, (len(factors), *centred.shape[1:])))
    )
    return np.asarray(whole)


@dataclass(frozen=True, eq=False)
class Shaded:
    """A mixture with the bias field that was fitted with it, or with the reason why there is none.

    Parameters
    ----------
    mixture : Mixture
        Of the image without the field; as it was given where there is none.
    shading : Shading, optional
    reason : str
        Why there is none, and what to do, as in "a gain is of intensities above 0, ...; leave it out".
    """

    mixture: Mixture
    shading: Shading | None = None
    reason: str = ""


def fit_shading(
    scene: Scene, mixture: Mixture, rng: Generator, *, regularization: Array, numbered: bool, threads: int
) -> Shaded:
    """Fit a mixture and a bias field to a scene, from a mixture that was fitted without.

    Unless its classes are `numbered` already, a second start is tried, from the field that the logarithms of the pixels
    follow; the better one counts.

    Returns
    -------
    Shaded
        The degree of the field's polynomials is that of the highest likelihood less half the logarithm of the number of
        pixels for each coefficient (Schwarz 1978); of degree 0 there is none.
    """
    n_channels = scene.image.n_channels
    if n_channels > _MOST_CHANNELS:
        return Shaded(
            mixture, None, f"{n_channels} channels are more than {_MOST_CHANNELS}; choose some, or leave it out"
        )
    counted = np.flatnonzero(scene.patches.weights)
    values = scene.patches.values[counted]
    lit = (values != 0).any(axis=1)
    if not _is_positive(values[lit]):
        reason = "a gain is of intensities above 0, and half of the pixels of a channel are not; leave it out"
        return Shaded(mixture, None, reason)
    count = max(_PIXELS // 4, 2 * _PIXELS // (1 + values.shape[1]))
    index = np.sort(np.append(_some(counted[lit], count), _some(counted[~lit], count // 4)))
    some, flat = scene.some(index), BiasField.flat(scene.image)
    planes = some.planes()
    fit = _Alternation(regularization, threads)
    best, chosen = fit.likelihood(fit.iterate(mixture, planes, some, _ITERATIONS), planes), Shaded(mixture)
    reason = "the pixels are no likelier with one, counting half the logarithm of their number for each coefficient"
    for by_logarithms in (False,) if numbered else (False, True):
        shading, own = Shading(some, index, flat, threads), mixture
        if by_logarithms:
            shading.start_from_logarithms()
            k, family = mixture.n_components, mixture.covariance
            seeded = seed_mixture(shading.planes, k, rng, Seeding(family, starts=2, rounds=1, threads=threads))
            own = replace(mixture, means=seeded.means, covariances=seeded.covariances)
        for degree in _DEGREES:
            shading.degree = degree
            own = fit.settle(own, shading)
            terms = sum(sum(term) <= degree for term in flat.terms) * len(flat.coefficients)
            found = fit.likelihood(own, shading.planes) - 0.5 * terms * float(np.log(len(index)))
            low, high = shading.extent
            if found > best and high - low > _RUN_AWAY * _MOST:
                reason = f"the one that fits best varies by a factor of {np.exp(high - low):.0f}; try another k"
            elif found > best:
                best, chosen = found, Shaded(own, copy(shading))
    if chosen.shading is None:
        return Shaded(mixture, None, f"{reason}, or leave it out")
    low, high = chosen.shading.extent
    chosen.shading.field = replace(chosen.shading.field, limits=(low - _MARGIN, high + _MARGIN))
    return chosen


def _is_positive(values: Array) -> bool:
    """Whether most known numbers (n, channels) of each channel are above 0."""
    known = [own[~np.isnan(own)] for own in values.T]
    return bool(len(values)) and all(own.size and np.median(own) > 0 for own in known)


def _some(index: Array, count: int) -> Array:
    """About so many, evenly chosen."""
    return index[:: max(1, len(index) // count)]


@dataclass(frozen=True)
class _Alternation:
    """Steps of EM and of a bias field in turn."""

    regularization: Array
    threads: int

    def iterate(self, start: Mixture, planes: Array, scene: Scene, count: int) -> Mixture:
        """Fit a mixture by so many iterations of EM."""
        fit = expectation_maximization(
            planes,
            start,
            Iteration(0, count, self.regularization, threads=self.threads),
            log_prior=scene.patches.log_prior,
        )
        return fit.warned().mixture

    def likelihood(self, mixture: Mixture, planes: Array) -> float:
        """Logarithm of it, of all pixels together."""
        return float(mixture.log_density(planes, threads=self.threads).sum(dtype=np.float64))

    def settle(self, mixture: Mixture, shading: Shading) -> Mixture:
        """Step until the gain stays as it is."""
        prior = shading.scene.patches.log_prior
        for _ in range(_ITERATIONS):
            q = np.empty((mixture.n_components, len(shading.index)), np.float32)
            patterns.posterior(shading.planes, mixture.arguments_of, q, None, threads=self.threads, log_prior=prior)
            change = shading.step(mixture, q)
            mixture = self.iterate(mixture, shading.planes, shading.scene, 1)
            if change < _SETTLED:
                break
        return mixture
