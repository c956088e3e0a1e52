"""Copies in temporary files of what can be read once only: pipes, open files, bytes, members of archives."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from gmmseg.errors import GmmsegError, InputError
from gmmseg.io.temporary import sweep, temporary_folder

__all__ = ["AT_ONCE", "Copy", "as_given", "chunks_of", "named"]

AT_ONCE = 1 << 20
"""Bytes that are copied at a time."""

_ALIVE: weakref.WeakSet[Copy] = weakref.WeakSet()


class Copy:
    """A copy of encoded images in a temporary folder, which goes with this object.

    Parameters
    ----------
    given : str
        What was given in its place, for messages and names.
    limit : int
        Bytes that it may take.

    Attributes
    ----------
    path : Path
        The file of the image.
    """

    def __init__(self, given: str, limit: int) -> None:
        import tempfile  # here, because most images are files; it takes longer to load than this package's readers

        place = Path(tempfile.gettempdir())
        sweep([place])  # what killed runs have left there
        stack = ExitStack()
        self.given, self.left, self._limit = given, limit, limit
        self.folder = stack.enter_context(temporary_folder(place))
        self.path = self.folder / "image"
        self.close: Callable[[], None] = weakref.finalize(self, stack.close)
        _ALIVE.add(self)

    def add(self, name: str, chunks: Iterable[bytes]) -> Path:
        """Write a file into the folder, and return its path.

        Raises
        ------
        InputError
            It is larger than the limit, or there is no room for it.
        """
        path = self.folder / name
        with ExitStack() as files:
            with self._room():
                file = files.enter_context(open(path, "xb", buffering=0))
            for chunk in chunks:
                self.left -= len(chunk)
                if self.left < 0:
                    raise InputError(
                        f"{self.given} is larger than the {self._limit >> 20} MiB that are copied; raise memory, or "
                        "save it as a file and give that"
                    )
                with self._room():
                    file.write(chunk)
        return path

    @contextmanager
    def _room(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise InputError(
                f"{self.given} cannot be copied to {self.folder.parent}: {error.strerror or error}; free space there, "
                "or set TMPDIR to another folder"
            ) from error

    def settle(self) -> None:
        """Give the file a suffix by its content where it has none: GDAL knows some formats by their names alone."""
        from gmmseg.io.raster.drivers import suffix_for  # here, because most images are files

        if not self.path.suffix and (suffix := suffix_for(self.path)):
            self.path = self.path.rename(self.path.with_suffix(suffix))

    def stay(self) -> None:
        """Do nothing: who can call this keeps the file."""


def chunks_of(file: Any) -> Iterator[bytes]:
    """Read an open file bit by bit."""
    while chunk := file.read(AT_ONCE):
        yield chunk


def as_given(text: str) -> str:
    """Return a text that names what was given, where it names copies."""
    for copy in list(_ALIVE):
        text = text.replace(str(copy.path), copy.given).replace(str(copy.folder), copy.given)
    return text


@contextmanager
def named() -> Iterator[None]:
    """Have errors name what was given in place of its copy."""
    try:
        yield
    except GmmsegError as error:
        text = str(error)
        if (changed := as_given(text)) == text:
            raise
        raise type(error)(changed) from error
