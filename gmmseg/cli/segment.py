"""`gmmseg segment`: images in, label maps and a table of their classes out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from gmmseg.batch.outputs import check_outputs
from gmmseg.batch.processing import process
from gmmseg.cli.messages import collected_warnings, exit_code, explain, plain, print_error
from gmmseg.cli.options import (
    FILE,
    Amount,
    Bytes,
    ChannelAxis,
    Channels,
    Command,
    Covariance,
    Features,
    Fraction,
    Names,
    Option,
    Outliers,
    WholeNumber,
)
from gmmseg.cli.progress import Progress
from gmmseg.cli.table import class_table
from gmmseg.cli.targets import Job, folder, plan
from gmmseg.io.formats import identify
from gmmseg.io.stacking import files_of

__all__ = ["command", "fitting_options", "fitting_parameters", "reading_options"]

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
        help="What tells pixels apart, one or several of lab, luv, rgb, hsv, gray, intensity, bands and xy (the "
        "position, with a weight if you like: lab,xy:0.5).  [default: lab,xy for colour, intensity for one channel, "
        "else bands]",
    ),
    _classes(
        "--covariance", type=Covariance(), default="full", help="Shape of classes: full, tied, diag or spherical."
    ),
    _classes("--smooth", type=Fraction(), default=0.5, help="How much neighbouring pixels agree, 0 to 1."),
    _classes("--no-smooth", is_flag=True, show_default=False, help="Each pixel for itself; the same as --smooth 0."),
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
    _running(
        "--memory",
        type=Bytes(),
        default="1GiB",
        show_default=True,
        help="Rasters and volumes that take more than half of it are read and written window by window.",
    ),
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
        raise click.UsageError(f"--smooth {given['smooth']:g} and --no-smooth contradict each other; give one of them")
    same = ("features", "covariance", "sample", "seed", "outliers", "class_names")
    return {
        "k": given["k"] or "auto",
        "smooth": 0.0 if given["no_smooth"] else given["smooth"],
        **{name: given[name] for name in same},
    }


def _with(options: tuple[Any, ...], function: Any) -> Any:
    for option in reversed(options):
        function = option(function)
    return function


@dataclass(frozen=True)
class _Settings:
    """The options, as `command` declares them; those of `fitting_options` in one."""

    fitting: dict[str, Any]
    mask: Path | None
    channel_axis: Any
    channels: tuple[str, ...] | None
    max_pixels: int
    memory: int
    output: Path | None
    out_dir: Path | None
    scribbles: Path | None
    prior: Path | None
    prior_weight: float
    soft: Path | None
    overlay: Path | None
    anomaly: Path | None
    model: Path | None
    overwrite: bool
    as_json: bool
    quiet: bool
    threads: int | None


@click.command("segment", cls=Command, epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 3 some images failed.")
@click.argument("images", metavar="IMAGE...", nargs=-1, required=True, type=FILE)
@fitting_options
@reading_options
@_pixels("--scribbles", type=FILE, help="Strokes (one image): the class of some pixels, 0 where a pixel is free.")
@_pixels("--prior", type=FILE, help="Probability of each class at each pixel (one image): .npz, .npy or .tif.")
@_pixels("--prior-weight", type=Amount(), default=1.0, help="Power of the prior: 0 ignores it, 1 takes it as it is.")
@_output(
    "-o",
    "--output",
    type=FILE,
    help="Label map of one image: .png, .tif, .npy or .npz.  [default: NAME_labels.png in this folder, or .tif "
    "for TIFF files and volumes]",
)
@_output(
    "--out-dir", metavar="DIR", type=FILE, help="Folder for the label maps of many images; made where it is missing."
)
@_output("--soft", type=FILE, help="Probability of each class (one image): .npz, .npy or .tif.")
@_output("--overlay", type=FILE, help="Classes laid over the picture (one image): .png, .tif, .jpg or .webp.")
@_output("--anomaly", type=FILE, help="How usual each pixel is, as a p-value (one image): .tif, .npy or .npz.")
@_output("--model", type=FILE, help="The fitted classes (one image): .json.")
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
      gmmseg segment t1.tif+t2.tif -k 3
    """  # noqa: D301  # click keeps the lines below this character as they are
    own = {name: value for name, value in options.items() if name in _Settings.__dataclass_fields__}
    settings = _Settings(fitting=fitting_parameters(context), **own)
    guides = [path for path in (settings.mask, settings.scribbles, settings.prior) if path is not None]
    jobs = plan(
        images,
        output=settings.output,
        out_dir=settings.out_dir,
        extra={
            "soft": settings.soft,
            "overlay": settings.overlay,
            "anomaly": settings.anomaly,
            "model": settings.model,
        },
        channel_axis=settings.channel_axis,
        guides=[*guides, *(file for image in images for file in files_of(image))],
    )
    for guide in guides:
        identify(guide)
    for name in ("scribbles", "prior"):
        if getattr(settings, name) is not None and len(jobs) > 1:
            raise click.UsageError(f"--{name} is of one image, but {len(jobs)} are given; run them one at a time")
    with folder(settings.out_dir):
        return _segment_all(jobs, settings)


