"""Directories of TIFF files: where they lead, how many there are, what they claim."""

import struct

import numpy as np
import pytest
import tifffile
from refusals import refusal
from tiff_bytes import directory, entry, grey, one_page, pages

from gmmseg.errors import InputError
from gmmseg.io import read
from gmmseg.io.request import Reading
from gmmseg.io.tiff import directories as subject


def refusal_of(path, content):
    path.write_bytes(content)
    return refusal(path)


@pytest.mark.parametrize("bigtiff", [False, True])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_what_directories_say(tmp_path, bigtiff, byteorder):
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path, bigtiff=bigtiff, byteorder=byteorder) as tiff:
        tiff.write(
            np.zeros((40, 50), np.uint8), subifds=2, metadata=None, photometric="minisblack", description="x" * 500
        )
        for n in (20, 10):
            tiff.write(np.zeros((n, n), np.uint8), subfiletype=1, metadata=None)
        tiff.write(np.zeros((4, 5, 3), np.uint8), photometric="rgb", description="ImageJ=1.11a\n" * 5, metadata=None)
    first, second = subject.directories(path)
    assert (first.subfile, first.photometric, first.stack, first.shaped, len(first.beneath)) == (0, 1, False, False, 2)
    assert (second.photometric, second.stack, second.next) == (2, True, 0)
    assert {256, 257, 270, 330} <= set(first.codes)
    assert first.n_bytes > 500
    assert subject.require_sound(path, Reading()) == 4


@pytest.mark.parametrize("loop", [0, 2, 119])
def test_circles_are_found(tmp_path, loop):
    assert "go round in a circle" in refusal_of(tmp_path / "a.tif", pages([(3, 1)] * 120, loop=loop))


def test_more_directories_than_a_file_has_room_for(tmp_path):
    # Each begins 12 bytes after the one before, and lies over those that follow.
    n = 30_000
    out = bytearray(8 + 12 * n + 4100 * 12)
    struct.pack_into("<2sHI", out, 0, b"II", 42, 8)
    for i in range(n):
        struct.pack_into("<HHHI", out, 8 + 12 * i, 1, 256, 3, 1)
    assert refusal_of(tmp_path / "a.tif", bytes(out))
    tags = [entry(65000 + i, 4, 1, 0) for i in range(100)]
    # A directory beneath itself, over and over.
    many = struct.pack("<II", 8, 8) * 400
    tags[0] = entry(330, 4, 800, 8 + 2 + 1200 + 4)
    assert "lie over one another" in refusal_of(
        tmp_path / "b.tif", struct.pack("<2sHI", b"II", 42, 8) + directory(tags) + many
    )
    small = struct.pack("<2sHI", b"II", 42, 8) + directory([entry(330, 4, 90_000, 26)]) + struct.pack("<I", 8) * 90_000
    assert "has more than 3812 directories, too many for its 360026 bytes" in refusal_of(tmp_path / "c.tif", small)


def test_many_small_pages_are_no_fault(tmp_path):
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as tiff:
        for _ in range(1500):
            tiff.write(np.zeros((1, 1), np.uint8), metadata=None, contiguous=False)
    assert read(path, axes="ZYX").shape == (1500, 1, 1)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"II*\0", "is cut short"),
        (b"II*\0\x08\0\0\0", "is cut short"),
        (struct.pack("<2sHI", b"II", 42, 8) + struct.pack("<H", 5000), "has 5000 tags"),
        (struct.pack("<2sHHHQ", b"II", 43, 8, 0, 2**63 + 5), "is cut short"),
        (struct.pack("<2sHI", b"II", 42, 8) + directory([entry(256, 3, 1, 4)], 99999), "goes on at byte 99999"),
    ],
)
def test_directories_that_are_not_there(tmp_path, content, words):
    assert words in refusal_of(tmp_path / "a.tif", content)


def test_tags_are_counted_before_they_are_read(tmp_path):
    length = 2_000_000
    # 200 tags of 2 million bytes each, all of them the same.
    tags = [entry(60000 + i, 7, length, 0x1000) for i in range(200)]
    content = one_page(b"\0" * 12, 4, 3, more=tags)
    assert "above the limit" in refusal_of(tmp_path / "a.tif", content.ljust(0x1000 + length, b"\0"))
    # Of numbers each takes more than in the file.
    tags = [entry(60000, 3, 2_000_000, 0x1000)]
    (tmp_path / "b.tif").write_bytes(one_page(b"\0" * 12, 4, 3, more=tags).ljust(0x1000 + 4_000_000, b"\0"))
    assert read(tmp_path / "b.tif").shape == (3, 4)
    with pytest.raises(InputError, match=r"four times its tags take \d+ MiB, above the limit of 100 MiB"):
        subject.require_sound(tmp_path / "b.tif", Reading(budget=100 << 20))


def test_pages_of_many_kinds(tmp_path):
    assert "has 1500 pages of different kinds" in refusal_of(
        tmp_path / "a.tif", pages([(3 + i % 7, 1) for i in range(1500)])
    )
    path = tmp_path / "b.tif"
    with tifffile.TiffWriter(path) as tiff:
        for _ in range(3100):
            tiff.write(np.zeros((1, 1), np.uint8), contiguous=False)
    with pytest.raises(InputError, match="holds 3100 images, more than 3000"):
        read(path)


def test_a_directory_of_nothing(tmp_path):
    assert refusal_of(tmp_path / "a.tif", struct.pack("<2sHI", b"II", 42, 8) + directory([]))
    (tmp_path / "b.tif").write_bytes(struct.pack("<2sHI", b"II", 42, 8) + directory(grey(3, 1, offset=8, count=3)))
    assert read(tmp_path / "b.tif").shape == (1, 3)
