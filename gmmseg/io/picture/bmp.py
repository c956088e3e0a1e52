"""BMP files whose pixels are coded in runs, which Pillow fills in byte by byte: half a minute for a file of 50 kB."""

from __future__ import annotations

import struct
from typing import BinaryIO

from gmmseg.io.picture.headers import Header

__all__ = ["runs_header", "without_runs"]

_START = 14  # bytes before the header
_RUNS = {(1, 8), (2, 4)}  # codings and the bits of a pixel that they have
_END_OF_ROW, _END, _MOVE = 0, 1, 2


def runs_header(file: BinaryIO) -> Header | None:
    """Return the header of a BMP file whose pixels are coded in runs, None of any other."""
    file.seek(_START)
    start = file.read(40)
    if len(start) < 40:
        return None
    size, width, height, _, bits, coding, _, across, down = struct.unpack("<IiiHHIIII", start[:32])
    if size < 40 or (coding, bits) not in _RUNS or width < 1 or height < 1:
        return None
    dpi = (across * 0.0254, down * 0.0254) if across and down else None
    return Header(width, height, bits, "palette", dpi=dpi, buffered=2)


def without_runs(file: BinaryIO) -> bytes:
    """Return the BMP file of the same pixels with one byte a pixel and no runs.

    Raises
    ------
    EOFError
        The file ends before all pixels are said.
    """
    file.seek(0)
    content = bytearray(file.read())
    (offset,) = struct.unpack_from("<I", content, 10)
    width, height, _, bits = struct.unpack_from("<iiHH", content, _START + 4)
    stride = -(-width // 4) * 4
    pixels = bytearray(stride * height)
    column = row = 0
    place = offset
    while row < height and row * width + column < width * height:
        if place + 2 > len(content):
            raise EOFError
        count, value = content[place], content[place + 1]
        place += 2
        if count or value > _MOVE:
            n = count or value
            if count:
                values = bytes([value]) * n if bits == 8 else bytes([value >> 4, value & 15]) * (n // 2 + 1)
            else:
                packed = content[place : place + (n if bits == 8 else (n + 1) // 2)]
                values = packed if bits == 8 else bytes(half for each in packed for half in (each >> 4, each & 15))
                place += len(packed) + len(packed) % 2
            n = min(n, len(values), width - column)
            pixels[row * stride + column : row * stride + column + n] = values[:n]
            column += n
        elif value == _END_OF_ROW:
            column, row = 0, row + 1
        elif value == _END:
            raise EOFError
        else:
            if place + 2 > len(content):
                raise EOFError
            column, row = min(width, column + content[place]), row + content[place + 1]
            place += 2
    struct.pack_into("<HII", content, _START + 14, 8, 0, len(pixels))
    if not content[_START + 32 : _START + 36].strip(b"\0"):
        struct.pack_into("<I", content, _START + 32, 1 << bits)
    return bytes(content[:offset]) + bytes(pixels)
