"""The directories of a TIFF file, followed by their offsets before any library does: how many, and what they claim."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from gmmseg.errors import InputError
from gmmseg.io.damage import explained
from gmmseg.io.request import Reading, require_bytes

__all__ = ["REMEDY", "Directory", "directories", "require_sound"]

REMEDY = "export or download the TIFF file again"
"""What to do about a damaged TIFF file."""

_SUBFILE, _COMPRESSION, _PHOTOMETRIC, _DESCRIPTION, _BENEATH, _NAMES_OF_SYSTEMS = 254, 259, 262, 270, 330, 34737
_MOST_TAGS = 4096
_MOST_WORDS = 1 << 16  # bytes of names of coordinate systems: GeoTIFF's numbers reach no further
_FEW, _LEAST = 1000, 128  # directories that any file may have, and bytes of a page of few pixels beyond them
_MOST_IMAGES = 3000  # tifffile compares each with every other: 5 s
_NUMBER = 40  # bytes of a number of a tag in Python: the object and what refers to it
_SHARE = 4  # of the budget, for tags

# Bytes of a value, by the number of its type; those of `_TEXT` stay bytes.
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_TEXT = frozenset({1, 2, 7})


class Directory(NamedTuple):
    """What a directory says of itself.

    Parameters
    ----------
    codes : list of int
        Of its tags.
    subfile : int
        Its kind: bits for overviews and masks.
    compression : int, optional
        How its pixels are stored.
    photometric : int, optional
        What its numbers mean.
    stack : bool
        Whether its description is one of ImageJ or OME.
    shaped : bool
        Whether its description is tifffile's, with which an image of its own begins.
    n_bytes : int
        What its tags take, once they are Python's.
    beneath : list of int
        Offsets of the directories that it names besides the next one.
    next : int
        Offset of the next one, 0 for the last.
    systems : bytes
        What GeoTIFF says of coordinate systems in words.
    """

    codes: list[int]
    subfile: int
    compression: int | None
    photometric: int | None
    stack: bool
    shaped: bool
    n_bytes: int
    beneath: list[int]
    next: int
    systems: bytes


def require_sound(path: Path, reading: Reading) -> int:
    """Refuse a file whose directories go round in a circle, are too many, or claim more than may be read.

    Parameters
    ----------
    path : Path
    reading : Reading
        A quarter of its `budget` is there for tags.

    Returns
    -------
    int
        How many directories the file has, with those beneath others.

    Raises
    ------
    InputError
        The file cannot be followed to its end.
    """
    number = n_bytes = n_images = 0
    for directory in directories(path):
        number += 1 + len(directory.beneath)
        n_bytes += directory.n_bytes
        n_images += directory.shaped
        require_bytes(path, n_bytes * _SHARE, reading, "four times its tags")
    if n_images > _MOST_IMAGES:
        raise InputError(f"{path} holds {n_images} images, more than {_MOST_IMAGES}; save the one you want as a file")
    return number


def directories(path: Path) -> Iterator[Directory]:
    """Yield the directories of a file one after the other; each has been looked at together with those beneath it.

    Raises
    ------
    InputError
        It is cut short or damaged, or its directories lie over one another, go round in a circle or are too many.
    """
    with explained(path, REMEDY), open(path, "rb") as file:
        yield from _File(path, file).followed()


class _File:
    """An open TIFF file, classic or BigTIFF, in either order of bytes."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path, self.file = path, file
        self.size = os.fstat(file.fileno()).st_size
        start = file.read(16)
        self.order = {b"II": "<", b"MM": ">"}.get(start[:2], "<")
        big = start[2:4] in (b"+\0", b"\0+")
        count, entry, link = ("Q", "HHQ8s", "Q") if big else ("H", "HHI4s", "I")
        self.count, self.entry, self.link = (struct.Struct(self.order + each) for each in (count, entry, link))
        if len(start) < (16 if big else 8):
            raise self._cut(len(start))
        (self.first,) = self.link.unpack_from(start, 8 if big else 4)

    def followed(self) -> Iterator[Directory]:
        """Yield what the file has, within the bounds that its size sets."""
        offset, seen = self.first, set()
        number, room, most = 0, self.size, _FEW + self.size // _LEAST
        while offset:
            if offset in seen:
                raise InputError(f"{self.path}: its directories go round in a circle at byte {offset}; {REMEDY}")
            seen.add(offset)
            directory = self._directory(offset)
            number += 1 + len(directory.beneath)
            if number > most:
                raise InputError(
                    f"{self.path} has more than {most} directories, too many for its {self.size} bytes; {REMEDY}"
                )
            below = [self._directory(each) for each in directory.beneath]
            # Libraries take neither those that follow on these nor those beneath them.
            room -= sum(len(each.codes) for each in (directory, *below)) * self.entry.size
            if room < 0:
                raise InputError(f"{self.path}: its directories lie over one another; {REMEDY}")
            yield directory._replace(n_bytes=directory.n_bytes + sum(each.n_bytes for each in below))
            offset = directory.next

    def _directory(self, offset: int) -> Directory:
        (number,) = self.count.unpack(self._bytes(offset, self.count.size))
        if number > _MOST_TAGS:
            raise InputError(f"{self.path}: its directory at byte {offset} has {number} tags; {REMEDY}")
        length = number * self.entry.size
        raw = self._bytes(offset + self.count.size, length + self.link.size)
        codes, n_bytes = [], 0
        subfile, compression, photometric, beneath, text, systems = 0, None, None, list[int](), b"", b""
        inline = self.link.size
        for code, kind, count, value in self.entry.iter_unpack(raw[:length]):
            codes.append(code)
            taken = count * _SIZES.get(kind, 0)
            at = self.link.unpack(value)[0] if taken > inline else None
            if at is not None and at + taken <= self.size:  # others are not read
                n_bytes += taken if kind in _TEXT else count * _NUMBER
            if code == _SUBFILE:
                subfile = self._short(kind, value)
            elif code == _COMPRESSION:
                compression = self._short(kind, value)
            elif code == _PHOTOMETRIC:
                photometric = self._short(kind, value)
            elif code == _DESCRIPTION and at is not None:
                text = self._there(at, min(taken, 4096))
            elif code == _NAMES_OF_SYSTEMS and at is not None:
                systems += self._there(at, min(taken, _MOST_WORDS))
            elif code == _BENEATH:
                beneath = self._offsets(kind, value[:taken] if at is None else self._there(at, min(taken, self.size)))
        stack, shaped = text.startswith(b"ImageJ=") or b"<OME" in text, text.startswith(b'{"shape"')
        following = self.link.unpack_from(raw, length)[0]
        return Directory(codes, subfile, compression, photometric, stack, shaped, n_bytes, beneath, following, systems)

    def _short(self, kind: int, value: bytes) -> int:
        number: int = struct.unpack_from(self.order + ("H" if kind == 3 else "I"), value)[0]
        return number

    def _offsets(self, kind: int, raw: bytes) -> list[int]:
        """Return the offsets of directories in a tag; those below 8 are none."""
        size = 8 if _SIZES.get(kind) == 8 else 4
        usable = raw[: len(raw) // size * size]
        offsets = (each for (each,) in struct.iter_unpack(self.order + ("Q" if size == 8 else "I"), usable))
        return [offset for offset in offsets if offset >= 8]

    def _bytes(self, offset: int, length: int) -> bytes:
        """Return bytes of a directory, all of which have to be there."""
        found = self._there(offset, length)
        if len(found) < length:
            raise self._cut(offset)
        return found

    def _there(self, offset: int, length: int) -> bytes:
        """Return what there is of some bytes; offsets may be larger than the numbers of the system."""
        if offset >= self.size:
            return b""
        self.file.seek(offset)
        return self.file.read(length)

    def _cut(self, offset: int) -> InputError:
        return InputError(f"{self.path} is cut short (it goes on at byte {offset} but has {self.size}); {REMEDY}")
