"""BMP files that are coded in runs."""

import io
import struct
import time

import numpy as np
import pytest
from PIL import Image as Pillow

from gmmseg.errors import InputError
from gmmseg.io import read, read_info, read_labels
from gmmseg.io.picture.bmp import runs_header, without_runs


def bmp(width, height, bits, codes, grey=False):
    colors = bytes(range(1 << bits)) if grey else bytes(range(1 << bits))[::-1]
    palette = b"".join(bytes([value, value, value, 0]) for value in colors)
    offset, coding = 54 + len(palette), {8: 1, 4: 2}[bits]
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, coding, len(codes), 3937, 3937, 0, 0)
    return b"BM" + struct.pack("<IHHI", offset + len(codes), 0, 0, offset) + info + palette + codes


def coded(values, bits, rng):
    """Code rows from the last to the first in runs, single pixels, and what is left out."""
    codes = b""
    for row in values[::-1]:
        place = 0
        while place < len(row):
            n = int(rng.integers(3, 7))
            part = row[place : place + n]
            if len(part) > 2 and len(set(part)) > 1:
                packed = (
                    bytes(part)
                    if bits == 8
                    else bytes(a << 4 | b for a, b in zip(part[::2], [*part[1::2], 0], strict=False))
                )
                codes += bytes([0, len(part)]) + packed + bytes(len(packed) % 2)
            else:
                part = part[: 1 if len(set(part)) > 1 else None]
                codes += bytes([len(part), part[0] if bits == 8 else part[0] << 4 | part[0]])
            place += len(part)
        codes += bytes(2)
    return codes + b"\0\1"


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("grey", [False, True])
def test_pixels_are_those_that_were_coded(tmp_path, rng, bits, grey):
    """Of these Pillow 10.3 reads runs of 4 bits wrong."""
    values = np.repeat(rng.integers(0, 1 << bits, (9, 8), np.uint8), 3, axis=1)[:, :23]
    (tmp_path / "a.bmp").write_bytes(bmp(23, 9, bits, coded(values, bits, rng), grey))
    expected = values if grey else (1 << bits) - 1 - values
    np.testing.assert_array_equal(read(tmp_path / "a.bmp").array, np.repeat(expected[..., None], 1 if grey else 3, 2))
    np.testing.assert_array_equal(read_labels(tmp_path / "a.bmp"), values)
    info = read_info(tmp_path / "a.bmp")
    assert (info["size"], info["bits"], info["mode"]) == ([23, 9], bits, "palette")
    assert info["dpi"] == pytest.approx((100, 100), rel=1e-4)


def test_what_is_left_out_is_0(tmp_path):
    codes = b"\2\5\0\2\1\1\3\7\0\0" + b"\x06\x09"
    (tmp_path / "a.bmp").write_bytes(bmp(6, 3, 8, codes))
    assert read_labels(tmp_path / "a.bmp").tolist() == [[9] * 6, [0, 0, 0, 7, 7, 7], [5, 5, 0, 0, 0, 0]]


@pytest.mark.parametrize("codes", [b"\x06\5\0\0", b"\x06\5\0\1", b"\x06\5\0\0\0\2\1", b"\x06\5\0\0\0\x09ab"])
def test_pixels_that_end_early_are_damage(tmp_path, codes):
    (tmp_path / "a.bmp").write_bytes(bmp(6, 3, 8, codes))
    for function in (read, read_labels):
        with pytest.raises(InputError, match="a.bmp is cut short: its numbers end early"):
            function(tmp_path / "a.bmp")


def test_rows_that_end_early_take_no_time():
    content = io.BytesIO(bmp(4000, 4000, 8, b"\1\5\0\0" * 4000))
    before = time.process_time()
    without_runs(content)
    assert time.process_time() - before < 1


def test_other_files_are_left_to_pillow(tmp_path):
    Pillow.new("RGB", (4, 3)).save(tmp_path / "a.bmp")
    with open(tmp_path / "a.bmp", "rb") as file:
        assert runs_header(file) is None
    assert runs_header(io.BytesIO(b"BM" + bytes(9))) is None
    assert runs_header(io.BytesIO(bmp(-4, 3, 8, b""))) is None
