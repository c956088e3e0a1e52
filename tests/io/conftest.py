"""Files that several tests of gmmseg.io need."""

import struct
import zlib

import numpy as np
import pytest


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def smooth_rgb():
    """A picture that JPEG keeps closely: gradients, 40 x 60."""
    rows, columns = np.mgrid[0:40, 0:60]
    return np.stack([rows * 6, columns * 4, 255 - rows * 3 - columns], -1).astype(np.uint8)


@pytest.fixture
def png_chunk():
    """Make a chunk of a PNG file: (kind, data) -> bytes."""

    def make(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return make


@pytest.fixture
def png_bytes(png_chunk):
    """Encode the 16-bit kinds of PNG that Pillow cannot write: (samples, colour type) -> bytes."""

    def make(samples, color_type, *, extra=b""):
        rows, columns = samples.shape[:2]
        raw = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
        header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", columns, rows, 16, color_type, 0, 0, 0))
        body = png_chunk(b"IDAT", zlib.compress(raw)) + png_chunk(b"IEND", b"")
        return b"\x89PNG\r\n\x1a\n" + header + extra + body

    return make


@pytest.fixture
def labels(rng):
    made = rng.integers(0, 6, (37, 53), dtype=np.uint8)
    made.flags.writeable = False
    return made
