"""PNG files of 16-bit colour in NumPy, for systems without OpenCV: Pillow keeps 8 of the bits.

After the specification of PNG (ISO/IEC 15948:2004, 9 and 8.2). Differences of neighbours are summed along diagonals, on
which no pixel needs another one: 12 megapixels take seconds, not the minutes of a loop over pixels.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

__all__ = ["decode"]

_CHANNELS = {2: 3, 4: 2, 6: 4}  # by the type of colour: RGB, grey and alpha, RGB and alpha
# Adam7: first row and column, and the steps to the next ones, of each pass.
_PASSES = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))


def decode(path: Path, content: bytes | None = None) -> np.ndarray | None:
    """Decode a picture as OpenCV would.

    Parameters
    ----------
    path : Path
        A PNG file of 16 bits a sample that is no plain grey.
    content : bytes, optional
        What is decoded in place of the file.

    Returns
    -------
    ndarray of uint16, shape (rows, columns, 3 or 4), optional
        Red, green, blue and, where the file has it or a colour that counts as transparent, alpha; None of a
        damaged file.
    """
    data = path.read_bytes() if content is None else content
    chunks = list(_chunks(data))
    kinds = dict(chunks)
    head = kinds.get(b"IHDR", b"")
    if len(head) != 13:
        return None
    columns, rows, bits, color, _, _, interlaced = struct.unpack(">IIBBBBB", head)
    if bits != 16 or color not in _CHANNELS:
        return None
    passes = _PASSES if interlaced else ((0, 0, 1, 1),)
    whole = np.zeros((rows, columns, _CHANNELS[color]), np.uint16)
    views = [view for row, column, down, across in passes if (view := whole[row::down, column::across]).size]
    expected = sum(view.shape[0] * (1 + 2 * view[0].size) for view in views)
    packed = b"".join(content for kind, content in chunks if kind == b"IDAT")
    try:
        bytes_ = zlib.decompressobj().decompress(packed, expected)
    except zlib.error:
        return None
    if len(bytes_) != expected:
        return None
    start = 0
    for view in views:
        stop = start + view.shape[0] * (1 + 2 * view[0].size)
        stored = np.frombuffer(bytes_[start:stop], np.uint8).reshape(view.shape[0], -1)
        pixels = _summed(stored[:, 0], stored[:, 1:].reshape(*view.shape[:2], -1))
        if pixels is None:
            return None
        view[...] = np.ascontiguousarray(pixels).view(">u2")
        start = stop
    if color == 4:
        return whole[..., [0, 0, 0, 1]]
    transparent = kinds.get(b"tRNS", b"")
    if color == 2 and len(transparent) == 6:
        shown = (whole != np.frombuffer(transparent, ">u2")).any(axis=-1)
        return np.dstack([whole, np.where(shown, 65535, 0).astype(np.uint16)])
    return whole


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and content of each chunk, up to one that is damaged."""
    place = 8
    while place + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, place)
        kind, content = data[place + 4 : place + 8], data[place + 8 : place + 8 + length]
        checksum = data[place + 8 + length : place + 12 + length]
        if checksum != struct.pack(">I", zlib.crc32(kind + content)):
            return
        yield kind, content
        place += 12 + length


def _summed(filters: np.ndarray, stored: np.ndarray) -> np.ndarray | None:
    """Return the bytes of pixels (rows, columns, bytes) of what is stored: by each row's filter, their differences."""
    if (filters > 4).any():
        return None
    rows, columns, depth = stored.shape
    # A row above and a column at the left are 0. Along a diagonal, pixels of all rows are summed at once.
    out = np.zeros((rows + 1, columns + 1, depth), np.int16)
    for diagonal in range(rows + columns - 1):
        row = np.arange(max(0, diagonal - columns + 1), min(rows, diagonal + 1))
        column = diagonal - row
        left, up, corner = out[row + 1, column], out[row, column + 1], out[row, column]
        estimate = left + up - corner
        by_left, by_up, by_corner = np.abs(estimate - left), np.abs(estimate - up), np.abs(estimate - corner)
        paeth = np.where((by_left <= by_up) & (by_left <= by_corner), left, np.where(by_up <= by_corner, up, corner))
        guess = np.select(
            [(filters[row] == number)[:, None] for number in range(1, 5)], [left, up, (left + up) // 2, paeth], 0
        )
        out[row + 1, column + 1] = (stored[row, column] + guess) & 255
    return out[1:, 1:].astype(np.uint8)
