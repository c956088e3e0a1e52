"""Names and colours of classes in a NIfTI file: in an extension of its header, and in the label table beside it."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from gmmseg.io.classes import default_names, own_names
from gmmseg.io.nifti.gzip_stream import opened

__all__ = ["colors_beside", "names_in_nifti"]

_SIZES = (348, 540)
_COMMENT = 6  # the code of extensions that are plain text
_MOST_BYTES = 1 << 20  # of extensions
_LINE = re.compile(r"(\d{1,5}) (.+)")
_ROW = re.compile(r'\s*(\d{1,5})\s+(\d{1,3})\s+(\d{1,3})\s+(\d{1,3})\s+\S+\s+\d\s+\d\s+"(.*)"\s*')


def names_in_nifti(path: Path) -> tuple[str, ...] | None:
    """Return the names of classes, class 1 first; None where there are none.

    Those of a text in which each line is a number and a name, or of ITK-SNAP's label table in NAME.txt beside the file.
    """
    for text in _comments(path):
        lines = [_LINE.fullmatch(line) for line in text.strip("\0\n ").split("\n")]
        if lines and all(lines):
            return _in_order({int(each[1]): each[2].strip() for each in lines if each})
    return _in_order({number: name for number, (_, name) in _table(path).items()})


def colors_beside(path: Path) -> np.ndarray | None:
    """Return the colours of classes, class 1 first, (n, 3) uint8; None where there is no label table.

    Numbers that the table does not have are black.
    """
    table = _table(path)
    if not table:
        return None
    colors = np.zeros((max(table), 3), np.uint8)
    for number, (color, _) in table.items():
        colors[number - 1] = color
    return colors


def _in_order(names: Mapping[int, str]) -> tuple[str, ...] | None:
    """Return the names of classes 1, 2, ...; None where they say no more than the numbers, as tables of colours do."""
    found = {number: name for number, name in names.items() if number}
    every = default_names(max(found, default=0), found)
    return every if own_names(every) else None


def _comments(path: Path) -> list[str]:
    """Return the texts among the extensions of a header, in either order of bytes."""
    with opened(path) as file:
        start = file.read(4)
        order = "<" if struct.unpack("<i", start)[0] in _SIZES else ">"
        length = struct.unpack(order + "i", start)[0]
        header = start + file.read(length - 4)
        offset = struct.unpack_from(order + ("f" if length == 348 else "q"), header, 108 if length == 348 else 168)[0]
        content = file.read(int(min(max(offset - length, 0), _MOST_BYTES)))
    texts, place = [], 4
    while content[:1] == b"\1" and place + 8 <= len(content):
        size, code = struct.unpack_from(order + "ii", content, place)
        if size < 8:
            break
        if code == _COMMENT:
            texts.append(content[place + 8 : place + size].rstrip(b"\0").decode("utf-8", "replace"))
        place += size
    return texts


def _table(path: Path) -> dict[int, tuple[tuple[int, int, int], str]]:
    """Return the colour and name of each class but 0 in the label table beside a file, empty where there is none."""
    beside = path.with_name(f"{path.name}.txt")
    if not beside.is_file() or beside.stat().st_size > _MOST_BYTES * 4:
        return {}
    rows = map(_ROW.fullmatch, beside.read_text(encoding="utf-8", errors="replace").splitlines())
    found = {int(row[1]): ((int(row[2]), int(row[3]), int(row[4])), row[5]) for row in rows if row}
    return {n: (color, name) for n, (color, name) in found.items() if n and max(color) < 256}
