"""`gmmseg fit`: one model for one image or many, to be applied by `gmmseg apply`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gmmseg.batch.guide_names import masks_of
from gmmseg.batch.inputs import images_of
from gmmseg.batch.outputs import require_distinct
from gmmseg.cli import segment
from gmmseg.cli.messages import collected_warnings, plain
from gmmseg.cli.progress import Progress
from gmmseg.cli.records import print_json
from gmmseg.cli.shared import cluster_of, fitting_parameters, guides_of, reading_parameters
from gmmseg.cli.table import class_table, classes_of
from gmmseg.cli.targets import require_parts
from gmmseg.cli.types import FILE, SOURCE, Command, Option
from gmmseg.errors import EmptyInputError, OutputError, warn
from gmmseg.io.atomic import check_place
from gmmseg.io.formats import identify
from gmmseg.io.parts import files_of

if TYPE_CHECKING:
    from gmmseg.image import Image
    from gmmseg.model import Model

__all__ = ["command", "those_of_segment"]


def those_of_segment(*names: str) -> list[click.Parameter]:
    """Return options of `gmmseg segment` by the names of their values: what means the same is said the same."""
    known: dict[str | None, click.Parameter] = {each.name: each for each in segment.command.params}
    return [known[name] for name in names]


@click.command(
    "fit",
    cls=Command,
    params=[
        click.Argument(["images"], metavar="IMAGE|LIST.txt...", nargs=-1, required=True, type=SOURCE),
        *those_of_segment("k", "features", "covariance", "smooth", "no_smooth", "sample", "outliers"),
        Option(
            ["--weight"],
            section="Classes",
            type=click.Choice(("equal", "area")),
            default="equal",
            show_default=True,
            help="What say each of many images has: the same, or by the area of its valid pixels.",
        ),
        *those_of_segment("order", "class_names", "seed", "mask", "scribbles", "prior", "prior_weight"),
        *those_of_segment("mask_values", "mask_threshold", "nodata", "channel_axis", "axes", "spacing", "channels"),
        *those_of_segment("resolution", "magnitude", "series", "max_pixels", "allow_remote", "memory"),
        Option(
            ["-o", "--output"],
            section="Output",
            type=FILE,
            help="The model: .json.  [default: NAME.gmm.json of one image or folder, in the current folder]",
        ),
        *those_of_segment("overwrite"),
        Option(["--json", "as_json"], section="Output", is_flag=True, help="Print JSON: one object."),
        *those_of_segment("quiet", "progress", "threads", "scheduler", "workers", "chunk"),
    ],
)
@click.pass_context
def command(
    context: click.Context,
    /,
    images: tuple[Path, ...],
    *,
    output: Path | None,
    overwrite: bool,
    **options: Any,
) -> int:
    """Fit one model to one image or to many of a kind.

    IMAGE is an image, a folder of images or a LIST.txt of one path a line, of which each has an equal say, whatever its
    size, unless --weight says otherwise; they are read one after the other. `gmmseg apply` gives their classes, with
    the same numbers, to these and other images. A --mask such as '{folder}/{name}_mask.tif' is of each image.

    \b
    Examples:
      gmmseg fit photo.png -k 4
      gmmseg fit scenes -k 6 -o land.gmm.json
      gmmseg fit scenes/*.tif -k 3 --class-names water,forest,city -o land.gmm.json
    """  # noqa: D301  # click keeps the lines below this character as they are
    fitting = fitting_parameters(context)
    target = output or _default(images)
    sources = images_of(images)
    files = [file for source in sources for file in files_of(source)]
    masks = {source: masks_of(options["mask"], options["mask_values"], source) for source in sources}
    _check_target(target, [*files, *guides_of(options, sources)], overwrite=overwrite)
    if len(sources) == 1:  # among several, images may lack what others have
        require_parts(sources[0])
    for path in files:
        identify(path)
    start, progress = time.perf_counter(), Progress(quiet=options["quiet"], style=options["progress"])
    with collected_warnings(progress.clear) as warned, cluster_of(options) as cluster:
        from gmmseg.io.reading import read
        from gmmseg.segmentation import fit

        def open_one(path: Path) -> Image:
            how = reading_parameters(context) | masks[path]
            return read(path, **how) if cluster is None else cluster.spread(read(path, **how | {"memory": 0}))

        try:
            same = {
                name: options[name] for name in ("scribbles", "prior", "prior_weight", "weight", "memory", "threads")
            }
            model = fit(_Opened(sources, open_one, progress), **fitting, **same)
        finally:
            progress.clear()
        model.save(target, overwrite=overwrite)
    record = _record(model, sources, target, time.perf_counter() - start) | {"warnings": warned}
    if options["as_json"]:
        print_json(record)
    elif not options["quiet"]:
        click.echo(_text(record))
    return 0


@dataclass(frozen=True)
class _Opened:
    """Images that are read one after the other, each when the fit asks for it, so that no two are held at once."""

    paths: Sequence[Path]
    read: Callable[[Path], Image]
    progress: Progress

    def __len__(self) -> int:
        return len(self.paths)

    def __iter__(self) -> Iterator[Image]:
        title, n_read = "", 0
        for number, path in enumerate(self.paths, 1):
            title = path.name + (f" ({number} of {len(self)})" if len(self) > 1 else "")
            self.progress.stage(title, "reading")
            try:
                image = self.read(path)
            except EmptyInputError as error:
                if number == len(self) and not n_read:
                    raise
                warn(f"{error}; it is left out of the fit")
                continue
            n_read += 1
            self.progress.stage(title, "taking a sample")
            yield image
            del image  # before the next is read
        self.progress.stage(f"{len(self)} images" if len(self) > 1 else title, "fitting")


def _default(images: Sequence[Path]) -> Path:
    if len(images) > 1:
        raise click.UsageError(f"--output is needed with {len(images)} images; name the model, as in -o land.gmm.json")
    return Path(f"{images[0].resolve().name if images[0].is_dir() else images[0].stem}.gmm.json")


def _check_target(target: Path, inputs: Sequence[Path], *, overwrite: bool) -> None:
    require_distinct([(target, {"model": target})], inputs)
    if target.is_dir():
        raise click.UsageError(f"--output {target} is a folder; name a file in it")
    if target.suffix.lower() != ".json":
        raise OutputError(f"{target}: models are written as JSON; give it a name that ends in .json")
    check_place(target, overwrite=overwrite)


def _record(model: Model, sources: Sequence[Path], target: Path, seconds: float) -> dict[str, Any]:
    return {
        "inputs": [str(path) for path in sources],
        "output": str(target),
        "features": str(model.recipe),
        "covariance": model.mixture.covariance,
        "k": model.k,
        "classes": classes_of(model),
        "seconds": round(seconds, 3),
    }


def _text(record: dict[str, Any]) -> str:
    classes = "1 class" if record["k"] == 1 else f"{record['k']} classes"
    images = "1 image" if len(record["inputs"]) == 1 else f"{len(record['inputs'])} images"
    title = f"wrote {record['output']}: {classes} from {images}, {record['seconds']:.2f} s"
    return f"{plain(title)}\n{class_table(record['classes'])}"
