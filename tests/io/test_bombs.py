"""Small files that claim much: what they take in a process of their own, run as a user does."""

import json
import lzma
import os
import struct
import subprocess
import sys
import zipfile
import zlib

import numpy as np
import pytest
from ome_tiff import ome_xml, plane, write_ome
from PIL import Image as Pillow
from tiff_bytes import one_page, pages
from zeros import deflated_zeros

BUDGET = 1 << 30
BESIDE = 300 << 20  # for the program itself

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not hasattr(os, "wait4"), reason="no child tells what it took")]


# In a small process between, because a child is said to have taken what its parent had when it was made.
MEASURE = """
import json, os, subprocess, sys
child = subprocess.Popen([sys.executable, "-m", "gmmseg", *sys.argv[1:]], stdout=-1, stderr=-2, text=True)
text = child.stdout.read()
_, status, taken = os.wait4(child.pid, 0)
seconds = taken.ru_utime + taken.ru_stime
print(json.dumps([os.waitstatus_to_exitcode(status), text, taken.ru_maxrss << 10, seconds]))
"""


def measured(*arguments):
    """Run gmmseg in a process of its own: exit code, what it printed, bytes, and seconds of computing."""
    done = subprocess.run([sys.executable, "-c", MEASURE, *map(str, arguments)], capture_output=True, check=True)
    return json.loads(done.stdout)


@pytest.fixture
def png(tmp_path, png_chunk):
    """Write a PNG file of one value: (side, bits, colour type, channels, more chunks) -> path."""

    def write(side, bits=8, color=2, channels=3, more=b""):
        content = deflated_zeros(side * (1 + side * channels * bits // 8))
        header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, bits, color, 0, 0, 0))
        path = tmp_path / "a.png"
        end = png_chunk(b"IDAT", content) + png_chunk(b"IEND", b"")
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + more + end)
        return path

    return write


def checked(path, code, words):
    assert path.stat().st_size < 5_000_000
    for command in (("info", path), ("segment", path, "-k", 2, "-o", path.with_name("labels.png"), "--overwrite")):
        found, text, memory, seconds = measured(*command)
        assert memory < (BUDGET if command[0] == "segment" else 0) + BESIDE
        assert seconds < 20
        assert "Traceback" not in text
        assert "unexpected" not in text
    assert found == code
    assert words in text


def test_a_chunk_of_4_gigabytes(png):
    checked(png(20, more=struct.pack(">I4s", 0xF0000000, b"tEXt")), 1, "its tEXt chunk promises 4026531840")


def test_texts_that_inflate(png, png_chunk):
    bomb = zlib.compress(bytes(7_900_000), 9)
    more = b"".join(png_chunk(b"zTXt", b"x%d\0\0" % i + bomb) for i in range(600))
    checked(png(20, more=more), 0, "wrote")


@pytest.mark.parametrize(
    ("side", "bits", "color", "channels", "code", "words"),
    [
        (20000, 8, 2, 3, 1, "take 1526 MiB, above the limit of 1024 MiB; raise --memory"),
        (12000, 8, 0, 1, 0, "wrote"),
        (8000, 8, 6, 4, 0, "wrote"),
        (6000, 16, 6, 4, 0, "wrote"),
    ],
)
def test_large_pictures_in_small_files(png, side, bits, color, channels, code, words):
    checked(png(side, bits, color, channels), code, words)


@pytest.mark.parametrize(
    ("suffix", "options"), [("jpg", {"progressive": True}), ("gif", {}), ("webp", {"lossless": True})]
)
def test_what_decoders_take_is_counted(tmp_path, suffix, options):
    path = tmp_path / f"a.{suffix}"
    Pillow.new("RGB" if suffix != "gif" else "P", (7000, 7000), 77).save(path, **options)
    checked(path, 0, "wrote")


def archive(path, shape, dtype, n_bytes):
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}}}\n".encode()
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed,
        packed.open("a.npy", "w", force_zip64=True) as entry,
    ):
        entry.write(b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text)
        for _ in range(n_bytes >> 20):
            entry.write(bytes(1 << 20))
    return path


@pytest.mark.parametrize(
    ("shape", "dtype", "n_bytes", "code", "words"),
    [
        ((1, 1), "|V900000000", 1 << 20, 1, "expected real numbers"),
        ((30000, 30000), "|u1", 1 << 20, 1, "pixels, above the limit"),
        ((12000, 12000), "<f2", 1 << 20, 1, "take 1099 MiB, above the limit of 1024 MiB; raise --memory"),
        ((9, 9), "|u1", 60 << 20, 0, "bytes behind its array are not read"),
        ((7000, 7000), "<f4", 187 << 20, 0, "wrote"),
    ],
)
def test_arrays_that_inflate(tmp_path, shape, dtype, n_bytes, code, words):
    checked(archive(tmp_path / "a.npz", shape, dtype, n_bytes), code, words)


def lzma_zeros(n_bytes):
    packer = lzma.LZMACompressor(preset=0)
    return b"".join([packer.compress(bytes(1 << 20)) for _ in range(n_bytes >> 20)]) + packer.flush()


@pytest.mark.parametrize(
    ("zeros", "compression", "n_bytes", "side", "code", "words"),
    [
        (lzma_zeros, 34925, 1 << 30, 30, 0, "wrote"),
        (deflated_zeros, 8, 1 << 30, 30, 0, "wrote"),
        (deflated_zeros, 8, 384 << 20, 20000, 0, "wrote"),
    ],
)
def test_strips_that_inflate(tmp_path, zeros, compression, n_bytes, side, code, words):
    path = tmp_path / "a.tif"
    path.write_bytes(one_page(zeros(n_bytes), side, side, compression=compression))
    checked(path, code, words)


@pytest.mark.parametrize("compression", ["tiff_lzw", "jpeg", "group4"])
def test_tiff_files_that_other_libraries_decode(tmp_path, compression):
    path = tmp_path / "a.tif"
    Pillow.new("1" if compression == "group4" else "RGB", (11000, 11000), 0).save(path, compression=compression)
    checked(path, 0, "wrote")


def test_directories_without_end(tmp_path):
    path = tmp_path / "a.tif"
    path.write_bytes(pages([(3, 1)] * 120, loop=100))
    checked(path, 1, "go round in a circle")
    path.write_bytes(pages([(3 + i % 2, 1) for i in range(8000)]))
    checked(path, 1, "pages of different kinds")


def test_planes_that_an_ome_file_only_promises(tmp_path):
    path = tmp_path / "a.ome.tif"
    write_ome(path, np.zeros((8, 9), np.uint8), ome_xml((10**9, 1, 8, 9), plane(0)))
    checked(path, 1, "its 1000000000 planes take")
