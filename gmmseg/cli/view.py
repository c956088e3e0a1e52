"""`gmmseg view`: a page in the browser to work on an image."""

from __future__ import annotations

from pathlib import Path

import click

from gmmseg.cli.messages import collected_warnings, plain
from gmmseg.cli.types import FILE, Command, Option, WholeNumber

__all__ = ["command"]


@click.command("view", cls=Command)
@click.argument("image", type=FILE)
@click.option(
    "--out-dir",
    cls=Option,
    section="Output",
    metavar="DIR",
    type=FILE,
    default=".",
    help="Folder that the page writes to: its log, NAME.gmmseg.json, and exports.  [default: this folder]",
)
@click.option(
    "--port", cls=Option, section="Running", type=WholeNumber(0, 65535), default=0, help="[default: any that is free]"
)
@click.option(
    "--no-browser", cls=Option, section="Running", is_flag=True, help="Print the address, and open no browser."
)
@click.option(
    "--threads",
    cls=Option,
    section="Running",
    type=WholeNumber(1, 1024),
    help="They do not change the result.  [default: all processors]",
)
def command(image: Path, *, out_dir: Path, port: int, no_browser: bool, threads: int | None) -> int:
    """Work on a picture in the browser: classes, strokes, merging, exports.

    The page is of this machine alone, and has no access to any file but the exports that it writes. What is done is
    kept in NAME.gmmseg.json, with which the next `gmmseg view` goes on, and which `gmmseg segment --replay` does again.
    A slider cuts the picture into connected regions instead of classes, as `gmmseg regions` does.
    Rasters larger than memory are shown as tiles; to apply writes their label map window by window.
    Volumes are shown as three cuts that meet in a cross: a click moves it, and chooses the class there.
    The program ends when the page is closed, or with Ctrl-C.

    \b
    Examples:
      gmmseg view photo.jpg
      gmmseg view photo.jpg --out-dir results
    """  # noqa: D301  # click keeps the lines below this character as they are
    from gmmseg.web import view

    def say(address: str) -> None:
        click.echo(plain(f"{image} is open at {address}") + "\nclose the page or press Ctrl-C to end", err=True)

    try:
        with collected_warnings(lambda: None):
            log = view(image, folder=out_dir, port=port, browser=not no_browser, threads=threads, opened=say)
    except KeyboardInterrupt:
        click.echo("\nended; what was done is kept", err=True)
        return 0
    click.echo("the page was closed", err=True)
    if log.exists():
        click.echo(plain(f"kept {log}; do it again with: gmmseg segment --replay {log}"))
    return 0
