"""segment(), fit() and apply(): an image becomes planes, a mixture is fitted, every pixel gets its class."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from gmmseg import io, kernels
from gmmseg.effective import choose_classes
from gmmseg.errors import DataWarning, InputError, ParameterError
from gmmseg.features import Recipe
from gmmseg.image import Image
from gmmseg.mixture.choosing import DEFAULT_CRITERION, Choice
from gmmseg.mixture.covariance import FAMILIES, family
from gmmseg.mixture.fitting import expectation_maximization
from gmmseg.mixture.parameters import Mixture
from gmmseg.mixture.seeding import seed_mixture
from gmmseg.model import Model
from gmmseg.result import Segmentation
from gmmseg.sampling import location_and_scale, sample_planes
from gmmseg.spatial.smoothing import strength_of
from gmmseg.tiles import Progress, visit

__all__ = ["apply", "choose_k", "fit", "open_image", "segment"]

Array = NDArray[Any]
Source = Any  # a path, an array or an Image

MOST_CLASSES = 255
_MOST_CHOSEN = 12
_NOISE = 1e-4  # variance, in scaled units: about what rounding to 8 bits leaves
_TOLERANCE, _MAX_ITERATIONS = 1e-5, 300


def segment(
    image: Source,
    k: int | Literal["auto"] = 4,
    *,
    features: str | None = None,
    covariance: str = "full",
    mask: Any = None,
    channel_axis: Any = "auto",
    smooth: bool | float = True,
    sample: int | None = 100_000,
    seed: int = 0,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Segmentation:
    """Segment one image into k classes.

    Parameters
    ----------
    image : path, array_like or Image
        2-D arrays are one channel, 3-D ones with a last axis of 3 or 4 are colour; anything else needs `channel_axis`.
    k : int, 1 to 255, or "auto"
        Number of classes; "auto" chooses 1 to 12 by the image, as `choose_k` does.
    features : str, optional
        Such as "lab,xy", "lab,xy:0.5", "rgb", "intensity" or "bands"; by default what suits the image.
    covariance : {"full", "tied", "diag", "spherical"}
    mask : array_like, shape (*spatial), optional
        Non-zero where pixels are used.
    channel_axis : int, None or "auto"
        Axis of the channels; None for a volume.
    smooth : bool or float, 0 to 1
        How much neighbours agree; True is 0.5.
    sample : int, optional
        Pixels that the fit sees; None for every pixel.
    seed : int
        Same seed, same input, same version: same result, for any number of threads.
    threads : int, optional
        All processors by default.
    progress : callable, optional
        Called with the number of tiles done and of all tiles.

    Returns
    -------
    Segmentation

    Raises
    ------
    InputError
        The image cannot be read.
    ParameterError
        A parameter has an unusable value.

    Warns
    -----
    DataWarning
        The image has fewer distinct colours than k, or no valid pixel; fewer classes were fitted.

    Notes
    -----
    Time and memory grow with the pixels, and only images and results are held whole: posteriors live in tiles.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.zeros((8, 8), np.uint8)
    >>> image[:, 4:] = 200
    >>> segment(image, k=2).labels[0]
    array([1, 1, 1, 1, 2, 2, 2, 2], dtype=uint8)
    """
    opened = open_image(image, mask=mask, channel_axis=channel_axis)
    model = fit(
        opened, k, features=features, covariance=covariance, smooth=smooth, sample=sample, seed=seed, threads=threads
    )
    return apply(model, opened, threads=threads, progress=progress)


def fit(
    images: Source | Iterable[Source],
    k: int | Literal["auto"] = 4,
    *,
    features: str | None = None,
    covariance: str = "full",
    mask: Any = None,
    channel_axis: Any = "auto",
    smooth: bool | float = True,
    sample: int | None = 100_000,
    seed: int = 0,
    threads: int | None = None,
) -> Model:
    """Fit one model to one image or to many of the same kind.

    `images` is a path, an array, an Image, or a list or tuple of these; `sample` pixels are shared out equally among
    them. The other parameters, errors and warnings are those of `segment`.
    """
    automatic = isinstance(k, str) and k == "auto"
    number = _MOST_CHOSEN if automatic else _class_number(k)
    count = None if sample is None else whole_number("sample", sample, 1, None)
    rng = default_rng(whole_number("seed", seed, 0, None))
    workers, strength = kernels.thread_count(threads), strength_of(smooth)
    family(covariance)
    recipe = None if features is None else Recipe.parse(features)
    sources = images if isinstance(images, list | tuple) else [images]
    opened = (open_image(source, mask=mask, channel_axis=channel_axis) for source in sources)
    first, recipe, planes = _sample_all(
        opened, recipe, None if count is None else -(-count // max(1, len(sources))), rng
    )
    groups = recipe.groups(first)
    k = _supported_classes(planes, groups, number, first.name, quiet=automatic)
    center, scale = _standardize(planes, groups)
    if automatic and planes.shape[1]:
        choice = choose_classes(
            first,
            recipe,
            planes,
            center,
            scale,
            rng,
            max_k=k,
            families=(covariance,),
            n_images=len(sources),
            noise=_NOISE,
            threads=workers,
        )
        k = choice.k
    mixture = _fit_mixture(planes, k, covariance, rng, workers)
    return Model(
        recipe,
        recipe.names(first),
        groups,
        center,
        scale,
        mixture.select(np.argsort(mixture.means[:, 0], kind="stable")),
        tuple(f"class {i + 1}" for i in range(mixture.n_components)),
        strength,
        first.n_channels,
        first.color,
    )


def choose_k(
    image: Source,
    *,
    max_k: int = _MOST_CHOSEN,
    covariance: str | Sequence[str] = tuple(FAMILIES),
    criterion: str = DEFAULT_CRITERION,
    features: str | None = None,
    mask: Any = None,
    channel_axis: Any = "auto",
    sample: int | None = 100_000,
    seed: int = 0,
    threads: int | None = None,
) -> Choice:
    """Choose how many classes an image has.

    Parameters
    ----------
    max_k : int, 1 to 255
        Numbers of classes from 1 to this are compared; no more than the sampled pixels have distinct colours.
    covariance : str or sequence of str
        Families that are compared.
    criterion : {"icl", "bic", "aic", "mdl"}
        The one that decides.
    image, features, mask, channel_axis, sample, seed, threads
        As of `segment`; position, where it is a feature, does not count.

    Returns
    -------
    Choice
        Every candidate with its criteria, the chosen one, and the reason.

    Raises
    ------
    InputError
        The image cannot be read, or no pixel of it is valid.
    ParameterError
        A parameter has an unusable value.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.random.default_rng(0).normal(0, 1, (64, 64))
    >>> image[:, 32:] += 8
    >>> choose_k(image).k
    2
    """
    number = whole_number("max_k", max_k, 1, MOST_CLASSES)
    count = None if sample is None else whole_number("sample", sample, 1, None)
    rng = default_rng(whole_number("seed", seed, 0, None))
    workers = kernels.thread_count(threads)
    families = (covariance,) if isinstance(covariance, str) else tuple(covariance)
    for name in families:
        family(name)
    recipe = None if features is None else Recipe.parse(features)
    opened = open_image(image, mask=mask, channel_axis=channel_axis)
    first, recipe, planes = _sample_all([opened], recipe, count, rng)
    if planes.shape[1] == 0:
        raise InputError(f"{first.name}: no pixel is valid, so there are no classes to choose from; check the mask")
    groups = recipe.groups(first)
    number = _supported_classes(planes, groups, number, first.name, quiet=True)
    center, scale = _standardize(planes, groups)
    return choose_classes(
        first,
        recipe,
        planes,
        center,
        scale,
        rng,
        max_k=number,
        families=families,
        criterion=criterion,
        noise=_NOISE,
        threads=workers,
    )


def apply(
    model: Model,
    image: Source,
    *,
    mask: Any = None,
    channel_axis: Any = "auto",
    smooth: bool | float | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Segmentation:
    """Segment an image with a model fitted before: the same classes, the same numbers.

    `smooth` is the model's own where None; the other parameters and errors are those of `segment`.
    """
    opened = open_image(image, mask=mask, channel_axis=channel_axis)
    model.check(opened)
    if smooth is not None:
        model = replace(model, strength=strength_of(smooth))
    labels = np.zeros(opened.shape, np.uint8)
    workers = kernels.thread_count(threads)
    visit(opened, model, labels=labels, threads=workers, progress=progress)
    return Segmentation(labels, opened, model, workers)


def open_image(source: Source, *, mask: Any = None, channel_axis: Any = "auto") -> Image:
    """Take a path, an array or an Image as an Image, restricted to a mask (an array, or the path of one)."""
    if isinstance(mask, str | os.PathLike):
        mask = io.read_labels(Path(mask))
    if isinstance(source, Image):
        return source if mask is None else source.with_mask(mask)
    if isinstance(source, str | os.PathLike):
        return io.read(Path(source), mask=mask, channel_axis=channel_axis)
    return Image.from_array(source, channel_axis=channel_axis, mask=mask)


def _sample_all(
    images: Iterable[Image], recipe: Recipe | None, count: int | None, rng: Generator
) -> tuple[Image, Recipe, Array]:
    """The first image, the recipe (its default where None), and the planes (d, n) of a sample of every image."""
    first, parts = None, []
    for image in images:
        first = image if first is None else first
        recipe = Recipe.default(image) if recipe is None else recipe
        recipe.check(image)
        if recipe.groups(image) != recipe.groups(first) or image.color != first.color:
            raise ParameterError(f"{image.name} and {first.name} are of different kinds; fit one model to each kind")
        parts.append(sample_planes(image, recipe, count, rng))
    if first is None or recipe is None:
        raise ParameterError("images is empty; give at least one image")
    return first, recipe, np.concatenate(parts, axis=1)


def _fit_mixture(planes: Array, k: int, covariance: str, rng: Generator, threads: int) -> Mixture:
    d, n = planes.shape
    if n == 0:
        rules = family(covariance)
        second = np.ones((1, d)) if rules.diagonal else np.eye(d)[None]
        return Mixture(np.ones(1), np.zeros((1, d)), rules.estimate(np.ones(1), second, np.zeros(d)), covariance)
    start = seed_mixture(planes, k, rng, covariance=covariance, noise=_NOISE, threads=threads)
    return expectation_maximization(
        planes,
        start,
        noise=_NOISE,
        tolerance=_TOLERANCE,
        max_iterations=_MAX_ITERATIONS,
        threads=threads,
    ).mixture


def _standardize(planes: Array, groups: tuple[int, ...]) -> tuple[Array, Array]:
    """Centre and scale the planes (d, n) in place; return by what."""
    center, scale = location_and_scale(planes, groups)
    planes -= center.astype(np.float32)[:, None]
    planes /= scale.astype(np.float32)[:, None]
    return center, scale


def _class_number(k: Any) -> int:
    try:
        return whole_number("k", k, 1, MOST_CLASSES)
    except ParameterError as error:
        raise ParameterError(f'{error}, or "auto"') from None


def _supported_classes(planes: Array, groups: tuple[int, ...], k: int, name: str, *, quiet: bool = False) -> int:
    """k, or the number of distinct colours where that is less."""
    colors = planes[[row for row, group in enumerate(groups) if group >= 0]]
    if colors.shape[1] == 0:
        warnings.warn(f"{name}: no pixel is valid; every label is 0", DataWarning, stacklevel=4)
        return 1
    colors = np.nan_to_num(colors, nan=np.inf)  # missing once is like missing again
    for part in (colors[:, :1024], colors):
        ordered = part[:, np.lexsort(part)]
        distinct = 1 + int((ordered[:, 1:] != ordered[:, :-1]).any(axis=0).sum())
        if distinct >= k:
            return k
    if quiet:
        return distinct
    found = "only 1 distinct colour" if distinct == 1 else f"only {distinct} distinct colours"
    warnings.warn(
        f"{name}: k={k} classes were asked for, but the sampled pixels have {found}; k={distinct} was used",
        DataWarning,
        stacklevel=4,
    )
    return distinct


def whole_number(name: str, value: Any, low: int, high: int | None) -> int:
    wanted = f"a whole number from {low} to {high}" if high is not None else f"a whole number of at least {low}"
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        number = low - 1
    if isinstance(value, bool) or number != value or number < low or (high is not None and number > high):
        raise ParameterError(f"{name}={value!r} is not usable; use {wanted}")
    return number
