"""`gmmseg plot`: a figure of a model among the pixels of an image."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from gmmseg.batch.outputs import require_distinct
from gmmseg.cli.messages import collected_warnings, plain
from gmmseg.cli.types import FILE, SOURCE, ChannelAxis, Command, Option, WholeNumber, output, pixels
from gmmseg.io.request import MAX_PIXELS

__all__ = ["command"]

_figure = partial(click.option, cls=Option, section="Figure")


@click.command("plot", cls=Command)
@click.argument("model", type=FILE)
@click.argument("image", type=SOURCE)
@_figure(
    "--kind",
    type=click.Choice(["all", "scatter", "density"]),
    metavar="NAME",
    default="all",
    show_default=True,
    help="scatter (a panel for each pair of features), density (a panel for each feature), or all.",
)
@_figure(
    "--features",
    metavar="LIST",
    help="One to five of the model's features, such as L,a.  [default: the two that tell the classes apart best]",
)
@pixels("--mask", type=SOURCE, help="Label map; pixels where it is 0 are left out.")
@pixels(
    "--channel-axis",
    metavar="INT|none",
    type=ChannelAxis(),
    default="auto",
    help="Axis of the channels in .npy, .npz and TIFF files (0 first, -1 last), or none for a volume.",
)
@pixels("--max-pixels", type=WholeNumber(1), default=MAX_PIXELS, help="Refuse larger images before decoding them.")
@output("-o", "--output", type=FILE, help="The figure: .png, .svg or .pdf.  [default: NAME_plot.png in this folder]")
@output("--overwrite", is_flag=True, help="Replace a file that exists.")
def command(
    model: Path,
    image: Path,
    *,
    mask: Path | None,
    output: Path | None,
    **options: Any,
) -> int:
    """Draw a model's classes among the pixels of an image.

    MODEL is a file that `gmmseg segment --model` wrote. Points are pixels in the colour of their likeliest class,
    before smoothing; rings hold 50 % and 95 % of a class. Needs matplotlib: pip install 'gmmseg[plot]'.

    \b
    Examples:
      gmmseg plot land.gmm.json scene.tif
      gmmseg plot photo.gmm.json photo.png --features L,a --kind scatter -o figure.pdf
    """  # noqa: D301  # click keeps the lines below this character as they are
    from gmmseg import plot
    from gmmseg.io.reading import read
    from gmmseg.model import load_model

    target = output or Path(f"{image.stem}_plot.png")
    require_distinct([(image, {"figure": target})], [each for each in (model, image, mask) if each is not None])
    plot.check_target(target, overwrite=options["overwrite"])
    with collected_warnings(lambda: None):
        fitted = load_model(model)
        names = None if options["features"] is None else [name.strip() for name in options["features"].split(",")]
        pixels = read(image, max_pixels=options["max_pixels"], mask=mask, channel_axis=options["channel_axis"])
        drawn = plot.figure(fitted, pixels, features=names, kind=options["kind"])
        plot.save(drawn, target, overwrite=options["overwrite"])
    click.echo(plain(f"wrote {target}"))
    return 0
