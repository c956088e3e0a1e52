"""`gmmseg report`: the images of a batch on one page."""

from __future__ import annotations

from pathlib import Path

import click

from gmmseg.cli.messages import collected_warnings, plain, plural
from gmmseg.cli.types import FILE, Command, output
from gmmseg.errors import InputError

__all__ = ["command"]


@click.command("report", cls=Command)
@click.argument("folder", metavar="OUT_DIR", type=FILE)
@output("-o", "--output", type=FILE, help="The page: .html.  [default: NAME_report.html in this folder]")
@output("--overwrite", is_flag=True, help="Replace a file that exists.")
def command(folder: Path, *, output: Path | None, overwrite: bool) -> int:
    """Show the images of a batch on one page, the most unlike first.

    OUT_DIR is the --out-dir of `gmmseg batch`. The page is one file that needs no network: thumbnails with their
    classes, a plot of all images by any two numbers, and a table that can be sorted; what is pointed at in one of them
    is marked in all. Images that failed come first, then those least like the others.

    \b
    Examples:
      gmmseg report labels
      gmmseg report labels -o june.html --overwrite
    """  # noqa: D301  # click keeps the lines below this character as they are
    from gmmseg.batch.manifest import NAME, Manifest
    from gmmseg.report import batch_report, check_page

    target = output or Path(f"{folder.resolve().name}_report.html")
    check_page(target, overwrite=overwrite)
    manifest = Manifest.read(folder)
    if not manifest.lines:
        raise InputError(f"{folder} has no image in its {NAME}; name the --out-dir of `gmmseg batch`")
    with collected_warnings(lambda: None):
        number = batch_report(manifest.lines.values(), folder, target, overwrite=overwrite)
    click.echo(plain(f"wrote {target}: {plural(number, 'image')}"))
    return 0
