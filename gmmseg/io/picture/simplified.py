"""BMP and GIF: pictures of which decoders are given something simpler than the file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from gmmseg.io.damage import explained
from gmmseg.io.picture.bmp import runs_header, without_runs
from gmmseg.io.picture.format import Picture
from gmmseg.io.picture.gif import first_picture, gif_header
from gmmseg.io.picture.headers import Header
from gmmseg.io.request import Reading, require_bytes

__all__ = ["BMP", "GIF"]


@dataclass(frozen=True)
class _Simplified(Picture):
    """Formats of which decoders see something simpler than the file.

    Parameters
    ----------
    simpler : callable
        Returns it, of an open file with a header.
    """

    simpler: Callable[[BinaryIO], bytes] = first_picture

    def _content(self, path: Path, header: Header | None, reading: Reading) -> bytes | None:
        if header is None:
            return None
        require_bytes(path, 2 * path.stat().st_size, reading, "its compressed pixels")
        with explained(path, self._again), open(path, "rb") as file:
            return self.simpler(file)


BMP = _Simplified("BMP", runs_header, simpler=without_runs)
GIF = _Simplified("GIF", gif_header)
