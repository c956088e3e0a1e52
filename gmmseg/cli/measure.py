"""`gmmseg measure`: the classes of a label map in numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gmmseg.cli.messages import collected_warnings, plain, plural
from gmmseg.cli.records import print_json
from gmmseg.cli.shared import memory_option, reading_parameters, require_images, taking_options
from gmmseg.cli.table import columns_text
from gmmseg.cli.types import FILE, SOURCE, Command, Names, classes, output

__all__ = ["command"]


@click.command("measure", cls=Command)
@click.argument("labels", type=SOURCE)
@click.argument("images", metavar="[IMAGE...]", nargs=-1, type=SOURCE)
@classes("--class-names", type=Names(), help="Names of the classes, in the order of their labels.")
@classes("--soft", type=SOURCE, help="Probabilities of the classes (of segment --soft): their sums are listed too.")
@classes(
    "--by-frame",
    is_flag=True,
    help="Rows of each frame of a time-lapse, not of all frames together.",
)
@taking_options
@memory_option
@output("-o", "--output", type=FILE, help="Table: .csv, .json or .parquet.  [default: none, the table is printed]")
@output("--overwrite", is_flag=True, help="Replace a file that exists.")
@output("--json", "as_json", is_flag=True, help="Print JSON: one object a class.")
@click.pass_context
def command(
    context: click.Context,
    /,
    labels: Path,
    images: tuple[Path, ...],
    *,
    class_names: tuple[str, ...] | None,
    soft: Path | None,
    output: Path | None,
    **options: Any,
) -> int:
    """Measure the classes of a label map: shares, areas, volumes.

    Sizes are in the unit of the file: mm2 and ml of scans, um2 of microscopes, hectares on maps, where each pixel
    counts for its area on the ground. With IMAGE, what was segmented, the mean, spread, percentiles and entropy of each
    channel are listed too; several files are channels of one image.

    \b
    Examples:
      gmmseg measure photo_labels.png photo.jpg
      gmmseg measure tissue.nii.gz t1.nii.gz --class-names csf,gm,wm -o volumes.csv
      gmmseg measure scene_labels.tif --json
    """  # noqa: D301  # click keeps the lines below this character as they are
    from gmmseg import io
    from gmmseg.export import names_in
    from gmmseg.measuring import class_table
    from gmmseg.measuring.labelled import read_labelled
    from gmmseg.measuring.table import check_table

    require_images(context, bool(images))
    if output is not None:
        check_table(output, overwrite=options["overwrite"])
    with collected_warnings(lambda: None):
        numbers, image = read_labelled(labels, images, **reading_parameters(context))
        table = class_table(
            numbers,
            image,
            class_names=class_names or names_in(labels) or (),
            probabilities=None if soft is None else io.read_probabilities(soft),
            channels=bool(images),
            by_frame=options["by_frame"],
        )
        if output is not None:
            table.save(output, overwrite=options["overwrite"])
    if options["as_json"]:
        print_json(table.rows())
        return 0
    if output is not None:
        click.echo(plain(f"wrote {output}: {plural(table.n_rows, 'class', 'classes')}"))
    click.echo(columns_text(table))
    return 0
