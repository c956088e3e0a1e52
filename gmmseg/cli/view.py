"""`gmmseg view`: a page in the browser to work on an image, or on many with one model."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gmmseg.cli.messages import collected_warnings, plain
from gmmseg.cli.types import FILE, Command, WholeNumber, output, running

if TYPE_CHECKING:
    from gmmseg.batch.inputs import Found

__all__ = ["command"]


@click.command("view", cls=Command)
@click.argument("images", metavar="IMAGE|FOLDER...", nargs=-1, required=True, type=FILE)
@output(
    "--out-dir",
    metavar="DIR",
    type=FILE,
    default=".",
    help="Folder that the page writes to: its log, NAME.gmmseg.json, and exports.  [default: this folder]",
)
@running("--port", type=WholeNumber(0, 65535), default=0, help="[default: any that is free]")
@running("--no-browser", is_flag=True, help="Print the address, and open no browser.")
@running("--threads", type=WholeNumber(1, 1024), help="They do not change the result.  [default: all processors]")
def command(images: tuple[Path, ...], *, out_dir: Path, port: int, no_browser: bool, threads: int | None) -> int:
    """Work on a picture in the browser: classes, strokes, merging, exports.

    The page is of this machine alone, and has no access to any file but the exports that it writes. What is done is
    kept in NAME.gmmseg.json, with which the next `gmmseg view` goes on, and which `gmmseg segment --replay` does again.
    A slider cuts the picture into connected regions instead of classes, as `gmmseg regions` does.
    Rasters larger than memory are shown as tiles; to apply writes their label map window by window.
    Volumes are shown as three cuts that meet in a cross: a click moves it, and chooses the class there.
    A FOLDER of pictures, or several of them, are a strip of small pictures with one model, as of `gmmseg fit`; what is
    written are the label maps of all, as of `gmmseg apply`, in NAME_labels.
    The program ends when the page is closed, or with Ctrl-C.

    \b
    Examples:
      gmmseg view photo.jpg
      gmmseg view photo.jpg --out-dir results
      gmmseg view scans
    """  # noqa: D301  # click keeps the lines below this character as they are
    from gmmseg.batch.inputs import listed
    from gmmseg.web import view, view_images

    images = tuple(dict.fromkeys(images))
    found = listed(images)
    shown = str(images[0]) if len(images) == 1 else f"a strip of {len(found)} images"

    def say(address: str) -> None:
        click.echo(plain(f"{shown} is open at {address}") + "\nclose the page or press Ctrl-C to end", err=True)

    how: dict[str, Any] = {
        "folder": out_dir,
        "port": port,
        "browser": not no_browser,
        "threads": threads,
        "opened": say,
    }
    try:
        with collected_warnings(lambda: None):
            if [each.path for each in found] == [images[0]]:
                log = view(images[0], **how)
            else:
                offered = {each.path: each.reason or _leads_out(each, images) for each in found}
                whole = all(offered[each.path] == each.reason for each in found)
                kept = [path for path, reason in offered.items() if not reason]
                log = view_images(offered, images if whole else kept, **how)
    except KeyboardInterrupt:
        click.echo("\nended; what was done is kept", err=True)
        return 0
    click.echo("the page was closed", err=True)
    if log.exists():
        click.echo(plain(f"kept {log}; do it again with: gmmseg segment --replay {log}"))
    return 0


def _leads_out(found: Found, named: Sequence[Path]) -> str:
    """Return why a link in a folder is left out of a strip, where it leads out of the folder.

    Links that are named by themselves may lead anywhere.
    """
    if found.path in named or not found.path.is_symlink():
        return ""
    if not Path(os.path.realpath(found.path)).is_relative_to(os.path.realpath(found.base)):
        return f"{found.path} leads out of {found.base}; open it by itself"
    return ""
