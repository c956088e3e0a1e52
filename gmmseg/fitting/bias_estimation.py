"""Estimation of a bias field together with a mixture, by EM."""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from gmmseg.arrays import Array
from gmmseg.errors import DataWarning
from gmmseg.fitting.scene import Scene
from gmmseg.fitting.shading import MOST, Shading
from gmmseg.image.lattice import thinned
from gmmseg.mixture import patterns
from gmmseg.mixture.em import Iteration, expectation_maximization
from gmmseg.mixture.parameters import Mixture
from gmmseg.mixture.seeding import Seeding, seed_mixture
from gmmseg.spatial.bias import DEGREE, BiasField

__all__ = ["DEGREES", "Shaded", "fit_shading"]

DEGREES = 1, 2, DEGREE
"""Of polynomials, one after the other, so that no detail is fitted before the whole."""

_PIXELS = 1 << 14
_ITERATIONS = 40
_MOST_CHANNELS = 16  # time grows with their third power
_RUN_AWAY = 0.9  # of the largest ratio, as a logarithm: a field that goes so far would have gone on
_SURE = 1.645  # standard errors by which a field must be better than none: by chance one of twenty is
_SETTLED = 0.02  # spreads of the classes by which a step still moves pixels
# Other classes with another field may be meant where values are hardly less likely under them, in nats a pixel: on
# brains of 2 mm with noise of a quarter to half of the step between tissues up to .007. Classes are others where a mean
# differs by this many spreads.
_HARDLY, _OTHER = 0.01, 0.2


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

    Unless its classes are `numbered` already, a second start is tried, from the field of the highest degree that the
    logarithms of the pixels follow.

    Returns
    -------
    Shaded
        A field is taken where it makes blocks of the image likelier even when it is fitted to the others alone: what
        objects seem to say, because they happen to lie or shine unevenly, does not hold elsewhere. Of those fields the
        first counts that is as good as each other but for chance, in the order of degrees, and none at all where
        the best is not clearly better.
        Then comes a start from logarithms, then gains that are polynomials themselves, from the best of those whose
        logarithms are, and last the best of all with classes that are begun anew.
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
        if seeded.n_components < mixture.n_components:  # as where channels are the same, or values of a class are few
            return mixture
        weights = seeded.weights * (mixture.weights.sum() / seeded.weights.sum())  # the rest is that of outliers
        return replace(mixture, weights=weights, means=seeded.means, covariances=seeded.covariances)

    def without(own: Mixture) -> Array:
        """Likelihood of the blocks without a field; what other classes are worth is not the field's merit."""
        return max(alone, np.bincount(blocks, weights=fit.alone(own, some)), key=np.sum)

    alone, trials = np.bincount(blocks, weights=fit.alone(mixture, some)), list[_Trial]()
    shading, own = Shading(some, index, flat, threads), mixture
    for degree in DEGREES:
        shading.degree = degree
        trials.append(fit.trial(own, shading))
        own = trials[-1].mixture
    if not numbered:
        shading = shading.even()
        shading.start_from_logarithms()
        trials.append(fit.trial(anew(shading), shading))
        alone = without(trials[-1].mixture)
    if any(trial.usable for trial in trials):
        likeliest = max((trial for trial in trials if trial.usable), key=_Trial.total)
        trials.append(fit.trial(likeliest.mixture, likeliest.shading.straight()))
        if not numbered:  # its classes may be those of another field
            shading = copy(max((trial for trial in trials if trial.usable), key=_Trial.total).shading)
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
        return self.range <= _RUN_AWAY * MOST and bool(np.isfinite(self.found).all())

    def total(self) -> float:
        return float(self.found.sum())

    def limited(self) -> Shaded:
        return Shaded(self.mixture, self.shading.limited())


def _chosen(mixture: Mixture, alone: Array, trials: list[_Trial], fit: _Alternation) -> Shaded:
    """The plainest of the trials that is as good as all others; a mixture without a field counts as plainer still."""
    reason = "parts of the image are no likelier with one that was fitted to the rest; leave it out"
    tried = list[_Trial]()
    for trial in trials:
        if trial.usable:
            tried.append(trial)
        elif trial.total() > alone.sum():
            factor = f"{np.exp(trial.range):.0f}"
            reason = f"the one that fits best varies by a factor of {factor}; try another k, or leave it out"
    best = max([alone, *(trial.found for trial in tried)], key=np.sum)
    if _is_as_good(alone, best, _SURE):
        return Shaded(mixture, None, reason)
    chosen = _plainest(tried)
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
    """Of each set of other classes under which values are hardly less likely, the plainest trial as good as others."""
    least = chosen.total() - _HARDLY * len(chosen.shading.index)
    left = [trial for trial in tried if trial.total() > least and not _are_alike(trial.mixture, chosen.mixture)]
    others = []
    while left:
        best = max(left, key=_Trial.total)
        own = [trial for trial in left if _are_alike(trial.mixture, best.mixture)]
        others.append(_plainest(own))
        left = [trial for trial in left if not _are_alike(trial.mixture, best.mixture)]
    return others


def _plainest(tried: list[_Trial]) -> _Trial:
    """The first of trials that is as good as each other one but for chance, or one before it that is likelier.

    To be as good as the best is not enough: where its classes are others, so much of each block is chance that fields
    pass that a third trial clearly rules out, and which that is hangs on the seed.
    """
    good = [all(_is_as_good(trial.found, other.found) for other in tried) for trial in tried]
    return max(tried[: 1 + good.index(True)], key=_Trial.total)


def _are_alike(one: Mixture, two: Mixture) -> bool:
    """Whether classes are about the same, whatever their order."""
    first, second = (each.select(np.argsort(each.means[:, 0], kind="stable")) for each in (one, two))
    variances = np.einsum("kii->ki", first.family.dense(first.covariances, *first.means.shape))
    return bool((np.abs(first.means - second.means) < _OTHER * np.sqrt(variances)).all())


def _is_as_good(found: Array, best: Array, errors: float = 1.0) -> bool:
    """Whether the likelihood of all blocks is within so many standard errors of the best (Breiman et al. 1984)."""
    behind = best - found
    return bool(behind.sum() <= errors * math.sqrt(len(behind)) * behind.std())


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

    def iterate(self, start: Mixture, planes: Array, scene: Scene, course: Iteration) -> Mixture:
        """Fit a mixture by some iterations of EM, from one that may be of less noise: then the likelihood falls."""
        fit = expectation_maximization(planes, start, course, log_prior=scene.patches.log_prior)
        return fit.warned(DataWarning).mixture

    def course(self, planes: Array, count: int) -> Iteration:
        """So many iterations of EM, on planes that are uncertain by what they are."""
        return Iteration(0, count, self.noise(planes), threads=self.threads)

    def alone(self, start: Mixture, scene: Scene) -> Array:
        """Logarithms of the pixels' densities (n,) under a mixture that is fitted without a field."""
        planes = scene.planes()
        return self.expect(self.iterate(start, planes, scene, self.course(planes, _ITERATIONS)), planes, scene)[1]

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
        one = self.course(shading.planes, 1)
        for _ in range(_ITERATIONS):
            q, _ = self.expect(mixture, shading.planes, shading.scene)
            change = shading.step(mixture, q)
            mixture = self.iterate(mixture, shading.planes, shading.scene, one)
            if change < _SETTLED:
                break
        return mixture
