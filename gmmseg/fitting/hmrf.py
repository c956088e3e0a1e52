"""The hidden Markov random field: classes, their neighbourhood and the bias field, estimated together.

EM as of a plain mixture, but in the E step neighbours are heard by mean field (Zhang, Brady and Smith 2001; Celeux,
Forbes and Peyrard 2003), the strength of the Potts prior has the highest pseudo-likelihood, and a bias field follows
the residuals (Van Leemput et al. 1999). It runs on patches of the images; all else needs but its result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from gmmseg.arrays import Array
from gmmseg.fitting.patches import side_by_side
from gmmseg.fitting.scene import Scene
from gmmseg.mixture import patterns
from gmmseg.mixture.em import Iteration, expectation_maximization
from gmmseg.mixture.parameters import Mixture
from gmmseg.records import dataclass, replace
from gmmseg.spatial.smoothing import share_power
from gmmseg.threads import mapped

if TYPE_CHECKING:
    from gmmseg.fitting.shading import Shading

__all__ = ["FEW", "MOST_ITERATIONS", "SETTLED", "START", "Tied", "fit_neighbourhood", "strength_among"]

START = 0.95
"""Strength before any is estimated; from a low one it often stays too low."""

# Of tissues in much noise, whose volumes after 8 iterations are up to 9 % from what the next 8 make of them.
MOST_ITERATIONS, _MOST_OF_VOLUMES = 8, 24
SETTLED = 1e-2  # change of the means, in spreads of the features, below which the classes have settled
_STILL = 2e-2  # spreads of the classes by which a bias field then moves pixels at most
_LASTLY = 5e-3  # of classes that few voxels have settled: the first step on all of them may be a short one
FEW = 32  # pixels a feature that a class needs in the patches to be estimated from them
_TINY = np.float32(1e-30)
_MANY = 4  # times as many voxels as those that tell the strength of neighbours, from which on these come first
# Voxels that settle classes in the end. With three times as many, brains in noise take a tenth more time, and tissues
# are the same within .0004 of Dice in the mean; with half as many they are up to .006 worse.
_LAST = 3 << 17
_PARTS = 8  # that threads take one after the other


def fit_neighbourhood(
    scenes: Sequence[Scene],
    mixture: Mixture,
    strength: float | None,
    *,
    regularization: Array,
    shading: Shading | None = None,
    accepted: Callable[[Mixture], bool] | None = None,
    threads: int = 1,
) -> tuple[Mixture | None, float]:
    """Fit a mixture whose classes are heard together with their neighbours, from one that was fitted without.

    Parameters
    ----------
    scenes : sequence of Scene
        Of one image each.
    mixture : Mixture
    strength : float, optional
        Of the smoothing, 0 to 1; estimated where None.
    regularization : ndarray, shape (d,)
        Added to the variances.
    shading : Shading, optional
        Of the one scene; it follows the classes.
    accepted : callable, optional
        Whether a mixture on the way is one to go on from.
    threads : int

    Returns
    -------
    mixture : Mixture or None
        Its weights are the classes' shares; None where one on the way was not accepted.
    strength : float
    """
    tied = Tied(mixture.weights, mixture.expected_error(), strength, regularization, accepted, threads)
    told = [scene.patches.told for scene in scenes]
    regular = [each for each in told if each is not None]
    if len(regular) < len(scenes):
        return tied.settle(scenes, mixture, START, shading, iterations=MOST_ITERATIONS)
    if _MANY * sum(each.size for each in regular) > sum(len(scene.patches.flat) for scene in scenes):
        return tied.settle(scenes, mixture, START, shading)

    def settled(few: Sequence[Scene], start: Mixture, strength: float, enough: float) -> tuple[Mixture | None, float]:
        followed = None if shading is None else shading.among(few[0])
        found = tied.settle(few, start, strength, followed, settled=enough)
        if found[0] is not None and shading is not None and followed is not None:
            shading.field = followed.field
        return found

    # Most of the way is gone on few voxels: a third to a half of the time of brains in noise.
    begun, chosen = settled([scene.in_cubes for scene in scenes], mixture, START, SETTLED)
    if begun is None:
        return tied.settle(scenes, mixture, START, shading)
    return settled([scene.in_patches(_LAST // len(scenes)) for scene in scenes], begun, chosen, _LASTLY)


def strength_among(scene: Scene, mixture: Mixture, shading: Shading | None = None, threads: int = 1) -> float:
    """Return the strength that neighbours have among classes as they are."""
    part = _HeardScene(scene, shading)
    part.expect(mixture.tempered(share_power(START, mixture.expected_error())), START, threads)
    return part.estimated(START)


@dataclass(frozen=True, eq=False)
class Tied:
    """What stays as it is while classes are fitted together with their neighbours; as of `fit_neighbourhood`.

    Parameters
    ----------
    frequent : ndarray, shape (K,)
        Shares of the classes, as they were found without neighbours.
    error : float
        Expected of the classes without neighbours.
    strength, regularization, accepted, threads
    """

    frequent: Array
    error: float
    strength: float | None
    regularization: Array
    accepted: Callable[[Mixture], bool] | None
    threads: int

    def settle(
        self,
        scenes: Sequence[Scene],
        mixture: Mixture,
        strength: float,
        shading: Shading | None,
        *,
        iterations: int = _MOST_OF_VOLUMES,
        settled: float = SETTLED,
    ) -> tuple[Mixture | None, float]:
        """Iterate until the classes stay where they are, from a strength unless one was asked for."""
        parts = [_HeardScene(scene, shading) for scene in scenes]
        each = [part.weights for part in parts]
        totals = [max(1.0, float(weights.sum(dtype=np.float64))) for weights in each]
        shares = [part.scene.share * max(totals) / total for part, total in zip(parts, totals, strict=True)]
        weights = np.concatenate([w * np.float32(share) for w, share in zip(each, shares, strict=True)])
        chosen = strength if self.strength is None else self.strength
        for _ in range(iterations):
            # Shares stay: heard and learnt in turn, large classes swallow small ones.
            equal = replace(mixture, weights=self.frequent).tempered(share_power(chosen, self.error))
            heard = _joined([part.expect(equal, chosen, self.threads) for part in parts])
            if self.strength is None:
                chosen = float(np.mean([part.estimated(chosen) for part in parts]))
            moved = 0.0
            if shading is not None:
                moved = shading.step(mixture, parts[0].meant(equal, shading.index))
                parts[0].follow(shading)
            mass = np.einsum("kn,n->k", _joined([part.q for part in parts]), weights)
            rare = [] if mixture.family.shared else np.flatnonzero(mass < FEW * (1 + mixture.n_features)).tolist()
            fit = expectation_maximization(
                _joined([part.planes for part in parts]),
                equal,
                Iteration(0, 1, self.regularization, threads=self.threads),
                weights=weights,
                log_prior=heard,
                frozen=rare,
            )
            before, mixture = mixture, fit.warned().mixture
            if self.accepted is not None and not self.accepted(mixture):
                return None, chosen
            if np.abs(mixture.means - before.means).max() < settled and moved < _STILL:
                break
        return mixture, chosen

    def likelihood(self, scene: Scene, mixture: Mixture, strength: float, shading: Shading | None) -> float:
        """Logarithm of the mean likelihood of a voxel, given the classes of its neighbours."""
        part = _HeardScene(scene, shading)
        equal = replace(mixture, weights=self.frequent).tempered(share_power(strength, self.error))
        heard = part.expect(equal, strength, self.threads)
        heard -= np.log(np.einsum("k,kn->n", equal.weights, np.exp(heard)))
        density = np.empty(heard.shape[1], np.float32)
        patterns.posterior(part.planes, equal.arguments_of, None, density, threads=self.threads, log_prior=heard)
        return float(np.average(density, weights=part.weights))


class _HeardScene:
    """The patches of one image while classes are fitted to them, in the order of the parts that threads take.

    Parameters
    ----------
    scene : Scene
    shading : Shading, optional
    """

    def __init__(self, scene: Scene, shading: Shading | None) -> None:
        patches = scene.patches
        self.scene = scene
        self._parts = patches.parts(_PARTS)
        self._order = np.concatenate([part.reshape(-1) for part in self._parts])
        self._place = np.zeros(len(patches.flat), np.intp)
        self._place[self._order] = np.arange(len(self._order))
        self._valid = [patches.valid[part] for part in self._parts]
        self.weights = patches.weights[self._order]
        self._prior = None if patches.log_prior is None else patches.log_prior.take(self._order, axis=1)
        self.q = self._heard = np.zeros((0, len(self._order)), np.float32)
        self._spare: list[Array] = []  # memory that threads are done with: new memory takes twice the time of sums
        self._telling: tuple[Array, Array, Array] | None = None
        self._guide: Array | None = None
        if shading is None:
            self.planes = scene.planes().take(self._order, axis=1)
        else:
            self.follow(shading)

    def follow(self, shading: Shading) -> None:
        """Take the planes anew, under the bias field as it is now."""
        self._guide = None
        planes = self.scene.planes(shading.field.within(self.scene.patches.axes))
        self.planes = planes.take(self._order, axis=1)

    def expect(self, mixture: Mixture, strength: float, threads: int) -> Array:
        """Find q (K, n), and return the logarithm of what neighbours, and guidance, make of each pixel's posterior."""
        smoothing, k = self.scene.smoothing(strength), mixture.n_components
        if len(self.q) != k:
            self.q, self._heard = (np.empty((k, len(self._order)), np.float32) for _ in range(2))
        heard, sizes = self._heard, [part.size for part in self._parts]
        ends = np.cumsum([0, *sizes]).tolist()

        def work(number: int) -> None:
            pixels, tile = slice(ends[number], ends[number + 1]), self._parts[number].shape
            planes, prior = self.planes[:, pixels], self._prior
            try:
                memory = self._spare.pop()
            except IndexError:
                memory = np.empty((2, k * max(sizes)), np.float32)
            alone, q = (each[: k * planes.shape[1]].reshape(k, -1) for each in memory)
            prior = None if prior is None else np.ascontiguousarray(prior[:, pixels])
            patterns.posterior(planes, mixture.arguments_of, alone, None, log_prior=prior)
            guide = _filled(planes[: len(self.scene.variation)]).reshape(-1, *tile)
            deep, smooth = alone.reshape(k, *tile), q.reshape(k, *tile)
            inner = tuple(slice(0, n) for n in tile)
            smoothing.apply(deep, guide, self._valid[number], inner, probabilities=smooth)
            self.q[:, pixels] = q
            alone += _TINY
            change = np.add(q, _TINY, out=heard[:, pixels])
            change /= alone
            np.log(change, out=change)
            if prior is not None:
                change += prior
            self._spare.append(memory)

        list(mapped(work, range(len(self._parts)), threads))
        return heard

    def meant(self, mixture: Mixture, index: Array) -> Array:
        """Probabilities of the classes at some pixels, as `expect` found them; less where a pixel may be an outlier."""
        index = self._place[index]
        if mixture.outlier_ranges is None:
            return self.q[:, index]
        prior = self._prior
        if prior is not None:
            prior = np.concatenate([prior[:, index], np.zeros((1, len(index)), prior.dtype)])
            prior = np.ascontiguousarray(prior, np.float32)
        every = np.empty((mixture.n_components + 1, len(index)), np.float32)
        planes = np.ascontiguousarray(self.planes[:, index])
        patterns.posterior(planes, mixture.all_arguments_of, every, None, log_prior=prior)
        return np.asarray(self.q[:, index] * (1 - every[-1]))

    def estimated(self, strength: float) -> float:
        """Strength of highest pseudo-likelihood, from some of the patches."""
        guides = len(self.scene.variation)
        if self._telling is None:
            told, valid, counted = self.scene.patches.telling()
            if len(told) > 1:  # of whose voxels the inner ones alone are asked
                told, valid, counted = (side_by_side(each)[None] for each in (told, valid, counted))
            self._telling = self._place[told], valid, counted
        told, valid, counted = self._telling
        q = self.q.take(told, axis=1)  # which lays classes one after the other, as an index does not
        smoothing = self.scene.smoothing(strength)
        if self._guide is None:
            self._guide = _filled(self.planes[:guides].take(told, axis=1))
        return smoothing.fitted(q, self._guide, valid, counted).strength


def _joined(parts: Sequence[Array]) -> Array:
    """One array of all columns; that of a single image as it is."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)


def _filled(planes: Array) -> Array:
    """Planes, contiguous; the middle where a feature is missing."""
    return np.ascontiguousarray(np.nan_to_num(planes) if patterns.has_missing(planes) else planes)
