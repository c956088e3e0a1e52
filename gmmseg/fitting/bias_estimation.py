"""Estimation of a bias field together with a mixture, by EM."""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from gmmseg.fitting.scene import Scene
from gmmseg.image.lattice import thinned
from gmmseg.image.units import as_float
from gmmseg.mixture import patterns
from gmmseg.mixture.em import Iteration, expectation_maximization
from gmmseg.mixture.parameters import Mixture
from gmmseg.mixture.seeding import Seeding, seed_mixture
from gmmseg.spatial.bias import DEGREE, BiasField, Evidence

__all__ = ["DEGREES", "Shaded", "Shading", "fit_shading"]

Array = NDArray[Any]

DEGREES = 2, DEGREE
"""Of polynomials, one after the other, so that no detail is fitted before the whole."""

_PIXELS = 1 << 14
_ITERATIONS = 40
_MOST = 3.0  # logarithm of the ratio of the greatest gain and the least, about 20
_MOST_CHANNELS = 16  # time grows with their third power
_WHITE, _WHITENED = 0.98, 0.01  # colour that counts as white; share of pixels that a gain may make so
_RUN_AWAY = 0.9  # of that ratio: a field that goes so far would have gone on
_MARGIN = 0.1  # of the logarithm, beyond what valid pixels show
_SETTLED = 0.02  # spreads of the classes by which a step still moves pixels
_SLIGHT = 0.01  # logarithm of a ratio of gains, below which they are alike unless they move pixels by a whole spread
# Other classes with another field may be meant where values are hardly less likely under them, in nats a pixel: on
# brains of 2 mm with noise of a quarter to half of the step between tissues up to .007. Classes are others where a mean
# differs by this many spreads.
_HARDLY, _OTHER = 0.01, 0.2


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
        self._basis, self.blocks = field.basis(scene.patches.flat), field.blocks(scene.patches.flat)
        values = scene.patches.values
        lit = np.isfinite(values) & (values != 0)  # what is 0 is 0 under any gain
        self._seen = lit.any(axis=1)[None] if len(field.coefficients) == 1 else lit.T
        self._centers = [self._basis[:, seen].mean(axis=1, dtype=np.float64) for seen in self._seen]
        self._last: tuple[tuple[BiasField, Array, Array], ...] = ()

    def among(self, scene: Scene) -> Shading:
        """Return a shading with the same field that follows the pixels that count of another scene of the image."""
        index = np.flatnonzero(scene.patches.weights)
        found = Shading(scene.some(index), index, self.field, self.threads)
        found.degree = self.degree
        return found

    @property
    def extent(self) -> tuple[float, float]:
        """Least and greatest logarithm of a gain on pixels that show it."""
        shown = self._gain[np.broadcast_to(self._seen, self._gain.shape)]
        return float(shown.min(initial=0)), float(shown.max(initial=0))

    @property
    def size(self) -> float:
        """Of the largest gain, as a logarithm, between the 5 % of pixels where it is least and greatest."""
        return self._spread(self._gain)

    def apart(self, other: Shading) -> float:
        """How much its gain differs from another one of the image, measured as `size` is."""
        return self._spread(self._change_from(other))

    def _change_from(self, other: Shading) -> Array:
        return self._gain - other.field.at(self._basis)

    def _spread(self, gain: Array) -> float:
        each = zip(gain, self._seen, strict=True)
        sizes = [np.ptp(np.percentile(own[seen], (5, 95))) for own, seen in each if seen.any()]
        return float(max(sizes, default=0))

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
        return self._under(self.field)[1]

    @property
    def _gain(self) -> Array:
        return self._under(self.field)[0]

    def _under(self, field: BiasField) -> tuple[Array, Array]:
        """Logarithm of the gain (m, n), and planes (d, n) of the pixels, under a field.

        The last two are kept, as a step asks for each some four times: it takes a third less time.
        """
        for known, gain, planes in self._last:
            if known is field:
                return gain, planes
        gain = field.at(self._basis)
        planes = self.scene.planes(gain)
        self._last = ((field, gain, planes), *self._last[:1])
        return gain, planes

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
            evidence = Evidence(self._basis, logs, weights, objective, self._seen[channel], self._centers[channel])
            self.field = self.field.ascend(channel, evidence)

    def even(self) -> Shading:
        """The same with a field that is the same everywhere."""
        other = copy(self)
        other.field = BiasField.flat(self.scene.image)
        return other

    def limited(self) -> Shading:
        """The same with a field that hardly goes beyond what valid pixels show of it."""
        (low, high), other = self.extent, copy(self)
        other.field = replace(self.field, limits=(low - _MARGIN, high + _MARGIN))
        return other

    def straight(self, degree: int | None = None) -> Shading:
        """The same with the nearest field whose gains themselves are polynomials, of its own degree or another one."""
        other = copy(self)
        other.degree = self.degree if degree is None else degree
        other.field = self.field.straight(self._basis, self._seen, degree=other.degree)
        return other

    def step(self, mixture: Mixture, q: Array) -> float:
        """Raise the likelihood expected over classes (K, n) by a step of scoring for each gain.

        Returns
        -------
        float
            By how much it moves pixels, in spreads of their classes: root of the mean square.
        """
        before, curvatures = self._gain, []
        for channel in range(len(self.field.coefficients)):
            evidence = self._evidence(mixture, q, channel)
            self.field = self.field.ascend(channel, evidence, degree=self.degree, threads=self.threads)
            curvatures.append(evidence.curvature)
        return _root_mean_square(self._gain - before, curvatures)

    def is_slightly(self, other: Shading, mixture: Mixture, q: Array) -> bool:
        """Whether gains hardly differ from those of another field, and move pixels by less than their classes' spread.

        Classes, and their probabilities (K, n) at the pixels, are those under this field.
        """
        change = self._change_from(other)
        if np.ptp(np.where(self._seen, change, change[self._seen].mean())) >= _SLIGHT:
            return False
        curvatures = [self._evidence(mixture, q, channel).curvature for channel in range(len(change))]
        return _root_mean_square(change, curvatures) < 1

    def held_out(self, mixture: Mixture, q: Array, log_density: Array) -> Array:
        """Logarithm of the likelihood of each block of the image under a field that was fitted to the others alone.

        It is that of the values as they are, which are spread over more where the gain is greater. Pixels that are
        independent would count for too much, so at least half the logarithm of their number for each coefficient
        (Schwarz 1978) is taken off all in all.

        Parameters
        ----------
        mixture : Mixture
        q, log_density : ndarray, shapes (K, n) and (n,)
            Of the pixels under the mixture and the field.
        """
        optimism = np.zeros(int(self.blocks.max()) + 1)
        for channel in range(len(self.field.coefficients)):
            evidence = self._evidence(mixture, q, channel)
            optimism += self.field.optimism(channel, evidence, self.blocks, degree=self.degree)
        terms = sum(sum(term) <= self.degree for term in self.field.terms) * len(self.field.coefficients)
        missing = max(0.0, 0.5 * terms * math.log(len(self.blocks)) - float(optimism.sum()))
        own, n_channels = np.where(self._seen, self._gain, 0), self.scene.patches.values.shape[1]
        wider = own.sum(axis=0) * (n_channels / len(own))  # its sum is 0, by the definition of a field
        return np.bincount(self.blocks, weights=log_density - wider) - optimism - missing / len(optimism)

    def _evidence(self, mixture: Mixture, q: Array, channel: int) -> Evidence:
        white = _whitened(mixture, self.planes, mixture.means)
        slope = _whitened(mixture, self.scene.slopes(self._gain, channel))
        each = (white * slope).sum(axis=1)  # gradients by component (K, n)
        gradient = (q * each).sum(axis=0)
        unknown = (q * each * each).sum(axis=0) - gradient**2
        curvature = (q * (slope * slope).sum(axis=1)).sum(axis=0)

        def objective(field: BiasField) -> float:
            gain, planes = self._under(field)
            if not self._is_usable(gain):
                return -np.inf
            white = _whitened(mixture, planes, mixture.means)
            return -0.5 * float((q * (white * white).sum(axis=1)).sum(dtype=np.float64))

        return Evidence(
            self._basis, gradient, curvature, objective, self._seen[channel], self._centers[channel], unknown
        )


