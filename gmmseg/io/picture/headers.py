"""What the headers of PNG, JPEG and WebP files say, read with the standard library alone.

Importing Pillow and its plugins costs 35 to 50 ms, as long as decoding 6 megapixels; the common path asks only this. It
also bounds what a decoder is given: sizes are known before anything is allocated, and of a PNG file decoders see the
chunks that make the picture and no others.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import Any, BinaryIO

from gmmseg.records import dataclass, replace

__all__ = ["Header", "jpeg_header", "png_header", "webp_header"]

# Start-of-frame markers: 0xC0..0xCF without DHT (C4), JPG (C8) and DAC (CC); those that send coefficients in scans.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SCAN = 0xDA
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_JPEG_COLORS = {1: "grey", 3: "rgb", 4: "cmyk"}
_REMARKS = frozenset({*range(0xE1, 0xEE), 0xEF, 0xFE})  # all APPn but those that tell the colours, and comments
_PNG_COLORS = {0: "grey", 2: "rgb", 3: "palette", 4: "grey+alpha", 6: "rgba"}
_PNG_PIXELS = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
_PNG_SMALL = _PNG_PIXELS | {b"pHYs", b"gAMA", b"cHRM", b"sRGB", b"sBIT", b"bKGD", b"tIME"}
_PNG_TELLING = frozenset({b"pHYs", b"eXIf", b"tRNS"})
_SMALL = 768  # bytes of a palette, the largest of these
_MOST_TEXTS = 4  # of 8 MB each, and colour profiles: what OpenCV inflates of a PNG file before it reads pixels
_INCH = 0.0254
_FAR_TOO_MANY = 16  # scans of a progressive JPEG file; programs write about 10


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
    exif_dpi : tuple of float, optional
        The same, as EXIF data say it.
    whole : bool
        Whether the file ends with the marker that it should end with.
    special : bool
        Whether a colour counts as transparent, which decoders treat differently.
    transparent : int, optional
        The grey value that does.
    frames : int
        Pictures in the file, of which the first is read.
    buffered : float
        Bytes a pixel that decoding takes beside the pixels.
    scans : int
        How often a decoder goes over all pixels.
    parts : tuple of (int, int)
        Where in the file that lies which makes the picture, if there is more that Pillow would warn of or refuse.
    crowded : bool
        Whether that has to be kept from any decoder: animations, and more texts than programs write.
    """

    width: int
    height: int
    bits: int
    color: str
    orientation: int = 1
    dpi: tuple[float, float] | None = None
    exif_dpi: tuple[float, float] | None = None
    whole: bool = True
    special: bool = False
    transparent: int | None = None
    frames: int = 1
    buffered: float = 0.0
    scans: int = 1
    parts: tuple[tuple[int, int], ...] = ()
    crowded: bool = False

    @property
    def n_channels(self) -> int:
        """Of what is stored."""
        return {"grey": 1, "palette": 1, "grey+alpha": 2, "rgb": 3}.get(self.color, 4)

    @property
    def endless(self) -> bool:
        """Whether it would be decoded for minutes, because all pixels are sent again and again."""
        return self.scans > _FAR_TOO_MANY and self.scans * self.width * self.height > 1 << 32


