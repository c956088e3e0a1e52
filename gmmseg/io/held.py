"""The bytes of one small file, which is opened once for all that ask something of it.

Of an icon in a batch the hash, the format, the header and the pixels are asked, one after the other.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from io import BufferedReader, BytesIO
from pathlib import Path

from gmmseg.io.regular import require_regular

__all__ = ["holding", "opened"]

_MOST = 1 << 17  # bytes of a file that is held

_held: ContextVar[tuple[str, list[bytes]] | None] = ContextVar("held", default=None)


@contextmanager
def holding(path: Path) -> Iterator[None]:
    """Have a small file read once in this block, however often this thread opens it by this path.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "a")
    ...     _ = path.write_bytes(b"before")
    ...     with holding(path):
    ...         with opened(path) as file:
    ...             first = file.read()
    ...         _ = path.write_bytes(b"after")
    ...         with opened(path) as file:
    ...             first, file.read()
    (b'before', b'before')
    """
    token = _held.set((str(path), []))
    try:
        yield
    finally:
        _held.reset(token)


def opened(path: Path) -> BufferedReader | BytesIO:
    """Open a regular file for reading; one that is held is read once.

    Raises
    ------
    InputError
        It is a named pipe, a socket or a device: to open it might wait for somebody to write into it.
    OSError
        It cannot be opened.
    """
    name, contents = _held.get() or ("", [])
    if name == str(path) and contents:
        return BytesIO(contents[0])
    require_regular(path)
    file = open(path, "rb")  # noqa: SIM115  # closed below, or by who asked for it
    if name != str(path) or os.fstat(file.fileno()).st_size > _MOST:
        return file
    with file:
        contents.append(file.read())
    return BytesIO(contents[0])
