"""`gmmseg apply`: a model and images in, label maps with the same classes out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from gmmseg.batch.guide_names import masks_of
from gmmseg.batch.inputs import images_of
from gmmseg.batch.outputs import PICTURES
from gmmseg.batch.processing import process
from gmmseg.cli.each import RUNNING, run_each
from gmmseg.cli.fit import those_of_segment
from gmmseg.cli.messages import collected_warnings
from gmmseg.cli.progress import Progress
from gmmseg.cli.shared import FILE_LAYERS, cluster_of, guides_of, reading_parameters, reported, saving_parameters
from gmmseg.cli.table import finite
from gmmseg.cli.targets import Job, folder, plan
from gmmseg.cli.types import FILE, SOURCE, Command, Fraction, Option
from gmmseg.errors import GmmsegError, InputError, warn

if TYPE_CHECKING:
    from gmmseg.image import Image
    from gmmseg.labelling.result import Segmentation
    from gmmseg.model import Model
    from gmmseg.model.adapting import Fitness

__all__ = ["command"]

_LAYERS = tuple(layer.output for layer in FILE_LAYERS if not layer.corrects)
_ADAPTATIONS = ("each", "together")
_REMEDY = "fit a model to images of its kind"


class _Apply(Command):
    """A command whose option --adapt may stand alone: what follows is its value only where it is one of its words."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Join the option and its word, which otherwise would be the name of an image."""
        if "--adapt" in args:
            at = args.index("--adapt")
            has_word = args[at + 1 : at + 2] in ([word] for word in _ADAPTATIONS)
            word = args[at + 1] if has_word else _ADAPTATIONS[0]
            args = [*args[:at], f"--adapt={word}", *args[at + 1 + has_word :]]
        return super().parse_args(ctx, args)


@click.command(
    "apply",
    cls=_Apply,
    epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 3 some images failed.",
    params=[
        click.Argument(["model"], metavar="MODEL", type=FILE),
        click.Argument(["images"], metavar="IMAGE...", nargs=-1, required=True, type=SOURCE),
        Option(
            ["--adapt"],
            section="Classes",
            metavar="[each|together]",
            type=click.Choice(_ADAPTATIONS),
            help="Allow for another gain and offset of features, as of another exposure or sensor: of each image, or "
            "one for all together, such as the scenes of one date.  [without a word: each]",
        ),
        Option(["--strict"], section="Classes", is_flag=True, help="Refuse images that the model does not explain."),
        Option(
            ["--smooth"],
            section="Classes",
            type=Fraction(),
            help="How much neighbouring pixels agree, 0 to 1.  [default: the model's]",
        ),
        *those_of_segment("no_smooth", "mask", "scribbles", "prior", "prior_weight"),
        *those_of_segment("mask_values", "mask_threshold", "nodata", "channel_axis", "axes", "spacing", "channels"),
        *those_of_segment("resolution", "magnitude", "series", "max_pixels", "allow_remote", "memory"),
        *those_of_segment("min_size"),
        *those_of_segment("output", "out_dir", "plain", "cog", *_LAYERS, "soft_type", *PICTURES, "legend", "style"),
        *those_of_segment("table", "report"),
        Option(
            ["--model", "save_model"],
            section="Output",
            type=FILE,
            help="The model as it was applied (one image): .json.",
        ),
        *those_of_segment("scheduler", "workers", "chunk"),
        *those_of_segment("overwrite", "as_json", "quiet", "progress", "threads"),
    ],
)
@click.pass_context
def command(
    context: click.Context,
    /,
    model: Path,
    images: tuple[Path, ...],
    *,
    out_dir: Path | None,
    smooth: float | None,
    **options: Any,
) -> int:
    """Segment images with a fitted model: same classes, same numbers.

    MODEL is a file that `gmmseg fit` or `gmmseg segment --model` wrote, IMAGE an image or a folder of images of the
    kind that it was fitted to. Images that the model does not explain are reported.

    \b
    Examples:
      gmmseg apply land.gmm.json scenes/*.tif --out-dir labels
      gmmseg apply land.gmm.json later.tif --adapt -o later_labels.tif
      gmmseg apply land.gmm.json june/*.SAFE --adapt together --out-dir labels
      gmmseg apply land.gmm.json scenes --strict --out-dir labels --json
    """  # noqa: D301  # click keeps the lines below this character as they are
    if options["no_smooth"] and context.get_parameter_source("smooth") is ParameterSource.COMMANDLINE:
        raise click.UsageError(f"--smooth {smooth:g} and --no-smooth contradict each other; give one of them")
    sources = images_of(images)
    jobs = plan(
        sources,
        output=options["output"],
        out_dir=out_dir,
        extra={name: options[name] for name in (*_LAYERS, *PICTURES, "style", "table", "report")}
        | {"model": options["save_model"]},
        channel_axis=options["channel_axis"],
        axes=options["axes"],
        guides=[model, *guides_of(options, sources)],
    )
    from gmmseg.model import load_model

    fitted = original = load_model(model)
    saving = saving_parameters(context)
    reading = reading_parameters(context)
    parameters = {name: options[name] for name in ("scribbles", "prior", "prior_weight", "memory", "threads")}
    parameters |= {"smooth": 0.0 if options["no_smooth"] else smooth, "min_size": options["min_size"]}

    def reading_of(source: Path) -> dict[str, Any]:
        channels = reading["channels"] or original.channels_in(source)
        return reading | {"channels": channels} | masks_of(options["mask"], options["mask_values"], source)

    if options["adapt"] == "together":
        progress = Progress(quiet=options["quiet"], style=options["progress"])
        progress.stage(f"{len(jobs)} images", "comparing with the model")
        with collected_warnings(progress.clear):
            fitted = _adapted_to_all(original, _readable(original, jobs, reading_of))
        progress.clear()

    def work(job: Job, progress: Progress, title: str, record: dict[str, Any]) -> None:
        later: list[tuple[Model, Image]] = []

        def suited(image: Image) -> tuple[Model, Image]:
            progress.stage(title, "comparing with the model")
            if options["adapt"] == "together":
                record["adapted"] = _changes(original, fitted)
            found, image = _suited(fitted, image, record, adapting=options["adapt"])
            # What stays in its file is compared when its labels are written: it is read for these anyway, and where
            # some of it cannot be read all else is done by then.
            if not (image.in_memory or options["strict"] or "report" in job.outputs):
                later.append((found, image))
            else:
                _compare(found, image, record, adapting=options["adapt"], strict=options["strict"])
            return found, image

        def compared(_: Segmentation) -> None:
            for found, image in later:
                _compare(found, image, record, adapting=options["adapt"], strict=False)

        record |= process(
            job.source,
            job.outputs,
            model=suited,
            parameters=parameters,
            reading=reading_of(job.source),
            saving=saving | {"report": reported(context, record)},
            overwrite=options["overwrite"],
            stage=partial(progress.stage, title),
            progress=progress,
            cluster=cluster,
            also=compared,
        )

    with folder(out_dir), cluster_of(options) as cluster:
        return run_each(jobs, work, **{name: options[name] for name in RUNNING})


