"""`gmmseg segment`: images in, label maps and a table of their classes out."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from gmmseg.batch.processing import process
from gmmseg.cli.each import run_each
from gmmseg.cli.progress import Progress
from gmmseg.cli.targets import Job, folder, plan
from gmmseg.cli.types import (
    FILE,
    Amount,
    Bytes,
    ChannelAxis,
    Channels,
    Command,
    Covariance,
    Features,
    Fraction,
    MinSize,
    Names,
    Option,
    Outliers,
    WholeNumber,
)
from gmmseg.io.formats import identify

__all__ = [
    "command",
    "fitting_options",
    "fitting_parameters",
    "guides_of",
    "memory_option",
    "min_size_option",
    "reading_options",
    "reading_parameters",
    "saving_parameters",
]

_classes = partial(click.option, cls=Option, section="Classes", show_default=True)
_pixels = partial(click.option, cls=Option, section="Pixels", show_default=True)
_output = partial(click.option, cls=Option, section="Output")
_running = partial(click.option, cls=Option, section="Running")


_FITTING = (
    _classes(
        "-k",
        metavar="INT|auto",
        type=WholeNumber(1, 255, word="auto"),
        default=4,
        help="Number of classes, 1 to 255, or auto to choose it by the image.",
    ),
    _classes(
        "--features",
        type=Features(),
        help="What tells pixels apart, one or several of lab, luv, rgb, hsv, gray, intensity, bands, texture (local "
        "energy and direction) and xy (the position, with a weight if you like: lab,xy:0.5).  [default: lab,xy for "
        "colour, intensity for one channel, else bands]",
    ),
    _classes(
        "--covariance", type=Covariance(), default="full", help="Shape of classes: full, tied, diag or spherical."
    ),
    _classes(
        "--smooth",
        metavar="auto|0..1",
        type=Fraction(word="auto"),
        default="auto",
        help="How much neighbouring pixels agree, 0 to 1, or auto to estimate it.",
    ),
    _classes("--no-smooth", is_flag=True, show_default=False, help="Each pixel for itself; the same as --smooth 0."),
    _classes(
        "--bias-field",
        is_flag=True,
        show_default=False,
        help="Estimate a smooth gain over each image (uneven light, a coil) with the classes, and take it out.",
    ),
    _classes(
        "--sample",
        metavar="INT|all",
        type=WholeNumber(1, word="all"),
        default=100_000,
        help="Pixels to fit the classes to, or all.",
    ),
    _classes(
        "--outliers",
        metavar="uniform|student",
        type=Outliers(),
        help="Keep gross errors from moving the classes, by a uniform class beside them or by long tails.",
    ),
    _classes("--class-names", type=Names(), help="Names of the classes, in the order of their labels."),
    _classes("--seed", type=WholeNumber(0), default=0, help="Start of the random choices: same seed, same result."),
)
_READING = (
    _pixels("--mask", type=FILE, help="Label map of the same size; pixels where it is 0 are left out."),
    _pixels(
        "--channel-axis",
        metavar="INT|none",
        type=ChannelAxis(),
        default="auto",
        help="Axis of the channels in .npy, .npz and TIFF files (0 first, -1 last), or none for a volume.",
    ),
    _pixels(
        "--channels",
        "--bands",
        "channels",
        type=Channels(),
        help="Which channels, in which order: numbers from 1 or names in the file, as in 4,3,2 or DAPI.  "
        "[default: all]",
    ),
    _pixels(
        "--max-pixels", type=WholeNumber(1), default=2_000_000_000, help="Refuse larger images before decoding them."
    ),
)


memory_option = _running(
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
    "the file says how large a pixel is (20mm2, 2.5ha, 1ml).",
)


def fitting_options(function: Any) -> Any:
    """Add the options that say how classes are found."""
    return _with(_FITTING, function)


def reading_options(function: Any) -> Any:
    """Add the options that say how images are read."""
    return _with(_READING, function)


def fitting_parameters(context: click.Context) -> dict[str, Any]:
    """Return the values of `fitting_options` as the library's functions take them."""
    given = context.params
    if given["no_smooth"] and context.get_parameter_source("smooth") is ParameterSource.COMMANDLINE:
        amount = "auto" if given["smooth"] is True else f"{given['smooth']:g}"
        raise click.UsageError(f"--smooth {amount} and --no-smooth contradict each other; give one of them")
    same = ("features", "covariance", "sample", "seed", "outliers", "class_names")
    if given.get("bias_field") and "texture" in (given["features"] or ""):
        raise click.UsageError(f"--bias-field does not go with --features {given['features']}; leave texture out")
    bias = {"bias_field": given["bias_field"]} if "bias_field" in given else {}
    return {
        "k": given["k"] or "auto",
        "smooth": 0.0 if given["no_smooth"] else given["smooth"],
        **bias,
        **{name: given[name] for name in same},
    }


