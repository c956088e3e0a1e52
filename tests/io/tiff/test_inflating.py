"""Strips and tiles inflated to their own size at most."""

import lzma
import tracemalloc
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow
from tiff_bytes import one_page

from gmmseg.errors import InputError
from gmmseg.io import read
from gmmseg.io.tiff import inflating as subject

DEFLATE, LZMA, PACKBITS = 8, 34925, 32773
MIB = 1 << 20


def packed(n_bytes):
    return b"\x81\0" * (n_bytes // 128)


BOMBS = [
    (DEFLATE, lambda: zlib.compress(bytes(200 * MIB), 9)),
    (LZMA, lambda: lzma.compress(bytes(200 * MIB))),
    (PACKBITS, lambda: packed(40 * MIB)),
]


@pytest.mark.parametrize(("compression", "bomb"), BOMBS)
def test_no_more_than_a_strip_is_inflated(tmp_path, compression, bomb):
    (tmp_path / "a.tif").write_bytes(one_page(bomb(), 40, 30, compression=compression))
    tracemalloc.start()
    try:
        for memory in (None, 0):
            image = read(tmp_path / "a.tif", memory=memory)
            assert not image.crop((slice(0, 30), slice(0, 40))).array.any()
        assert tracemalloc.get_traced_memory()[1] < 16 * MIB
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("rows", [7, 45])
@pytest.mark.parametrize("compression", ["zlib", "lzma", "packbits"])
@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
def test_what_is_inflated_is_what_was_written(tmp_path, rng, rows, compression, dtype):
    values = rng.integers(0, 9, (45, 70)).astype(dtype)
    path = tmp_path / "a.tif"
    if compression == "packbits":
        if dtype == "f4":
            pytest.skip("Pillow writes none")
        Pillow.fromarray(values).save(path, compression="packbits", tiffinfo={278: rows})
    else:
        tifffile.imwrite(
            path, values, compression=compression, rowsperstrip=rows, byteorder=">", predictor=dtype != "f4"
        )
    for memory in (None, 0):
        np.testing.assert_array_equal(
            read(path, memory=memory).crop((slice(0, 45), slice(0, 70))).array[..., 0], values
        )


@pytest.mark.parametrize("size", [5, 1000])
@pytest.mark.parametrize("piece", [1 << 24, 100])
@pytest.mark.parametrize(("inflate", "deflate"), [(subject._zlib, zlib.compress), (subject._lzma, lzma.compress)])
def test_streams_in_pieces(monkeypatch, rng, size, piece, inflate, deflate):
    monkeypatch.setattr(subject, "_PIECE", piece)
    data = rng.integers(0, 5, 1000).astype(np.uint8).tobytes()
    assert inflate(deflate(data), size) == data[:size]
    assert inflate(deflate(data), 1100) == data  # the caller says that it is too short
    with pytest.raises(ValueError, match="ends early"):
        inflate(deflate(data)[:-40], 1000)
    assert inflate(deflate(data)[:-40], 5) == data[:5]
    with pytest.raises((zlib.error, lzma.LZMAError)):
        inflate(b"no stream at all", size)


def test_a_check_sum_that_does_not_fit(tmp_path):
    stream = bytearray(zlib.compress(bytes(1200)))
    stream[-1] ^= 1
    (tmp_path / "a.tif").write_bytes(one_page(bytes(stream), 40, 30, compression=DEFLATE))
    with pytest.raises(InputError, match="is damaged"):
        read(tmp_path / "a.tif")


def test_packbits():
    assert subject._packbits(b"\xfe\xaa\x02\x80\x00\x2a\x80\x01ab", 99) == b"\xaa\xaa\xaa\x80\x00\x2aab"
    assert subject._packbits(b"\x81a", 5) == b"aaaaa"
    assert subject._packbits(b"\x05ab", 99) == b"ab"


@pytest.mark.parametrize("bits", [1, 8])
def test_bits_in_the_other_order(tmp_path, rng, bits):
    values = rng.integers(0, 2 if bits == 1 else 255, (16, 24)).astype(np.uint8)
    rows = np.packbits(values, axis=1) if bits == 1 else values
    turned = bytes(int(f"{byte:08b}"[::-1], 2) for byte in zlib.compress(rows.tobytes()))
    order = b"\x0a\x01\x03\0\x01\0\0\0\x02\0\0\0"
    made = one_page(turned, 24, 16, compression=DEFLATE, bits=bits, more=[order])
    (tmp_path / "a.tif").write_bytes(made)
    np.testing.assert_array_equal(read(tmp_path / "a.tif").array[..., 0], values)


@pytest.mark.parametrize(
    ("options", "n_bytes", "room"),
    [
        ({"rowsperstrip": 10}, 700, 700),
        ({"rowsperstrip": 10, "compression": "zlib", "predictor": True}, 700, 1400),
        ({"tile": (16, 32)}, 512, 512),
    ],
)
def test_what_a_strip_or_tile_takes(tmp_path, options, n_bytes, room):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((45, 70), np.uint8), **options)
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        page = tiff.pages[0]
        assert (subject.segment_bytes(page), subject.segment_room(page)) == (n_bytes, room)
        assert subject.n_workers(page, 0) == 1
        assert 1 <= subject.n_workers(page, 10**9) <= 64
