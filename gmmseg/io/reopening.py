"""Pixels that stay in a file, and how another process, perhaps of another machine, opens the same file again."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gmmseg.errors import InputError
from gmmseg.image import Image
from gmmseg.image.sources import Checked, Source
from gmmseg.io.formats import identify
from gmmseg.io.request import Reading
from gmmseg.io.unchanged import Stamp
from gmmseg.io.variables import file_of
from gmmseg.records import replace

if TYPE_CHECKING:
    import numpy as np

    from gmmseg.image.windows import Window
    from gmmseg.io.file_format import FileFormat

__all__ = ["InFile", "read_file"]

_MOST_OPEN = 4  # files that a process keeps open for tasks to come


class InFile(Checked):
    """The pixels of a file; each reading makes sure that it is the file which was opened.

    Sent to another process it is the path, and what was asked of the file: there it is opened again.

    Parameters
    ----------
    whole : Source
        As the format reads it.
    path : Path
    reading : Reading
    stamp : Stamp, optional
        None of a folder.
    chosen : tuple of tuple of int
        Channels that were chosen of it, one choice after the other.
    """

    def __init__(
        self,
        whole: Source,
        path: Path,
        reading: Reading,
        stamp: Stamp | None,
        chosen: tuple[tuple[int, ...], ...] = (),
    ) -> None:
        super().__init__(whole, _nothing if stamp is None else stamp.check)
        self.path, self.reading, self.stamp, self.chosen = path, reading, stamp, chosen
        self._lock = threading.RLock()

    def select(self, channels: tuple[int, ...]) -> InFile:
        """Return some channels, which are checked too."""
        picked = InFile(self.whole.select(channels), self.path, self.reading, self.stamp, (*self.chosen, channels))
        picked._lock = self._lock
        return picked

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray | None]:
        """Return pixels and validity of a window; tasks of one process wait for each other."""
        with self._lock:
            return super().read(window)

    def take(self, flat: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Return single pixels."""
        with self._lock:
            return super().take(flat)

    def __reduce__(self) -> tuple[Any, ...]:
        return _open_again, (self.path.absolute(), self.reading, self.stamp, self.chosen)


def read_file(path: Path, reading: Reading, known: FileFormat | None = None) -> Image:
    """Read an image from its file or folder, whatever its format; it is told where nobody has before."""
    known, file = known or identify(path), file_of(path)
    stamp = Stamp.of_file(file)
    image = known.read(path, reading)
    if stamp is not None:
        stamp.check()
    if image.in_memory:
        return image
    # Masks are of the image that is made of it, and arrays of them would be sent along.
    plain = replace(reading, mask=None, mask_values=None)
    return replace(image, pixels=InFile(image.pixels, path, plain, stamp))


def _open_again(path: Path, reading: Reading, stamp: Stamp | None, chosen: tuple[tuple[int, ...], ...]) -> Source:
    key = (path, repr(reading), stamp)
    source = _open_here.pop(key, None)
    if source is None:
        source = read_file(path, reading).pixels
        found = getattr(source, "stamp", None)
        if stamp is not None and (found is None or not stamp.is_copy(found)):
            raise InputError(f"{path} is another file than the one that was opened; segment it again")
    _open_here[key] = source  # the latest is the last
    while len(_open_here) > _MOST_OPEN:
        _open_here.pop(next(iter(_open_here)))
    for channels in chosen:
        source = source.select(channels)
    return source


_open_here: dict[Any, Source] = {}
"""Files that this process has opened again: each of many tasks would take as long as opening takes."""


def _nothing() -> None:
    """Check nothing: a folder's formats check their own files."""
