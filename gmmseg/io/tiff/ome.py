"""OME-XML, looked at before tifffile follows it: how large it is, how many planes it claims, which files it names."""

from __future__ import annotations

import math
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.parsers import expat

from gmmseg.errors import InputError
from gmmseg.io.request import Reading, require_bytes
from gmmseg.io.tiff.directories import REMEDY, require_sound

__all__ = ["require_modest_xml", "require_sound_ome"]

_DEEPEST = 100
_ELEMENT, _PLANE = 500, 200  # bytes that one takes in Python
_MOST_REPEATS = 1_000_000


@dataclass
class _Planes:
    """What a Pixels element says: lengths of its axes, and for each TiffData its attributes, and the file that has it.

    Files are pairs of a name and an identifier, both perhaps empty.
    """

    sizes: dict[str, str]
    data: list[dict[str, str]] = field(default_factory=list)
    files: list[tuple[str, str]] = field(default_factory=list)


class _Reader:
    """Reads XML once from start to end, and keeps of it what it says of planes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.identifier = ""
        self.images: list[_Planes] = []
        self.n_elements = self.depth = 0
        self._text: list[str] | None = None
        self._file = ""

    def read(self, xml: str) -> None:
        parser = expat.ParserCreate("utf-8")
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.CharacterDataHandler = self._said
        parser.StartDoctypeDeclHandler = self._refuse
        try:
            parser.Parse(xml.encode(), True)
        except expat.ExpatError:
            self.images = []  # tifffile does without XML that is damaged

    def _refuse(self, *_: Any) -> None:
        raise InputError(f"{self.path}: its XML declares a document type, as no image's does; {REMEDY}")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self.n_elements += 1
        self.depth += 1
        if self.depth > _DEEPEST:
            raise InputError(f"{self.path}: its XML is nested more than {_DEEPEST} deep; {REMEDY}")
        if self.depth == 1:
            self.identifier = attributes.get("UUID", "")
        elif tag.endswith("Pixels"):
            self.images.append(_Planes(attributes))
        elif tag.endswith("TiffData") and self.images:
            self.images[-1].data.append(attributes)
        elif tag.endswith("UUID") and self.images:
            self._file, self._text = attributes.get("FileName", ""), []

    def _said(self, text: str) -> None:
        if self._text is not None:
            self._text.append(text)

    def _end(self, tag: str) -> None:
        self.depth -= 1
        if self._text is not None and tag.endswith("UUID"):
            self.images[-1].files.append((self._file, "".join(self._text)))
            self._text = None


def require_modest_xml(path: Path, text: str, reading: Reading) -> None:
    """Refuse XML that is nested deeply, declares entities, or has more elements than may be read."""
    if text.lstrip().startswith("<"):
        _read(path, text, reading)


def _read(path: Path, xml: str, reading: Reading) -> _Reader:
    reader = _Reader(path)
    reader.read(xml)
    require_bytes(path, len(xml) * 4 + reader.n_elements * _ELEMENT, reading, "the elements of its XML")
    return reader


def require_sound_ome(path: Path, xml: str, n_pages: int, reading: Reading) -> list[str]:
    """Refuse OME-XML of more planes than may be read, or of files that are not to be opened.

    Parameters
    ----------
    path : Path
        Files that it names are regular ones in its folder or below, links resolved first; they may be missing.
    xml : str
    n_pages : int
        Directories of the file.
    reading : Reading
        Whose `budget` is the limit.

    Returns
    -------
    list of str
        Names of those that are missing.

    Raises
    ------
    InputError
        It is one of these.
    """
    reader = _read(path, xml, reading)
    absent = []
    for name in sorted(
        {name for image in reader.images for name, of in image.files if _opened(path, reader, name, of)}
    ):
        other = _inside(path, name)
        if other is None:
            absent.append(name)
        else:
            n_pages = max(n_pages, require_sound(other, reading))
    n_planes = n_stated = 0
    for image in reader.images:
        planes = math.prod(_whole(path, image.sizes, "Size" + axis, 1) for axis in "ZCT")
        n_planes += planes
        require_bytes(path, n_planes * _PLANE, reading, f"its {n_planes} planes")
        for data in image.data:
            stated = _whole(path, data, "PlaneCount", _whole(path, data, "NumPlanes", 1 if "IFD" in data else 0))
            if stated > max(planes, n_pages):
                raise InputError(f"{path}: its OME-XML places {stated} planes where it has room for {planes}; {REMEDY}")
            n_stated += stated or n_pages
    if n_stated > n_planes + _MOST_REPEATS:
        raise InputError(f"{path}: its OME-XML places {n_stated} planes where it has room for {n_planes}; {REMEDY}")
    return absent


def _whole(path: Path, attributes: dict[str, str], name: str, default: int) -> int:
    """Return an attribute that is a whole number."""
    text = attributes.get(name)
    if text is None:
        return default
    try:
        number = int(text)
    except ValueError:
        number = -1
    if number < 0:
        raise InputError(f"{path}: {name}={text[:40]!r} of its OME-XML is no whole number; {REMEDY}")
    return number


def _opened(path: Path, reader: _Reader, name: str, identifier: str) -> bool:
    """Whether tifffile opens a file that is named: not the file itself, which may have been renamed."""
    itself = name == path.name or (not reader.identifier and name.lower() == path.name.lower())
    return not itself and not (identifier and identifier == reader.identifier)


def _inside(path: Path, name: str) -> Path | None:
    """Return a file that another names, None where it is missing; refuse it where it is not to be opened."""
    folder = os.path.realpath(path.parent)
    shown = repr(name[:100])
    try:
        there = os.path.realpath(os.path.join(folder, name))
        mode = os.stat(there).st_mode
    except FileNotFoundError:
        mode = None
    except (OSError, ValueError) as error:
        raise InputError(f"{path} names the file {shown}, which cannot be opened; {REMEDY}") from error
    if os.path.commonpath((folder, there)) != folder:
        raise InputError(f"{path} names the file {shown}, which is outside its folder; put it beside it")
    if mode is None:
        return None
    if not stat.S_ISREG(mode):
        raise InputError(f"{path} names {shown}, which is no regular file; put the file itself there")
    return Path(there)
