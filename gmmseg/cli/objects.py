"""`gmmseg objects`: the objects of a class one by one."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from gmmseg.batch.outputs import require_distinct
from gmmseg.cli.messages import collected_warnings, plain, plural
from gmmseg.cli.records import print_json
from gmmseg.cli.shared import reading_parameters, require_images, taking_options
from gmmseg.cli.types import FILE, SOURCE, Command, MinSize, Option, output
from gmmseg.errors import ParameterError
from gmmseg.io.parts import name_of

__all__ = ["command"]

_objects = partial(click.option, cls=Option, section="Objects", show_default=True)

_SEARCH = ("split", "min_size", "fill_holes")


@click.command("objects", cls=Command)
@click.argument("labels", type=SOURCE)
@click.argument("image", required=False, type=SOURCE)
@_objects(
    "--label",
    metavar="NUMBER|NAME",
    help="The class whose objects are found.  [default: the last one; none where LABELS has 16 or 32 bits, whose "
    "numbers are objects]",
)
@_objects(
    "--split/--no-split",
    default=True,
    help="Tell objects apart that touch, where they are narrow, and with IMAGE from uneven ground.",
)
@_objects(
    "--min-size",
    type=MinSize(),
    help="Leave out smaller objects: pixels or voxels (50), or an area or volume where the file says how large a pixel "
    "is (20um2, 2.5ha, 1ml).  [default: a tenth of the typical object]",
)
@_objects("--fill-holes", is_flag=True, help="Holes in objects belong to them.")
@taking_options
@output(
    "-o",
    "--output",
    type=FILE,
    help="Label image of the objects.  [default: NAME_objects.tif, of volumes as they are stored]",
)
@output("--table", type=FILE, help="A row an object: .csv, .json or .parquet.")
@output("--overwrite", is_flag=True, help="Replace files that exist.")
@output("--json", "as_json", is_flag=True, help="Print JSON: one object.")
@click.pass_context
def command(
    context: click.Context,
    /,
    labels: Path,
    image: Path | None,
    *,
    label: str | None,
    **options: Any,
) -> int:
    """Find and measure the objects of a class one by one.

    Those that touch are told apart where they are narrow, and specks are left out. Objects are numbered from 1 in a
    label image of 32 bits. The table names what it measures as scikit-image's regionprops does, in physical units where
    the file says how large a pixel is; with IMAGE, what was segmented, also the intensities of each channel. Objects of
    a time-lapse are found in each frame, which the table names. Where LABELS has 16 or 32 bits, as objects of other
    programs have, and no --label is given, its objects are measured as they are.

    \b
    Examples:
      gmmseg objects cells_labels.tif cells.tif --label 2 --table cells.csv
      gmmseg objects masks_of_another_program.tif cells.tif --table cells.csv
      gmmseg objects tissue.nii.gz --label lesion --no-split --min-size 5mm3 -o lesions.nii.gz
    """  # noqa: D301  # click keeps the lines below this character as they are
    from gmmseg.export import names_in
    from gmmseg.io.writing import check_target
    from gmmseg.measuring import Objects, find_objects
    from gmmseg.measuring.labelled import read_labelled
    from gmmseg.measuring.table import check_table

    require_images(context, image is not None)
    target = options["output"] or _default(labels)
    written = {"labels": target} | ({} if options["table"] is None else {"table": options["table"]})
    require_distinct([(labels, written)], [labels] if image is None else [labels, image])
    check_target(target, overwrite=options["overwrite"])
    if options["table"] is not None:
        check_table(options["table"], overwrite=options["overwrite"])
    with collected_warnings(lambda: None) as warned:
        numbers, where = read_labelled(labels, () if image is None else (image,), **reading_parameters(context))
        number: int | None = None
        if label is None and numbers.dtype.itemsize > 1:
            _require_no_search(context, labels)
            found = Objects(numbers, where)
        else:
            number, name = _chosen(label, numbers, names_in(labels) or (), labels)
            how = {each: options[each] for each in _SEARCH}
            found = find_objects(numbers == number, where, name=name, **how)
        found.save(target, overwrite=options["overwrite"])
        outputs = [target]
        if options["table"] is not None:
            found.table(intensities=image is not None).save(options["table"], overwrite=options["overwrite"])
            outputs.append(options["table"])
    record = {
        "input": str(labels),
        "outputs": [str(path) for path in outputs],
        "label": number,
        "name": found.name,
        "objects": len(found),
        "warnings": warned,
    }
    if options["as_json"]:
        print_json(record)
    else:
        of = f"of {found.name}" if number else f"as {labels} numbers them"
        click.echo(plain(f"wrote {', '.join(map(str, outputs))}: {plural(len(found), 'object')} {of}"))
    return 0


def _require_no_search(context: click.Context, labels: Path) -> None:
    """Refuse options that would do nothing where objects are there already."""
    for name in _SEARCH:
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            option = "--no-split" if name == "split" and not context.params[name] else f"--{name.replace('_', '-')}"
            raise click.UsageError(
                f"{option} is for the objects of a class, but {labels} has objects already; leave it out, or name a "
                "class by --label"
            )


def _chosen(label: str | None, numbers: Any, names: tuple[str, ...], where: Path) -> tuple[int, str]:
    """Return the number and the name of the class that is meant; the last one where none is named."""
    from gmmseg.io.classes import class_numbers, default_names

    every = default_names(max(int(numbers.max(initial=0)), len(names)), names)
    if not every:
        raise ParameterError("every label is 0, no data: there is no class with objects; segment the image first")
    wanted = len(every) if label is None else int(label) if label.isdecimal() else label
    (number,) = class_numbers(wanted, dict(enumerate(every, 1)), where=str(where), parameter="label")
    return number, every[number - 1]


def _default(labels: Path) -> Path:
    """Return where objects are written unless somebody says so: .tif where label maps hold too few numbers."""
    from gmmseg.io.formats import identify

    end = identify(labels).suffix_of_labels(labels, "auto")
    return Path(f"{name_of(labels).removesuffix('_labels')}_objects{'.tif' if end in ('.png', '.dcm') else end}")