def _root_mean_square(change: Array, curvatures: list[Array]) -> float:
    """Of changes of gains' logarithms (m, n), in units in which the likelihood's curvatures are 1."""
    squares = sum(curvature * own * own for curvature, own in zip(curvatures, change, strict=True))
    return math.sqrt(float(np.mean(squares, dtype=np.float64)))


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
    others : tuple of Shaded
        Other classes with their fields, under which values are hardly less likely: neighbours have to tell.
    """

    mixture: Mixture
    shading: Shading | None = None
    reason: str = ""
    others: tuple[Shaded, ...] = ()


def fit_shading(
    scene: Scene, mixture: Mixture, rng: Generator, *, noise: Callable[[Array], Array], numbered: bool, threads: int
) -> Shaded:
    """Fit a mixture and a bias field to a scene, from a mixture that was fitted without.

    Unless its classes are `numbered` already, a second start is tried, from the field that the logarithms of the pixels
    follow.

    Returns
    -------
    Shaded
        A field is taken where it makes blocks of the image likelier even when it is fitted to the others alone: what
        objects seem to say, because they happen to lie or shine unevenly, does not hold elsewhere. Of those fields the
        first counts, in the order of starts and degrees, that is as good as the best but for chance; none at all counts
        as the very first. Last come gains that are polynomials themselves, from the best of those whose logarithms are.
        What varies by less than a hundredth and moves pixels by less than their classes' spread is left as it is: the
        plainest gain is taken that differs by no more from the one that fits, or none.

    Notes
    -----
    Nothing is fitted again: how much likelier a block is because it was fitted too is known to first order (Stone
    1977).
    """
    counted = np.flatnonzero(scene.patches.weights)
    values = scene.patches.values[counted]
    lit = (values != 0).any(axis=1)
    reason = _objection(values[lit])
    if reason:
        return Shaded(mixture, None, reason)
    count = max(_PIXELS // 4, 2 * _PIXELS // (1 + values.shape[1]))
    index = np.sort(np.append(_some(scene, counted[lit], count), _some(scene, counted[~lit], count // 4)))
    some, flat = scene.some(index), BiasField.flat(scene.image)
    fit = _Alternation(noise, threads)
    blocks = flat.blocks(some.patches.flat)

    def anew(shading: Shading) -> Mixture:
        outliers = None if mixture.outlier_ranges is None else "uniform"  # which no class shall begin with
        seeding = Seeding(mixture.covariance, starts=2, rounds=1, outliers=outliers, threads=threads)
        seeded = seed_mixture(_in_order(shading.planes, scene), mixture.n_components, rng, seeding)
        return replace(mixture, means=seeded.means, covariances=seeded.covariances)

    def without(own: Mixture) -> Array:
        """Likelihood of the blocks without a field; what other classes are worth is not the field's merit."""
        return max(alone, np.bincount(blocks, weights=fit.alone(own, some)), key=np.sum)

    alone, trials = np.bincount(blocks, weights=fit.alone(mixture, some)), list[_Trial]()
    for by_logarithms in (False,) if numbered else (False, True):
        shading, own = Shading(some, index, flat, threads), mixture
        if by_logarithms:
            shading.start_from_logarithms()
            own = anew(shading)
        for degree in DEGREES:
            shading.degree = degree
            trials.append(fit.trial(own, shading))
            own = trials[-1].mixture
        if by_logarithms:
            alone = without(own)
    if any(trial.usable for trial in trials):
        likeliest = max((trial for trial in trials if trial.usable), key=_Trial.total)
        trials.append(fit.trial(likeliest.mixture, likeliest.shading.straight()))
        clear = trials[-1].usable and not _is_as_good(likeliest.found, trials[-1].found)
        if clear and not numbered:  # its classes were of another field
            shading = copy(trials[-1].shading)
            trials.append(fit.trial(anew(shading), shading))
            alone = without(trials[-1].mixture)
    return _chosen(mixture, alone, trials, fit)


