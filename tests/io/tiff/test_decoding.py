"""TIFF files through tifffile: dtypes, layouts, several images, memory and limits."""

import struct

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

from gmmseg.errors import DataWarning, InputError
from gmmseg.io import read, read_labels


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "i2", "i4", "f4", "f8"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_grey_dtypes(tmp_path, rng, dtype, compression):
    values = rng.integers(0, 120, (5, 7)).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", values, compression=compression, byteorder=">")
    image = read(tmp_path / "a.tif")
    assert not image.color
    assert image.pixels.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(image.array[..., 0], values)


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("dtype", ["u1", "u2"])
@pytest.mark.parametrize("options", [{}, {"compression": "zlib", "predictor": True}, {"tile": (16, 16)}])
def test_rgb_layouts(tmp_path, rng, planar, dtype, options):
    values = rng.integers(0, 255, (20, 30, 3)).astype(dtype)
    stored = values if planar == "contig" else np.moveaxis(values, -1, 0)
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", planarconfig=planar, **options)
    image = read(tmp_path / "a.tif")
    assert image.color
    assert image.channel_names == ("red", "green", "blue")
    np.testing.assert_array_equal(image.array, values)


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("n_bands", [2, 3, 6])
def test_bands_are_not_colour(tmp_path, rng, planar, n_bands):
    values = rng.integers(0, 4000, (20, 30, n_bands), dtype=np.uint16)
    stored = values if planar == "contig" else np.moveaxis(values, -1, 0)
    tifffile.imwrite(
        tmp_path / "a.tif", stored, photometric="minisblack", planarconfig=planar, extrasamples=[0] * (n_bands - 1)
    )
    image = read(tmp_path / "a.tif")
    assert not image.color
    np.testing.assert_array_equal(image.array, values)


def test_memory_decides_what_stays_in_the_file_and_max_pixels_what_does_not(tmp_path):
    options = {"photometric": "minisblack", "planarconfig": "contig", "compression": "zlib"}
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((20, 30, 4), np.uint16), extrasamples=[0] * 3, **options)
    n_bytes = 20 * 30 * 4 * 2
    assert read(tmp_path / "a.tif", memory=n_bytes).in_memory
    assert not read(tmp_path / "a.tif", memory=n_bytes - 1, max_pixels=10).in_memory
    assert read(tmp_path / "a.tif", memory=n_bytes // 4, channels="2").in_memory
    for memory in (None, n_bytes):
        with pytest.raises(InputError, match="above the limit of 10"):
            read(tmp_path / "a.tif", memory=memory, max_pixels=10)


def test_files_that_cannot_be_read_by_windows_are_read_whole(tmp_path, smooth_rgb):
    Pillow.fromarray(smooth_rgb).save(tmp_path / "c.tif", compression="tiff_lzw")
    if (image := read(tmp_path / "c.tif", memory=0)).in_memory:
        with pytest.raises(InputError, match="above the limit"):
            read(tmp_path / "c.tif", memory=0, max_pixels=10)
    np.testing.assert_array_equal(image.array, smooth_rgb)
    np.testing.assert_array_equal(read(tmp_path / "c.tif", channels="2").array[..., 0], smooth_rgb[..., 1])


def test_other_images_in_a_file_are_named_and_thumbnails_are_not(tmp_path):
    with tifffile.TiffWriter(tmp_path / "two.ome.tif", ome=True) as tiff:
        tiff.write(np.zeros((8, 9), np.uint8), metadata={"Name": "left", "axes": "YX"})
        tiff.write(np.zeros((6, 7), np.uint8), metadata={"Name": "right", "axes": "YX"})
    with pytest.warns(DataWarning, match=r"two\.ome\.tif holds 2 images, of which the first .* right \(6, 7\)"):
        assert read(tmp_path / "two.ome.tif").shape == (8, 9)
    with tifffile.TiffWriter(tmp_path / "thumb.tif") as tiff:
        tiff.write(np.zeros((8, 9), np.uint8), metadata=None)
        tiff.write(np.zeros((4, 5), np.uint8), metadata=None, subfiletype=1)
    assert read(tmp_path / "thumb.tif").shape == (8, 9)


def test_one_bit_with_a_colour_table(tmp_path, rng):
    bits = rng.random((5, 19)) > 0.5
    rows, colors = np.packbits(bits, axis=1).tobytes(), (65535, 0, 0, 32896, 0, 65535)
    tags = [(256, 3, 1, 19), (257, 3, 1, 5), (258, 3, 1, 1), (259, 3, 1, 1), (262, 3, 1, 3), (273, 4, 1, 8)]
    tags += [(277, 3, 1, 1), (278, 3, 1, 5), (279, 4, 1, len(rows)), (320, 3, 6, 8 + len(rows))]
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    table = struct.pack("<6H", *colors)
    start = b"II*\0" + struct.pack("<I", 8 + len(rows) + len(table)) + rows + table
    (tmp_path / "a.tif").write_bytes(start + struct.pack("<H", len(tags)) + entries + bytes(4))
    image = read(tmp_path / "a.tif")
    np.testing.assert_array_equal(image.array, np.uint8([[255, 0, 0], [0, 128, 255]])[bits.astype(int)])
    assert image.color
    np.testing.assert_array_equal(read_labels(tmp_path / "a.tif"), bits)
