"""Decoding with OpenCV: the fastest for large pictures, and the one that keeps 16 bits a sample.

A 12-megapixel JPEG takes about a third of the time that it takes Pillow, which stores a fourth byte a pixel.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from gmmseg.image.vision import opencv, with_opencv

__all__ = ["captured_stderr", "decode", "is_damaged"]

# What libjpeg says of pixels that it made up; its other remarks (a few stray bytes) leave the picture whole.
_DAMAGE = (
    b"premature end of data segment",
    b"bad Huffman code",
    b"Premature end of JPEG file",
    b"Unsupported marker type",
    b"Inconsistent progression sequence",
)
# How lines of libjpeg, libpng, libtiff and OpenCV begin.
_REMARKS = (
    *(b"Corrupt JPEG data", b"Premature end of JPEG", b"Unsupported marker", b"Inconsistent progression", b"Invalid "),
    *(
        b"Unknown Adobe",
        b"Warning: unknown JFIF",
        b"JPEG",
        b"libpng",
        b"[ WARN",
        b"[ERROR",
        b"TIFF",
        b"_TIFF",
        b"OJPEG",
    ),
    *(b"LZW", b"Fax", b"ZIP", b"PackBits", b"LogLuv", b"PixarLog"),
)

cv2 = opencv()

_AT_ONCE = 1 << 16  # pixels that are changed together: of more, OpenCV takes threads of its own

_one_at_a_time = threading.Lock()


def decode(
    path: Path,
    *,
    deep: bool = False,
    shape: tuple[int, ...] | None = None,
    dtype: str = "uint8",
    content: bytes | None = None,
) -> tuple[np.ndarray | None, bool]:
    """Decode a picture as stored, without applying its orientation.

    Parameters
    ----------
    path : Path
        A PNG, JPEG, WebP, BMP or TIFF file.
    deep : bool
        Keep the dtype and any alpha; otherwise uint8, one or three channels.
    shape : tuple of int, optional
        Rows, columns and, of more than one, channels, where the header gave them.
    dtype : str
        Of the pixels, where the shape is given.
    content : bytes, optional
        What is decoded in place of the file.

    Returns
    -------
    pixels : ndarray, shape (rows, columns) or (rows, columns, channels), optional
        Channels are red, green, blue (and alpha); None where OpenCV cannot decode the file, or is not there.
    damaged : bool
        Whether the decoder had to make pixels up.
    """
    if not with_opencv():
        return None, False
    if deep:
        flags = cv2.IMREAD_UNCHANGED
    else:
        grey = shape is not None and len(shape) == 2
        flags = (cv2.IMREAD_GRAYSCALE if grey else cv2.IMREAD_COLOR_RGB) | cv2.IMREAD_IGNORE_ORIENTATION
    memory = None if shape is None or content is not None else np.empty(shape, dtype)
    pixels, damaged = _decoded(path, flags, memory, content)
    if deep and pixels is not None and pixels.ndim == 3:
        if pixels.shape[-1] not in (3, 4):
            return None, damaged
        order = cv2.COLOR_BGR2RGB if pixels.shape[-1] == 3 else cv2.COLOR_BGRA2RGBA
        rows = max(1, _AT_ONCE // pixels.shape[1])
        for start in range(0, len(pixels), rows):  # part by part, because OpenCV copies what it changes in place
            part = pixels[start : start + rows]
            if part.dtype == np.float64:
                part[...] = part[..., [2, 1, 0, 3][: part.shape[-1]]]
            else:
                cv2.cvtColor(part, order, part)
    return pixels, damaged


def is_damaged(path: Path) -> bool:
    """Whether a decoder of a JPEG file has to make pixels up; the picture is decoded at an eighth of its size.

    Without OpenCV nobody knows: Pillow tells of a file that ends too early, not of gaps within it.
    """
    return (
        with_opencv() and _decoded(path, cv2.IMREAD_REDUCED_GRAYSCALE_8 | cv2.IMREAD_IGNORE_ORIENTATION, None, None)[1]
    )


def _decoded(
    path: Path, flags: int, memory: np.ndarray | None, content: bytes | None
) -> tuple[np.ndarray | None, bool]:
    with captured_stderr() as captured:
        try:
            pixels = _imread(path, flags, memory, content)
        except cv2.error:
            pixels = None
    return pixels, any(words in line for line in captured for words in _DAMAGE)


def _imread(path: Path, flags: int, memory: np.ndarray | None, content: bytes | None) -> np.ndarray | None:
    """Decode a file; OpenCV crashes on names that are not UTF-8, and gets their bytes instead.

    The memory is NumPy's, because that asks for huge pages and OpenCV would make a copy more: a third of the time.
    Where the file holds another image, OpenCV raises; where it cannot read the file, it leaves the memory untouched or
    returns nothing.
    """
    name = os.fspath(path)
    pixels: np.ndarray | None
    packed = None if content is None else np.frombuffer(content, np.uint8)
    try:
        name.encode()
    except UnicodeEncodeError:
        packed = np.fromfile(path, np.uint8) if packed is None else packed
    if packed is not None:
        pixels = cv2.imdecode(packed, flags)
        return pixels
    if memory is not None:
        memory[-1] = 1
        pixels = cv2.imread(name, memory, flags)
        if pixels is None or not (pixels[-1] == 1).all():
            return pixels
    pixels = cv2.imread(name, flags)
    return pixels


@contextlib.contextmanager
def captured_stderr() -> Iterator[list[bytes]]:
    """Collect what C libraries print to file descriptor 2, and pass on the lines that are not theirs.

    One thread at a time: the descriptor belongs to the whole process.
    """
    lines: list[bytes] = []
    with _one_at_a_time:
        try:
            real = os.dup(2)
        except OSError:
            # Without a standard error (a daemon, a window program) nothing can leak.
            yield lines
            return
        try:
            with _scratch() as scratch:
                os.dup2(scratch.fileno(), 2)
                try:
                    yield lines
                finally:
                    os.dup2(real, 2)
                    scratch.seek(0)
                    lines.extend(scratch.read().splitlines(keepends=True))
            others = b"".join(line for line in lines if line.strip() and not line.startswith(_REMARKS))
            if others:
                os.write(2, others)
        finally:
            os.close(real)


def _scratch() -> BinaryIO:
    """Open a file without a name; in memory where the system can, which spares importing tempfile."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("gmmseg-stderr"), "w+b")
    import tempfile

    return tempfile.TemporaryFile()