def reading_parameters(context: click.Context) -> dict[str, Any]:
    """Return the values of `reading_options`, and of `memory_option` if there, as `gmmseg.io.read` takes them."""
    given = context.params
    same = {name: given[name] for name in ("mask", "channel_axis", "channels", "max_pixels")}
    return {**same, "memory": given["memory"] // 2 if "memory" in given else None}


def saving_parameters(context: click.Context) -> dict[str, dict[str, Any]]:
    """Return the options of the formats that are written, as `gmmseg.batch.process` takes them."""
    given = context.params
    if given["soft_type"] is not None and given["soft"] is None:
        raise click.UsageError(f"--soft-type {given['soft_type']} is of --soft FILE, which is not given")
    saving: dict[str, dict[str, Any]] = {"labels": {"cog": True} if given["cog"] else {}}
    options = {"soft": "soft", "anomaly": "anomaly", "bias": "save_bias", "corrected": "save_corrected"}
    for kind, option in options.items():
        path = given.get(option)
        tiff = path is not None and path.suffix.lower() in (".tif", ".tiff")
        saving[kind] = {"cog": True} if given["cog"] and tiff else {}
    if given["soft_type"] is not None:
        saving["soft"]["dtype"] = given["soft_type"]
    return saving


def guides_of(options: dict[str, Any], n_images: int) -> list[Path]:
    """Return the files that say something of pixels; they are there, and of one image where they have to be."""
    guides = [options[name] for name in ("mask", "scribbles", "prior") if options[name] is not None]
    for name in ("scribbles", "prior"):
        if options[name] is not None and n_images > 1:
            raise click.UsageError(f"--{name} is of one image, but {n_images} are given; run them one at a time")
    for guide in guides:
        identify(guide)
    return guides


def _with(options: tuple[Any, ...], function: Any) -> Any:
    for option in reversed(options):
        function = option(function)
    return function


@click.command("segment", cls=Command, epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 3 some images failed.")
@click.argument("images", metavar="IMAGE...", nargs=-1, required=True, type=FILE)
@fitting_options
@reading_options
@memory_option
@min_size_option
@_pixels("--scribbles", type=FILE, help="Strokes (one image): the class of some pixels, 0 where a pixel is free.")
@_pixels("--prior", type=FILE, help="Probability of each class at each pixel (one image): .npz, .npy, .tif or .nii.gz.")
@_pixels("--prior-weight", type=Amount(), default=1.0, help="Power of the prior: 0 ignores it, 1 takes it as it is.")
@_output(
    "-o",
    "--output",
    type=FILE,
    help="Label map of one image: .png, .tif, .npy, .npz, .nii, .nii.gz or .dcm.  [default: NAME_labels in this "
    "folder: .png, or what suits the image]",
)
@_output(
    "--out-dir", metavar="DIR", type=FILE, help="Folder for the label maps of many images; made where it is missing."
)
@_output("--cog", is_flag=True, help="GeoTIFF outputs are cloud-optimised, with overviews.")
@_output("--soft", type=FILE, help="Probability of each class (one image): .npz, .npy, .tif, .nii.gz or .dcm.")
@_output(
    "--soft-type",
    type=click.Choice(("float32", "uint16", "uint8")),
    help="How probabilities are stored: integers are in proportion.  [default: float32]",
)
@_output("--overlay", type=FILE, help="Classes laid over the picture (one image): .png, .tif, .jpg or .webp.")
@_output("--contours", type=FILE, help="Outlines of the classes on the picture (one image): .png, .tif, .jpg or .webp.")
@_output("--anomaly", type=FILE, help="How usual each pixel is, as a p-value (one image): .tif, .npy, .npz or .nii.gz.")
@_output("--save-bias", type=FILE, help="The bias field, as a gain (one image): .tif, .npy, .npz, .nii or .nii.gz.")
@_output(
    "--save-corrected", type=FILE, help="The image without its bias field (one image): as of --save-bias, .png or .jpg."
)
@_output("--model", type=FILE, help="The fitted classes (one image; without its bias field): .json.")
@_output("--overwrite", is_flag=True, help="Replace files that exist.")
@_output("--json", "as_json", is_flag=True, help="Print JSON instead of tables: a list with one object an image.")
@_running("-q", "--quiet", is_flag=True, help="Print no table and no progress.")
@_running("--threads", type=WholeNumber(1, 1024), help="They do not change the result.  [default: all processors]")
@click.pass_context
def command(context: click.Context, /, images: tuple[Path, ...], **options: Any) -> int:
    """Segment images into classes and write their label maps.

    Each pixel gets the number of its class, counted from 1, dark to bright; 0 means no data. A table of the classes is
    printed: their share of the image, mean colour and mean features. Files of one grid with + between them are the
    channels of one image.

    \b
    Examples:
      gmmseg segment photo.png -k 4
      gmmseg segment cell.png -k 3 --soft cell_soft.npz --overlay cell_overlay.png
      gmmseg segment scenes/*.tif -k 6 --out-dir labels --json
      gmmseg segment scene.tif --channels 4,3,2
      gmmseg segment scan.nii.gz -k 3 --bias-field -o tissue.nii.gz
      gmmseg segment t1.nii.gz+t2.nii.gz -k 3 -o tissue.nii.gz
    """  # noqa: D301  # click keeps the lines below this character as they are
    fitting, saving = fitting_parameters(context), saving_parameters(context)
    for name in ("save_bias", "save_corrected"):
        if options[name] is not None and not fitting["bias_field"]:
            option = f"--{name.replace('_', '-')}"
            raise click.UsageError(f"{option} {options[name]} is of --bias-field, which is not given; add it")
    jobs = plan(
        images,
        output=options["output"],
        out_dir=options["out_dir"],
        extra={
            **{name: options[name] for name in ("soft", "overlay", "contours", "anomaly", "model")},
            **{kind: options[f"save_{kind}"] for kind in ("bias", "corrected")},
        },
        channel_axis=options["channel_axis"],
        guides=guides_of(options, len(images)),
    )

    def work(job: Job, progress: Progress, title: str, record: dict[str, Any]) -> None:
        record |= process(
            job.source,
            job.outputs,
            parameters={
                **fitting,
                **{name: options[name] for name in ("scribbles", "prior", "prior_weight", "memory", "threads")},
                "min_size": options["min_size"],
            },
            reading=reading_parameters(context),
            saving=saving,
            overwrite=options["overwrite"],
            stage=partial(progress.stage, title),
            progress=progress,
        )

    with folder(options["out_dir"]):
        return run_each(jobs, work, overwrite=options["overwrite"], as_json=options["as_json"], quiet=options["quiet"])
