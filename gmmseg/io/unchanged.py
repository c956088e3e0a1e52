"""Files that are opened again, window by window: what is read is what was there at first, or an error."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from gmmseg.errors import InputError

__all__ = ["Stamp", "stamp_of", "unchanged"]


class Stamp(NamedTuple):
    """What tells a file from a later one of the same name: bytes, time of the last change in ns, and inode."""

    size: int
    time: int
    inode: int


def stamp_of(file: IO[bytes]) -> Stamp:
    """Return the stamp of an open file."""
    status = os.fstat(file.fileno())
    return Stamp(status.st_size, status.st_mtime_ns, status.st_ino)


@contextmanager
def unchanged(path: Path, stamp: Stamp) -> Iterator[IO[bytes]]:
    """Open a file again, and say so where it is not what it was, before or after it is read.

    Raises
    ------
    InputError
        It is another file, or another one while it is read.
    """
    if not path.exists():
        raise InputError(f"{path} is gone since it was opened; put it back and segment it again")
    with open(path, "rb") as file:
        _require(path, file, stamp)
        yield file
        _require(path, file, stamp)


def _require(path: Path, file: IO[bytes], stamp: Stamp) -> None:
    if stamp_of(file) != stamp:
        raise InputError(f"{path} has changed since it was opened; segment it again")
