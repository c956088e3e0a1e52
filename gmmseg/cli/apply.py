"""`gmmseg apply`: a model and images in, label maps with the same classes out."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from gmmseg.batch.outputs import check_outputs
from gmmseg.batch.processing import process
from gmmseg.cli.fit import images_of, those_of_segment
from gmmseg.cli.messages import collected_warnings, exit_code, explain, plain, print_error
from gmmseg.cli.options import FILE, Command, Fraction, Option
from gmmseg.cli.progress import Progress
from gmmseg.cli.table import class_table, finite
from gmmseg.cli.targets import Job, folder, plan
from gmmseg.errors import DataWarning, InputError
from gmmseg.io.formats import identify

if TYPE_CHECKING:
    from gmmseg.adapting import Fitness
    from gmmseg.image import Image
    from gmmseg.model import Model

__all__ = ["command"]

_REMEDY = "fit a model to images of its kind"


@dataclass(frozen=True)
class _Settings:
    """The options that concern a single image."""

    smooth: float | None
    adapt: bool
    strict: bool
    reading: dict[str, Any]
    guiding: dict[str, Any]
    overwrite: bool
    quiet: bool
    as_json: bool
    threads: int | None


@click.command(
    "apply",
    cls=Command,
    epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 3 some images failed.",
    params=[
        click.Argument(["model"], metavar="MODEL", type=FILE),
        click.Argument(["images"], metavar="IMAGE...", nargs=-1, required=True, type=FILE),
        Option(
            ["--adapt"],
            section="Classes",
            is_flag=True,
            help="Allow for another gain and offset of each image's features, such as of another exposure or sensor.",
        ),
        Option(["--strict"], section="Classes", is_flag=True, help="Refuse images that the model does not explain."),
        Option(
            ["--smooth"],
            section="Classes",
            type=Fraction(),
            help="How much neighbouring pixels agree, 0 to 1.  [default: the model's]",
        ),
        *those_of_segment("no_smooth", "mask", "scribbles", "prior", "prior_weight", "channel_axis", "max_pixels"),
        *those_of_segment("output", "out_dir", "soft", "overlay", "anomaly"),
        Option(
            ["--model", "save_model"],
            section="Output",
            type=FILE,
            help="The model as it was applied (one image): .json.",
        ),
        *those_of_segment("overwrite", "as_json", "quiet", "threads"),
    ],
)
@click.pass_context
def command(
    context: click.Context,
    /,
    model: Path,
    images: tuple[Path, ...],
    *,
    output: Path | None,
    out_dir: Path | None,
    save_model: Path | None,
    mask: Path | None,
    channel_axis: Any,
    max_pixels: int,
    smooth: float | None,
    no_smooth: bool,
    **options: Any,
) -> int:
    """Segment images with a fitted model: same classes, same numbers.

    MODEL is a file that `gmmseg fit` or `gmmseg segment --model` wrote, IMAGE an image or a folder of images of the
    kind that it was fitted to. Images that the model does not explain are reported.

    \b
    Examples:
      gmmseg apply land.gmm.json scenes/*.tif --out-dir labels
      gmmseg apply land.gmm.json later.tif --adapt -o later_labels.tif
      gmmseg apply land.gmm.json scenes --strict --out-dir labels --json
    """  # noqa: D301  # click keeps the lines below this character as they are
    if no_smooth and context.get_parameter_source("smooth") is ParameterSource.COMMANDLINE:
        raise click.UsageError(f"--smooth {smooth:g} and --no-smooth contradict each other; give one of them")
    guiding = {name: options.pop(name) for name in ("scribbles", "prior", "prior_weight")}
    extra = {name: options.pop(name) for name in ("soft", "overlay", "anomaly")} | {"model": save_model}
    guides = [path for path in (mask, guiding["scribbles"], guiding["prior"]) if path is not None]
    jobs = plan(
        images_of(images),
        output=output,
        out_dir=out_dir,
        extra=extra,
        channel_axis=channel_axis,
        guides=[model, *guides],
    )
    for guide in guides:
        identify(guide)
    for name in ("scribbles", "prior"):
        if guiding[name] is not None and len(jobs) > 1:
            raise click.UsageError(f"--{name} is of one image, but {len(jobs)} are given; run them one at a time")
    from gmmseg.model import load_model

    reading = {"mask": mask, "channel_axis": channel_axis, "max_pixels": max_pixels}
    settings = _Settings(smooth=0.0 if no_smooth else smooth, reading=reading, guiding=guiding, **options)
    fitted = load_model(model)
    with folder(out_dir):
        return _apply_all(jobs, fitted, settings)


def _apply_all(jobs: list[Job], model: Model, settings: _Settings) -> int:
    """Segment one image after the other; what is wrong with one does not stop the others."""
    failures: dict[Job, Exception] = {}
    progress = Progress(quiet=settings.quiet)
    for job in jobs:
        with _kept_going(job, failures, progress):
            identify(job.source)
            check_outputs(job.source, job.outputs, overwrite=settings.overwrite)
    records = []
    for number, job in enumerate(jobs, 1):
        record: dict[str, Any] = {"input": str(job.source)}
        title = job.source.name + (f" ({number} of {len(jobs)})" if len(jobs) > 1 else "")
        with collected_warnings(progress.clear) as warned:
            if job not in failures:
                with _kept_going(job, failures, progress):
                    _apply(job, model, settings, progress, title, record)
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


def _apply(job: Job, model: Model, settings: _Settings, progress: Progress, title: str, record: dict[str, Any]) -> None:
    """Segment one image, write what was asked for, and add to the record what came out."""

    def suited(image: Image) -> Model:
        progress.stage(title, "comparing with the model")
        return _suited(image, model, settings, record)

    record |= process(
        job.source,
        job.outputs,
        model=suited,
        parameters={"smooth": settings.smooth, "threads": settings.threads, **settings.guiding},
        reading=settings.reading,
        overwrite=settings.overwrite,
        stage=partial(progress.stage, title),
        progress=progress,
    )


def _suited(image: Image, model: Model, settings: _Settings, record: dict[str, Any]) -> Model:
    """Return the model as it is applied to an image; an image that it does not explain is reported or refused."""
    from gmmseg.adapting import adapt, explains

    model.check(image)
    if settings.adapt:
        general, model = model, adapt(model, image)
        record["adapted"] = _changes(general, model)
    fitness = explains(model, image)
    record["fitness"] = _figures(fitness)
    if not fitness.explained:
        helpless = settings.adapt or fitness.only_resolution
        adapted = ", with gain and offset adapted" if settings.adapt else ""
        text = f"{image.name}: the model does not explain this image{adapted}: {fitness.reason}"
        text += f"; {_REMEDY}" if helpless else f"; use --adapt, or {_REMEDY}"
        if settings.strict:
            raise InputError(text)
        warnings.warn(text, DataWarning, stacklevel=2)
    return model


def _figures(fitness: Fitness) -> dict[str, Any]:
    figures = {name: finite(value) if isinstance(value, float) else value for name, value in asdict(fitness).items()}
    return {"explained": fitness.explained, **figures}


def _changes(before: Model, after: Model) -> dict[str, dict[str, float]]:
    """Gain and offset of each feature but position."""
    gains = after.scale / before.scale
    offsets = after.center - gains * before.center
    return {
        name: {"gain": float(gain), "offset": float(offset)}
        for name, group, gain, offset in zip(before.plane_names, before.groups, gains, offsets, strict=True)
        if group >= 0
    }


def _table(record: dict[str, Any]) -> str:
    """Return what a person wants to know of one image."""
    size = " x ".join(map(str, reversed(record["shape"])))
    count = "1 class" if record["k"] == 1 else f"{record['k']} classes"
    lines = [plain(f"wrote {', '.join(record['outputs'].values())}: {size} pixels, {count}, {record['seconds']:.2f} s")]
    if "adapted" in record:
        changes = [f"{name} x {each['gain']:.3g} {each['offset']:+.3g}" for name, each in record["adapted"].items()]
        more = f" and {len(changes) - 8} more" if len(changes) > 8 else ""
        lines.append(plain(f"adapted: {', '.join(changes[:8])}{more}"))
    return "\n".join([*lines, class_table(record["classes"])])
