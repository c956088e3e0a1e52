"""segment(), fit() and apply(): an image becomes planes, a mixture is fitted, every pixel gets its class."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.random import default_rng
from numpy.typing import NDArray

from gmmseg import io, kernels
from gmmseg.checks import whole_number
from gmmseg.errors import InputError, ParameterError
from gmmseg.features import Recipe
from gmmseg.fitting.fit import class_names as checked_names
from gmmseg.fitting.fit import fit_model
from gmmseg.fitting.survey import Survey, survey
from gmmseg.image import Image
from gmmseg.io.opening import open_image
from gmmseg.labelling.layers import Progress
from gmmseg.labelling.result import MEMORY, Segmentation
from gmmseg.mixture.covariance import FAMILIES, family
from gmmseg.model import Model
from gmmseg.spatial.guidance import Guidance
from gmmseg.spatial.smoothing import TYPICAL, strength_of

if TYPE_CHECKING:
    from gmmseg.mixture.choosing import Choice
    from gmmseg.spatial.bias import BiasField

__all__ = ["Source", "apply", "choose_k", "fit", "segment"]

Array = NDArray[Any]
Source = Any  # a path, an array or an Image

MOST_CLASSES = 255
_MOST_CHOSEN = 12


def segment(
    image: Source,
    k: int | Literal["auto"] = 4,
    *,
    features: str | None = None,
    covariance: str = "full",
    mask: Any = None,
    channel_axis: Any = "auto",
    smooth: bool | float = True,
    bias_field: bool = False,
    sample: int | None = 100_000,
    seed: int = 0,
    outliers: str | None = None,
    scribbles: Any = None,
    prior: Any = None,
    prior_weight: float = 1.0,
    class_names: Sequence[str] | None = None,
    memory: int = MEMORY,
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
        Such as "lab,xy", "lab,xy:0.5", "rgb", "intensity", "bands" or "bands,texture" (local energy and direction); by
        default what suits the image.
    covariance : {"full", "tied", "diag", "spherical"}
    mask : array_like, shape (*spatial), optional
        Non-zero where pixels are used.
    channel_axis : int, None or "auto"
        Axis of the channels; None for a volume.
    smooth : bool or float, 0 to 1
        How much neighbours agree; True estimates it. Unless it is 0 the classes are fitted with their neighbourhood in
        mind, as a hidden Markov random field; but not with texture, which is of the neighbourhood itself.
    bias_field : bool
        Estimate a smooth gain over the image, as of a coil, a lamp or a lens, together with the classes, and take it
        out; one for each channel, or in common for colour. The model is of the image without it. Where none would make
        the pixels likelier, it is left out with a warning. At most 16 channels.
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
    memory : int
        Bytes that may be taken. Of a file whose pixels take more than half of that, pixels are read window by window,
        and `Segmentation.save` writes labels window by window, in any format that can be read and written so.
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
    Time grows with the pixels. Images and labels are held whole, up to `memory`; posteriors live in tiles.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.zeros((8, 8), np.uint8)
    >>> image[:, 4:] = 200
    >>> segment(image, k=2).labels[0]
    array([1, 1, 1, 1, 2, 2, 2, 2], dtype=uint8)
    """
    opened = open_image(image, mask=mask, channel_axis=channel_axis, memory=memory)
    model, found, bias = _fit(
        opened,
        k,
        features=features,
        covariance=covariance,
        mask=None,
        channel_axis="auto",
        smooth=smooth,
        bias_field=bias_field,
        sample=sample,
        seed=seed,
        outliers=outliers,
        scribbles=scribbles,
        prior=prior,
        prior_weight=prior_weight,
        class_names=class_names,
        memory=memory,
        threads=threads,
    )
    guidance = _guidance(opened, model.k, scribbles, prior, prior_weight)
    return _result(opened, model, guidance, found.sample.variation, bias, memory, threads, progress)


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
    memory: int = MEMORY,
    threads: int | None = None,
) -> Model:
    """Fit one model to one image or to many of the same kind.

    `images` is a path, an array, an Image, or a list or tuple of these; `sample` pixels are shared out equally among
    them. `scribbles` and `prior` are of a single image. The other parameters, errors and warnings are those of
    `segment`.
    """
    from gmmseg.model.adapting import look, remember

    looks: list[Any] = []
    model, found, _ = _fit(
        images,
        k,
        features=features,
        covariance=covariance,
        mask=mask,
        channel_axis=channel_axis,
        smooth=smooth,
        bias_field=False,
        sample=sample,
        seed=seed,
        outliers=outliers,
        scribbles=scribbles,
        prior=prior,
        prior_weight=prior_weight,
        class_names=class_names,
        memory=memory,
        threads=threads,
        seen=lambda image, recipe: looks.append(look(image, recipe)),
    )
    return remember(model, looks, found.image.spacing)


