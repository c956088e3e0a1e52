"""Options that several commands share, and their values as the library takes them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from gmmseg.batch.guide_names import is_pattern, named_by, ruled_by
from gmmseg.cli.types import (
    FILE,
    SOURCE,
    Amount,
    Axes,
    Bytes,
    ChannelAxis,
    Channels,
    Covariance,
    Features,
    Fraction,
    MaskValues,
    MinSize,
    Names,
    Nodata,
    Option,
    Outliers,
    Sample,
    Spacing,
    WholeNumber,
    output,
    pixels,
    running,
)
from gmmseg.features.feature import FEATURES
from gmmseg.io.formats import identify, suffixes_for
from gmmseg.io.parts import parts_of, rule_parts
from gmmseg.io.request import MAX_PIXELS
from gmmseg.labelling.layers import LAYERS, Layer

if TYPE_CHECKING:
    from gmmseg.batch.cluster import Cluster

__all__ = [
    "FILE_LAYERS",
    "cluster_of",
    "cluster_options",
    "fitting_options",
    "fitting_parameters",
    "guides_of",
    "layer_options",
    "memory_option",
    "min_size_option",
    "plain_option",
    "reading_options",
    "reading_parameters",
    "remote_option",
    "reported",
    "require_images",
    "saving_parameters",
    "taking_options",
]


class FittingOption(Option):
    """An option that is a parameter of `gmmseg.segment`, of the same name: `fitting_parameters` passes it on."""


class TakingOption(Option):
    """An option that says how what is in the file of an image is taken."""


_fitting = partial(click.option, cls=FittingOption, section="Classes", show_default=True)

_KNOWN = [f"{each.name} ({each.note})" if each.note else each.name for each in FEATURES.values()]
_FITTING = (
    _fitting(
        "-k",
        metavar="INT|auto",
        type=WholeNumber(1, 255, word="auto"),
        default=4,
        help="Number of classes, 1 to 255, or auto to choose it by the image.",
    ),
    _fitting(
        "--features",
        type=Features(),
        help=f"What tells pixels apart, one or several of {', '.join(_KNOWN[:-1])} and {_KNOWN[-1]}.  [default: lab,xy "
        "for colour, intensity for one channel, bands for up to 16, else pca]",
    ),
    _fitting(
        "--covariance",
        type=Covariance(word="auto"),
        default="auto",
        help="Shape of classes: full, tied, diag, spherical, or auto: full, but tied for pca.",
    ),
    _fitting(
        "--smooth",
        metavar="auto|0..1",
        type=Fraction(word="auto"),
        default="auto",
        help="How much neighbouring pixels agree, 0 to 1, or auto to estimate it.",
    ),
    _fitting("--no-smooth", is_flag=True, help="Each pixel for itself; the same as --smooth 0."),
    _fitting(
        "--bias-field/--no-bias-field",
        default=None,
        show_default=False,
        help="Estimate a smooth gain over each image (uneven light, a coil) with the classes, and take it out.  "
        "[default: only of scans that are no CT, where it tells classes apart better]",
    ),
    _fitting(
        "--partial-volume",
        is_flag=True,
        help="Probabilities are fractions of classes that share a pixel or voxel; tables have their volumes too.",
    ),
    _fitting(
        "--sample",
        metavar="auto|INT|all",
        type=Sample(),
        default="auto",
        help="Pixels to fit the classes to, or all; auto is all voxels of volumes of up to 16 million, else 100 000.",
    ),
    _fitting(
        "--outliers",
        metavar="uniform|student",
        type=Outliers(),
        help="Keep gross errors from moving the classes, by a uniform class beside them or by long tails.",
    ),
    _fitting(
        "--components",
        type=WholeNumber(1, 64),
        help="Gaussians that make up each class.  [default: 1, and as many as tell them apart where all have strokes]",
    ),
    _fitting(
        "--order",
        type=click.Choice(("dark", "bright")),
        default="dark",
        help="Which class is 1: the darkest or the brightest, by the first feature.",
    ),
    _fitting("--class-names", type=Names(), help="Names of the classes, in the order of their labels."),
    _fitting("--seed", type=WholeNumber(0), default=0, help="Start of the random choices: same seed, same result."),
)
_MASKING = (
    pixels(
        "--mask",
        type=SOURCE,
        help="Label map of the same place or, where that is not said, size; pixels where it is 0 are left out. Of each "
        "of many images: '{folder}/{name}_mask.tif'.",
    ),
    pixels(
        "--mask-threshold",
        metavar="NUMBER",
        type=float,
        help="Use pixels where the mask is at least this, as 0.5 of probabilities.  [default: where it is not 0]",
    ),
    pixels(
        "--mask-values",
        type=MaskValues(),
        help="Use pixels where a mask, of a scene or a file, has these values (SCL:4,5,6,7) or bits not set "
        "(QA_PIXEL:~3,4); of a file of several bands one is named (udm2.tif@clear:1). "
        "Of each of many images: '{folder}/{name}_scl.tif:4'.",
    ),
    pixels(
        "--nodata",
        type=Nodata(),
        help="What stands for no data where the file does not declare it: 0, or one number a channel (0,none,-9999).",
    ),
)
_SPACING = pixels(
    "--spacing",
    type=Spacing(),
    help="Size of a pixel where the file does not say it or is wrong: 0.65um, or along planes, rows and columns "
    "2,0.5,0.5um.",
)
_taking = partial(click.option, cls=TakingOption, section="Pixels", show_default=True)
_TAKING = (
    _taking(
        "--channel-axis",
        metavar="INT|none",
        type=ChannelAxis(),
        default="auto",
        help="Axis of the channels in .npy, .npz and TIFF files (0 first, -1 last), or none for a volume.",
    ),
    _taking(
        "--axes",
        type=Axes(),
        help="Axes in .npy, .npz and TIFF files that do not say them, as in TYX or TZCYX: time, planes, channels (S: "
        "red, green and blue), rows, columns. Frames have one model in common and are labelled one by one.",
    ),
    _taking(
        "--channels",
        "--bands",
        "channels",
        type=Channels(),
        help="Which channels, in which order: numbers from 1, ranges of them, or names in the file, as in 4,3,2, "
        "1-7,20-30, DAPI or nir,red.  [default: all; of a satellite scene the bands of the surface]",
    ),
    _taking(
        "--resolution",
        metavar="METRES",
        type=Amount(positive=True),
        help="Pixels that all bands of a satellite scene are brought to.  [default: those of its finest band]",
    ),
    _taking(
        "--magnitude",
        is_flag=True,
        help="Take complex numbers of a raster, as of radar, by their magnitude.",
    ),
    _taking(
        "--series",
        metavar="NUMBER|UID|TEXT",
        help="Which series of a folder of DICOM files, by its number, identifier or description; 3/2 is the second "
        "volume of series 3, where that has several (echoes, times).",
    ),
    _taking("--max-pixels", type=WholeNumber(1), default=MAX_PIXELS, help="Refuse larger images before decoding them."),
)


def _suffixes(layer: Layer) -> str:
    """Return the endings of files that can hold a layer: ".npz, .npy or .tif"."""
    usable = [end for end in suffixes_for(layer.kind) if end != ".tiff"]
    usable += [".png", ".jpg"] if layer.name == "corrected" else []
    return f"{', '.join(usable[:-1])} or {usable[-1]}"


remote_option = pixels(
    "--allow-remote",
    is_flag=True,
    help="Fetch images from the network: addresses that begin with https:// or s3:// (public buckets).",
)
memory_option = running(
    "--memory",
    type=Bytes(),
    default="1GiB",
    show_default=True,
    help="Rasters and volumes that take more than half of it are read and written window by window.",
)
min_size_option = click.option(
    "--min-size",
    cls=Option,
    section="Regions",
    type=MinSize(),
    help="Give smaller regions (specks, holes) to their neighbours: pixels or voxels (50), or an area or volume where "
    "the file says how large a pixel is (20mm2, 15um2, 2.5ha, 40um3, 1ml).",
)


_CLUSTER = (
    running("--scheduler", metavar="ADDRESS", help="Workers of Dask that compute the image, as in tcp://host:8786."),
    running("--workers", type=WholeNumber(1, 1024), help="Processes of this machine that compute the image."),
    running("--chunk", type=WholeNumber(64, 65536), help="Side in pixels of what a worker computes.  [default: 4096]"),
)


def cluster_options(function: Any) -> Any:
    """Add the options that say which workers compute an image."""
    return _with(_CLUSTER, function)


def cluster_of(options: dict[str, Any]) -> AbstractContextManager[Cluster | None]:
    """Have the workers that are asked for; None where the command computes by itself."""
    scheduler, workers = options["scheduler"], options["workers"]
    if scheduler is not None and workers is not None:
        raise click.UsageError(f"--scheduler {scheduler} and --workers {workers} contradict each other; give one")
    if scheduler is None and workers is None:
        if options.get("chunk") is not None:
            raise click.UsageError(f"--chunk {options['chunk']} is of --scheduler or --workers, which are not given")
        return nullcontext()
    from gmmseg.batch.cluster import connected

    return connected(scheduler, workers, options.get("chunk"))


plain_option = output(
    "--plain",
    is_flag=True,
    help="Labels are grey numbers, for programs that open the colours of a palette instead, as OpenCV and scikit-image "
    "do; without it gmmseg.io.read_labels, Pillow and GIS programs open the numbers.",
)

FILE_LAYERS = tuple(layer for layer in LAYERS if layer.name != "labels")
"""Those that an option of their own names a file for."""

_LAYERS = tuple(
    output(layer.option, layer.output, type=FILE, help=f"{layer.help} (one image): {_suffixes(layer)}.")
    for layer in FILE_LAYERS
)


def layer_options(function: Any) -> Any:
    """Add an option for each layer that is written to a file of its own."""
    return _with(_LAYERS, function)


def fitting_options(function: Any) -> Any:
    """Add the options that say how classes are found."""
    return _with(_FITTING, function)


def reading_options(function: Any) -> Any:
    """Add the options that say how images are read."""
    return _with((*_MASKING, *_TAKING[:2], _SPACING, *_TAKING[2:]), function)


def taking_options(function: Any) -> Any:
    """Add those of them that say how what is in a file is taken, not which of its pixels are used."""
    return _with((*_TAKING[:2], _SPACING, *_TAKING[2:]), function)


def require_images(context: click.Context, given: bool) -> None:
    """Refuse `taking_options` where there is no image that they could be of."""
    for each in context.command.params:
        said = context.get_parameter_source(str(each.name)) is ParameterSource.COMMANDLINE
        if isinstance(each, TakingOption) and said and not given:
            raise click.UsageError(f"{each.opts[0]} is of IMAGE, which is not given; add it, or leave the option out")


def fitting_parameters(context: click.Context) -> dict[str, Any]:
    """Return the values of `fitting_options` as the library's functions take them."""
    given = context.params
    if given["no_smooth"] and context.get_parameter_source("smooth") is ParameterSource.COMMANDLINE:
        amount = "auto" if given["smooth"] is True else f"{given['smooth']:g}"
        raise click.UsageError(f"--smooth {amount} and --no-smooth contradict each other; give one of them")
    chosen = {each.name: given[each.name] for each in context.command.params if isinstance(each, FittingOption)}
    no_smooth = chosen.pop("no_smooth")
    if "bias_field" in chosen and chosen["bias_field"] is None:
        chosen["bias_field"] = "auto"
    # As many as there are strokes of, where nobody says how many.
    drawn = given.get("scribbles") is not None and context.get_parameter_source("k") is ParameterSource.DEFAULT
    k = None if drawn else chosen["k"] or "auto"
    return {**chosen, "k": k, "smooth": 0.0 if no_smooth else chosen["smooth"]}