def _adapted_to_all(model: Model, images: Iterator[Image]) -> Model:
    """Return the model with one gain and offset for all images; as it is where there is none."""
    from gmmseg.model.adapting import adapt

    first = next(images, None)
    return model if first is None else adapt(model, chain([first], images))


def _readable(model: Model, jobs: list[Job], readings: Callable[[Path], dict[str, Any]]) -> Iterator[Image]:
    """Yield images as the model takes them; what is wrong with others is reported when it is their turn."""
    from gmmseg.io.reading import read

    for job in jobs:
        with suppress(GmmsegError):
            yield model.view(read(job.source, **readings(job.source)))


def _suited(model: Model, image: Image, record: dict[str, Any], *, adapting: str | None) -> tuple[Model, Image]:
    """Return the model and the image that it is applied to, which keeps what it is compared by as it is read."""
    from gmmseg.model.adapting import adapt, overhearing

    image = overhearing(model.view(image))
    if adapting != "each":
        return model, image
    adapted = adapt(model, image)
    record["adapted"] = _changes(model, adapted)
    return adapted, image


def _compare(model: Model, image: Image, record: dict[str, Any], *, adapting: str | None, strict: bool) -> None:
    """Note how well the model explains an image; one that it does not explain is reported or refused."""
    from gmmseg.model.adapting import explains

    fitness = explains(model, image)
    record["fitness"] = _figures(fitness)
    if not fitness.explained:
        helpless = adapting or fitness.only_resolution
        adapted = ", with gain and offset adapted" if adapting else ""
        text = f"{image.name}: the model does not explain this image{adapted}: {fitness.reason}"
        text += f"; {_REMEDY}" if helpless else f"; use --adapt, or {_REMEDY}"
        if strict:
            raise InputError(text)
        warn(text)


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
