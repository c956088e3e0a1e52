"""Coordinate systems that name files: PROJ would open these, wherever they are, when GDAL reads the system.

Grids that are named without a folder are PROJ's own, which it looks for among its data and nowhere else.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path

from gmmseg.errors import InputError

__all__ = ["boxes", "require_no_files", "require_no_files_in_words"]

_NAME = r"@?[\w.-]{0,99}"  # of a grid of PROJ's own, which need not be there where it begins with @
_END = r"""(?=["'\s<>()\[\]]|$)"""
_NAMES = rf"{_NAME}(?:,{_NAME}){{0,20}}"
# As PROJ has it ("+nadgrids=/a/b.gsb", in quotes or not), as WKT 1 and WKT 2 have it; and any JSON, which has escapes.
_FILES = re.compile(
    rf'grids="?(?!{_NAMES}{_END})'
    rf'|grids"\s*,\s*"(?!{_NAMES}")'
    rf'|parameterfile\s*[\[(]\s*"[^"]*"\s*,\s*"(?!{_NAMES}")'
    r'|(?:<srs\b[^<>]*>|projection\s*=\s*["\'])\s*(?:<!\[cdata\[)?\s*\{',
    re.IGNORECASE,
)
_FILES_OF_PROJ = re.compile(
    rf'\b(?:init=(?![\w.-]{{1,99}}:)|(?:file|model|catalog)="?(?!{_NAMES}{_END}))', re.IGNORECASE
)
_QUOTED = 60  # letters
_MOST_OF_BOX = 1 << 20  # bytes: that of GeoTIFF has some hundreds


def require_no_files(text: str, owner: Path, where: str) -> None:
    """Refuse a text with a coordinate system that names a file.

    Parameters
    ----------
    text : str
        WKT, what PROJ takes, or any text in which there may be some, such as XML.
    owner : Path
        The file that was opened, for messages.
    where : str
        What the text is of, for messages: the name of a file beside it.
    """
    plain = html.unescape(text)
    found = _FILES.search(plain)
    if found is None and ("+proj=" in plain or "+init=" in plain):
        found = _FILES_OF_PROJ.search(plain)
    if found is not None:
        named = "".join(letter for letter in plain[found.end() : found.end() + _QUOTED] if letter.isprintable())
        raise InputError(
            f"{owner} has a coordinate system that names a file ({where}: {named!r}), which is not opened; "
            "give the system by its EPSG code"
        )


def require_no_files_in_words(words: bytes, owner: Path) -> None:
    """Refuse what GeoTIFF says in words where it is WKT, as ArcGIS writes it; other words are names, and no more."""
    if b"esri pe" in words.lower():
        require_no_files(words.decode("latin-1"), owner, "its GeoTIFF tags")


def boxes(path: Path) -> Iterator[bytes]:
    """Yield what the boxes of a JPEG 2000 file hold, but for its pixels; nothing of one without boxes."""
    with open(path, "rb") as file:
        while len(start := file.read(8)) == 8 and start[:2] != b"\xff\x4f":
            length = int.from_bytes(start[:4], "big")
            header = 16 if length == 1 else 8
            if length == 1:
                length = int.from_bytes(file.read(8), "big")
            if start[4:] != b"jp2c":
                content = file.read(_MOST_OF_BOX if length == 0 else min(_MOST_OF_BOX, max(0, length - header)))
                yield content
                file.seek(-len(content), 1)
            if length < header:  # 0 is up to the end of the file
                return
            file.seek(length - header, 1)
