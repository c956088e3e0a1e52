"""Whether a model explains an image that it was not fitted to, and the gain and offset with which it does.

A model sees an image through planes of features. Another sensor, exposure or scanner moves and stretches them, and the
classes are then no longer where the image's pixels are. `explains` tells; `adapt` moves the classes after the pixels.
Position is left out of both: where in the image a class lies differs from image to image.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gmmseg.arrays import Array
from gmmseg.errors import InputError, ParameterError
from gmmseg.features import Recipe
from gmmseg.image import Image
from gmmseg.image.pixels import one_in_each_run, sample_pixels
from gmmseg.image.sources import Overheard
from gmmseg.mixture.anomaly import p_values
from gmmseg.mixture.calibration import calibrate
from gmmseg.mixture.parameters import Mixture
from gmmseg.model import Model, Training

__all__ = ["Fitness", "adapt", "explains", "look", "overhearing", "remember"]

_FARTHEST = 1e15  # spreads of the model; float32 still adds up the squares of such numbers
_TAIL = 0.001  # beyond the contour that holds 99.9 % of a class
_LOOK = 10_000  # pixels that tell a share of 0.1 % from one of 5 %, and a mean log-likelihood to about 0.01 nats

# Largest that are taken for the usual difference between images of one kind: other parts of one photograph or scene,
# other photographs of a folder, and noise of 1.2 times the deviation stay below them.
_MOST_GAP = 0.5  # nats a feature
_MOST_UNUSUAL = 0.05  # of the pixels
_LEAST_SPREAD = 0.02  # variance within classes, as a part of the model's
_MOST_RESOLUTION = 2.0


@dataclass(frozen=True)
class Fitness:
    """How well a model explains an image.

    Parameters
    ----------
    gap : float
        By how much the image's pixels are less likely under the model than samples of the model itself, in nats a
        pixel and feature; below 0 where they are more likely.
    unusual : float
        Share of pixels, 0 to 1, beyond the contours that hold 99.9 % of each class.
    spread : float
        Variance of the pixels within their classes, as a part of the classes' own.
    resolution : float
        Size of the image's pixels over that of the training images' (1 where either is unknown), along the axis where
        they differ most.
    reason : str
        Why the model does not explain the image, in words; empty where it does.
    """

    gap: float
    unusual: float
    spread: float
    resolution: float
    reason: str

    @property
    def explained(self) -> bool:
        """Whether the image is of the kind that the model was fitted to."""
        return not self.reason

    @property
    def only_resolution(self) -> bool:
        """Whether the size of the pixels is all that speaks against the image."""
        return not self.explained and self.reason == _resolution_reason(self.resolution)


def explains(model: Model, image: Image, *, sample: int = _LOOK, seed: int = 0) -> Fitness:
    """Tell whether a model explains an image: whether its pixels look like samples of the mixture.

    Parameters
    ----------
    model : Model
    image : Image
        Of a kind that `model.view` lets pass.
    sample : int
        Number of pixels that are looked at.
    seed : int

    Returns
    -------
    Fitness

    Raises
    ------
    InputError
        The image has other channels than the model's.

    Notes
    -----
    Four things are compared with samples drawn from the mixture: the mean log-likelihood, which falls where pixels lie
    far from the classes or in rare ones; the share of pixels that no class holds; the variance within classes, which
    vanishes where 8-bit numbers are stored in 16 bits; and the size of a pixel. The model's own training images set
    what is usual (`Training`). Missing numbers are left out of the samples as they are of the image.

    Examples
    --------
    >>> import numpy as np
    >>> from gmmseg import Image, fit
    >>> pixels = np.random.default_rng(0).normal(100, 5, (64, 64))
    >>> pixels[:, 32:] += 60
    >>> model = fit(pixels, 2)
    >>> explains(model, Image.from_array(pixels[::2])).explained
    True
    >>> explains(model, Image.from_array(pixels * 1.3 + 20)).explained
    False
    """
    image = model.view(image)
    training = model.training or Training()
    resolution = _resolution(image.spacing, training.spacing)
    planes = _scaled(model, look(image, model.recipe, count=sample, seed=seed))
    if not np.isfinite(planes).any():
        return Fitness(0.0, 0.0, 1.0, resolution, _resolution_reason(resolution))
    mixture = _without_position(model)
    own = _twin(mixture, planes, seed)
    gap, unusual = _distance(mixture, planes, own)
    spread = _spread(mixture, planes) / _spread(mixture, own)
    reason = ""
    if unusual > _MOST_UNUSUAL + training.unusual:
        reason = f"{100 * unusual:.0f} % of its pixels are unlike every class"
    elif spread < _LEAST_SPREAD:
        reason = f"its pixels vary {spread**-0.5 if spread else np.inf:.0f} times less within a class than the model's"
    elif gap > _MOST_GAP + training.gap:
        times = np.exp(min(gap, 99.0))
        reason = f"its pixels are {times:.3g} times less likely, feature by feature, than the model's own"
    return Fitness(gap, unusual, spread, resolution, reason or _resolution_reason(resolution))


def overhearing(image: Image) -> Image:
    """Return an image in a file that keeps the pixels which `explains` looks at when they are read for something else.

    Others, and time-lapses, come back as they are.
    """
    if image.in_memory or image.time:
        return image
    flat = one_in_each_run(image.n_pixels, min(_LOOK, image.n_pixels), np.random.default_rng(0))
    return replace(image, pixels=Overheard(image.pixels, flat))


def look(image: Image, recipe: Recipe, *, count: int = _LOOK, seed: int = 0) -> Array:
    """Return planes (d, n) of some pixels, in the order of their places, in the features' units, without position."""
    if image.time:
        each = -(-count // image.shape[0])
        return np.concatenate([look(frame, recipe, count=each, seed=seed) for frame in image.frames], axis=1)
    found = sample_pixels(image, count, np.random.default_rng(seed))
    return recipe.planes_of(image, found.values, found.flat)[: recipe.n_guides(image)]


def remember(model: Model, looks: Sequence[Array], spacing: tuple[float, ...] | None, *, seed: int = 0) -> Model:
    """Return a model that knows how unlike each other the images that it was fitted to are.

    Parameters
    ----------
    model : Model
    looks : sequence of ndarray, shape (d, n)
        A `look` at each image. Quarters of it stand for other images of its kind.
    spacing : tuple of float, optional
        Of the images.
    seed : int
    """
    mixture, gaps, unusual = _without_position(model), [0.0], [0.0]
    for planes in looks:
        for part in np.array_split(_scaled(model, planes), 4, axis=1):
            if np.isfinite(part).any():
                gap, share = _distance(mixture, part, _twin(mixture, part, seed))
                gaps.append(gap)
                unusual.append(share)
    gain, offset = calibrate(mixture, _scaled(model, np.concatenate(looks, axis=1)), np.random.default_rng(seed))
    own = (tuple(gain.tolist()), tuple(offset.tolist())) if np.isfinite([gain, offset]).all() else ((), ())
    return replace(model, training=Training(spacing, max(gaps), max(unusual), *own))


def adapt(model: Model, image: Image | Iterable[Image], *, sample: int = 20_000, seed: int = 0) -> Model:
    """Return the model for an image whose values have another gain and offset.

    Parameters
    ----------
    model : Model
    image : Image or iterable of Image
        Of a kind that `model.view` lets pass. Several, such as the scenes of one date, have one gain and offset in
        common; each has an equal say, and they are looked at one after the other.
    sample : int
        Number of pixels that the gains and offsets are estimated from, of each image.
    seed : int

    Returns
    -------
    Model
        The same classes, with `center`, `scale` and contrast of each plane but those of position moved: a value x of a
        training image is `gain * x + offset` in this one, where gain is the ratio of the scales, above 0. A plane that
        does not vary keeps its own, as all do where no pixel is valid.

    Raises
    ------
    InputError
        An image has other channels than the model's, or values so far from its classes that they cannot be meant.
    ParameterError
        There is no image.

    Notes
    -----
    Gain and offset are of maximum likelihood under the classes (`gmmseg.mixture.calibration`), whose shares are free
    meanwhile and then again those of the model; where the model remembers its training, what is found for the training
    images themselves is taken off. What is not affine in the features, such as clipping or the gain of red, green and
    blue seen in L*a*b*, is met as nearly as gain and offset can.

    Examples
    --------
    >>> import numpy as np
    >>> from gmmseg import Image, fit
    >>> pixels = np.random.default_rng(0).normal(100, 5, (64, 64))
    >>> pixels[:, 32:] += 60
    >>> model = fit(pixels, 2)
    >>> adapt(model, Image.from_array(pixels * 1.3 + 20)).means.round().ravel()
    array([150., 228.])
    """
    images = [image] if isinstance(image, Image) else image
    looks = []
    for each in map(model.view, images):
        planes = _scaled(model, look(each, model.recipe, count=sample, seed=seed))
        _require_near(each.name, planes)
        looks.append(planes)
    if not looks:
        raise ParameterError("image=[] holds no image to adapt the model to; give at least one")
    planes = _evenly_joined(looks)
    gain, offset = calibrate(_without_position(model), planes, np.random.default_rng(seed))
    if model.training is not None and len(model.training.gain) == len(gain):
        gain = gain / model.training.gain  # beyond what the training images themselves would be moved by
        offset = offset - gain * model.training.offset
    return model.moved(gain, model.center[: model.n_guides] + offset * model.scale[: model.n_guides])


def _require_near(name: str, planes: Array) -> None:
    far = np.count_nonzero(np.abs(planes) >= np.float32(_FARTHEST))
    if far:
        raise InputError(
            f"{name}: {far} of {planes.size} sampled values lie {_FARTHEST:g} spreads of the model or more "
            "from its classes; declare what stands for missing data as nodata, write NaN, or give a mask"
        )


def _evenly_joined(parts: Sequence[Array]) -> Array:
    """Return planes of several images side by side, as many samples of each as of the one that has the fewest."""
    filled = [part for part in parts if part.shape[1]]
    least = min((part.shape[1] for part in filled), default=0)
    even = [part[:, np.arange(least) * part.shape[1] // least] for part in filled]
    return np.concatenate(even or list(parts), axis=1)


def _scaled(model: Model, planes: Array) -> Array:
    guides = slice(model.n_guides)
    scaled = (planes - model.center[guides, None]) / model.scale[guides, None]
    return np.asarray(scaled.clip(-_FARTHEST, _FARTHEST), np.float32)


def _without_position(model: Model) -> Mixture:
    guides = model.n_guides
    return model.mixture.marginal(None if guides == len(model.groups) else np.arange(guides))


def _twin(mixture: Mixture, planes: Array, seed: int) -> Array:
    """Samples of the mixture, as many as the planes have, with the same numbers missing."""
    rng = np.random.default_rng(seed)
    own = mixture.sample(planes.shape[1], rng)[0].astype(np.float32)
    own = own[:, rng.permutation(own.shape[1])]
    own[np.isnan(planes)] = np.nan
    return own


def _distance(mixture: Mixture, planes: Array, own: Array) -> tuple[float, float]:
    """Loss of log-likelihood a number, and share of pixels beyond the contours, both above those of `own`."""
    known = np.count_nonzero(~np.isnan(planes))
    likelihood, expected = (mixture.log_density(each).sum(dtype=np.float64) for each in (planes, own))
    beyond, usual = (float((p_values(each, mixture.arguments_of) < _TAIL).mean()) for each in (planes, own))
    return float((expected - likelihood) / known), max(0.0, beyond - usual)


def _spread(mixture: Mixture, planes: Array) -> float:
    """Mean variance of the samples about the means of those in the same class, as a part of the class's variance."""
    complete = planes[:, np.isfinite(planes).all(axis=0)].astype(np.float64)
    if complete.shape[1] <= mixture.n_components:
        return 1.0  # too few to tell
    owner, total = mixture.classify(complete), 0.0
    for k in np.unique(owner):
        part = complete[:, owner == k]
        part = part - part.mean(axis=1, keepdims=True)
        factor = mixture.factors[k]
        total += float(((factor @ part if factor.ndim == 2 else factor[:, None] * part) ** 2).sum())
    return total / complete.size


def _resolution(spacing: tuple[float, ...] | None, trained: tuple[float, ...] | None) -> float:
    """The ratio of two sizes of a pixel that is farthest from 1; the last axes are compared."""
    if spacing is None or trained is None:
        return 1.0
    ratios = [a / b for a, b in zip(reversed(spacing), reversed(trained), strict=False)]
    return float(max(ratios, key=lambda ratio: abs(np.log(ratio))))


def _resolution_reason(ratio: float) -> str:
    if 1 / _MOST_RESOLUTION <= ratio <= _MOST_RESOLUTION:
        return ""
    times, kind = (ratio, "coarser") if ratio > 1 else (1 / ratio, "finer")
    return f"its pixels are {times:.3g} times {kind} than the model's"
