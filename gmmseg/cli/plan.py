"""`gmmseg plan`: what workers will have to do for an image, before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gmmseg.cli.records import print_json
from gmmseg.cli.shared import reading_options, reading_parameters
from gmmseg.cli.types import FILE, SOURCE, Command, WholeNumber, output, running

__all__ = ["command"]


@click.command("plan", cls=Command, epilog="Exit codes: 0 done, 1 failed, 2 wrong usage.")
@click.argument("image", metavar="IMAGE", type=SOURCE)
@running("--workers", type=WholeNumber(1, 100_000), default=1, show_default=True, help="How many there will be.")
@running("--chunk", type=WholeNumber(64, 65536), help="Side in pixels of what a worker computes.  [default: 4096]")
@running("--model", type=FILE, help="The model that will be applied.  [default: one of 4 classes is fitted]")
@reading_options
@output("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.pass_context
def command(context: click.Context, /, image: Path, **options: Any) -> int:
    """Tell what workers will have to do for an image: chunks, bytes, memory, time.

    One task is computed for it, nothing is written.

    \b
    Examples:
      gmmseg plan scene.tif --workers 20
      gmmseg plan scene.tif --workers 20 --chunk 2048 --model land.gmm.json
    """  # noqa: D301  # click keeps the lines below this character as they are
    from gmmseg.batch.forecast import forecast
    from gmmseg.io.reading import read
    from gmmseg.model import load_model

    opened = read(image, **{**reading_parameters(context), "memory": 0})
    model = None if options["model"] is None else load_model(options["model"])
    if model is not None:
        opened = model.view(opened)
    found = forecast(opened, workers=options["workers"], side=options["chunk"], model=model)
    if options["as_json"]:
        print_json(found.as_dict())
        return 0
    size, chunk = (" x ".join(map(str, reversed(each))) for each in (found.shape, found.chunk))
    rows = {
        "image": f"{found.image}, {size} pixels",
        "chunks": f"{found.chunks} of {chunk} pixels, in {found.tasks} tasks with {found.halo} more around each",
        "read": f"{found.bytes_read / 1e9:.3g} GB, {100 * found.read_twice:.2g} % of it twice",
        "memory": "not told by this system" if found.memory is None else f"{found.memory / 2**20:.0f} MiB a worker",
        "time": f"{found.core_hours:.3g} core-hours, {60 * found.hours:.3g} minutes with {found.workers} workers",
    }
    width = max(map(len, rows))
    click.echo("\n".join(f"{name:{width}}  {text}" for name, text in rows.items()))
    return 0
