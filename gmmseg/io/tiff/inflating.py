"""Strips and tiles inflated to their own size at most, whatever their streams hold: 0.5 MB of LZMA can hold 5 GB."""

from __future__ import annotations

import copy
import lzma
import math
import sys
import zlib
from collections.abc import Callable
from importlib import import_module
from typing import Any

from gmmseg.io.file_format import has_module
from gmmseg.platforms import processors, starts_threads

__all__ = ["bound", "n_workers", "segment_bytes", "segment_room"]

_PIECE = 1 << 24  # bytes inflated at a time: Python joins what it inflates at once, which takes twice the room
_DICTIONARY = 1 << 27  # bytes that LZMA may take beside: twice what its highest level asks for
_NATIVE = "<" if sys.byteorder == "little" else ">"
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def bound(page: Any) -> None:
    """Let a tifffile.TiffPage decode no strip or tile to more than its size.

    The decoders of imagecodecs are told the size by tifffile; those that tifffile has without it are not.
    """
    inflate = _INFLATERS.get(page.compression)
    if inflate is None or has_module("imagecodecs"):
        return
    # What is inflated here is to tifffile a page of the same kind without compression.
    plain = copy.copy(page)
    for name in ("decode", "hash"):
        plain.__dict__.pop(name, None)
    plain.compression, plain.fillorder = 1, 1
    decode, n_bytes, turned = plain.decode, segment_bytes(page), page.fillorder == 2

    def bounded(data: bytes | None, index: int, /, **options: Any) -> Any:
        if data is None:
            return decode(None, index, **options)
        return decode(inflate(data.translate(_REVERSED) if turned else data, n_bytes), index, **options)

    page.decode = bounded


def segment_bytes(page: Any) -> int:
    """Return what a whole strip or tile of a page takes as it is stored, without compression."""
    depth, rows, columns, samples = _segment(page)
    bits = page.bitspersample
    of_pixel: int = sum(bits) if isinstance(bits, tuple) else bits * samples
    return depth * rows * -(-(columns * of_pixel) // 8)


def segment_room(page: Any) -> int:
    """Return what decoding a strip or tile of a page takes: stored, and where that differs as numbers."""
    n_values = math.prod(_segment(page))
    copies: int = (page.parent.byteorder != _NATIVE and page.dtype.itemsize > 1) + (page.predictor != 1)
    packed = page.bitspersample != 8 * page.dtype.itemsize
    n_bytes: int = n_values * page.dtype.itemsize * (copies or packed)
    return segment_bytes(page) + n_bytes


def _segment(page: Any) -> tuple[int, int, int, int]:
    """Return planes, rows, columns and samples of a strip or tile."""
    samples: int = page.samplesperpixel if page.planarconfig == 1 else 1
    if page.is_tiled:
        return page.tiledepth, page.tilelength, page.tilewidth, samples
    return 1, page.rowsperstrip or page.imagelength, page.imagewidth, samples


def n_workers(page: Any, room: int) -> int:
    """Return how many strips or tiles may be decoded at a time within some bytes; at least one."""
    return max(1, min(processors() if starts_threads() else 1, room // max(1, segment_room(page))))


def _zlib(data: bytes, size: int) -> bytes | bytearray:
    return _in_pieces(zlib.decompressobj(), data, size)


def _lzma(data: bytes, size: int) -> bytes | bytearray:
    return _in_pieces(lzma.LZMADecompressor(memlimit=_DICTIONARY), data, size)


def _zstd(data: bytes, size: int) -> bytes | bytearray:
    return _in_pieces(import_module("compression.zstd").ZstdDecompressor(), data, size)


def _in_pieces(stream: Any, data: bytes, size: int) -> bytes | bytearray:
    """Return at most `size` bytes of a stream; those that follow are left alone, as libtiff does."""
    if size < _PIECE:
        whole: bytes = stream.decompress(data, size + 1)  # one more, for its check sum to be looked at
        _require_end(stream, len(whole), size)
        return whole[:size]
    out, filled = bytearray(size), 0
    for start in range(0, len(data), _PIECE):
        rest: bytes = data[start : start + _PIECE]
        while not stream.eof and filled <= size:
            piece = stream.decompress(rest, min(_PIECE, size - filled + 1))
            out[filled : filled + len(piece)] = piece[: size - filled]
            filled += len(piece)
            rest = getattr(stream, "unconsumed_tail", b"")
            if not rest and (not piece or getattr(stream, "needs_input", False)):
                break
    _require_end(stream, filled, size)
    del out[filled:]
    return out


def _require_end(stream: Any, filled: int, size: int) -> None:
    if not stream.eof and filled < size:
        raise ValueError("a compressed strip or tile ends early")


def _packbits(data: bytes, size: int) -> bytearray:
    """Undo PackBits (TIFF 6.0, section 9): runs of one byte, and bytes as they are."""
    out, i = bytearray(), 0
    while i < len(data) and len(out) < size:
        n = data[i]
        if n < 128:
            out += data[i + 1 : i + 2 + n]
            i += n + 2
        else:
            out += data[i + 1 : i + 2] * (257 - n if n > 128 else 0)
            i += 2 if n > 128 else 1
    del out[size:]
    return out


_INFLATERS: dict[int, Callable[[bytes, int], bytes | bytearray]] = {
    8: _zlib,
    32946: _zlib,
    50013: _zlib,
    34925: _lzma,
    50000: _zstd,
    32773: _packbits,
}