def png_header(file: BinaryIO) -> Header:
    """Return the header of a PNG file.

    Raises
    ------
    ValueError
        Its chunks make no sense: one is longer than the file, say.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(8)
    start = file.read(25)
    if len(start) < 25 or start[:8] != b"\0\0\0\x0dIHDR" or start[17] not in _PNG_COLORS:
        raise ValueError("it does not begin with a header")
    width, height, bits, kind_of_color = struct.unpack(">IIBB", start[8:18])
    color, said, whole = _PNG_COLORS[kind_of_color], dict[str, Any](), False
    kinds: set[bytes] = set()
    place, parts, controls, others = 33, [(8, 33)], [], 0
    while not whole and len(chunk := _eight_at(file, place)) == 8:
        length, kind = struct.unpack(">I4s", chunk)
        end = place + 12 + length
        if end > size and b"IDAT" not in kinds | {kind}:
            name = kind.decode() if kind.isalpha() else "first odd"
            raise ValueError(f"its {name} chunk promises {length} bytes, {size - place - 8} are left")
        if kind in _PNG_PIXELS:
            kinds.add(kind)
            if parts[-1][1] == place:
                parts[-1] = (parts[-1][0], min(end, size))
            else:
                parts.append((place, min(end, size)))
        others += kind not in _PNG_SMALL or (kind != b"IDAT" and length > _SMALL)
        if kind == b"fcTL":
            controls.append(b"IDAT" in kinds)
        elif kind == b"IEND":
            whole = end <= size
        elif kind in _PNG_TELLING:
            said |= _said_by_chunk(kind, file, length, color)
        place = end
    frames = len(controls) + (controls[0] if controls else 1)  # the first picture may be none of the animation
    crowded = others > _MOST_TEXTS or bool(controls)
    said |= {"whole": whole, "frames": frames, "parts": tuple(parts) if others or not whole else (), "crowded": crowded}
    return Header(width, height, bits, color, **said)


def _said_by_chunk(kind: bytes, file: BinaryIO, length: int, color: str) -> dict[str, Any]:
    """Return what a chunk says of the picture, of which the file stands at the content."""
    if kind == b"pHYs" and length == 9:
        across, down, unit = struct.unpack(">IIB", file.read(9).ljust(9, b"\0"))
        if unit == 1 and across and down:
            return {"dpi": (across * _INCH, down * _INCH)}
    elif kind == b"eXIf" and length < 1 << 20:
        return {"orientation": _exif(file.read(length))[0]}
    elif kind == b"tRNS":
        grey = color == "grey" and length == 2
        return {"special": True, "transparent": int.from_bytes(file.read(2), "big") if grey else None}
    return {}


def jpeg_header(file: BinaryIO) -> Header | None:
    """Return the header of a JPEG file, or None where its segments make no sense."""
    header, parts, sampling = Header(0, 0, 0, ""), [], b""
    orientation, dpi, exif_dpi = 1, None, None
    for place, marker, segment in _segments(file):
        if marker not in _REMARKS:
            parts.append((place, file.tell()))
        if marker in _FRAMES and not sampling:
            if len(segment) < 6 or segment[5] not in _JPEG_COLORS:
                return None
            bits, height, width, channels = struct.unpack(">BHHB", segment[:6])
            header, sampling = Header(width, height, bits, _JPEG_COLORS[channels]), segment[7::3][:channels]
            scanned = marker in _PROGRESSIVE
        elif marker == _SCAN and sampling and (scanned or segment[:1] != bytes([len(sampling)])):
            header = replace(header, buffered=_coefficients(sampling), scans=1 + file.read().count(b"\xff\xda"))
        elif marker == 0xE0 and segment[:5] == b"JFIF\0" and len(segment) >= 12:
            dpi = _jfif_dpi(segment)
        elif marker == 0xE1 and segment[:6] == b"Exif\0\0":
            orientation, exif_dpi = _exif(segment[6:])
    if not header.color:
        return None
    parts[-1] = (parts[-1][0], file.seek(0, os.SEEK_END))
    whole = _ends_with(file, b"\xff\xd9")
    return replace(header, orientation=orientation, dpi=dpi, exif_dpi=exif_dpi, whole=whole, parts=tuple(parts))


def _segments(file: BinaryIO) -> Iterator[tuple[int, int, bytes]]:
    """Go through a JPEG file up to its first pixels: where a segment begins, its marker and its content."""
    file.seek(2)
    while True:
        place, byte = file.tell(), file.read(1)
        if byte != b"\xff":
            return
        while byte == b"\xff":
            byte = file.read(1)
        size = file.read(2)
        if len(byte) + len(size) < 3 or byte == b"\xd9":
            return
        yield place, byte[0], file.read(max(0, int.from_bytes(size, "big") - 2))
        if byte[0] == _SCAN:
            return


def _coefficients(sampling: bytes) -> float:
    """Return the bytes a pixel of the coefficients of all blocks, which are kept from scan to scan."""
    areas = [max(1, each >> 4) * max(1, each & 15) for each in sampling]
    return 2 * sum(areas) / max(areas)


def _jfif_dpi(segment: bytes) -> tuple[float, float] | None:
    """Return the resolution of a JFIF segment; unit 1 is the inch, 2 the centimetre, 0 only an aspect ratio."""
    unit, across, down = struct.unpack(">BHH", segment[7:12])
    if unit not in (1, 2) or not across or not down:
        return None
    factor = 1.0 if unit == 1 else 2.54
    return across * factor, down * factor


def webp_header(file: BinaryIO) -> Header | None:
    """Return the header of a WebP file, or None where its chunks make no sense."""
    size = file.seek(0, os.SEEK_END)
    header: Header | None = None
    alpha, lossless, frames, orientation = False, False, 0, 1
    place = 12
    while len(chunk := _eight_at(file, place)) == 8:
        kind, length = struct.unpack("<4sI", chunk)
        start = file.read(16)
        if kind == b"VP8X" and header is None and len(start) >= 10:
            alpha = bool(start[0] & 0x10)
            header = Header(_low(start[4:7]) + 1, _low(start[7:10]) + 1, 8, "rgb")
        elif kind == b"VP8L" and start[:1] == b"/" and len(start) >= 5:
            lossless, packed = True, _low(start[1:5])
            alpha = alpha or (header is None and bool(packed >> 28 & 1))
            header = header or Header((packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1, 8, "rgb")
        elif kind == b"VP8 " and header is None and start[3:6] == b"\x9d\x01*" and len(start) >= 10:
            header = Header(_low(start[6:8]) & 0x3FFF, _low(start[8:10]) & 0x3FFF, 8, "rgb")
        elif kind == b"ANMF":
            frames += 1
        elif kind == b"EXIF":
            exif = (start + file.read(max(0, min(length, 1 << 20) - 16)))[:length]
            orientation, _ = _exif(exif.removeprefix(b"Exif\0\0"))
        place += 8 + length + length % 2
    if header is None:
        return None
    # What libwebp keeps of all pixels: of animations two canvases and a frame, of others what is not coded row by row.
    buffered = 16 if frames else 4 * lossless + 5 * alpha
    return replace(
        header,
        color="rgba" if alpha else "rgb",
        orientation=orientation,
        frames=max(1, frames),
        buffered=buffered,
        whole=place <= size + 1,
    )


def _low(number: bytes) -> int:
    return int.from_bytes(number, "little")


def _exif(exif: bytes) -> tuple[int, tuple[float, float] | None]:
    """Return the orientation (1 where there is none) and the resolution from the first directory of EXIF data."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None or len(exif) < 8:
        return 1, None
    (offset,) = struct.unpack(order + "I", exif[4:8])
    if offset + 2 > len(exif):
        return 1, None
    (count,) = struct.unpack(order + "H", exif[offset : offset + 2])
    values = {}
    for start in range(offset + 2, min(offset + 2 + 12 * count, len(exif) - 11), 12):
        tag, kind, _, value = struct.unpack(order + "HHII", exif[start : start + 12])
        if kind == 3:
            (values[tag],) = struct.unpack(order + "H", exif[start + 8 : start + 10])
        elif kind == 5 and value + 8 <= len(exif):
            above, below = struct.unpack(order + "II", exif[value : value + 8])
            values[tag] = above / below if below else 0
    orientation = values.get(0x0112, 1)
    across, down = values.get(0x011A, 0), values.get(0x011B, 0)
    factor = {2: 1.0, 3: 2.54}.get(values.get(0x0128, 2))
    dpi = (across * factor, down * factor) if factor and across and down else None
    return orientation if orientation in range(1, 9) else 1, dpi


def _eight_at(file: BinaryIO, place: int) -> bytes:
    file.seek(place)
    return file.read(8)


def _ends_with(file: BinaryIO, end: bytes) -> bool:
    """Whether the last bytes of the file are these."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - len(end)))
    return file.read() == end
