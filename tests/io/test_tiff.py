"""Reading TIFF: meanings of samples, axes and tags, with files that tifffile, Pillow and rasterio wrote."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

from gmmseg.errors import DataWarning, InputError, ParameterError
from gmmseg.io import read, read_info, read_labels
from gmmseg.io.request import Reading
from gmmseg.io.tiff.decoding import read_tiff

IMAGES = Path(__file__).parents[2] / "images"


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


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "jpeg"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_compressions_that_need_another_decoder(tmp_path, smooth_rgb, compression, mode):
    path = tmp_path / "c.tif"
    Pillow.fromarray(smooth_rgb).convert(mode).save(path, compression=compression)
    with Pillow.open(path) as picture:
        expected = np.asarray(picture).reshape(40, 60, -1)
    image = read(path)
    assert image.color == (mode == "RGB")
    np.testing.assert_array_equal(image.array, expected)


def test_lzw_sixteen_bits(tmp_path, rng):
    cv2 = pytest.importorskip("cv2")
    grey = rng.integers(0, 65536, (20, 30), dtype=np.uint16)
    Pillow.fromarray(grey).save(
        tmp_path / "g.tif", compression="tiff_lzw", save_all=True, append_images=[Pillow.fromarray(grey + 1)]
    )
    np.testing.assert_array_equal(read(tmp_path / "g.tif").array[..., 0], [grey, grey + 1])
    colour = rng.integers(0, 65536, (20, 30, 3), dtype=np.uint16)
    cv2.imwrite(str(tmp_path / "c.tif"), colour[..., ::-1], [cv2.IMWRITE_TIFF_COMPRESSION, 5])
    np.testing.assert_array_equal(read(tmp_path / "c.tif").array, colour)


def test_group4_fax(tmp_path):
    bits = np.eye(16, dtype=bool)
    Pillow.fromarray(bits).save(tmp_path / "f.tif", compression="group4")
    np.testing.assert_array_equal(read(tmp_path / "f.tif").array[..., 0], bits)


def test_landsat_keeps_its_place():
    image = read(IMAGES / "L7_ETMs.tif")
    assert image.shape == (352, 349)
    assert image.n_channels == 6
    assert not image.color
    assert image.spacing == pytest.approx((28.5, 28.5))
    assert {33550, 33922, 34735} <= set(image.place.native.tags)
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
    for image in (read(tmp_path / "n.tif"), read_tiff(tmp_path / "n.tif", Reading(max_pixels=100))):
        assert (np.argwhere(~image.valid).tolist() if image.valid is not None else []) == missing
        # A single band without data is missing for itself, but where numbers are unsigned each is an ordinary one.
        assert np.argwhere(np.isnan(image.array[..., 0]) & (image.valid if missing else True)).tolist() == (
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


# Windows: what is read window by window is what is read whole.


def _windows(shape):
    """Some windows of a shape: all, one pixel in the last corner, and a part that crosses blocks."""
    yield tuple(slice(0, n) for n in shape)
    yield tuple(slice(n - 1, n) for n in shape)
    yield tuple(slice(n // 3, n - n // 4) for n in shape)


def _assert_same_by_windows(path, **options):
    whole = read(path, **options)
    lazy = read(path, memory=0, **options)
    assert not lazy.in_memory
    assert (lazy.shape, lazy.n_channels, lazy.color) == (whole.shape, whole.n_channels, whole.color)
    assert lazy.pixels.dtype == whole.pixels.dtype
    assert (lazy.channel_names, lazy.spacing) == (whole.channel_names, whole.spacing)
    assert len(lazy.pixels.blocks) == lazy.ndim
    for window in _windows(whole.shape):
        expected, found = whole.crop(window), lazy.crop(window)
        np.testing.assert_array_equal(found.array, expected.array)
        valid = [np.ones(found.shape, bool) if each.valid is None else each.valid for each in (found, expected)]
        np.testing.assert_array_equal(*valid)
    return lazy


CONTIGUOUS = {"compression": None}
STRIPS = {"compression": "zlib", "rowsperstrip": 7}
TILES = {"compression": "zlib", "predictor": True, "tile": (16, 32)}
PLAIN_TILES = {"tile": (32, 16)}
LAYOUTS = [CONTIGUOUS, STRIPS, TILES, PLAIN_TILES]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "f2", "f4", "f8"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_windows_of_one_channel(tmp_path, rng, layout, dtype, byteorder):
    if dtype[0] == "f" and "predictor" in layout:  # needs a codec that tifffile does not have itself
        layout = layout | {"predictor": False}
    values = rng.integers(0, 120, (45, 70)).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", values, byteorder=byteorder, photometric="minisblack", **layout)
    _assert_same_by_windows(tmp_path / "a.tif")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("photometric", ["rgb", "minisblack"])
@pytest.mark.parametrize("n_channels", [3, 4])
def test_windows_of_channels(tmp_path, rng, layout, planar, photometric, n_channels):
    values = rng.integers(0, 2, (45, 70, n_channels)).astype(np.uint16) * 9
    stored = values if planar == "contig" else np.moveaxis(values, -1, 0)
    extra = [0] * (n_channels - 1) if photometric == "minisblack" else ["unassalpha"] * (n_channels - 3)
    tifffile.imwrite(
        tmp_path / "a.tif", stored, photometric=photometric, planarconfig=planar, extrasamples=extra, **layout
    )
    lazy = _assert_same_by_windows(tmp_path / "a.tif")
    assert lazy.color == (photometric == "rgb")
    chosen = _assert_same_by_windows(tmp_path / "a.tif", channels="3,1")
    np.testing.assert_array_equal(chosen.array, values[..., [2, 0]])


@pytest.mark.parametrize("layout", [{}, {"compression": "zlib"}, {"tile": (16, 16), "compression": "zlib"}])
@pytest.mark.parametrize(
    ("shape", "axes", "options"),
    [
        ((5, 18, 19), "ZYX", {}),
        ((5, 2, 18, 19), "ZCYX", {"imagej": True}),
        ((2, 5, 18, 19), "CZYX", {"ome": True}),
        ((5, 2, 18, 19), "ZCYX", {"ome": True}),
        ((1, 5, 18, 19), "TZYX", {"ome": True}),
        ((4, 18, 19), "CYX", {"ome": True}),
        ((4, 18, 19, 3), "ZYXS", {"photometric": "rgb"}),
    ],
)
def test_windows_of_stacks(tmp_path, rng, layout, shape, axes, options):
    if "imagej" in options:
        layout = {}  # all that ImageJ reads
    values = rng.integers(0, 255, shape).astype(np.uint16)
    options = {"photometric": "minisblack", "metadata": {"axes": axes}} | options | layout
    tifffile.imwrite(tmp_path / "s.tif", values, **options)
    lazy = _assert_same_by_windows(tmp_path / "s.tif")
    if lazy.n_channels > 1:
        chosen = _assert_same_by_windows(tmp_path / "s.tif", channels="2")
        channel = axes.index("C" if "C" in axes else "S")
        np.testing.assert_array_equal(chosen.array[..., 0], np.take(values, 1, axis=channel))


def test_windows_of_pages_without_metadata_and_with_another_channel_axis(tmp_path, rng):
    values = rng.integers(0, 255, (4, 6, 7)).astype(np.uint16)
    with tifffile.TiffWriter(tmp_path / "s.tif") as tiff:
        for page in values:
            tiff.write(page, metadata=None, compression="zlib")
    for channel_axis in (None, 0):
        _assert_same_by_windows(tmp_path / "s.tif", channel_axis=channel_axis)
    with pytest.raises(ParameterError, match="channel_axis=5 is not an axis"):
        read(tmp_path / "s.tif", channel_axis=5, memory=0)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_windows_of_palettes_inks_and_white_is_zero(tmp_path, rng, compression):
    colors = rng.integers(0, 65536, (3, 256)).astype(np.uint16)
    numbers = rng.integers(0, 255, (20, 30)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "p.tif", numbers, photometric="palette", colormap=colors, compression=compression)
    assert _assert_same_by_windows(tmp_path / "p.tif").color
    inks = rng.integers(0, 255, (20, 30, 4)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "c.tif", inks, photometric="separated", compression=compression)
    assert _assert_same_by_windows(tmp_path / "c.tif").color
    assert not _assert_same_by_windows(tmp_path / "c.tif", channels="blue,red").color
    tifffile.imwrite(tmp_path / "w.tif", numbers, photometric="miniswhite", compression=compression)
    np.testing.assert_array_equal(_assert_same_by_windows(tmp_path / "w.tif").array[..., 0], 255 - numbers)


@pytest.mark.filterwarnings("ignore:.*pixels are NaN")
@pytest.mark.parametrize("top", [1.0, 200.0])
def test_windows_of_float_colour_with_gaps(tmp_path, rng, top):
    values = (rng.random((40, 30, 3)) * top).astype(np.float32)
    values[2, 3, 1] = np.nan
    values[30, 4] = np.inf
    values[39, 29] = top
    tifffile.imwrite(tmp_path / "f.tif", values, photometric="rgb", compression="zlib", rowsperstrip=8)
    lazy = _assert_same_by_windows(tmp_path / "f.tif")
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
    lazy = _assert_same_by_windows(tmp_path / "n.tif")
    np.testing.assert_array_equal(lazy.crop((slice(0, 64), slice(0, 64))).valid, values != -9)


def test_bigtiff(tmp_path, rng):
    values = rng.integers(0, 255, (3, 20, 30)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "b.tif", values, bigtiff=True, photometric="minisblack", compression="zlib")
    np.testing.assert_array_equal(_assert_same_by_windows(tmp_path / "b.tif").array[..., 0], values)


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


def test_a_strip_that_is_damaged_is_one_error_that_names_the_rows(tmp_path, rng):
    tifffile.imwrite(
        tmp_path / "d.tif", rng.integers(0, 255, (40, 30)).astype(np.uint8), compression="zlib", rowsperstrip=10
    )
    with tifffile.TiffFile(tmp_path / "d.tif") as tiff:
        offset = tiff.pages[0].dataoffsets[2]
    data = bytearray((tmp_path / "d.tif").read_bytes())
    data[offset : offset + 8] = b"\xff" * 8
    (tmp_path / "d.tif").write_bytes(data)
    image = read(tmp_path / "d.tif", memory=0)
    assert image.crop((slice(0, 20), slice(0, 30))).shape == (20, 30)
    with pytest.raises(InputError, match=r"d\.tif is damaged in rows 15 to 24 \(.*\); export or download") as caught:
        image.crop((slice(15, 25), slice(0, 30)))
    assert "\n" not in str(caught.value)
    (tmp_path / "d.tif").unlink()
    with pytest.raises(InputError, match=r"d\.tif cannot be read: No such file"):
        image.crop((slice(0, 5), slice(0, 30)))


# Microscopes


def _ome(path, values, **facts):
    tifffile.imwrite(path, values, ome=True, photometric="minisblack", metadata=facts)


def test_ome_channels_and_sizes(tmp_path, rng):
    values = rng.integers(0, 4000, (3, 2, 10, 12)).astype(np.uint16)
    sizes = {"PhysicalSizeX": 0.2, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 250, "PhysicalSizeYUnit": "nm"}
    sizes |= {"PhysicalSizeZ": 0.001, "PhysicalSizeZUnit": "mm"}
    _ome(tmp_path / "a.ome.tif", values, axes="ZCYX", Channel={"Name": ["DAPI", "GFP"]}, **sizes)
    image = read(tmp_path / "a.ome.tif")
    assert image.channel_names == ("DAPI", "GFP")
    assert image.spacing == pytest.approx((1.0, 0.25, 0.2))
    assert image.place.native.ome["PhysicalSizeZUnit"] == "µm"
    np.testing.assert_array_equal(read(tmp_path / "a.ome.tif", channels="gfp").array[..., 0], values[:, 1])
    info = read_info(tmp_path / "a.ome.tif")
    assert info["channel_names"] == {"1": "DAPI", "2": "GFP"}
    assert info["pixel_size_um"] == pytest.approx({"X": 0.2, "Y": 0.25, "Z": 1.0})


def test_sizes_that_are_not_all_known_are_no_spacing(tmp_path):
    _ome(tmp_path / "a.ome.tif", np.zeros((3, 10, 12), np.uint8), axes="ZYX", PhysicalSizeX=0.2, PhysicalSizeY=0.2)
    image = read(tmp_path / "a.ome.tif")
    assert image.spacing is None
    assert set(image.place.native.ome) == {f"PhysicalSize{a}{u}" for a in "XY" for u in ("", "Unit")}
    _ome(tmp_path / "b.ome.tif", np.zeros((3, 4), np.uint8), axes="YX", PhysicalSizeX=1, PhysicalSizeXUnit="pixel")
    assert not read(tmp_path / "b.ome.tif").place.native.ome


def test_imagej_calibration_and_labels(tmp_path):
    values = np.zeros((2, 10, 12), np.uint16)
    facts = {"unit": "um", "Labels": ["DAPI", "GFP"], "axes": "CYX"}
    tifffile.imwrite(tmp_path / "c.tif", values, imagej=True, resolution=(5, 4), metadata=facts)
    image = read(tmp_path / "c.tif")
    assert image.channel_names == ("DAPI", "GFP")
    assert image.spacing == pytest.approx((0.25, 0.2))
    facts = {"unit": "nm", "spacing": 500.0, "axes": "ZYX"}
    tifffile.imwrite(tmp_path / "z.tif", values, imagej=True, resolution=(0.02, 0.02), metadata=facts)
    image = read(tmp_path / "z.tif")
    assert image.channel_names == ()
    assert image.spacing == pytest.approx((0.5, 0.05, 0.05))
    tifffile.imwrite(tmp_path / "n.tif", values, imagej=True, metadata={"axes": "ZYX"})
    assert read(tmp_path / "n.tif").spacing is None


def test_damaged_xml_names_nothing(tmp_path):
    from gmmseg.io.tiff.microscopy import Microscopy, _of_ome

    assert _of_ome("<OME><Image") == _of_ome("<OME/>") == Microscopy()


def test_ome_files_of_one_image_in_two_files(tmp_path, rng):
    values = rng.integers(0, 99, (2, 8, 9)).astype(np.uint8)
    uuids = ["urn:uuid:11111111-1111-1111-1111-111111111111", "urn:uuid:22222222-2222-2222-2222-222222222222"]
    data = "".join(
        f'<TiffData FirstC="{c}" FirstZ="0" FirstT="0" IFD="0" PlaneCount="1">'
        f'<UUID FileName="{c}.ome.tif">{uuid}</UUID></TiffData>'
        for c, uuid in enumerate(uuids)
    )
    for c, uuid in enumerate(uuids):
        xml = (
            f'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="{uuid}"><Image ID="Image:0">'
            '<Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint8" SizeX="9" SizeY="8" SizeC="2" SizeZ="1" '
            f'SizeT="1"><Channel ID="Channel:0:0" Name="a"/><Channel ID="Channel:0:1" Name="b"/>{data}</Pixels>'
            "</Image></OME>"
        )
        tifffile.imwrite(tmp_path / f"{c}.ome.tif", values[c], description=xml, metadata=None, compression="zlib")
    lazy = _assert_same_by_windows(tmp_path / "0.ome.tif")
    assert lazy.channel_names == ("a", "b")
    np.testing.assert_array_equal(lazy.array, np.moveaxis(values, 0, -1))


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


@pytest.mark.parametrize("shape", [(8, 9), (3, 8, 9)])
def test_labels_as_ome_tiff(tmp_path, rng, shape):
    from gmmseg.io.tiff.write import write_labels_tiff

    labels = rng.integers(0, 4, shape).astype(np.uint8)
    axes = "ZYX"[-len(shape) :]
    source = {f"PhysicalSize{axis}": size for axis, size in zip("ZYX", (1.5, 0.25, 0.2), strict=True) if axis in axes}
    _ome(tmp_path / "in.ome.tif", np.zeros(shape, np.uint16), axes=axes, **source)
    image = read(tmp_path / "in.ome.tif")
    for name in ("a.ome.tif", "b.ome.tif"):
        with open(tmp_path / name, "wb") as file:
            write_labels_tiff(file, labels, image, ome=True)
    assert (tmp_path / "a.ome.tif").read_bytes() == (tmp_path / "b.ome.tif").read_bytes()
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as tiff:
        assert tiff.is_ome
        assert tiff.series[0].axes == axes
        pixels = tifffile.xml2dict(tiff.ome_metadata)["OME"]["Image"]["Pixels"]
    assert {key: pixels[key] for key in source} == source
    np.testing.assert_array_equal(read_labels(tmp_path / "a.ome.tif"), labels)
    assert read(tmp_path / "a.ome.tif").spacing == image.spacing
