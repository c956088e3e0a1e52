"""segment(), fit(), apply(), choose_k(): an image becomes planes, a mixture is fitted, every pixel gets its class."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from gmmseg.checks import single, strength_of, whole_number
from gmmseg.effort import MEMORY, Effort, Progress
from gmmseg.errors import InputError, ParameterError, heard
from gmmseg.fitting.fit import fit_images
from gmmseg.fitting.options import MOST_CHOSEN, MOST_CLASSES, FitOptions, Hints
from gmmseg.fitting.stand_in import StandIn
from gmmseg.fitting.starting import ALIKE
from gmmseg.fitting.survey import SurveyRequest, survey
from gmmseg.io.opening import Reading, open_image
from gmmseg.kernels.chance import default_rng
from gmmseg.labelling.making import labelled
from gmmseg.labelling.result import Segmentation
from gmmseg.labelling.tiles import Rule
from gmmseg.mixture.words import COVARIANCES, known_covariances
from gmmseg.model import Model
from gmmseg.platforms import give_back
from gmmseg.records import replace
from gmmseg.spatial.smoothing import TYPICAL

if TYPE_CHECKING:
    from gmmseg.mixture.choosing import Choice

__all__ = ["apply", "choose_k", "fit", "segment"]

_LARGE = 1 << 22  # pixels, of which labels take longer than new memory in place of what the fit had

Source = Any  # a path, an array, an Image, or what `gmmseg.io.other_libraries` knows


def segment(
    image: Source,
    k: int | Literal["auto"] | None = None,
    *,
    features: str | None = None,
    covariance: str = "auto",
    mask: Any = None,
    nodata: float | Sequence[float | None] | None = None,
    channel_axis: Any = "auto",
    axes: str | None = None,
    spacing: Sequence[float] | None = None,
    unit: str | None = None,
    series: str | None = None,
    smooth: bool | float = True,
    bias_field: bool | Literal["auto"] = "auto",
    partial_volume: bool = False,
    sample: int | Literal["auto"] | None = "auto",
    seed: int = 0,
    outliers: str | None = None,
    scribbles: Any = None,
    prior: Any = None,
    prior_weight: float = 1.0,
    class_names: Sequence[str] | None = None,
    components: int | None = None,
    order: str = "dark",
    memory: int = MEMORY,
    allow_remote: bool = False,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Segmentation:
    """Segment one image into k classes.

    Parameters
    ----------
    image : path, array_like or Image
        2-D arrays are one channel, 3-D ones with a last axis of 3 or 4 are colour; anything else needs `channel_axis`.
        NaN in a band, or what a masked array hides, is a number that is missing: the other bands decide. Also bytes and
        open files of an encoded image, open datasets of rasterio, images of Pillow, ITK, SimpleITK, ANTs and nibabel,
        datasets of pydicom (a list of them is a series), tensors, and arrays of dask and xarray, which stay lazy.
    k : int, 1 to 255, or "auto", optional
        Number of classes; by default 4, or as many as there are scribbles of, at least 2. "auto" chooses 1 to 12 by
        the image, as `choose_k` does: components with no border between them, as of a texture or a shading, are one.
    features : str, optional
        Such as "lab,xy", "lab,xy:0.5", "rgb", "intensity", "bands" or "bands,texture" (local energy and direction); by
        default what suits the image. More than 16 channels are reduced to "pca", the principal components that
        stand above their noise.
    covariance : {"auto", "full", "tied", "diag", "spherical"}
        "auto" is full, but tied for "pca", where pixels that mix classes lie between these.
    mask : path, array_like, shape (*spatial), or scan of ITK, SimpleITK, ANTs or nibabel, optional
        Non-zero where pixels are used. Files and scans that say where they lie are turned as the image is.
    nodata : float or sequence of (float or None), optional
        Number that stands for no data, of every channel or one a channel: 0 around a brain without its skull.
    channel_axis : int, None or "auto"
        Axis of the channels, by its name of an array of xarray; None for a volume.
    axes : str, optional
        A letter for each axis of an array or file, instead of `channel_axis`: T time, Z planes, C channels, S red,
        green and blue, Y rows, X columns, as in "TZCYX". The frames of a time-lapse have one model in common, and are
        labelled one by one; labels have the axes T, Z, Y, X.
    spacing : sequence of float, optional
        Size of a pixel along each axis of space, such as (planes, rows, columns), where the image does not say it or
        is wrong: what neighbours and minimum sizes are measured in.
    unit : str, optional
        Of the spacing: "nm", "um", "mm", "cm", "m", "km", "foot" or "US survey foot".
    series : str, optional
        Which series of a folder of DICOM files: its number, identifier (UID) or description; "3/2" is its volume 2.
    smooth : bool or float, 0 to 1
        How much neighbours agree; True estimates it. Unless it is 0 the classes are fitted with their neighbourhood in
        mind, as a hidden Markov random field; but not with texture, which is of the neighbourhood itself.
    bias_field : bool or "auto"
        Estimate a smooth gain over the image, as of a coil, a lamp or a lens, together with the classes, and take it
        out; one for each channel, or in common for colour. The model is of the image without it. Where none would make
        the pixels likelier, it is left out with a warning. At most 16 channels. "auto" is of volumes of scanners with
        at most 4 channels, which are no CT: a gain of 10 % or more is taken out, with a warning, where classes without
        it overlap a fifth less and one class more finds the same; not with scribbles, prior, or `k="auto"`.
    partial_volume : bool
        Probabilities are fractions: how much of each class a pixel or voxel on a border holds, from a fit of pure
        classes and mixtures of two that are neighbours in the first feature. Their sums are volumes. Labels stay as
        they are. Not with `scribbles`, `components` or outliers "student".
    sample : int or "auto", optional
        Pixels that the fit sees; None for every pixel, of what stays in its file by one pass an iteration of EM. "auto"
        is every voxel of volumes of up to 16 million, whose classes then do not depend on the order of the axes, and
        100 000 pixels of all else. Integer images of few distinct values are fitted to the counts of all of them where
        position is no feature.
    seed : int
        Same seed, same input, same version: same result, for any number of threads. Chance has a say only in more than
        6 classes, `k="auto"`, strokes and the bias field.
    outliers : {"uniform", "student"}, optional
        Keep gross errors from moving the classes: by a uniform component beside them, or by Student-t components.
    scribbles : path or array_like, optional
        Strokes that decide: integers (*spatial), 1 to k where the class of a pixel is given, 0 where it is free; a mask
        of 0 and 255, which is class 1; or strokes of any colours, see `gmmseg.io.strokes.strokes_of`; or training areas
        in a vector file, whose names the classes get, see `gmmseg.io.areas.drawn_areas`. Classes with strokes keep
        their numbers, the others are numbered by their first feature.
    prior : path or array_like, shape (k, *spatial), optional
        Prior probability of each class at each pixel, as of an atlas; the classes keep its order.
    prior_weight : float
        Power of `prior`: 0 ignores it, 1 takes it as it is.
    class_names : sequence of str, optional
        One a class, in the order of the labels.
    components : int, 1 to 64, optional
        Gaussians of which each class is made: by default 1, where every class has scribbles as many as they can tell
        apart, and with `k="auto"` as many as have no border between them. Several are told by scribbles what they are
        of, and what no stroke has touched is of the class whose strokes are spread widely and near the frame; without
        scribbles those that overlap are one class.
    order : {"dark", "bright"}
        Which class is the first, of those that neither scribbles nor a prior number: the darkest or the brightest, by
        the first feature.
    memory : int
        Bytes that may be taken. Of a file whose pixels take more than half of that, pixels are read window by window,
        and `Segmentation.save` writes labels window by window, in any format that can be read and written so.
    allow_remote : bool
        Whether an address on the network, such as "https://...", may be fetched.
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
    Time grows with the pixels. Images and labels are held whole, up to `memory`; posteriors live in tiles. An array is
    not copied: probabilities, tables and what else is computed when it is asked for are of its numbers at that time.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.zeros((8, 8), np.uint8)
    >>> image[:, 4:] = 200
    >>> segment(image, k=2).labels[0]
    array([1, 1, 1, 1, 2, 2, 2, 2], dtype=uint8)
    """
    options = FitOptions(
        k=k,
        features=features,
        covariance=covariance,
        smooth=smooth,
        bias_field=bias_field,
        partial_volume=partial_volume,
        sample=sample,
        seed=seed,
        outliers=outliers,
        class_names=class_names,
        components=components,
        order=order,
        hints=Hints(scribbles, prior, prior_weight),
    )
    effort = Effort(memory, threads, progress)
    taken = {"mask": mask, "channel_axis": channel_axis, "axes": axes, "spacing": spacing, "unit": unit}
    reading = _reading(memory, **taken, nodata=nodata, series=series, allow_remote=allow_remote)
    with heard() as said:
        opened = options.view(open_image(image, reading))
        fitted = fit_images([opened], 1, options, effort.workers)
    blocks = None if fitted.blocks is None else (opened, fitted.blocks)
    rule = Rule(fitted.model, fitted.found.guidance, bias=fitted.bias, partial=fitted.partial, blocks=blocks)
    course = fitted.course
    del fitted  # and with it the sample: labels take the most memory of all
    if opened.n_pixels > _LARGE:
        give_back()
    return labelled(opened, rule, effort, said, course)


def fit(
    images: Source | Iterable[Source],
    k: int | Literal["auto"] | None = None,
    *,
    features: str | None = None,
    covariance: str = "auto",
    mask: Any = None,
    nodata: float | Sequence[float | None] | None = None,
    channel_axis: Any = "auto",
    axes: str | None = None,
    spacing: Sequence[float] | None = None,
    unit: str | None = None,
    series: str | None = None,
    smooth: bool | float = True,
    sample: int | Literal["auto"] | None = "auto",
    seed: int = 0,
    outliers: str | None = None,
    scribbles: Any = None,
    prior: Any = None,
    prior_weight: float = 1.0,
    class_names: Sequence[str] | None = None,
    components: int | None = None,
    order: str = "dark",
    weight: str = "equal",
    memory: int = MEMORY,
    allow_remote: bool = False,
    threads: int | None = None,
) -> Model:
    """Fit one model to one image or to many of the same kind, of which each has an equal say unless told otherwise.

    Parameters
    ----------
    images : path, array_like, Image, or an iterable of these
        Such as a list, a generator or `Path("scenes").glob("*.tif")`. They are opened one after the other; those of an
        iterable without a length are counted first. A list is of images, never one image.
    k, features, covariance, smooth, seed, outliers, class_names, components, order
        As of `segment`.
    mask : path or array_like, shape (*spatial), or a list of these, optional
        Of every image, or a list with one for each: a path, an array, or None where all of its pixels are used.
    nodata : float or sequence of (float or None), optional
        Number that stands for no data in every image, of every channel or one a channel.
    channel_axis, axes : optional
        Of every image that is an array or a file of one; a time-lapse is as many images as it has frames.
    spacing, unit, series : optional
        Of every image.
    sample : int or "auto", optional
        Pixels that the fit sees, shared out equally among the images; None for every pixel; "auto" as of `segment`.
    scribbles, prior, prior_weight
        As of `segment`; of a single image.
    weight : {"equal", "area"}
        What say each image has: the same, or by the area of its valid pixels, in the unit of their spacing.
    memory, allow_remote, threads
        As of `segment`.

    Returns
    -------
    Model
        To be applied to these and other images with `apply`, and saved with `Model.save`.

    Raises
    ------
    InputError
        An image cannot be read.
    ParameterError
        A parameter has an unusable value, there is no image, or images are of different kinds.

    Warns
    -----
    DataWarning
        The images have fewer distinct colours than k, or one of them no valid pixel.

    Examples
    --------
    >>> import numpy as np
    >>> dark, bright = np.full((8, 8), 10, np.uint8), np.full((8, 8), 200, np.uint8)
    >>> model = fit([dark, bright], k=2)
    >>> apply(model, bright).labels.max()
    np.uint8(2)
    """
    from gmmseg.fitting.in_turn import InTurn, counted, masks_of  # here, because segment() does without
    from gmmseg.model.adapting import look, remember  # likewise

    options = FitOptions(
        k=k,
        features=features,
        covariance=covariance,
        smooth=smooth,
        sample=sample,
        seed=seed,
        outliers=outliers,
        class_names=class_names,
        components=components,
        order=order,
        weight=weight,
        hints=Hints(scribbles, prior, prior_weight),
    )
    effort = Effort(memory, threads)
    n_images, sources = counted(images)
    taken = {"channel_axis": channel_axis, "axes": axes, "spacing": spacing, "unit": unit, "series": series}
    masks = masks_of(mask, n_images)
    readings = [_reading(memory, mask=each, nodata=nodata, **taken, allow_remote=allow_remote) for each in masks]
    opened = InTurn(sources, readings, options)
    looks: list[Any] = []
    fitted = fit_images(
        opened, n_images, options, effort.workers, seen=lambda image, recipe: looks.append(look(image, recipe))
    )
    return remember(fitted.model, looks, fitted.found.image.spacing)


def choose_k(
    image: Source,
    *,
    max_k: int = MOST_CHOSEN,
    covariance: str | Sequence[str] = COVARIANCES,
    criterion: str = "icl",
    features: str | None = None,
    mask: Any = None,
    nodata: float | Sequence[float | None] | None = None,
    channel_axis: Any = "auto",
    axes: str | None = None,
    spacing: Sequence[float] | None = None,
    unit: str | None = None,
    series: str | None = None,
    sample: int | None = 100_000,
    seed: int = 0,
    memory: int = MEMORY,
    allow_remote: bool = False,
    threads: int | None = None,
) -> Choice:
    """Choose how many classes an image has: how many components, and which of them are one class.

    Parameters
    ----------
    max_k : int, 1 to 255
        Numbers of components from 1 to this are compared; no more than the sampled pixels have distinct colours.
    covariance : str or sequence of str
        Families that are compared.
    criterion : {"icl", "bic", "aic", "mdl"}
        The one that decides.
    image, features, mask, nodata, channel_axis, axes, spacing, unit, series, sample, seed
        As of `segment`; position, where it is a feature, does not count.
    memory, allow_remote, threads
        As of `segment`.

    Returns
    -------
    Choice
        Every candidate with its criteria, the chosen one, its components in groups, where the criterion is ICL (the
        others count components), and the reason.

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
    from gmmseg.fitting.choosing_k import Candidates, choose_classes  # here, because most runs never choose

    number = whole_number("max_k", max_k, 1, MOST_CLASSES)
    options = FitOptions(k="auto", features=features, sample=sample, seed=seed)
    families = known_covariances(covariance)
    rng, workers = default_rng(options.seed), Effort(memory, threads).workers
    taken = {"mask": mask, "channel_axis": channel_axis, "axes": axes, "spacing": spacing, "unit": unit}
    reading = _reading(memory, **taken, nodata=nodata, series=series, allow_remote=allow_remote)
    opened = options.view(open_image(image, reading))
    request = SurveyRequest(options.recipe, options.count, by_value=False, alike=ALIKE, calm=ALIKE, threads=workers)
    found = survey([StandIn.of(opened, options).image], request, rng)
    if found.every is not None:
        raise ParameterError(f"{opened.name} is not held in memory; give a number of pixels as sample")
    if found.sample.planes.shape[1] == 0:
        raise InputError(f"{opened.name}: no pixel is valid, so there are no classes to choose from; check the mask")
    candidates = Candidates(found.supported(number, quiet=True), families, criterion)
    return choose_classes(found, candidates, rng, workers).choice


