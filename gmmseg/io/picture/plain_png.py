"""PNG files without a library of pictures: small ones, and 16-bit colour where there is no OpenCV.

Loading OpenCV takes 16 ms, a twelfth of a run on a picture of 512 x 512, and Pillow keeps 8 of 16 bits. After the
specification of PNG (ISO/IEC 15948:2004, 8.2).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from gmmseg import kernels
from gmmseg.io.held import opened

__all__ = ["decode"]

_HEAD = ">IIBBBBB"  # columns, rows, bits, type of colour, how it is packed, filtered and interlaced
# By bits a sample and the type of colour: grey, RGB, grey and alpha, RGB and alpha.
_CHANNELS = {(8, 0): 1, (8, 2): 3, (16, 2): 3, (16, 4): 2, (16, 6): 4}
_NECESSARY = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})  # others like these, in capitals, may change all pixels
# Adam7: first row and column, and the steps to the next ones, of each pass.
_PASSES = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))


def decode(path: Path, content: bytes | None = None) -> np.ndarray | None:
    """Decode a picture as OpenCV would.

    Parameters
    ----------
    path : Path
        A PNG file of grey or RGB in 8 bits a sample, or of 16 bits that is no plain grey.
    content : bytes, optional
        What is decoded in place of the file.

    Returns
    -------
    ndarray of uint8 or uint16, shape (rows, columns) or (rows, columns, 3 or 4), optional
        Grey, or red, green, blue and, where the file has it or a colour that counts as transparent, alpha; None of a
        damaged file, of another kind, and of 8 bits with a transparent colour.
    """
    if content is None:
        with opened(path) as file:
            content = file.read()
    chunks = list(_chunks(content))
    kinds = dict(reversed(chunks))  # the first of each kind
    if not _is_plain(kinds):
        return None
    columns, rows, bits, color, _, _, interlaced = struct.unpack(_HEAD, kinds[b"IHDR"])
    passes = _PASSES if interlaced else ((0, 0, 1, 1),)
    depth = bits // 8 * _CHANNELS[bits, color]
    whole = np.zeros((rows, columns, _CHANNELS[bits, color]), f"uint{bits}")
    views = [view for row, column, down, across in passes if (view := whole[row::down, column::across]).size]
    expected = sum(len(view) * (1 + view.shape[1] * depth) for view in views)
    packed = b"".join(content for kind, content in chunks if kind == b"IDAT")
    inflater = zlib.decompressobj()
    try:
        bytes_ = inflater.decompress(packed, expected + 1)
    except zlib.error:
        return None
    if len(bytes_) != expected or (bits == 8 and not inflater.eof):  # what OpenCV reads all the same is left to it
        return None
    start = 0
    for view in views:
        size = len(view) * (1 + view.shape[1] * depth)
        stored = np.frombuffer(bytes_, np.uint8, size, start).reshape(len(view), -1)
        pixels = np.empty((len(view), view.shape[1] * depth), np.uint8)
        if not kernels.unfilter(stored, depth, pixels):
            return None
        view[...] = pixels.view(">u2" if bits == 16 else np.uint8).reshape(view.shape)
        start += size
    transparent = kinds.get(b"tRNS", b"")
    if color == 0:
        return whole[..., 0]
    if color == 4:
        return whole[..., [0, 0, 0, 1]]
    if color == 2 and len(transparent) == 6:
        shown = (whole != np.frombuffer(transparent, ">u2")).any(axis=-1)
        return np.dstack([whole, np.where(shown, 65535, 0).astype(np.uint16)])
    return whole


def _is_plain(kinds: Mapping[bytes, bytes]) -> bool:
    """Whether pixels are of a kind that is read here, and nothing says that they are stored in another way."""
    head = kinds.get(b"IHDR", b"")
    if len(head) != struct.calcsize(_HEAD) or any(kind[:1].isupper() for kind in kinds.keys() - _NECESSARY):
        return False
    _, _, bits, color, packing, filters, interlaced = struct.unpack(_HEAD, head)
    whole = bits == 16 or (b"IEND" in kinds and b"tRNS" not in kinds)
    return (bits, color) in _CHANNELS and whole and not (packing or filters) and interlaced <= 1


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and content of each chunk, up to one that is damaged."""
    place = 8
    while place + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, place)
        kind, content = data[place + 4 : place + 8], data[place + 8 : place + 8 + length]
        checksum = data[place + 8 + length : place + 12 + length]
        if checksum != struct.pack(">I", zlib.crc32(content, zlib.crc32(kind))):
            return
        yield kind, content
        place += 12 + length