def _fit(
    images: Source | Iterable[Source],
    k: Any,
    *,
    features: str | None,
    covariance: str,
    mask: Any,
    channel_axis: Any,
    smooth: bool | float,
    bias_field: bool,
    sample: int | None,
    seed: int,
    outliers: str | None,
    scribbles: Any,
    prior: Any,
    prior_weight: float,
    class_names: Sequence[str] | None,
    memory: int,
    threads: int | None,
    seen: Callable[[Image, Recipe], None] | None = None,
) -> tuple[Model, Survey, BiasField | None]:
    """The model, what is known of the images that it was fitted to, and the bias field of the only one."""
    automatic = isinstance(k, str) and k == "auto"
    number = _MOST_CHOSEN if automatic else _class_number(k)
    count = None if sample is None else whole_number("sample", sample, 1, None)
    rng = default_rng(whole_number("seed", seed, 0, None))
    workers, strength = kernels.thread_count(threads), strength_of(smooth)
    family(covariance)
    recipe = None if features is None else Recipe.parse(features)
    if not isinstance(bias_field, bool | np.bool_):
        raise ParameterError(f"bias_field={bias_field!r} is not usable; use True or False")
    textured = recipe is not None and recipe.has_texture  # features that have heard the neighbourhood already
    if bias_field and textured:
        raise ParameterError(f"bias_field=True does not go with features={features!r}; leave texture out")
    sources = images if isinstance(images, list | tuple) else [images]
    if len(sources) != 1 and not (scribbles is None and prior is None):
        raise ParameterError(f"scribbles and prior are of one image, but there are {len(sources)}; fit one at a time")
    if automatic and not (scribbles is None and prior is None):
        raise ParameterError('k="auto" does not go with scribbles or prior, which number the classes; give k')
    names = checked_names(None if automatic else class_names, number)
    opened = (open_image(source, mask=mask, channel_axis=channel_axis, memory=memory) for source in sources)

    def guide(image: Image) -> Guidance | None:
        return _guidance(image, number, scribbles, prior, prior_weight)

    share = None if count is None else -(-count // max(1, len(sources)))
    patches = len(sources) if bias_field or (strength != 0 and number > 1 and not textured) else 0
    found = survey(
        opened,
        recipe,
        share,
        rng,
        k=number,
        guide=guide,
        by_value=not automatic,
        seen=seen,
        patches=patches,
        threads=workers,
    )
    if found.sample.classes is None:
        number = found.supported(number, quiet=automatic)
    if automatic and found.sample.planes.shape[1]:
        number = found.choose(number, (covariance,), rng, workers).k
        names = checked_names(class_names, number)
    model, bias = fit_model(
        found,
        number,
        rng,
        covariance=covariance,
        outliers=outliers,
        names=names,
        strength=strength,
        ordered=prior is not None,
        bias_field=bias_field,
        threads=workers,
    )
    return model, found, bias


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
    memory: int = MEMORY,
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
    image, features, mask, channel_axis, sample, seed, memory, threads
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
    opened = open_image(image, mask=mask, channel_axis=channel_axis, memory=memory)
    found = survey([opened], recipe, count, rng, by_value=False, threads=workers)
    if found.sample.planes.shape[1] == 0:
        raise InputError(f"{opened.name}: no pixel is valid, so there are no classes to choose from; check the mask")
    return found.choose(found.supported(number, quiet=True), families, rng, workers, criterion=criterion)


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
    adapt: bool = False,
    memory: int = MEMORY,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Segmentation:
    """Segment an image with a model fitted before: the same classes, the same numbers.

    `smooth` is the model's own where None. `adapt` follows an image of another gain and offset, see
    `gmmseg.model.adapting.adapt`. The other parameters and errors are those of `segment`.
    """
    opened = open_image(image, mask=mask, channel_axis=channel_axis, memory=memory)
    model.check(opened)
    if adapt:
        from gmmseg.model import adapting

        model = adapting.adapt(model, opened)
    if smooth is not None:
        strength = strength_of(smooth)
        model = replace(model, strength=(model.strength or TYPICAL) if strength is None else strength)
    guidance = _guidance(opened, model.k, scribbles, prior, prior_weight)
    return _result(opened, model, guidance, None, None, memory, threads, progress)


def _result(
    image: Image,
    model: Model,
    guidance: Guidance | None,
    variation: Array | None,
    bias: BiasField | None,
    memory: int,
    threads: int | None,
    progress: Progress | None,
) -> Segmentation:
    found = Segmentation(image, model, guidance, variation, bias, memory, kernels.thread_count(threads), progress)
    if image.in_memory:
        _ = found.labels  # now, while the caller waits for them
    return found


def _guidance(image: Image, k: int, scribbles: Any, prior: Any, weight: float) -> Guidance | None:
    if isinstance(scribbles, str | os.PathLike):
        scribbles = io.read_labels(Path(scribbles))
    if isinstance(prior, str | os.PathLike):
        prior = io.read_probabilities(Path(prior))
    return Guidance.of(image, k, scribbles, prior, weight)


def _class_number(k: Any) -> int:
    try:
        return whole_number("k", k, 1, MOST_CLASSES)
    except ParameterError as error:
        raise ParameterError(f'{error}, or "auto"') from None