def reading_parameters(context: click.Context) -> dict[str, Any]:
    """Return the values of `reading_options`, and of `memory_option` if there, as `gmmseg.io.read` takes them."""
    given = context.params
    same: dict[str, Any] = {
        name: given[name]
        for name in (
            "mask",
            "mask_values",
            "mask_threshold",
            "nodata",
            "channel_axis",
            "axes",
            "channels",
            "resolution",
            "magnitude",
            "series",
            "max_pixels",
        )
        if name in given
    }
    if given.get("spacing") is not None:
        same |= dict(zip(("spacing", "unit"), given["spacing"], strict=True))
    return {**same, "memory": given["memory"] // 2 if "memory" in given else None}


def saving_parameters(context: click.Context) -> dict[str, dict[str, Any]]:
    """Return the options of the formats that are written, as `gmmseg.batch.process` takes them."""
    given = context.params
    if given["soft_type"] is not None and given["soft"] is None:
        raise click.UsageError(f"--soft-type {given['soft_type']} is of --soft FILE, which is not given")
    asked = [name for name in ("cog", "plain") if given[name]]
    saving: dict[str, dict[str, Any]] = {"labels": dict.fromkeys(asked, True)}
    for layer in FILE_LAYERS:
        path = given.get(layer.output)
        tiff = path is not None and path.suffix.lower() in (".tif", ".tiff")
        saving[layer.output] = {"cog": True} if given["cog"] and tiff else {}
    if given.get("legend"):
        if given["overlay"] is None:
            raise click.UsageError("--legend is of --overlay FILE, which is not given")
        saving["overlay"] = {"legend": True}
    if given["soft_type"] is not None:
        saving["soft"]["dtype"] = given["soft_type"]
    return saving


def reported(context: click.Context, record: dict[str, Any]) -> dict[str, Any]:
    """Return what a report says of the run: the command as it would be typed, and what was said up to now."""
    import shlex

    command = ["gmmseg", *(context.find_object(tuple) or ())]
    return {"command": shlex.join(command), "warnings": record["warnings"]}


def _has_areas(scribbles: Path) -> bool:
    from gmmseg.io.vector_features import is_vector_file  # here, because most images have no strokes

    return is_vector_file(scribbles)


def guides_of(options: dict[str, Any], images: Sequence[Path]) -> list[Path]:
    """Return the files that say something of pixels, of one image where they have to be.

    They are there, but for the masks that a pattern names: one that is not is for its own image to say.
    """
    mask = options["mask"]
    guides = [options[name] for name in ("mask", "scribbles", "prior") if options[name] is not None]
    for name in ("scribbles", "prior"):
        if options[name] is not None and len(images) > 1:
            raise click.UsageError(f"--{name} is of one image, but {len(images)} are given; run them one at a time")
    named = [named_by("mask", mask, image) for image in images] if is_pattern(mask) else []
    guides = [guide for guide in guides if not (named and guide is mask)]
    for guide in guides:
        for part in () if guide is options["scribbles"] and _has_areas(guide) else parts_of(guide):
            identify(part)
    guides += named
    rule = options.get("mask_values")
    if (pattern := ruled_by(rule)) is not None:
        guides += [named_by("mask", pattern, image) for image in images]
    elif rule is not None:
        ruled = Path(rule_parts(rule)[0])  # a file, or a mask that scenes have
        guides += [ruled] if ruled.is_file() else []
    return guides


def _with(options: tuple[Any, ...], function: Any) -> Any:
    for option in reversed(options):
        function = option(function)
    return function
