"""Compressed frames of DICOM files: how large the picture is that they hold, before they are decoded."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Size", "size_of"]

_CODESTREAM = b"\xff\x4f\xff\x51"  # of JPEG 2000: its start, and the marker of its size
_BOXES = b"\0\0\0\x0cjP  \r\n\x87\n"  # of a JPEG 2000 file, which some programs put into DICOM files
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}  # markers of a JPEG frame, the last of JPEG-LS


class Size(NamedTuple):
    """Rows, columns and samples a pixel of a picture."""

    rows: int
    columns: int
    samples: int


def size_of(frame: bytes) -> Size | None:
    """Return the size that a JPEG, JPEG-LS or JPEG 2000 picture says it has; None where it is none of these.

    Examples
    --------
    >>> size_of(bytes.fromhex("ffd8 ffc0 0011 08 0014 0019 03 012200 021101 031101"))
    Size(rows=20, columns=25, samples=3)
    """
    if frame.startswith(b"\xff\xd8"):
        return _of_jpeg(frame)
    start = _start_of_codestream(frame) if frame.startswith(_BOXES) else 0
    if frame[start : start + 4] != _CODESTREAM or len(frame) < start + 42:
        return None
    right, bottom, left, top = (_number(frame, start + 8 + 4 * i, 4) for i in range(4))
    return Size(bottom - top, right - left, _number(frame, start + 40, 2))


def _of_jpeg(frame: bytes) -> Size | None:
    place = 2
    while place + 10 <= len(frame) and frame[place] == 0xFF:
        if frame[place + 1] == 0xFF:  # a byte that fills
            place += 1
        elif frame[place + 1] in _FRAMES:
            return Size(_number(frame, place + 5, 2), _number(frame, place + 7, 2), frame[place + 9])
        else:
            place += 2 + _number(frame, place + 2, 2)
    return None


def _start_of_codestream(frame: bytes) -> int:
    """Return where in the boxes of a JPEG 2000 file the picture is; 0 where it has none."""
    place = 0
    while place + 8 <= len(frame):
        if frame[place + 4 : place + 8] == b"jp2c":
            return place + (16 if _number(frame, place, 4) == 1 else 8)
        length = _number(frame, place, 4)
        if length < 8:
            return 0
        place += length
    return 0


def _number(content: bytes, place: int, length: int) -> int:
    return int.from_bytes(content[place : place + length], "big")
