"""Label maps that are kept in a temporary file."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gmmseg.errors import OutputError

__all__ = ["kept_on_disk"]


@contextmanager
def kept_on_disk(shape: tuple[int, ...], sweep: int, folder: Path | None) -> Iterator[Any]:
    """Have a label map (*spatial), uint8, in a temporary file, which is gone at the end, however that comes.

    Parameters
    ----------
    shape : tuple of int
    sweep : int
        The axis along which it is written: windows across it are stored together.
    folder : Path, optional
        Where the room is taken; by default the system's place for temporary files.

    Raises
    ------
    OutputError
        There is not the room.
    """
    import numpy as np

    size = math.prod(shape)
    with tempfile.TemporaryFile(prefix=".gmmseg-", dir=folder) as file:
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)  # a full disk would kill the process later
            else:
                file.truncate(size)
        except OSError as error:
            place = folder or tempfile.gettempdir()
            raise OutputError(
                f"{place} has no room for {size / 1e6:.0f} MB of labels that are to be cleaned "
                f"({error.strerror or error}); free space, or leave the minimum size out"
            ) from None
        yield np.memmap(file, np.uint8, "r+", shape=shape, order="F" if sweep == len(shape) - 1 > 0 else "C")
