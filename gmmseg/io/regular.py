"""Which paths are opened: regular files, and nothing that waits for somebody or acts when it is opened."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from gmmseg.errors import InputError

__all__ = ["require_regular"]

_OTHERS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def require_regular(path: Path) -> None:
    """Refuse what is neither a regular file nor a folder, without opening it; links are followed.

    Raises
    ------
    InputError
        It is a named pipe, a socket or a device.
    OSError
        Nothing is there.
    """
    kind = _OTHERS.get(stat.S_IFMT(os.stat(path).st_mode))
    if kind is not None:
        raise InputError(f"{path} is {kind}, not a regular file; copy what it holds to a file and give that")
