"""`gmmseg cutout`: a photograph in, an object of it on a transparent ground out."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from gmmseg.batch.cutting import cut_out
from gmmseg.batch.outputs import require_distinct
from gmmseg.cli.fit import those_of_segment
from gmmseg.cli.messages import collected_warnings, plain
from gmmseg.cli.progress import Progress
from gmmseg.cli.records import print_json
from gmmseg.cli.shared import fitting_parameters, guides_of, reading_parameters
from gmmseg.cli.types import FILE, SOURCE, Amount, Classes, Command, Option
from gmmseg.io.parts import files_of, name_of

__all__ = ["command"]


@click.command(
    "cutout",
    cls=Command,
    params=[
        click.Argument(["image"], type=SOURCE),
        Option(
            ["--class", "label"],
            section="Classes",
            type=Classes(),
            help="What is cut out: numbers or names of classes.  [default: 1, the class of the first strokes]",
        ),
        *those_of_segment("scribbles"),
        *those_of_segment("k", "features", "covariance", "smooth", "no_smooth", "sample", "components"),
        *those_of_segment(
            "class_names", "seed", "min_size", "mask", "channel_axis", "channels", "max_pixels", "memory"
        ),
        Option(
            ["--background"],
            section="Output",
            metavar="COLOUR",
            help="Lay it on a colour, by name or as #rrggbb.  [default: transparent]",
        ),
        Option(["--crop"], section="Output", is_flag=True, help="Write only the rectangle around it."),
        Option(
            ["--feather"],
            section="Output",
            metavar="PIXELS",
            type=Amount(),
            default=0.0,
            help="Let edges fade over so many pixels more.",
        ),
        Option(
            ["-o", "--output"],
            section="Output",
            type=FILE,
            help="Picture: .png or .webp, with a background also .jpg and .tif.  [default: NAME_cutout.png in this "
            "folder]",
        ),
        *those_of_segment("overwrite"),
        Option(["--json", "as_json"], section="Output", is_flag=True, help="Print JSON: one object."),
        *those_of_segment("quiet", "progress", "threads"),
    ],
)
@click.pass_context
def command(context: click.Context, /, image: Path, **options: Any) -> int:
    """Cut an object out of a picture, with soft edges.

    It is what strokes of the first colour (or label) are on, against those of the second: a red stroke on the object
    and a blue one on the background. Of other colours the first is the one that is first in the rainbow, from red to
    violet, greys last, whichever was painted first. Or it is a class of those that `gmmseg segment` finds. Edges are as
    soft as the classes are unsure, and have the object's own colours.

    \b
    Examples:
      gmmseg cutout photo.jpg --scribbles strokes.png -o object.png
      gmmseg cutout photo.jpg --class 2 --background white --crop
      gmmseg cutout photo.jpg -k 5 --class 1,3 --min-size 200 --feather 4
    """  # noqa: D301  # click keeps the lines below this character as they are
    if options["scribbles"] is None and options["label"] is None:
        raise click.UsageError("nothing says what to cut out; give --scribbles FILE or --class NUMBER")
    target = options["output"] or Path(f"{name_of(image)}_cutout.png")
    guides = guides_of(options | {"prior": None}, [image])
    require_distinct([(image, {"cutout": target})], [*files_of(image), *guides])
    parameters = fitting_parameters(context)
    same = ("scribbles", "memory", "threads", "min_size")
    progress = Progress(quiet=options["quiet"], style=options["progress"])
    with collected_warnings(progress.clear) as warned:
        record = cut_out(
            image,
            target,
            label=options["label"],
            parameters=parameters | {name: options[name] for name in same},
            reading=reading_parameters(context),
            cutting={name: options[name] for name in ("background", "crop", "feather")},
            overwrite=options["overwrite"],
            stage=partial(progress.stage, plain(image.name)),
            progress=progress,
        )
        progress.clear()
    if options["as_json"]:
        print_json({"input": str(image)} | record | {"warnings": warned})
    elif not options["quiet"]:
        size = " x ".join(map(str, record["size"]))
        names = ", ".join(each["name"] for each in record["classes"])
        share = f"{100 * record['share']:.1f} % of the picture"
        click.echo(plain(f"wrote {target}: {size} pixels, {names} is {share}, {record['seconds']:.2f} s"))
    return 0
