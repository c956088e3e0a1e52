"""What stored numbers mean: alpha, palettes, inks, nodata."""

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow
from tiff_windows import assert_same_by_windows

from gmmseg.io import read, read_labels


def test_alpha_and_near_infrared(tmp_path):
    values = np.full((4, 5, 4), 9, np.uint8)
    values[1, 2, 3] = 0
    tifffile.imwrite(tmp_path / "alpha.tif", values, photometric="rgb", extrasamples=["unassalpha"])
    tifffile.imwrite(tmp_path / "nir.tif", values, photometric="rgb", extrasamples=["unspecified"])
    alpha, infrared = read(tmp_path / "alpha.tif"), read(tmp_path / "nir.tif")
    assert (alpha.n_channels, alpha.color) == (3, True)
    assert np.argwhere(~alpha.valid).tolist() == [[1, 2]]
    assert (infrared.n_channels, infrared.color, infrared.valid) == (4, False, None)


def test_palette_cmyk_bits_and_white_is_zero(tmp_path):
    red = Pillow.new("RGB", (8, 6), (250, 10, 20))
    red.quantize(4).save(tmp_path / "p.tif")
    red.convert("CMYK").save(tmp_path / "c.tif")
    for name in ("p.tif", "c.tif"):
        image = read(tmp_path / name)
        assert image.color
        np.testing.assert_allclose(image.array[0, 0], [250, 10, 20], atol=1)
    Pillow.fromarray(np.eye(9, dtype=bool)).save(tmp_path / "b.tif")
    np.testing.assert_array_equal(read(tmp_path / "b.tif").array[..., 0], np.eye(9))
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    tifffile.imwrite(tmp_path / "w.tif", grey, photometric="miniswhite")
    np.testing.assert_array_equal(read(tmp_path / "w.tif").array[..., 0], 255 - grey)


def test_palette_labels_keep_their_numbers(tmp_path):
    picture = Pillow.fromarray(np.arange(6, dtype=np.uint8).reshape(2, 3))
    picture.putpalette(list(range(30)))
    picture.save(tmp_path / "p.tif")
    assert read_labels(tmp_path / "p.tif").tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_windows_of_palettes_inks_and_white_is_zero(tmp_path, rng, compression):
    colors = rng.integers(0, 65536, (3, 256)).astype(np.uint16)
    numbers = rng.integers(0, 255, (20, 30)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "p.tif", numbers, photometric="palette", colormap=colors, compression=compression)
    assert assert_same_by_windows(tmp_path / "p.tif").color
    inks = rng.integers(0, 255, (20, 30, 4)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "c.tif", inks, photometric="separated", compression=compression)
    assert assert_same_by_windows(tmp_path / "c.tif").color
    assert not assert_same_by_windows(tmp_path / "c.tif", channels="blue,red").color
    tifffile.imwrite(tmp_path / "w.tif", numbers, photometric="miniswhite", compression=compression)
    np.testing.assert_array_equal(assert_same_by_windows(tmp_path / "w.tif").array[..., 0], 255 - numbers)


@pytest.mark.filterwarnings("ignore:.*pixels are NaN")
@pytest.mark.parametrize("top", [1.0, 200.0])
def test_windows_of_float_colour_with_gaps(tmp_path, rng, top):
    values = (rng.random((40, 30, 3)) * top).astype(np.float32)
    values[2, 3, 1] = np.nan
    values[30, 4] = np.inf
    values[39, 29] = top
    tifffile.imwrite(tmp_path / "f.tif", values, photometric="rgb", compression="zlib", rowsperstrip=8)
    lazy = assert_same_by_windows(tmp_path / "f.tif")
    assert lazy.color == (top == 1)
    assert (~lazy.crop(tuple(slice(0, n) for n in lazy.shape)).valid).sum() == (2 if lazy.color else 1)


def test_windows_of_nodata_and_of_sparse_files(tmp_path, rng):
    values = np.zeros((64, 64), np.int16)
    values[16:32, 16:32] = -9
    values[40:, 50:] = rng.integers(1, 9, (24, 14))
    tiles = (
        values[r : r + 16, c : c + 16] if (r, c) != (16, 16) else None
        for r in range(0, 64, 16)
        for c in range(0, 64, 16)
    )
    tifffile.imwrite(
        tmp_path / "n.tif",
        tiles,
        shape=values.shape,
        dtype=values.dtype,
        tile=(16, 16),
        compression="zlib",
        photometric="minisblack",
        extratags=[(42113, "s", 0, "-9", True)],
    )
    lazy = assert_same_by_windows(tmp_path / "n.tif")
    np.testing.assert_array_equal(lazy.crop((slice(0, 64), slice(0, 64))).valid, values != -9)
