"""PNG files that are read without a library of pictures are what OpenCV reads."""

import struct
import zlib

import numpy as np
import pytest
from png_rows import filtered

import gmmseg.io
from gmmseg import kernels
from gmmseg.io.picture.plain_png import decode


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(stored, shape, color, *extra, interlaced=0, bits=16):
    head = struct.pack(">IIBBBBB", shape[1], shape[0], bits, color, 0, 0, interlaced)
    body = chunk(b"IHDR", head) + b"".join(extra) + chunk(b"IDAT", zlib.compress(stored)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def stored_by(filters, pixels):
    """The bytes that PNG stores of pixels, each row by its filter."""
    size = pixels.dtype.itemsize
    rows = pixels.astype(f">u{size}").view(np.uint8).reshape(len(pixels), -1)
    return filtered(rows, filters, size * pixels.shape[-1]).tobytes()


@pytest.mark.parametrize(("color", "channels"), [(2, 3), (4, 2), (6, 4)])
def test_every_filter_is_summed(tmp_path, rng, color, channels):
    pixels = rng.integers(0, 65536, (11, 7, channels), np.uint16)
    pixels[4:8] //= 7000  # neighbours that are alike
    path = tmp_path / "a.png"
    path.write_bytes(png(stored_by([4, 3, 2, 1, 0, 4, 4, 3, 3, 2, 1], pixels), pixels.shape, color))
    expected = pixels[..., [0, 0, 0, 1]] if channels == 2 else pixels
    np.testing.assert_array_equal(decode(path), expected)
    cv2 = pytest.importorskip("cv2", reason="there is nothing to compare with")
    theirs = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(decode(path), theirs[..., [2, 1, 0, 3][: theirs.shape[-1]]])


@pytest.mark.parametrize(("color", "channels"), [(0, 1), (2, 3)])
def test_eight_bits(tmp_path, rng, color, channels):
    pixels, path = rng.integers(0, 256, (11, 7, channels), np.uint8), tmp_path / "a.png"
    stored = stored_by([4, 3, 2, 1, 0, 4, 4, 3, 3, 2, 1], pixels)
    whole = png(stored, pixels.shape, color, bits=8)
    path.write_bytes(whole)
    found = decode(path)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, pixels[..., 0] if channels == 1 else pixels)
    np.testing.assert_array_equal(gmmseg.io.read(path).array.squeeze(), found)
    # What OpenCV reads in a way of its own is left to it, as is what is damaged.
    assert decode(path, png(stored, pixels.shape, color, chunk(b"tRNS", b"\0\1" * channels), bits=8)) is None
    assert decode(path, png(stored + b"\0", pixels.shape, color, bits=8)) is None
    assert decode(path, png(stored[:-1], pixels.shape, color, bits=8)) is None
    assert decode(path, png(stored, pixels.shape, 3, bits=8)) is None
    assert decode(path, whole[:-12]) is None
    for place in (26, 27):  # another way of packing, or of filtering, of which there is none
        assert (
            decode(path, whole[:8] + chunk(b"IHDR", whole[16:place] + b"\1" + whole[place + 1 : 29]) + whole[33:])
            is None
        )
    assert decode(path, png(stored, pixels.shape, color, chunk(b"ABCD", b""), bits=8)) is None
    again = chunk(b"IHDR", struct.pack(">IIBBBBB", 1 << 31, 1 << 31, 8, 2, 0, 0, 0))
    np.testing.assert_array_equal(decode(path, png(stored, pixels.shape, color, again, bits=8)), found)
    checksum = whole.index(b"IEND") - 10  # of the pixels
    assert decode(path, whole[:checksum] + b"\1" + whole[checksum + 1 :]) is None


@pytest.mark.skipif(kernels.native is None, reason="nothing was compiled")
def test_a_small_picture_loads_no_library_of_pictures(tmp_path, rng, fresh_python):
    pixels = rng.integers(0, 256, (9, 8, 3), np.uint8)
    (tmp_path / "a.png").write_bytes(png(stored_by([4] * 9, pixels), pixels.shape, 2, bits=8))
    code = """
import sys
import gmmseg.io
image = gmmseg.io.read(sys.argv[1])
print(image.array.sum(), *sorted({"cv2", "PIL"} & set(sys.modules)))
"""
    assert fresh_python(code, tmp_path / "a.png").split() == [str(pixels.sum())]


def test_passes_and_transparent_colours(tmp_path, rng):
    pixels = rng.integers(0, 65536, (9, 5, 3), np.uint16)
    passes = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
    parts = [pixels[row::down, column::across] for row, column, down, across in passes]
    stored = b"".join(stored_by([4] * len(part), part) for part in parts if part.size)
    np.testing.assert_array_equal(decode(tmp_path / "a.png", png(stored, pixels.shape, 2, interlaced=1)), pixels)
    seen = chunk(b"tRNS", pixels[3, 2].astype(">u2").tobytes())
    four = decode(tmp_path / "a.png", png(stored_by([0] * 9, pixels), pixels.shape, 2, seen))
    np.testing.assert_array_equal(four[..., :3], pixels)
    assert [*zip(*np.nonzero(four[..., 3] == 0), strict=True)] == [(3, 2)]


def test_what_is_damaged_is_none(tmp_path, rng):
    pixels = rng.integers(0, 65536, (4, 5, 3), np.uint16)
    stored, path = stored_by([1] * 4, pixels), tmp_path / "a.png"
    whole = png(stored, pixels.shape, 2)
    assert decode(path, whole) is not None
    assert decode(path, whole[:-20]) is None  # cut short
    assert decode(path, whole[:60] + b"\0" + whole[61:]) is None  # another checksum
    assert decode(path, png(stored[:-1], pixels.shape, 2)) is None
    assert decode(path, png(b"\7" + stored[1:], pixels.shape, 2)) is None  # no such filter
    assert decode(path, png(stored, pixels.shape, 3)) is None
    broken = chunk(b"IHDR", struct.pack(">IIBBBBB", 5, 4, 16, 2, 0, 0, 0)) + chunk(b"IDAT", b"nothing")
    assert decode(path, b"\x89PNG\r\n\x1a\n" + broken) is None
    assert decode(path, b"\x89PNG\r\n\x1a\n") is None
