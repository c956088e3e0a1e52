"""Whether a file is still the one that was opened: by its size, the time of its last change, and its number on disk."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from gmmseg.errors import InputError

__all__ = ["Stamp", "unchanged"]


class Stamp(NamedTuple):
    """A file as it was when it was opened.

    Parameters
    ----------
    path : Path
    size : int
        Bytes.
    times : tuple of int
        Of the last change of the content, and of anything (a copy may have the time of the first), in ns.
    number : tuple of int
        Of the device and the file on it: another where the file was replaced.
    """

    path: Path
    size: int
    times: tuple[int, int]
    number: tuple[int, int]

    @classmethod
    def of(cls, path: Path) -> Stamp:
        """Return the stamp of a file as it is now."""
        return cls._as(path, os.stat(path))

    @classmethod
    def of_file(cls, path: Path) -> Stamp | None:
        """Return the stamp of a file as it is now; None of a folder."""
        now = os.stat(path)
        return None if stat.S_ISDIR(now.st_mode) else cls._as(path, now)

    @classmethod
    def _as(cls, path: Path, now: os.stat_result) -> Stamp:
        return cls(path, now.st_size, (now.st_mtime_ns, now.st_ctime_ns), (now.st_dev, now.st_ino))

    def is_copy(self, other: Stamp) -> bool:
        """Whether another one, perhaps of another machine, has the size and the time of the content of this one."""
        return (self.size, self.times[0]) == (other.size, other.times[0])

    def check(self) -> None:
        """Raise InputError where the file is another by now."""
        try:
            now = Stamp.of(self.path)
        except OSError as error:
            raise InputError(
                f"{self.path} cannot be read: {error.strerror or error}; it was there when it was opened, put it back"
            ) from error
        if now == self:
            return
        if now.size != self.size:
            change = f"size: {self.size} bytes, now {now.size}"
        else:
            change = "time of the last change" if now.number == self.number else "another file of this name"
        raise InputError(f"{self.path} has changed since it was opened ({change}); segment it again")


@contextmanager
def unchanged(stamp: Stamp) -> Iterator[BinaryIO]:
    """Open a file again, and raise InputError where it is another one, before or after it is read."""
    stamp.check()
    with open(stamp.path, "rb") as file:
        yield file
        stamp.check()
