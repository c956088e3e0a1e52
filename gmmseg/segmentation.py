"""segment(), fit() and apply(): an image becomes planes, a mixture is fitted, every pixel gets its class."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from gmmseg import io, kernels
from gmmseg.errors import DataWarning, InputError, ParameterError
from gmmseg.features import Recipe
from gmmseg.guidance import Guidance
from gmmseg.image import Image
from gmmseg.mixture.covariance import FAMILIES, family
from gmmseg.mixture.fitting import expectation_maximization
from gmmseg.mixture.parameters import Mixture
from gmmseg.mixture.seeding import seed_from_classes, seed_mixture
from gmmseg.model import Model
from gmmseg.result import Segmentation
from gmmseg.sampling import Sample, join_samples, location_and_scale, take_sample
from gmmseg.spatial.smoothing import strength_of
from gmmseg.tiles import Progress, visit

if TYPE_CHECKING:
    from gmmseg.mixture.choosing import Choice

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
    outliers: str | None = None,
    scribbles: Any = None,
    prior: Any = None,
    prior_weight: float = 1.0,
    class_names: Sequence[str] | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Segmentation:
    """Segment one image into k classes.

    Parameters
    ----------
    image : path, array_like or Image
        2-D arrays are one channel, 3-D ones with a last axis of 3 or 4 are colour; anything else needs `channel_axis`.
        NaN in a band is a number that is missing: the other bands decide.
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
        Pixels that the fit sees; None for every pixel. Integer images of few distinct values are fitted to the counts
        of all of them where position is no feature.
    seed : int
        Same seed, same input, same version: same result, for any number of threads.
    outliers : {"uniform", "student"}, optional
        Keep gross errors from moving the classes: by a uniform component beside them, or by Student-t components.
    scribbles : path or array_like of integers, shape (*spatial), optional
        Strokes that decide: 1 to k where the class of a pixel is given, 0 where it is free. Classes with strokes keep
        their numbers, the others are numbered by their first feature.
    prior : path or array_like, shape (k, *spatial), optional
        Prior probability of each class at each pixel, as of an atlas; the classes keep its order.
    prior_weight : float
        Power of `prior`: 0 ignores it, 1 takes it as it is.
    class_names : sequence of str, optional
        One a class, in the order of the labels.
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
        opened,
        k,
        features=features,
        covariance=covariance,
        smooth=smooth,
        sample=sample,
        seed=seed,
        outliers=outliers,
        scribbles=scribbles,
        prior=prior,
        prior_weight=prior_weight,
        class_names=class_names,
        threads=threads,
    )
    return apply(
        model,
        opened,
        scribbles=scribbles,
        prior=prior,
        prior_weight=prior_weight,
        threads=threads,
        progress=progress,
    )


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
    outliers: str | None = None,
    scribbles: Any = None,
    prior: Any = None,
    prior_weight: float = 1.0,
    class_names: Sequence[str] | None = None,
    threads: int | None = None,
) -> Model:
    """Fit one model to one image or to many of the same kind.

    `images` is a path, an array, an Image, or a list or tuple of these; `sample` pixels are shared out equally among
    them. `scribbles` and `prior` are of a single image. The other parameters, errors and warnings are those of
    `segment`.
    """
    automatic = isinstance(k, str) and k == "auto"
    number = _MOST_CHOSEN if automatic else _class_number(k)
    count = None if sample is None else whole_number("sample", sample, 1, None)
    rng = default_rng(whole_number("seed", seed, 0, None))
    workers, strength = kernels.thread_count(threads), strength_of(smooth)
    family(covariance)
    recipe = None if features is None else Recipe.parse(features)
    sources = images if isinstance(images, list | tuple) else [images]
    if len(sources) != 1 and not (scribbles is None and prior is None):
        raise ParameterError(f"scribbles and prior are of one image, but there are {len(sources)}; fit one at a time")
    if automatic and not (scribbles is None and prior is None):
        raise ParameterError('k="auto" does not go with scribbles or prior, which number the classes; give k')
    names = _class_names(None if automatic else class_names, number)
    opened = (open_image(source, mask=mask, channel_axis=channel_axis) for source in sources)

    def guide(image: Image) -> Guidance | None:
        return _guidance(image, number, scribbles, prior, prior_weight)

    share = None if count is None else -(-count // max(1, len(sources)))
    first, recipe, found = _sample_all(opened, recipe, share, rng, k=number, guide=guide, by_value=not automatic)
    groups, planes = recipe.groups(first), found.planes
    if found.classes is None:
        number = _supported_classes(planes, groups, number, first.name, quiet=automatic)
    center, scale = _standardize(found, groups)
    if automatic and planes.shape[1]:
        from gmmseg.effective import choose_classes

        number = choose_classes(
            first,
            recipe,
            planes,
            center,
            scale,
            rng,
            max_k=number,
            families=(covariance,),
            n_images=len(sources),
            noise=_NOISE,
            threads=workers,
        ).k
        names = _class_names(class_names, number)
    mixture = _fit_mixture(found, number, covariance, outliers, rng, workers)
    order = _order(mixture, found.classes, fixed=prior is not None)
    return Model(
        recipe,
        recipe.names(first),
        groups,
        center,
        scale,
        mixture.select(order),
        names[: mixture.n_components],
        strength,
        first.n_channels,
        first.color,
    )


def choose_k(
    image: Source,
    *,
    max_k: int = _MOST_CHOSEN,
    covariance: str | Sequence[str] = tuple(FAMILIES),
    criterion: str = "icl",
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
    first, recipe, found = _sample_all([opened], recipe, count, rng)
    planes = found.planes
    if planes.shape[1] == 0:
        raise InputError(f"{first.name}: no pixel is valid, so there are no classes to choose from; check the mask")
    groups = recipe.groups(first)
    number = _supported_classes(planes, groups, number, first.name, quiet=True)
    center, scale = _standardize(found, groups)
    from gmmseg.effective import choose_classes  # here, because most runs never choose

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
    scribbles: Any = None,
    prior: Any = None,
    prior_weight: float = 1.0,
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
    guidance = _guidance(opened, model.k, scribbles, prior, prior_weight)
    visit(opened, model, labels=labels, guidance=guidance, threads=workers, progress=progress)
    return Segmentation(labels, opened, model, workers, guidance)


def open_image(source: Source, *, mask: Any = None, channel_axis: Any = "auto") -> Image:
    """Take a path, an array or an Image as an Image, restricted to a mask (an array, or the path of one)."""
    if isinstance(mask, str | os.PathLike):
        mask = io.read_labels(Path(mask))
    if isinstance(source, Image):
        return source if mask is None else source.with_mask(mask)
    if isinstance(source, str | os.PathLike):
        return io.read(Path(source), mask=mask, channel_axis=channel_axis)
    return Image.from_array(source, channel_axis=channel_axis, mask=mask)


def _guidance(image: Image, k: int, scribbles: Any, prior: Any, weight: float) -> Guidance | None:
    if isinstance(scribbles, str | os.PathLike):
        scribbles = io.read_labels(Path(scribbles))
    if isinstance(prior, str | os.PathLike):
        prior = io.read_probabilities(Path(prior))
    return Guidance.of(image, k, scribbles, prior, weight)


def _sample_all(
    images: Iterable[Image],
    recipe: Recipe | None,
    count: int | None,
    rng: Generator,
    *,
    k: int = 1,
    guide: Callable[[Image], Guidance | None] | None = None,
    by_value: bool = False,
) -> tuple[Image, Recipe, Sample]:
    """The first image, the recipe (its default where None), and a sample of every image."""
    first, parts = None, []
    for image in images:
        first = image if first is None else first
        recipe = Recipe.default(image) if recipe is None else recipe
        recipe.check(image)
        if recipe.groups(image) != recipe.groups(first) or image.color != first.color:
            raise ParameterError(f"{image.name} and {first.name} are of different kinds; fit one model to each kind")
        guidance = None if guide is None else guide(image)
        parts.append(take_sample(image, recipe, count, rng, k=k, guidance=guidance, by_value=by_value))
    if first is None or recipe is None:
        raise ParameterError("images is empty; give at least one image")
    return first, recipe, join_samples(parts)


def _fit_mixture(found: Sample, k: int, covariance: str, outliers: str | None, rng: Generator, threads: int) -> Mixture:
    planes = found.planes
    d, n = planes.shape
    if n == 0:
        rules = family(covariance)
        second = np.ones((1, d)) if rules.diagonal else np.eye(d)[None]
        return Mixture(np.ones(1), np.zeros((1, d)), rules.estimate(np.ones(1), second, np.zeros(d)), covariance)
    weights = None if found.weights is None else (found.weights / found.weights.mean()).astype(np.float32)
    if found.classes is not None:
        start = seed_from_classes(
            planes, found.classes, k, rng, covariance=covariance, regularization=_NOISE, outliers=outliers
        )
    else:
        start = seed_mixture(
            planes,
            k,
            rng,
            covariance=covariance,
            weights=weights,
            noise=_NOISE,
            outliers=outliers,
            starts=2 if k <= 6 else None,  # a photograph has more local maxima than most data
            rounds=1,  # pixels are many, even where their values are few
            threads=threads,
        )
    return expectation_maximization(
        planes,
        start,
        weights=weights,
        noise=_NOISE,
        tolerance=_TOLERANCE,
        max_iterations=_MAX_ITERATIONS,
        threads=threads,
        log_prior=found.log_prior,
    ).mixture


def _order(mixture: Mixture, classes: Array | None, *, fixed: bool) -> Array:
    """Components in the order of their labels: those that were given stay, the rest go up in the first feature."""
    order = np.arange(mixture.n_components)
    if fixed:
        return order
    free = order if classes is None else np.setdiff1d(order, classes.astype(np.intp) - 1)
    order[free] = free[np.argsort(mixture.means[free, 0], kind="stable")]
    return order


def _class_names(names: Sequence[str] | None, k: int) -> tuple[str, ...]:
    if names is None:
        return tuple(f"class {i + 1}" for i in range(k))
    if isinstance(names, str) or len(names) != k or not all(isinstance(name, str) and name.strip() for name in names):
        raise ParameterError(f"class_names={names!r} are not {k} names; give one a class, in the order of the labels")
    return tuple(name.strip() for name in names)


def _standardize(found: Sample, groups: tuple[int, ...]) -> tuple[Array, Array]:
    """Centre and scale the planes (d, n) of a sample in place; return by what."""
    planes = found.planes
    center, scale = location_and_scale(planes, groups, found.weights)
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
