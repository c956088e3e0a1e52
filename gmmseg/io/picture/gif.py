"""The first picture of a GIF file, which is all of it that is read, and how many there are."""

from __future__ import annotations

import struct
from typing import BinaryIO

from gmmseg.io.picture.headers import Header

__all__ = ["first_picture", "gif_header"]

_KEEPS = 0b11100011  # flags of a picture without what becomes of it before the next one is shown


def gif_header(file: BinaryIO) -> Header | None:
    """Return the header of a GIF file, or None where it ends before its first picture."""
    file.seek(0)
    content = file.read()
    if len(content) < 13:
        return None
    width, height = struct.unpack("<HH", content[6:10])
    frames = 0
    for place, _ in _blocks(content):
        if content[place] == 0x2C:
            if not frames:
                left, top, across, down = struct.unpack("<HHHH", content[place + 1 : place + 9])
                width, height = max(width, left + across), max(height, top + down)
            frames += 1
    return Header(width, height, 8, "palette", frames=frames) if frames else None


def first_picture(file: BinaryIO) -> bytes:
    """Return the GIF file of the first picture alone."""
    file.seek(0)
    content = bytearray(file.read())
    for place, stop in _blocks(content):
        if content[place : place + 3] == b"\x21\xf9\x04":
            content[place + 3] &= _KEEPS  # decoders would keep a second picture for it
        elif content[place] == 0x2C:
            return bytes(content[:stop]) + b";"
    return bytes(content)


def _blocks(content: bytes | bytearray) -> list[tuple[int, int]]:
    """Return where extensions and pictures begin and end, as far as the file goes."""
    place = 13 + _palette(content[10])
    found = []
    while place < len(content) and content[place] in (0x21, 0x2C):
        start = place
        if content[place] == 0x2C:
            if place + 10 >= len(content):
                break
            place += 11 + _palette(content[place + 9])
        else:
            place += 2
        while place < len(content) and content[place]:
            place += 1 + content[place]
        place += 1
        found.append((start, min(place, len(content))))
    return found


def _palette(flags: int) -> int:
    """Return the bytes of a palette."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0
