"""SHA-256 of files and of folders."""

from __future__ import annotations

import os
from pathlib import Path

from gmmseg.io.held import opened

__all__ = ["digest"]

_AT_ONCE = 1 << 18  # bytes


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, or of the names and contents of the files in a folder.

    Raises
    ------
    InputError
        It is no regular file.
    OSError
        It cannot be read.
    """
    import hashlib

    total = hashlib.sha256()
    if os.path.isdir(path):
        files = (
            each.relative_to(path) for each in path.rglob("*") if each.is_file()
        )  # the bands of a scene lie deeper
        for each in sorted(each for each in files if not any(part.startswith(".") for part in each.parts)):
            total.update(os.fsencode(each) + b"\0" + digest(path / each).encode())
        return total.hexdigest()
    with opened(path) as file:
        while content := file.read(_AT_ONCE):  # `file_digest` clears as many bytes for each file, however small
            total.update(content)
    return total.hexdigest()
