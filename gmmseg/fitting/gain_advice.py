"""Advice on the bias field: whether a volume that was fitted without one shows a gain that would better be taken out.

A gain multiplies all classes alike, so what one class shows of it foretells what the others show in the same places.
What else changes within a class from place to place (another tissue, another mixture of two) does not. Only voxels
whose neighbours are of their own class are asked: others hold parts of two classes.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gmmseg.errors import DataWarning
from gmmseg.fitting.scene import Scene
from gmmseg.mixture import patterns
from gmmseg.mixture.parameters import Mixture
from gmmseg.model import Model

__all__ = ["advise", "gain_of"]

Array = NDArray[Any]

# On two labelled brains, noise of a tenth to half of the step between tissues: with gains of 16 % the size is .12 to
# .15, with 35 % .17 to .30, without one .04 at most, and no share is above .001. A slope of 1 is a gain; it is less,
# and so is the size, where the gain has mixed up the classes.
_LEAST_SIZE = 0.1
_LEAST_SHARE, _LEAST_BACK = 0.03, -0.5  # of the variance, the better way round and the other
_SLOPES = 0.5, 1.5
_FEW = 500  # voxels of a class, below which it says nothing
_BRIGHT = 2.0  # mean of a class in its spreads, below which it may be the dark around things, where no gain is seen
_SURE = 0.9  # probability of the class
_FAR = 3.0  # leverage in its mean, beyond which what one class shows says nothing of another
_MOST_CHANNELS = 4
_RIDGE = 1e-3


class Gain(NamedTuple):
    """A gain that one part of the classes shows, and what it foretells of the others.

    Parameters
    ----------
    size : float
        Of the logarithm: between the 5 % of voxels where it is lowest and those where it is highest.
    slope : float
        Of the other classes' intensities over it; 1 where both show the same gain.
    share : float
        Of the other classes' variance that it explains; negative where it makes them worse.
    """

    size: float
    slope: float
    share: float


def advise(scenes: Sequence[Scene], model: Model) -> None:
    """Warn where the one volume that classes were fitted to shows a gain.

    Parameters
    ----------
    scenes : sequence of Scene
        Nothing is said of several, or of patches that are not regular.
    model : Model
        What was fitted to it; nothing is said of classes of several components.

    Warns
    -----
    DataWarning
        Names the size of the gain, and what takes it out.
    """
    if len(scenes) != 1 or scenes[0].patches.told is None or model.memberships is not None:
        return
    scene, image = scenes[0], scenes[0].image
    if image.color or image.n_channels > _MOST_CHANNELS:
        return
    classes, chosen = _inner(scene, model.mixture, model.strength)
    flat, values = scene.patches.flat[chosen], scene.patches.values[chosen]
    size = max(gain_of(own, classes, flat, image.shape) for own in values.T.astype(np.float64))
    if size:
        warnings.warn(
            f"{image.name}: one class is brighter by about {100 * np.expm1(size):.0f} % or more in one part of the "
            "image than in another, as under an uneven gain; --bias-field (bias_field=True) takes it out",
            DataWarning,
            stacklevel=3,
        )


def gain_of(values: Array, classes: Array, flat: Array, shape: tuple[int, ...]) -> float:
    """Return the size of a gain, as a logarithm, or 0 where there is none to speak of.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Intensities of voxels in the inner parts of classes.
    classes : ndarray of int, shape (n,)
    flat : ndarray of int, shape (n,)
        Where they are in the flattened image.
    shape : tuple of int
        Of the image.
    """
    basis = _quadratic(flat, shape)
    residuals, bases, counts = [], [], []
    for number in np.unique(classes):
        own = classes == number
        mean, spread = values[own].mean(), values[own].std()
        if np.count_nonzero(own) >= _FEW and mean > _BRIGHT * spread:
            residuals.append(values[own] / mean - 1)
            bases.append(basis[:, own])
            counts.append(len(residuals[-1]))
    if len(counts) < 2:
        return 0.0
    largest = int(np.argmax(counts))
    both = []
    for told in ([largest], [each for each in range(len(counts)) if each != largest]):
        others = [each for each in range(len(counts)) if each not in told]
        found = _foretold([(bases[i], residuals[i]) for i in told], [(bases[i], residuals[i]) for i in others])
        if found is None or found.size < _LEAST_SIZE or found.slope <= 0:
            return 0.0
        both.append(found)
    best = max(both, key=lambda gain: gain.share)
    back = min(gain.share for gain in both)
    clear = best.share >= _LEAST_SHARE and back >= _LEAST_BACK and _SLOPES[0] <= best.slope <= _SLOPES[1]
    return best.size if clear else 0.0


def _foretold(told: Sequence[tuple[Array, Array]], others: Sequence[tuple[Array, Array]]) -> Gain | None:
    """Fit a gain to some classes (bases (p, n) and residuals (n,) each), and see what it says of the others near by."""
    basis, rest = _centred(told)
    p, n = basis.shape
    gram = basis @ basis.T + _RIDGE * n * np.eye(p)
    weights = np.linalg.solve(gram, basis @ rest)
    middle = np.mean(np.concatenate([own for own, _ in told], axis=1), axis=1, keepdims=True)
    near = []
    for own, values in others:
        away = own - middle
        leverage = (away * np.linalg.solve(gram, away)).sum(axis=0) * n / p
        kept = leverage < _FAR
        if np.count_nonzero(kept) >= _FEW:
            near.append((own[:, kept], values[kept]))
    if not near:
        return None
    other, values = _centred(near)
    gain = weights @ other
    low, high = np.percentile(weights @ np.concatenate([own for own, _ in (*told, *near)], axis=1), (5, 95))
    power = float(gain @ gain)
    slope = float(gain @ values) / power if power else 0.0
    total = float(values @ values)
    share = 1 - float(((values - gain) ** 2).sum()) / total if total else 0.0
    return Gain(float(high - low), slope, share)


def _centred(parts: Sequence[tuple[Array, Array]]) -> tuple[Array, Array]:
    """Bases and residuals side by side, each class less its mean: how bright classes are says nothing of a gain."""
    bases = np.concatenate([basis - basis.mean(axis=1, keepdims=True) for basis, _ in parts], axis=1)
    return bases, np.concatenate([values - values.mean() for _, values in parts])


def _quadratic(flat: Array, shape: tuple[int, ...]) -> Array:
    """Products of one or two coordinates (p, n), from -1 to 1 across the image."""
    places = np.unravel_index(flat, shape)
    along = [2 * place / max(n - 1, 1) - 1 for place, n in zip(places, shape, strict=True)]
    return np.stack([*along, *(a * b for i, a in enumerate(along) for b in along[i:])])


def _inner(scene: Scene, mixture: Mixture, strength: float) -> tuple[Array, Array]:
    """Classes (n,) of voxels among their like, and their indices (n,) in the patches."""
    patches = scene.patches
    told, valid, counted = patches.telling()
    flat, prior = told.reshape(-1), patches.log_prior
    planes = scene.some(flat).planes()
    planes[:, ~patches.valid[flat]] = 0
    alone = np.empty((mixture.n_components, len(flat)), np.float32)
    prior = None if prior is None else np.ascontiguousarray(prior[:, flat])
    patterns.posterior(planes, mixture.arguments_of, alone, None, log_prior=prior)
    guide = np.ascontiguousarray(np.nan_to_num(planes[: len(scene.variation)])).reshape(-1, *told.shape)
    heard = np.empty((len(alone), *told.shape), np.float32)
    everywhere = tuple(slice(0, n) for n in told.shape)
    scene.smoothing(strength).apply(alone.reshape(heard.shape), guide, valid, everywhere, probabilities=heard)
    classes = np.where(valid, heard.argmax(axis=0) + 1, 0)
    among = counted & (heard.max(axis=0) > _SURE)
    for axis in range(3):
        for step in (1, -1):
            among &= np.roll(classes, step, axis) == classes
    return classes[among], told[among]
