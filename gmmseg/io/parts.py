"""Paths that name several files, as t1.nii.gz+t2.nii.gz does: what a path means, without reading anything."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from gmmseg.checks import path_of
from gmmseg.io.formats import FORMATS
from gmmseg.io.variables import variable_of

if TYPE_CHECKING:
    Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]

__all__ = ["as_text", "files_of", "lacking_part", "name_of", "parts_of", "rule_parts", "stem_of"]

_BANDED = re.compile(r"(.+\.\w+)@([^@/\\.]+)")


def parts_of(path: Paths) -> tuple[Path, ...]:
    """Return the files that a path with "+" in it, or a sequence of paths, stacks; the path alone where it is one file.

    A file whose own name has a "+" is that file. Where no part is there, it is one path that is not there either.
    """
    if not isinstance(path, str | os.PathLike):
        listed = isinstance(path, Iterable) and not isinstance(path, bytes)
        return tuple(map(path_of, path)) if listed else (path_of(path),)
    whole = path if isinstance(path, Path) else Path(path)
    pieces = str(whole).split("+")
    if len(pieces) == 1 or "" in pieces or _is_there(whole):
        return (whole,)
    parts: list[Path] = []
    while pieces:
        runs = range(len(pieces), 0, -1)
        length = next((n for n in runs if _is_there(Path("+".join(pieces[:n])))), 1)
        parts.append(Path("+".join(pieces[:length])))
        del pieces[:length]
    return tuple(parts) if any(map(_is_there, parts)) else (whole,)


def files_of(path: Paths) -> tuple[Path, ...]:
    """Return the parts that are there; all of them where none is."""
    parts = parts_of(path)
    return parts if len(parts) == 1 else tuple(filter(_is_there, parts)) or parts


def lacking_part(path: Paths) -> Path | None:
    """Return the first part that is not there of a stack of which others are; None where there is no such part."""
    parts = parts_of(path)
    lacking = [part for part in parts if not _is_there(part)]
    return lacking[0] if 0 < len(lacking) < len(parts) else None


def name_of(path: Paths) -> str:
    """Return what results are called after: the names of the parts without folders and suffixes, as in "t1+t2".

    Examples
    --------
    >>> name_of("scans/t1.nii.gz"), name_of(["a/dapi.ome.tif", "a/gfp.ome.tif"])
    ('t1', 'dapi+gfp')
    """
    return "+".join(_stem(part) for part in parts_of(path))


def rule_parts(rule: str) -> tuple[str, str, str]:
    """Return the mask, the band and the values that a rule names, as they are written; no band where it names none.

    Examples
    --------
    >>> rule_parts("a_udm2.tif@clear:1"), rule_parts("SCL:4,5")
    (('a_udm2.tif', 'clear', '1'), ('SCL', '', '4,5'))
    """
    mask, _, values = rule.rpartition(":")
    banded = _BANDED.fullmatch(mask)
    return (mask, "", values) if banded is None else (banded[1], banded[2], values)


def as_text(name: str) -> str:
    r"""Return a name as any text file can hold it: what is no UTF-8 in it by its numbers, as JSON has them.

    Examples
    --------
    >>> print(as_text(os.fsdecode(b"a_\xff.png")))
    a_\udcff.png
    """
    return name.encode("utf-8", "backslashreplace").decode()


def _stem(part: Path) -> str:
    variable = variable_of(part)
    if variable is None:
        return stem_of(part.name)
    return f"{stem_of(variable.file.name)}_{variable.name.replace('/', '_')}"


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name that is too long, or has a zero byte in it
        return False


@cache
def _suffixes() -> tuple[str, ...]:
    """Return those of all formats, the longest first."""
    return tuple(sorted((end for known in FORMATS for end in known.suffixes), key=len, reverse=True))


def stem_of(name: str) -> str:
    """Return a file's name without its suffix, which may be of two parts."""
    lower = name.lower()
    found = next((end for end in _suffixes() if lower.endswith(end) and len(name) > len(end)), None)
    found = Path(name).suffix if found is None else found
    stem = name[: len(name) - len(found)]
    return stem[:-4] if stem.lower().endswith(".ome") and len(stem) > 4 else stem