class _Trial(NamedTuple):
    """A mixture with a field, and how likely they make the blocks of the image."""

    found: Array
    mixture: Mixture
    shading: Shading

    @property
    def range(self) -> float:
        """Logarithm of the ratio of the greatest gain and the least."""
        low, high = self.shading.extent
        return high - low

    @property
    def usable(self) -> bool:
        return self.range <= _RUN_AWAY * _MOST and bool(np.isfinite(self.found).all())

    def total(self) -> float:
        return float(self.found.sum())

    def limited(self) -> Shaded:
        return Shaded(self.mixture, self.shading.limited())


def _chosen(mixture: Mixture, alone: Array, trials: list[_Trial], fit: _Alternation) -> Shaded:
    """The first of the trials that is as good as the best; a mixture without a field counts as the very first."""
    reason = "parts of the image are no likelier with one that was fitted to the rest; leave it out"
    tried = list[_Trial]()
    for trial in trials:
        if trial.usable:
            tried.append(trial)
        elif trial.total() > alone.sum():
            factor = f"{np.exp(trial.range):.0f}"
            reason = f"the one that fits best varies by a factor of {factor}; try another k, or leave it out"
    best = max([alone, *(trial.found for trial in tried)], key=np.sum)
    if _is_as_good(alone, best):
        return Shaded(mixture, None, reason)
    chosen = next(trial for trial in tried if _is_as_good(trial.found, best))
    shading = chosen.shading
    q, _ = fit.expect(chosen.mixture, shading.planes, shading.scene)
    if shading.is_slightly(shading.even(), chosen.mixture, q):
        percent = 100 * math.expm1(chosen.range)
        reason = f"the one that fits varies by {percent:.2g} %, less than pixels of a class do; leave it out"
        return Shaded(mixture, None, reason)
    for degree in range(1, min(DEGREE, shading.degree)):
        plain = shading.straight(degree)
        if shading.is_slightly(plain, chosen.mixture, q):
            return fit.trial(chosen.mixture, plain).limited()
    return replace(chosen.limited(), others=tuple(other.limited() for other in _others(chosen, tried)))