def apply(
    model: Model,
    image: Source,
    *,
    mask: Any = None,
    nodata: float | Sequence[float | None] | None = None,
    channel_axis: Any = "auto",
    axes: str | None = None,
    spacing: Sequence[float] | None = None,
    unit: str | None = None,
    series: str | None = None,
    smooth: bool | float | None = None,
    scribbles: Any = None,
    prior: Any = None,
    prior_weight: float = 1.0,
    adapt: bool = False,
    memory: int = MEMORY,
    allow_remote: bool = False,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Segmentation:
    """Segment an image with a model fitted before: the same classes, the same numbers.

    Parameters
    ----------
    model : Model
    image : path, array_like or Image
        Of the kind that the model was fitted to.
    mask, nodata, channel_axis, axes, spacing, unit, series, scribbles, prior, prior_weight
        As of `segment`.
    memory, allow_remote, threads, progress
        As of `segment`.
    smooth : bool or float, 0 to 1, optional
        How much neighbours agree; as in the model where None, and where True unless that is 0.
    adapt : bool
        Follow an image of another gain and offset, see `gmmseg.model.adapting.adapt`.

    Returns
    -------
    Segmentation

    Raises
    ------
    InputError
        The image cannot be read, or is of another kind than the model's.
    ParameterError
        A parameter has an unusable value.

    Examples
    --------
    >>> import numpy as np
    >>> dark, bright = np.full((8, 8), 10, np.uint8), np.full((8, 8), 200, np.uint8)
    >>> model = fit([dark, bright], k=2)
    >>> apply(model, bright).mask(2).all(), apply(model, dark).mask(2).any()
    (np.True_, np.False_)
    """
    if not isinstance(model, Model):
        raise ParameterError(
            f"model is of type {type(model).__name__}; give what `fit` or `load_model` returns, and the image after it"
        )
    hints, effort = Hints(scribbles, prior, prior_weight), Effort(memory, threads, progress)
    strength = None if smooth is None else strength_of(smooth)
    taken = {"mask": mask, "channel_axis": channel_axis, "axes": axes, "spacing": spacing, "unit": unit}
    taken |= {"series": series, "channels": model.channels_in(image)}
    reading = _reading(memory, **taken, nodata=nodata, allow_remote=allow_remote)
    with heard() as said:
        opened = model.view(open_image(image, reading))
        if single("adapt", adapt):
            from gmmseg.model import adapting  # here, because most runs do not adapt

            model = adapting.adapt(model, opened)
    if smooth is not None:
        model = replace(model, strength=(model.strength or TYPICAL) if strength is None else strength)
    return labelled(opened, Rule(model, hints.guidance(opened, model.k, model.class_names)), effort, said)


def _reading(memory: int, **taken: Any) -> Reading:
    """Return how an image is read where there are so many bytes: half of them are for its pixels."""
    return Reading(**taken, memory=memory // 2, budget=memory)
