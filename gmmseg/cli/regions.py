"""`gmmseg regions`: connected regions of a picture at any level of detail."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Any

import click

from gmmseg.batch.outputs import PICTURES, require_distinct
from gmmseg.cli.messages import collected_warnings, plain
from gmmseg.cli.progress import Progress, progress_option
from gmmseg.cli.records import print_json
from gmmseg.cli.shared import min_size_option, plain_option, reading_options, reading_parameters, remote_option
from gmmseg.cli.types import FILE, PRINTED, SOURCE, Command, Fraction, Option, WholeNumber, output, running
from gmmseg.io.parts import files_of, name_of

__all__ = ["command"]

_classes = partial(click.option, cls=Option, section="Regions")


@click.command("regions", cls=Command)
@click.argument("image", type=SOURCE)
@_classes("--detail", type=Fraction(), help="How fine, 0 to 1.  [default: what agrees best with people on photographs]")
@_classes("-n", "number", type=WholeNumber(1), help="How many regions, instead of --detail.")
@min_size_option
@reading_options
@remote_option
@output("-o", "--output", type=PRINTED, help="Label map: .png, .tif, .npy or .npz.  [default: NAME_regions.png]")
@plain_option
@output("--overlay", type=FILE, help="Regions laid over the picture: .png, .tif, .jpg or .webp.")
@output("--contours", type=FILE, help="Outlines of the regions on the picture: .png, .tif, .jpg or .webp.")
@output("--overwrite", is_flag=True, help="Replace files that exist.")
@output("--json", "as_json", is_flag=True, help="Print JSON: one object.")
@running("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
@progress_option
@click.pass_context
def command(
    context: click.Context,
    /,
    image: Path,
    *,
    detail: float | None,
    number: int | None,
    min_size: str | None,
    **options: Any,
) -> int:
    """Cut a picture into connected regions.

    Regions are numbered from 1, and 0 means no data, in a label map of 16 bits or more: its numbers are no classes, and
    export lists each as an object. It looks dark in a viewer; --overlay and --contours are for looking at. Regions are
    merged bottom up from small pieces, so those of a coarser level are made of those of a finer one.

    \b
    Examples:
      gmmseg regions photo.jpg
      gmmseg regions photo.jpg -n 12 --overlay regions.jpg
      gmmseg regions photo.jpg --min-size 500 --contours outlines.jpg
      gmmseg regions scene.tif --channels 4,3,2 --detail 0.5 -o fields.tif
    """  # noqa: D301  # click keeps the lines below this character as they are
    if detail is not None and number is not None:
        raise click.UsageError(f"--detail {detail:g} and -n {number} both say how fine; give one of them")
    from gmmseg.export.overlay import DRAWINGS
    from gmmseg.hierarchy.regions import regions
    from gmmseg.image.sizes import least_pixels
    from gmmseg.io.reading import read
    from gmmseg.io.writing import check_target, write_labels, write_rgb

    target = options["output"] or Path(f"{name_of(image)}_regions.png")
    pictures = {kind: options[kind] for kind in PICTURES if options[kind] is not None}
    outputs = {"labels": target, **pictures}
    require_distinct([(image, outputs)], list(files_of(image)))
    for kind, path in outputs.items():
        check_target(path, kind="labels" if kind == "labels" else "picture", overwrite=options["overwrite"])
    start, progress = time.perf_counter(), Progress(quiet=options["quiet"], style=options["progress"])
    with collected_warnings(progress.clear) as warned:
        progress.stage(plain(image.name), "reading")
        opened = read(image, **reading_parameters(context))
        if min_size is not None:
            least_pixels(min_size, opened)  # refused before anything is computed
        progress.stage(plain(image.name), "merging regions")
        tree = regions(opened)
        labels = tree.labels(detail, n=number, min_size=min_size)
        progress.clear()
        write_labels(target, labels, image=opened, objects=True, overwrite=options["overwrite"], plain=options["plain"])
        for kind, path in pictures.items():
            write_rgb(path, DRAWINGS[kind](opened, labels), image=opened, overwrite=options["overwrite"])
    record = {
        "input": str(image),
        "outputs": {kind: str(path) for kind, path in outputs.items()},
        "shape": list(opened.shape),
        "regions": int(labels.max()),
        "seconds": round(time.perf_counter() - start, 3),
        "warnings": warned,
    }
    if options["as_json"]:
        print_json(record)
    elif not options["quiet"]:
        size = " x ".join(map(str, reversed(opened.shape)))
        files = ", ".join(map(str, outputs.values()))
        click.echo(plain(f"wrote {files}: {size} pixels, {record['regions']} regions, {record['seconds']:.2f} s"))
    return 0
