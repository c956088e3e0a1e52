"""The page that a report is: one file, whose own script and style are all that a browser lets it load."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from pathlib import Path

from gmmseg.errors import OutputError
from gmmseg.io.atomic import atomic_file, check_place
from gmmseg.report.text import escaped

__all__ = ["SUFFIXES", "check_page", "page", "write_page"]

SUFFIXES = (".html", ".htm")


def page(title: str, body: str) -> bytes:
    """Return a whole page.

    Parameters
    ----------
    title : str
    body : str
        HTML, without a script or a style.

    Notes
    -----
    The Content-Security-Policy forbids every address but those that hold their bytes themselves, and every script and
    style but the two of the page, which it knows by their hashes: whatever got into the body could neither run nor ask
    for anything.
    """
    style, script = (_part(name) for name in ("report.css", "report.js"))
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n'
        f"<title>{escaped(title)}</title>\n<style>{style}</style>\n</head>\n"
        f"<body>\n{body}\n<script>{script}</script>\n</body>\n</html>\n"
    ).encode()


def check_page(path: Path, *, overwrite: bool = False) -> None:
    """Raise OutputError where no report can be written to a file of this name, before anything is computed.

    Parameters
    ----------
    path : Path
        .html or .htm.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    OutputError
        The suffix is another one, the file exists, or the folder is missing or not writable.

    Examples
    --------
    >>> check_page(Path("report.pdf"))
    Traceback (most recent call last):
    gmmseg.errors.OutputError: report.pdf: reports are written as HTML; give it a name that ends in .html
    """
    if path.suffix.lower() not in SUFFIXES:
        raise OutputError(f"{path}: reports are written as HTML; give it a name that ends in .html")
    check_place(path, overwrite=overwrite)


def write_page(path: Path, content: bytes, *, overwrite: bool = False) -> None:
    """Write a page, whole or not at all."""
    check_page(path, overwrite=overwrite)
    with atomic_file(path, overwrite=overwrite) as file:
        file.write(content)


def _part(name: str) -> str:
    return files("gmmseg.report").joinpath("page", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