def _others(chosen: _Trial, tried: list[_Trial]) -> list[_Trial]:
    """Of each set of other classes under which values are hardly less likely, the first trial as good as its best."""
    least = chosen.total() - _HARDLY * len(chosen.shading.index)
    left = [trial for trial in tried if trial.total() > least and not _are_alike(trial.mixture, chosen.mixture)]
    others = []
    while left:
        best = max(left, key=_Trial.total)
        own = [trial for trial in left if _are_alike(trial.mixture, best.mixture)]
        others.append(next(trial for trial in own if _is_as_good(trial.found, best.found)))
        left = [trial for trial in left if not _are_alike(trial.mixture, best.mixture)]
    return others


def _are_alike(one: Mixture, two: Mixture) -> bool:
    """Whether classes are about the same, whatever their order."""
    first, second = (each.select(np.argsort(each.means[:, 0], kind="stable")) for each in (one, two))
    variances = np.einsum("kii->ki", first.family.dense(first.covariances, *first.means.shape))
    return bool((np.abs(first.means - second.means) < _OTHER * np.sqrt(variances)).all())


def _is_as_good(found: Array, best: Array) -> bool:
    """Whether the likelihood of all blocks is within one standard error of the best one's (Breiman et al. 1984)."""
    behind = best - found
    return bool(behind.sum() <= math.sqrt(len(behind)) * behind.std())


def _objection(values: Array) -> str:
    """Why there can be no gain of pixels (n, channels), and what to do; empty where there can."""
    n_channels = values.shape[1]
    if n_channels > _MOST_CHANNELS:
        return f"{n_channels} channels are more than {_MOST_CHANNELS}; choose some, or leave it out"
    known = [own[~np.isnan(own)] for own in values.T]
    if not len(values) or not all(own.size and np.median(own) > 0 for own in known):
        return "a gain is of intensities above 0, and half of the pixels of a channel are not; leave it out"
    return ""


def _in_order(planes: Array, scene: Scene) -> Array:
    """Samples (d, n) from the least to the largest where they are of a volume, whose axes may come in any order."""
    return np.ascontiguousarray(planes[:, np.lexsort(planes[::-1])]) if scene.image.ndim == 3 else planes


def _some(scene: Scene, index: Array, count: int) -> Array:
    """About so many of the pixels at an index in the patches, evenly chosen; of volumes whatever the order of axes."""
    if scene.image.ndim == 3:
        return index[thinned(scene.patches.flat[index], scene.image.shape, 2 * count)]
    return index[:: max(1, len(index) // count)]


@dataclass(frozen=True)
class _Alternation:
    """Steps of EM and of a bias field in turn."""

    noise: Callable[[Array], Array]
    threads: int

    def iterate(self, start: Mixture, planes: Array, scene: Scene, count: int) -> Mixture:
        """Fit a mixture by so many iterations of EM."""
        fit = expectation_maximization(
            planes,
            start,
            Iteration(0, count, self.noise(planes), threads=self.threads),
            log_prior=scene.patches.log_prior,
        )
        return fit.warned().mixture

    def alone(self, start: Mixture, scene: Scene) -> Array:
        """Logarithms of the pixels' densities (n,) under a mixture that is fitted without a field."""
        planes = scene.planes()
        return self.expect(self.iterate(start, planes, scene, _ITERATIONS), planes, scene)[1]

    def expect(self, mixture: Mixture, planes: Array, scene: Scene) -> tuple[Array, Array]:
        """Probabilities (K, n) of the components at the pixels, outliers left out, and log densities (n,) of all."""
        k, n, prior = mixture.n_components, planes.shape[1], scene.patches.log_prior
        further = 0 if mixture.outlier_ranges is None else 1
        if prior is not None and further:
            prior = np.append(prior, np.zeros((1, n), prior.dtype), axis=0)
        q, density = np.empty((k + further, n), np.float32), np.empty(n, np.float32)
        patterns.posterior(planes, mixture.all_arguments_of, q, density, threads=self.threads, log_prior=prior)
        return q[:k], density

    def trial(self, mixture: Mixture, shading: Shading) -> _Trial:
        """Settle a mixture and a field, which goes on, and tell how likely they make the image."""
        mixture = self.settle(mixture, shading)
        found = shading.held_out(mixture, *self.expect(mixture, shading.planes, shading.scene))
        return _Trial(found, mixture, copy(shading))

    def settle(self, mixture: Mixture, shading: Shading) -> Mixture:
        """Step until pixels stay as they are."""
        for _ in range(_ITERATIONS):
            q, _ = self.expect(mixture, shading.planes, shading.scene)
            change = shading.step(mixture, q)
            mixture = self.iterate(mixture, shading.planes, shading.scene, 1)
            if change < _SETTLED:
                break
        return mixture
