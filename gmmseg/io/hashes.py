"""SHA-256 of files and of folders."""

from __future__ import annotations

import os
from pathlib import Path

from gmmseg.io.regular import require_regular

__all__ = ["digest"]


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

    if path.is_dir():
        total = hashlib.sha256()
        files = (
            each.relative_to(path) for each in path.rglob("*") if each.is_file()
        )  # the bands of a scene lie deeper
        for each in sorted(each for each in files if not any(part.startswith(".") for part in each.parts)):
            total.update(os.fsencode(each) + b"\0" + digest(path / each).encode())
        return total.hexdigest()
    require_regular(path)
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
