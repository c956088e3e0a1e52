"""Choosing the number of classes, by as many samples as an image is worth: neighbours say the same thing twice."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np

from gmmseg.arrays import Array
from gmmseg.fitting.counting import rounding_of_floats
from gmmseg.fitting.mixed_pixels import mixed_components
from gmmseg.fitting.sampling import Sample
from gmmseg.fitting.survey import Survey
from gmmseg.image import Image
from gmmseg.image.pixels import Taken, one_in_each_run, sample_and_take, take_each
from gmmseg.kernels.blas import one_blas_thread, product
from gmmseg.mixture.borders import Borders, without_borders
from gmmseg.mixture.choosing import DEFAULT_CRITERION, Choice, choose
from gmmseg.mixture.em import Iteration
from gmmseg.mixture.gaussian_pairs import departure, normal_scores
from gmmseg.mixture.memberships import by_votes
from gmmseg.mixture.parameters import Mixture
from gmmseg.mixture.unimodality import classes_apart, samples_of

__all__ = ["Candidates", "Chosen", "Neighbours", "choose_classes"]

_NOISE_FLOOR = 0.05  # correlations below it are taken for 0: those of a few thousand pairs are known to about 0.02
_FEWEST_PAIRS = 20  # that tell a correlation
_VANISHED, _FARTHEST = 0.1, 6  # correlation that no longer counts; pixels over which that of blurred noise vanishes
_SMOOTH, _ROUGH = 0.85, 0.2  # correlations of pairs that tell noise from objects lie between
_FAR, _FEWEST_BUMPS = 4, 64  # the part of a side within which they vanish; independent samples that tell
_CHANCE = 3.0  # departure from noise that is not by chance
_WIDE, _PART = 9, 40  # pixels across a soft border, or that part of the image if it is more
_ORDER = 3  # of the lowest moments that a Gaussian class leaves over for a superfluous one
_SAMPLES = 16_384  # enough for any class that holds a hundredth of the image
_MOST_FEATURES = 16  # time grows with their square, and the parameters of a class do too


@dataclass(frozen=True)
class Candidates:
    """Which mixtures are compared, and by what.

    Parameters
    ----------
    max_k : int
        Numbers of classes from 1 to this.
    families : tuple of str
        Of covariances.
    criterion : {"icl", "bic", "aic", "mdl"}
    merged : bool
        Whether components that have no border between them are one class.
    """

    max_k: int
    families: tuple[str, ...] = ("full",)
    criterion: str = DEFAULT_CRITERION
    merged: bool = True


class Chosen(NamedTuple):
    """How many classes images have, and which component of the chosen mixture each pixel (n,) of their sample is of."""

    choice: Choice
    components: Array

    @property
    def merges(self) -> bool:
        """Whether some classes are of several components."""
        return self.choice.k < self.choice.best.k

    def memberships(self, mixture: Mixture, sample: Sample) -> Array:
        """Return those of the components of another mixture of the sample in the classes that were chosen."""
        class_of = np.empty(self.choice.best.k, np.intp)
        for number, group in enumerate(self.choice.groups):
            class_of[list(group)] = number
        components, classes = mixture.classify(sample.planes), class_of[self.components]
        return by_votes(components, classes, mixture.n_components, sample.relative_weights)


def choose_classes(found: Survey, candidates: Candidates, rng: np.random.Generator, threads: int = 1) -> Chosen:
    """Choose how many classes images have, by their features without position.

    Parameters
    ----------
    found : Survey
        With at least one valid pixel; the first image's likeness of neighbouring pixels counts for all.
    candidates : Candidates
    rng : numpy.random.Generator
    threads : int

    Notes
    -----
    Positions fill the image evenly whatever it shows: how they are spread says how a class lies, not that it is one.
    Of more than 16 features the 16 leading principal components are taken, so that time stays bounded and a full
    covariance can be known from the samples that there are.
    """
    image, recipe, planes = found.image, found.recipe, found.sample.planes
    guides = recipe.n_guides(image)
    center, scale, n = found.center[:guides, None], found.scale[:guides, None], planes.shape[1]
    chosen: Any = slice(None) if n <= _SAMPLES else np.sort(rng.choice(n, _SAMPLES, replace=False))
    some = np.ascontiguousarray(planes[:guides, chosen])
    axes = _leading_axes(some) if guides > _MOST_FEATURES else None
    noise = found.noise[:guides]
    if image.pixels.dtype.kind == "f":  # a copy of an image of integers has as many classes as that
        noise = np.maximum(noise, rounding_of_floats(some.T))
    noise = noise if axes is None else axes**2 @ noise

    def prepare(features: Array) -> Array:
        # Missing bands are replaced by their median, 0, only where principal components need them all.
        return np.ascontiguousarray(features if axes is None else product(np.nan_to_num(features).T, axes), np.float32)

    def features_of(values: Array, flat: Array) -> Array:
        return prepare((recipe.planes_of(image, values, flat)[:guides] - center) / scale)

    # To take some pixels out of a file is to read all of it.
    neighbours = Neighbours(image, features_of, rng, at_once=recipe.context(image) > 0 or not image.in_memory)
    n_pixels = image.n_pixels if image.valid is None else int(np.count_nonzero(image.valid))
    n_samples = max(1, some.shape[1] // found.n_images)

    def effective(mixture: Mixture) -> float:
        return found.n_images * _effective_size(neighbours.volume(mixture), n_pixels, n_samples)

    samples = prepare(some)
    choice = choose(
        samples,
        range(1, candidates.max_k + 1),
        candidates.families,
        rng,
        effective=effective,
        criterion=candidates.criterion,
        iteration=Iteration(1e-4, noise=noise, threads=threads),
    )
    if choice.criterion == DEFAULT_CRITERION and choice.k > 1:  # the others count Gaussians
        choice = _of_classes(choice, samples, noise, neighbours, merged=candidates.merged)
        choice = _without_mixed(choice, mixed_components(choice.mixture, found))
    return Chosen(choice, choice.mixture.classify(prepare(planes[:guides])))


def _of_classes(choice: Choice, samples: Array, noise: Array, neighbours: Neighbours, *, merged: bool) -> Choice:
    """Return a choice that counts classes, where these are of several components."""
    parts = samples_of(samples, choice.mixture, noise)
    beside, one_field = neighbours.side_by_side(choice.mixture), partial(neighbours.one_field, choice.mixture)
    apart = classes_apart(parts, beside, choice.effective, one_field)
    if apart < choice.k:
        choice = replace(choice, apart=apart)
        parts = samples_of(samples, choice.mixture, noise)
    if not merged:
        return choice
    among, groups = without_borders(parts, neighbours.borders(choice.mixture))
    return replace(choice, groups=tuple(map(tuple, groups)), among=among)


def _without_mixed(choice: Choice, mixed: Array) -> Choice:
    """Return a choice of fewer components, where some (K,) are what borders mix and the others are a class each.

    Where several of the others are one class, as in textures, so may be their borders.
    """
    groups = choice.groups or tuple((i,) for i in range(choice.best.k))
    left = [number for number, group in enumerate(groups) for i in group if not mixed[i]]
    if not mixed.any() or len(set(left)) < max(1, len(left)):
        return choice
    return replace(choice, mixed=int(mixed.sum()), groups=(), among=0)


def _leading_axes(planes: Array) -> Array:
    """Unit vectors (16, d) of the directions of largest variance."""
    known = np.nan_to_num(planes)
    centred = known - known.mean(axis=1, dtype=np.float64)[:, None].astype(np.float32)
    with one_blas_thread(len(centred)):
        return np.ascontiguousarray(np.linalg.eigh(centred @ centred.T)[1][:, -_MOST_FEATURES:].T)


def _effective_size(volume: float, n_pixels: int, n_samples: int) -> float:
    """Effective number of `n_samples` pixels drawn at random from an image of `n_pixels`.

    Parameters
    ----------
    volume : float
        Sum of the correlations of a pixel with all pixels, itself included.

    Notes
    -----
    The variance of the mean of n samples is (1 + (n - 1) r) / n of one's, where r, the mean correlation of two pixels
    drawn at random, is (volume - 1) / (n_pixels - 1).

    Examples
    --------
    >>> _effective_size(50.0, 10_000, 10_000)
    200.0
    """
    alike = max(volume - 1.0, 0.0) / max(n_pixels - 1, 1)
    return n_samples / (1.0 + (n_samples - 1) * min(alike, 1.0))


class Neighbours:
    """Pairs of pixels at growing distances, to tell how alike they are within the classes of any mixture.

    Parameters
    ----------
    image : Image
    features_of : callable
        Takes pixels' values (n, n_channels) and flat indices (n,), returns the mixtures' features (d, n).
    rng : numpy.random.Generator
    pairs : int
        Pixels that are compared with others at each distance.
    at_once : bool
        Take the features at all distances together, where taking some costs as much as taking many.
    """

    def __init__(
        self,
        image: Image,
        features_of: Callable[[Array, Array], Array],
        rng: np.random.Generator,
        *,
        pairs: int = 8192,
        at_once: bool = False,
    ) -> None:
        self._image, self._features_of, self._at_once = image, features_of, at_once
        self._moved: dict[tuple[int, int], tuple[Array, Array, Array]] = {}
        # Where they will lie, unless many of them are not valid: those around them are taken in the same pass.
        flat = one_in_each_run(image.n_pixels, min(pairs, image.n_pixels), deepcopy(rng))
        wanted = self._wanted() if at_once else []
        found, (around,) = sample_and_take(image, pairs, rng, [self._places(flat, wanted)[1].reshape(-1)])
        self._flat, self._values, self._here = found.flat, found.values, features_of(found.values, found.flat)
        kept = np.isin(flat, found.flat)
        if at_once and np.count_nonzero(kept) == len(found.flat):
            self._keep(wanted, kept, around)

    def volume(self, mixture: Mixture) -> float:
        """Sum over all lags of the third power of the residuals' correlation, from 1 to the number of pixels.

        Notes
        -----
        The residual of a pixel is its difference from the mean of its class, whitened; only pairs of the same class
        are compared. What a superfluous class gains, it gains from how the residuals differ from a Gaussian
        distribution: from their third and higher Hermite moments, as a class fits its first two. Where the residuals
        of two pixels have correlation r, their Hermite polynomials of order m have r**m (Mehler 1866), so a sample is
        worth as many of that as the sum of the third powers says. Noise smoothed by a Gaussian of s pixels has a sum of
        4 pi s**2 / 3 in two dimensions. Shading, of weak correlation over long distances, hardly counts.

        Correlations are taken along the axes up to where they vanish (after Geyer 1992), at lags that grow by halves,
        and multiplied from axis to axis: exact where the correlation is separable, as that of blur by a Gaussian is.
        """
        correlation, volume = self._correlations(mixture), 1.0
        for axis, n in enumerate(self._image.shape):
            volume *= _integral(partial(correlation, axis), n)
        return float(np.clip(volume, 1.0, self._image.n_pixels))

    def side_by_side(self, mixture: Mixture) -> Array:
        """How many of the pairs of pixels that are next to each other are of these two components (K, K).

        Notes
        -----
        Where the correlation of residuals within components vanishes over a few pixels, as that of blurred noise does,
        pixels count as next to each other that are so far apart: nearer ones are of one component whatever it is. Where
        it does not vanish it is of objects and their shading, and neighbours are asked.
        """
        here, k, correlation = mixture.classify(self._here), mixture.n_components, self._correlations(mixture)
        found = np.zeros((k, k))
        for axis, n in enumerate(self._image.shape):
            if n > 1:
                near = (lag for lag in _lags(n) if lag <= _FARTHEST)
                lag = next((lag for lag in near if correlation(axis, lag) < _VANISHED), 1)
                inside, planes, _ = self._at(axis, lag)
                np.add.at(found, (here[inside], mixture.classify(planes)[inside]), 1)
        return found

    def borders(self, mixture: Mixture) -> Borders:
        """Return what pairs of pixels of different components tell of the borders between these."""
        here, (k, d), shape = mixture.classify(self._here), mixture.means.shape, self._image.shape
        near, far, steps = np.zeros((2, k, k)), np.zeros((k, k)), np.zeros((k, k, d))
        wide = max(_WIDE, max(shape) // _PART)
        for axis, n in enumerate(shape):
            lags = list(_lags(n))
            for found, lag in zip(near, lags if len(lags) > 1 else [], strict=False):
                inside, planes, _ = self._at(axis, lag)
                np.add.at(found, (here[inside], mixture.classify(planes)[inside]), 1)
            if lags and lags[-1] >= wide:
                inside, planes, _ = self._at(axis, max(lag for lag in lags if lag <= wide))
                usable = inside & np.isfinite(self._here).all(axis=0) & np.isfinite(planes).all(axis=0)
                pair = here[usable], mixture.classify(planes)[usable]
                np.add.at(far, pair, 1)
                np.add.at(steps, pair, (self._here - planes).T[usable])
        return Borders(near, far, steps)

    def one_field(self, mixture: Mixture, group: list[int]) -> bool:
        """Whether pixels of a group of components are spread as smooth noise is, however its values are distributed.

        Parameters
        ----------
        mixture : Mixture
        group : list of int
            Components.

        Notes
        -----
        Noise that is Gaussian but for a change of its values has pairs of normal scores that are Gaussian at any lag.
        Lags count at which these are neither nearly the same, so that rounding does not matter, nor independent. Noise
        fills the image, so its correlation vanishes long before the other side. Channels are asked as they were
        recorded, as colours mix them; of many some that are evenly spread.
        """
        pairs, n_known = self._scores(mixture, group)
        n_pixels = self._image.n_pixels * n_known / len(self._flat)

        def correlation(channel: int, axis: int, lag: int) -> float:
            found = pairs(axis, lag)
            varied = found and all(np.ptp(scores) > 0 for scores in found[channel])
            return float(np.corrcoef(found[channel])[0, 1]) if varied else 0.0

        def smooth(channel: int) -> bool:
            volume, worst = 1.0, 0.0
            for axis, n in enumerate(self._image.shape):
                alike = partial(correlation, channel, axis)
                for i, lag in enumerate(_lags(n)):
                    if lag > n // _FAR:
                        return False
                    near = alike(lag)
                    if pairs(axis, lag) and near < _SMOOTH and (near > _ROUGH or i == 0):
                        worst = max(worst, departure(*pairs(axis, lag)[channel]))
                    if worst * math.sqrt(_FEWEST_BUMPS) > _CHANCE:
                        return False
                    if near <= _ROUGH:
                        break
                volume *= _integral(alike, n)
            n_bumps = min(n_pixels / volume, n_known)
            return n_bumps >= _FEWEST_BUMPS and worst * math.sqrt(n_bumps) < _CHANCE

        return all(smooth(channel) for channel in range(self._values.shape[1])[:_MOST_FEATURES])

    def _scores(
        self, mixture: Mixture, group: list[int]
    ) -> tuple[Callable[[int, int], list[tuple[Array, Array]]], int]:
        """Normal scores, among pixels of a group of components, of pairs along an axis at a lag, for some channels.

        And how many pixels are of the group.
        """
        rng, n_channels = np.random.default_rng(0), self._values.shape[1]
        channels = np.unique(np.linspace(0, n_channels - 1, min(n_channels, _MOST_FEATURES)).astype(np.intp))

        def of_group(planes: Array, values: Array) -> Array:
            some = values.T[channels].astype(np.float64)
            if values.dtype.kind in "ui":
                some += rng.random(some.shape) - 0.5
            return np.where(np.isin(mixture.classify(planes), group) & np.isfinite(some).all(axis=0), some, np.nan)

        values = of_group(self._here, self._values)
        owned = np.isfinite(values[0])
        ranked = np.sort(values[:, owned], axis=1)
        here = normal_scores(values, ranked)

        @cache
        def pairs(axis: int, lag: int) -> list[tuple[Array, Array]]:
            inside, *around = self._at(axis, lag)
            there = of_group(*around)
            usable = inside & owned & np.isfinite(there[0])
            scores = here[:, usable], normal_scores(there[:, usable], ranked)
            return list(zip(*scores, strict=True)) if np.count_nonzero(usable) >= _FEWEST_PAIRS else []

        return pairs, int(np.count_nonzero(owned))

    def _correlations(self, mixture: Mixture) -> Callable[[int, int], float]:
        """Tell how alike the residuals of pixels of one component are, given an axis and a lag along it."""
        k, d = mixture.means.shape
        dense = mixture.family.dense(mixture.covariances, k, d)
        whiteners = np.stack([np.linalg.inv(np.linalg.cholesky(covariance)) for covariance in dense])

        def residuals(planes: Array, owner: Array) -> Array:
            return np.asarray(np.einsum("nij,nj->ni", whiteners[owner], planes.T - mixture.means[owner]))

        owner, known = mixture.classify(self._here), np.isfinite(self._here).all(axis=0)
        here = residuals(self._here, owner)

        def correlation(axis: int, lag: int) -> float:
            inside, planes, _ = self._at(axis, lag)
            usable = inside & known & (mixture.classify(planes) == owner) & np.isfinite(planes).all(axis=0)
            a, b = here[usable], residuals(planes[:, usable], owner[usable])
            scale = np.sqrt(float((a * a).sum()) * float((b * b).sum()))
            return float((a * b).sum()) / scale if len(a) >= _FEWEST_PAIRS and scale > 0 else 0.0

        return correlation

    def _at(self, axis: int, lag: int) -> tuple[Array, Array, Array]:
        """Which of the pixels `lag` farther along an axis are valid (n,), their features (d, n), and their values."""
        if (axis, lag) not in self._moved:
            wanted = self._wanted() if self._at_once else [(axis, lag)]
            (around,) = take_each(self._image, [self._places(self._flat, wanted)[1].reshape(-1)])
            self._keep(wanted, np.ones(len(self._flat), bool), around)
        return self._moved[axis, lag]

    def _wanted(self) -> list[tuple[int, int]]:
        """Axes and lags that may be asked for."""
        return [(axis, lag) for axis, n in enumerate(self._image.shape) for lag in _lags(n)]

    def _places(self, flat: Array, wanted: list[tuple[int, int]]) -> tuple[Array, Array]:
        """For axes and lags, which of the pixels lie so far before the end (m, n), and where one so much farther is."""
        shape, index = self._image.shape, np.unravel_index(flat, self._image.shape)
        steps = np.array([lag * math.prod(shape[axis + 1 :]) for axis, lag in wanted], np.int64)[:, None]
        inside = np.array([index[axis] + lag < shape[axis] for axis, lag in wanted], bool).reshape(-1, len(flat))
        return inside, flat + np.where(inside, steps, 0)

    def _keep(self, wanted: list[tuple[int, int]], kept: Array, around: Taken) -> None:
        """Keep what lies around some (n,) of the pixels that it was taken for."""
        chosen = np.tile(kept, len(wanted))
        values, flat = around.values[chosen], around.flat[chosen]
        inside, _ = self._places(self._flat, wanted)
        planes = self._features_of(values, flat)
        planes = planes.reshape(len(planes), *inside.shape)
        if around.valid is not None:
            inside = inside & around.valid[chosen].reshape(inside.shape)
        values = values.reshape(*inside.shape, -1)
        self._moved |= {key: (inside[i], planes[:, i], values[i]) for i, key in enumerate(wanted)}


def _lags(n: int) -> Iterator[int]:
    """Lags that grow by halves, up to half of n."""
    lag, farthest = 0, n // 2
    while lag < farthest:
        lag = min(max(lag + 1, lag * 3 // 2), farthest)
        yield lag


def _integral(correlation: Callable[[int], float], n: int) -> float:
    """1 plus twice the sum of the correlations' powers at lags 1, 2, ..., up to where they vanish; at most n."""
    total, lag, before = 1.0, 0, 1.0
    for following in _lags(n):
        value = correlation(following)
        if not value > _NOISE_FLOOR:
            break
        step, power = following - lag, value**_ORDER
        # The sum of a straight line from the lag before, which itself is counted already, to this one.
        total += 2.0 * (before * (step - 1) / 2 + power * (step + 1) / 2)
        lag, before = following, power
    return min(total, float(n))
