"""Axes of a TIFF series."""

import struct

import numpy as np
import pytest
import tifffile

from gmmseg.errors import InputError
from gmmseg.io import read


@pytest.mark.parametrize(
    ("shape", "options", "spatial", "n_channels"),
    [
        ((5, 8, 9), {"metadata": {"axes": "ZYX"}}, (5, 8, 9), 1),
        ((5, 8, 9), {}, (5, 8, 9), 1),
        ((5, 8, 9), {"imagej": True, "metadata": {"axes": "ZYX"}}, (5, 8, 9), 1),
        ((5, 2, 8, 9), {"imagej": True, "metadata": {"axes": "ZCYX"}}, (5, 8, 9), 2),
        ((2, 8, 9), {"metadata": {"axes": "CYX"}}, (8, 9), 2),
        ((1, 5, 8, 9), {"ome": True, "metadata": {"axes": "TZYX"}}, (5, 8, 9), 1),
        ((4, 8, 9, 3), {"photometric": "rgb"}, (4, 8, 9), 3),
    ],
)
def test_stacks(tmp_path, rng, shape, options, spatial, n_channels):
    values = rng.integers(0, 255, shape).astype(np.uint8)
    options = {"photometric": "minisblack"} | options
    tifffile.imwrite(tmp_path / "s.tif", values, **options)
    image = read(tmp_path / "s.tif")
    assert image.shape == spatial
    assert image.n_channels == n_channels
    assert image.array.sum(dtype=int) == values.sum(dtype=int)


def test_pages_without_metadata_are_a_volume(tmp_path):
    with tifffile.TiffWriter(tmp_path / "s.tif") as tiff:
        for value in range(4):
            tiff.write(np.full((6, 7), value, np.uint16), metadata=None)
    image = read(tmp_path / "s.tif")
    assert image.shape == (4, 6, 7)
    assert image.array[:, 0, 0, 0].tolist() == [0, 1, 2, 3]
    bands = read(tmp_path / "s.tif", channel_axis=0)
    assert (bands.shape, bands.n_channels) == ((6, 7), 4)


def test_time_series_asks(tmp_path):
    tifffile.imwrite(tmp_path / "t.tif", np.zeros((3, 4, 5, 6), np.uint8), imagej=True, metadata={"axes": "TZYX"})
    with pytest.raises(InputError, match="TZYX.*channel_axis"):
        read(tmp_path / "t.tif")
    assert read(tmp_path / "t.tif", channel_axis=0).n_channels == 3


@pytest.mark.parametrize("memory", [None, 0])
def test_palettes_have_a_colour_for_each_number(tmp_path, memory):
    colors = np.arange(768, dtype=np.uint16).reshape(3, 256) << 6
    tifffile.imwrite(tmp_path / "p.tif", np.full((4, 5), 200, np.uint8), photometric="palette", colormap=colors)
    assert read(tmp_path / "p.tif").color
    content = bytearray((tmp_path / "p.tif").read_bytes())
    with tifffile.TiffFile(tmp_path / "p.tif") as tiff:
        struct.pack_into("<I", content, tiff.pages[0].tags[320].offset + 4, 24)
    (tmp_path / "p.tif").write_bytes(content)
    with pytest.raises(InputError, match=r"p\.tif has a palette of 8 colours for numbers of 8 bits"):
        read(tmp_path / "p.tif", memory=memory)
