"""Reading TIFF: meanings of samples, axes and tags, with files that tifffile, Pillow and rasterio wrote."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

from gmmseg.errors import InputError
from gmmseg.io import read, read_info, read_labels
from gmmseg.io.tiff import read_tiff

IMAGES = Path(__file__).parents[2] / "images"


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "i2", "i4", "f4", "f8"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_grey_dtypes(tmp_path, rng, dtype, compression):
    values = rng.integers(0, 120, (5, 7)).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", values, compression=compression, byteorder=">")
    image = read(tmp_path / "a.tif")
    assert not image.color
    assert image.pixels.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(image.pixels[..., 0], values)


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
    np.testing.assert_array_equal(image.pixels, values)


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
    np.testing.assert_array_equal(image.pixels, values)


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
        np.testing.assert_allclose(image.pixels[0, 0], [250, 10, 20], atol=1)
    Pillow.fromarray(np.eye(9, dtype=bool)).save(tmp_path / "b.tif")
    np.testing.assert_array_equal(read(tmp_path / "b.tif").pixels[..., 0], np.eye(9))
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    tifffile.imwrite(tmp_path / "w.tif", grey, photometric="miniswhite")
    np.testing.assert_array_equal(read(tmp_path / "w.tif").pixels[..., 0], 255 - grey)


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
    assert image.pixels.sum(dtype=int) == values.sum(dtype=int)


def test_pages_without_metadata_are_a_volume(tmp_path):
    with tifffile.TiffWriter(tmp_path / "s.tif") as tiff:
        for value in range(4):
            tiff.write(np.full((6, 7), value, np.uint16), metadata=None)
    image = read(tmp_path / "s.tif")
    assert image.shape == (4, 6, 7)
    assert image.pixels[:, 0, 0, 0].tolist() == [0, 1, 2, 3]
    bands = read(tmp_path / "s.tif", channel_axis=0)
    assert (bands.shape, bands.n_channels) == ((6, 7), 4)


def test_time_series_asks(tmp_path):
    tifffile.imwrite(tmp_path / "t.tif", np.zeros((3, 4, 5, 6), np.uint8), imagej=True, metadata={"axes": "TZYX"})
    with pytest.raises(InputError, match="TZYX.*channel_axis"):
        read(tmp_path / "t.tif")
    assert read(tmp_path / "t.tif", channel_axis=0).n_channels == 3


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "jpeg"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_compressions_that_need_another_decoder(tmp_path, smooth_rgb, compression, mode):
    path = tmp_path / "c.tif"
    Pillow.fromarray(smooth_rgb).convert(mode).save(path, compression=compression)
    with Pillow.open(path) as picture:
        expected = np.asarray(picture).reshape(40, 60, -1)
    image = read(path)
    assert image.color == (mode == "RGB")
    np.testing.assert_array_equal(image.pixels, expected)


def test_lzw_sixteen_bits(tmp_path, rng):
    cv2 = pytest.importorskip("cv2")
    grey = rng.integers(0, 65536, (20, 30), dtype=np.uint16)
    Pillow.fromarray(grey).save(
        tmp_path / "g.tif", compression="tiff_lzw", save_all=True, append_images=[Pillow.fromarray(grey + 1)]
    )
    np.testing.assert_array_equal(read(tmp_path / "g.tif").pixels[..., 0], [grey, grey + 1])
    colour = rng.integers(0, 65536, (20, 30, 3), dtype=np.uint16)
    cv2.imwrite(str(tmp_path / "c.tif"), colour[..., ::-1], [cv2.IMWRITE_TIFF_COMPRESSION, 5])
    np.testing.assert_array_equal(read(tmp_path / "c.tif").pixels, colour)


def test_group4_fax(tmp_path):
    bits = np.eye(16, dtype=bool)
    Pillow.fromarray(bits).save(tmp_path / "f.tif", compression="group4")
    np.testing.assert_array_equal(read(tmp_path / "f.tif").pixels[..., 0], bits)


def test_landsat_keeps_its_place():
    image = read(IMAGES / "L7_ETMs.tif")
    assert image.shape == (352, 349)
    assert image.n_channels == 6
    assert not image.color
    assert image.spacing == pytest.approx((28.5, 28.5))
    assert {33550, 33922, 34735} <= set(image.metadata["tiff_tags"])
    info = read_info(IMAGES / "L7_ETMs.tif")
    assert (info["size"], info["channels"], info["georeferenced"]) == ([349, 352], 6, True)


@pytest.mark.parametrize(
    ("dtype", "nodata", "missing"),
    [("f4", "-9999", [[0, 1]]), ("i2", "-9999", [[0, 1]]), ("u2", "9", [[0, 1]]), ("u1", "-9999", [])],
)
def test_nodata(tmp_path, dtype, nodata, missing):
    value = float(nodata) if float(nodata) >= 0 or dtype != "u1" else 7
    values = np.ones((4, 5, 2), dtype)
    values[0, 0, 0] = value
    values[0, 1] = value
    tifffile.imwrite(
        tmp_path / "n.tif",
        values,
        photometric="minisblack",
        planarconfig="contig",
        extratags=[(42113, "s", 0, nodata, True)],
    )
    for image in (read(tmp_path / "n.tif"), read_tiff(tmp_path / "n.tif", 100)):
        assert (np.argwhere(~image.valid).tolist() if image.valid is not None else []) == missing
        # A single band without data is missing for itself, but where numbers are unsigned each is an ordinary one.
        assert np.argwhere(np.isnan(image.pixels[..., 0]) & (image.valid if missing else True)).tolist() == (
            [[0, 0]] if dtype in ("f4", "i2") else []
        )
    if dtype != "u1":  # which has no such number
        assert read_info(tmp_path / "n.tif")["nodata"] == nodata


@pytest.mark.filterwarnings("ignore:.*pixels are NaN")
def test_nodata_nan(tmp_path):
    values = np.ones((4, 5), np.float32)
    values[2, 3] = np.nan
    tifffile.imwrite(tmp_path / "n.tif", values, extratags=[(42113, "s", 0, "nan", True)])
    assert np.argwhere(~read(tmp_path / "n.tif").valid).tolist() == [[2, 3]]


@pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")
def test_raster_from_rasterio(tmp_path):
    rasterio = pytest.importorskip("rasterio")
    profile = {"driver": "GTiff", "width": 8, "height": 6, "count": 2, "dtype": "float32", "nodata": -1}
    place = {"crs": "EPSG:32625", "transform": rasterio.transform.from_origin(500000, 9000000, 30, 20)}
    with rasterio.open(tmp_path / "r.tif", "w", **profile, **place) as raster:
        raster.write(np.full((2, 6, 8), -1, "float32"))
        raster.write(np.ones((5, 8), "float32"), 1, window=((0, 5), (0, 8)))
        raster.write(np.ones((5, 8), "float32"), 2, window=((0, 5), (0, 8)))
        raster.set_band_description(1, "red & near")
        raster.set_band_description(2, "infrared")
    image = read(tmp_path / "r.tif")
    assert image.valid.sum() == 40
    assert image.spacing == (20.0, 30.0)
    assert image.channel_names == ("red & near", "infrared")


def test_palette_labels_keep_their_numbers(tmp_path):
    picture = Pillow.fromarray(np.arange(6, dtype=np.uint8).reshape(2, 3))
    picture.putpalette(list(range(30)))
    picture.save(tmp_path / "p.tif")
    assert read_labels(tmp_path / "p.tif").tolist() == [[0, 1, 2], [3, 4, 5]]