def _segment_all(jobs: list[Job], settings: _Settings) -> int:
    """Segment one image after the other; what is wrong with one does not stop the others."""
    failures: dict[Job, Exception] = {}
    progress = Progress(quiet=settings.quiet)
    for job in jobs:
        with _kept_going(job, failures, progress):
            for file in files_of(job.source):
                identify(file)
            check_outputs(job.source, job.outputs, overwrite=settings.overwrite)
    records = []
    for number, job in enumerate(jobs, 1):
        record: dict[str, Any] = {"input": str(job.source)}
        title = job.source.name + (f" ({number} of {len(jobs)})" if len(jobs) > 1 else "")
        with collected_warnings(progress.clear) as warned:
            if job not in failures:
                with _kept_going(job, failures, progress):
                    record |= _segment(job, settings, progress, title)
        if job in failures:
            record["error"] = explain(failures[job], str(job.source))
        records.append(record | {"warnings": warned})
        if "classes" in record and not (settings.as_json or settings.quiet):
            click.echo(("\n" if any("classes" in before for before in records[:-1]) else "") + _table(record))
    if settings.as_json:
        import json

        click.echo(json.dumps(records, indent=1, allow_nan=False))
    if failures and len(failures) < len(jobs):
        return 3
    return max(map(exit_code, failures.values()), default=0)


@contextmanager
def _kept_going(job: Job, failures: dict[Job, Exception], progress: Progress) -> Iterator[None]:
    """Report what goes wrong with one image, and go on."""
    try:
        yield
    # Even a mistake of ours must not cost the other images.
    except Exception as error:
        failures[job] = error
        progress.clear()
        print_error(explain(error, str(job.source)))
    finally:
        progress.clear()


def _segment(job: Job, settings: _Settings, progress: Progress, title: str) -> dict[str, Any]:
    """Segment one image, write what was asked for, and say what came out."""
    return process(
        job.source,
        job.outputs,
        parameters={
            **settings.fitting,
            "scribbles": settings.scribbles,
            "prior": settings.prior,
            "prior_weight": settings.prior_weight,
            "memory": settings.memory,
            "threads": settings.threads,
        },
        reading={
            "max_pixels": settings.max_pixels,
            "mask": settings.mask,
            "channel_axis": settings.channel_axis,
            "channels": settings.channels,
            "memory": settings.memory // 2,
        },
        overwrite=settings.overwrite,
        stage=partial(progress.stage, title),
        progress=progress,
    )


def _table(record: dict[str, Any]) -> str:
    """Return what a person wants to know of one image."""
    size = " x ".join(map(str, reversed(record["shape"])))
    count = "1 class" if record["k"] == 1 else f"{record['k']} classes"
    title = f"wrote {', '.join(record['outputs'].values())}: {size} pixels, {count}, {record['seconds']:.2f} s"
    return f"{plain(title)}\n{class_table(record['classes'])}"
