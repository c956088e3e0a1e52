"""What the headers of PNG and JPEG files say, read with the standard library alone.

Importing Pillow and its plugins costs 35 to 50 ms, as long as decoding 6 megapixels; the common path asks only this.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

__all__ = ["Header", "jpeg_header", "png_header"]

# Start-of-frame markers: 0xC0..0xCF without DHT (C4), JPG (C8) and DAC (CC).
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_COLORS = {1: "grey", 3: "rgb", 4: "cmyk"}
_PNG_COLORS = {0: "grey", 2: "rgb", 3: "palette", 4: "grey+alpha", 6: "rgba"}
_PNG_END = b"\0\0\0\0IEND\xaeB`\x82"
_INCH = 0.0254


@dataclass(frozen=True)
class Header:
    """A picture before it is decoded.

    Parameters
    ----------
    width, height : int
        Size as stored, before the orientation is applied.
    bits : int
        Bits a sample: 1, 2, 4, 8, 12 or 16.
    color : str
        "grey", "grey+alpha", "palette", "rgb", "rgba" or "cmyk".
    orientation : int
        EXIF orientation, 1..8; 1 is upright.
    dpi : tuple of float, optional
        Horizontal and vertical resolution in pixels an inch.
    whole : bool
        Whether the file ends with the marker that it should end with.
    special : bool
        Whether a colour counts as transparent or the picture is animated, which decoders treat differently.
    """

    width: int
    height: int
    bits: int
    color: str
    orientation: int = 1
    dpi: tuple[float, float] | None = None
    whole: bool = True
    special: bool = False


def png_header(file: BinaryIO) -> Header | None:
    """Return the header of a PNG file, or None where its chunks make no sense."""
    file.seek(8)
    start = file.read(25)
    if len(start) < 25 or start[4:8] != b"IHDR" or start[17] not in _PNG_COLORS:
        return None
    width, height, bits, color = struct.unpack(">IIBB", start[8:18])
    orientation, dpi, special = 1, None, False
    while len(chunk := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", chunk)
        if kind in (b"IDAT", b"IEND"):
            break
        if kind == b"pHYs" and length == 9:
            across, down, unit = struct.unpack(">IIB", file.read(9))
            if unit == 1 and across and down:
                dpi = (across * _INCH, down * _INCH)
            length = 0
        elif kind == b"eXIf" and length < 1 << 20:
            orientation = _orientation(file.read(length))
            length = 0
        special = special or kind in (b"tRNS", b"acTL")
        file.seek(length + 4, 1)
    return Header(width, height, bits, _PNG_COLORS[color], orientation, dpi, _ends_with(file, _PNG_END), special)


def jpeg_header(file: BinaryIO) -> Header | None:
    """Return the header of a JPEG file, or None where its segments make no sense."""
    file.seek(2)
    orientation, dpi = 1, None
    while True:
        byte = file.read(1)
        if byte != b"\xff":
            return None
        while byte == b"\xff":
            byte = file.read(1)
        size = file.read(2)
        if len(byte) + len(size) < 3 or byte in (b"\xd9", b"\xda"):
            return None
        segment = file.read(max(0, int.from_bytes(size, "big") - 2))
        marker = byte[0]
        if marker in _FRAMES:
            break
        if marker == 0xE0 and segment[:5] == b"JFIF\0" and len(segment) >= 12:
            dpi = _jfif_dpi(segment)
        elif marker == 0xE1 and segment[:6] == b"Exif\0\0":
            orientation = _orientation(segment[6:])
    if len(segment) < 6 or segment[5] not in _JPEG_COLORS:
        return None
    bits, height, width, channels = struct.unpack(">BHHB", segment[:6])
    return Header(width, height, bits, _JPEG_COLORS[channels], orientation, dpi, _ends_with(file, b"\xff\xd9"))


def _jfif_dpi(segment: bytes) -> tuple[float, float] | None:
    """Return the resolution of a JFIF segment; unit 1 is the inch, 2 the centimetre, 0 only an aspect ratio."""
    unit, across, down = struct.unpack(">BHH", segment[7:12])
    if unit not in (1, 2) or not across or not down:
        return None
    factor = 1.0 if unit == 1 else 2.54
    return across * factor, down * factor


def _orientation(exif: bytes) -> int:
    """Return the orientation (tag 0x0112) from the first directory of EXIF data, 1 where there is none."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None or len(exif) < 8:
        return 1
    (offset,) = struct.unpack(order + "I", exif[4:8])
    if offset + 2 > len(exif):
        return 1
    (count,) = struct.unpack(order + "H", exif[offset : offset + 2])
    for start in range(offset + 2, min(offset + 2 + 12 * count, len(exif) - 11), 12):
        tag, kind = struct.unpack(order + "HH", exif[start : start + 4])
        if tag == 0x0112 and kind == 3:
            (value,) = struct.unpack(order + "H", exif[start + 8 : start + 10])
            return value if 1 <= value <= 8 else 1
    return 1


def _ends_with(file: BinaryIO, end: bytes) -> bool:
    """Whether the last bytes of the file are these."""
    size = file.seek(0, 2)
    file.seek(max(0, size - len(end)))
    return file.read() == end
