"""Reading rasters through GDAL: what bands mean, what is missing, windows, and what is wrong with a file."""

import shutil
import struct
import warnings

import numpy as np
import pytest
import tifffile

rasterio = pytest.importorskip("rasterio")
from rasterio.enums import ColorInterp  # noqa: E402
from rasterio.shutil import copy as translate  # noqa: E402

import gmmseg  # noqa: E402
from gmmseg.errors import InputError, ParameterError  # noqa: E402
from gmmseg.image.windows import everything  # noqa: E402
from gmmseg.io import read, read_info, read_labels, read_probabilities  # noqa: E402
from gmmseg.io.raster import format as subject  # noqa: E402
from gmmseg.io.request import Reading  # noqa: E402
from gmmseg.io.tiff.decoding import read_tiff  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")
PLACE = {"crs": "EPSG:32625", "transform": rasterio.Affine(30, 0, 500000, 0, -20, 9000000)}


@pytest.fixture
def write_raster(tmp_path):
    """Write a raster with rasterio: (bands (n, rows, columns), name, **profile) -> path."""

    def make(bands, name="r.tif", *, finish=lambda raster: None, **profile):
        count, rows, columns = bands.shape
        options = {"driver": "GTiff", **PLACE, "dtype": bands.dtype.name, **profile}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
            with rasterio.open(tmp_path / name, "w", count=count, width=columns, height=rows, **options) as raster:
                finish(raster)
                raster.write(bands)
        return tmp_path / name

    return make


def by_windows(path, rows, columns):
    """Pixels and validity of a raster that stays in its file, put together of windows."""
    image = read(path, memory=0, max_pixels=1)
    assert not image.in_memory
    source = image.pixels
    pixels = np.empty(source.shape, source.dtype)
    valid = np.ones(image.shape, bool)
    for r in range(0, image.shape[0], rows):
        for c in range(0, image.shape[1], columns):
            window = (slice(r, min(r + rows, image.shape[0])), slice(c, min(c + columns, image.shape[1])))
            part, usable = source.read(window)
            assert part.dtype == source.dtype
            pixels[window] = part
            valid[window] = True if usable is None else usable
    source.close()
    return pixels, valid


def assert_same_by_windows(path):
    image = read(path)
    valid = np.ones(image.shape, bool) if image.valid is None else image.valid
    for rows, columns in ((7, 11), (1, 500), (64, 3)):
        pixels, usable = by_windows(path, rows, columns)
        assert pixels.dtype == image.pixels.dtype
        np.testing.assert_array_equal(pixels, image.array)
        np.testing.assert_array_equal(usable, valid)
    return image


def test_landsat_is_what_tifffile_reads(pictures):
    path = pictures / "L7_ETMs.tif"
    image, other = assert_same_by_windows(path), read_tiff(path, Reading(max_pixels=10**6))
    np.testing.assert_array_equal(image.array, other.array)
    assert (image.color, image.valid, image.place.native.facts["driver"]) == (False, None, "GTiff")
    assert image.spacing == pytest.approx(other.spacing)
    for code in (33550, 33922):
        np.testing.assert_allclose(image.place.native.tags[code][2], other.place.native.tags[code][2])
    first, second = (gmmseg.segment(each, 4, seed=1) for each in (image, other))
    np.testing.assert_array_equal(first.labels, second.labels)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64"])
@pytest.mark.parametrize("options", [{}, {"tiled": True, "blockxsize": 16, "blockysize": 16, "compress": "lzw"}])
def test_dtypes_and_layouts(write_raster, rng, dtype, options):
    bands = rng.integers(0, 120, (5, 40, 50)).astype(dtype)
    image = assert_same_by_windows(write_raster(bands, **options))
    assert image.pixels.dtype == dtype
    np.testing.assert_array_equal(image.array, np.moveaxis(bands, 0, -1))


@pytest.mark.parametrize("memory", [None, 0])
def test_reading_does_not_copy_bands(write_raster, memory):
    image = read(write_raster(np.ones((2, 30, 40), np.int16)), memory=memory)
    pixels = image.array if memory is None else image.pixels.read(everything(image.shape))[0]
    assert np.moveaxis(pixels, -1, 0).flags.c_contiguous


@pytest.mark.parametrize(
    ("dtype", "nodata", "kept", "becomes"),
    [
        ("uint8", 0, True, "uint8"),
        ("uint16", 65535, True, "uint16"),
        ("int16", -9999, False, "float32"),
        ("int32", 0, False, "float32"),
        ("float32", -9999, False, "float32"),
        ("float32", np.nan, False, "float32"),
        ("float64", -1e300, False, "float64"),
    ],
)
def test_pixels_without_data(write_raster, rng, dtype, nodata, kept, becomes):
    bands = rng.integers(1, 100, (3, 20, 30)).astype(dtype)
    bands[:, 2, 3] = nodata
    bands[1, 4, 5] = nodata
    image = assert_same_by_windows(write_raster(bands, nodata=nodata, photometric="minisblack"))
    assert np.argwhere(~image.valid).tolist() == [[2, 3]]
    assert image.pixels.dtype == becomes
    assert (image.array[4, 5, 1] == bands[1, 4, 5]) if kept else np.isnan(image.array[4, 5, 1])
    assert image.array[4, 5, 0] == bands[0, 4, 5]


@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_a_single_band_without_data(write_raster, rng, dtype):
    bands = rng.integers(1, 100, (1, 20, 30)).astype(dtype)
    bands[:, 2, 3] = -5
    image = assert_same_by_windows(write_raster(bands, nodata=-5))
    assert np.argwhere(~image.valid).tolist() == [[2, 3]]
    assert image.pixels.dtype == dtype


def test_undeclared_nan_is_no_data_without_a_warning(write_raster):
    bands = np.ones((2, 9, 8), np.float32)
    bands[:, 1, 1] = np.nan, np.inf
    bands[0, 2, 2] = np.nan
    assert np.argwhere(~assert_same_by_windows(write_raster(bands)).valid).tolist() == [[1, 1]]


def test_all_nodata(write_raster):
    path = write_raster(np.zeros((3, 9, 8), np.int16), nodata=0)
    assert not read(path).valid.any()
    with pytest.warns(gmmseg.errors.DataWarning, match="no pixel is valid"):
        assert not gmmseg.segment(path, 3).labels.any()


def test_nodata_beyond_the_range_of_the_dtype(tmp_path):
    values = np.ones((4, 5), np.float32)
    values[1, 2] = -np.inf
    tifffile.imwrite(tmp_path / "n.tif", values, extratags=[(42113, "s", 0, "-1.7976931348623157e+308", True)])
    assert np.argwhere(~read(tmp_path / "n.tif").valid).tolist() == [[1, 2]]


@pytest.mark.parametrize("internal", [True, False])
def test_masks_of_the_dataset(write_raster, rng, internal):
    mask = rng.random((20, 30)) < 0.5
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=internal):
        path = write_raster(np.full((2, 20, 30), 7, np.uint16), finish=lambda raster: raster.write_mask(mask))
    assert path.with_name("r.tif.msk").exists() != internal
    assert subject.owns(path)
    np.testing.assert_array_equal(assert_same_by_windows(path).valid, mask)


def test_alpha_is_no_band(write_raster, rng):
    bands = rng.integers(0, 255, (4, 20, 30), dtype=np.uint8)
    bands[3] = np.where(rng.random((20, 30)) < 0.3, 0, 255)
    image = assert_same_by_windows(write_raster(bands, photometric="rgb", alpha="yes"))
    assert (image.color, image.channel_names) == (True, ("red", "green", "blue"))
    np.testing.assert_array_equal(image.valid, bands[3] > 0)
    np.testing.assert_array_equal(image.array, np.moveaxis(bands[:3], 0, -1))
    assert image.array.flags.c_contiguous


def test_colour_in_another_order_is_put_right(write_raster, rng):
    bands = rng.integers(0, 255, (3, 20, 30), dtype=np.uint8)

    def finish(raster):
        raster.colorinterp = (ColorInterp.blue, ColorInterp.green, ColorInterp.red)

    image = assert_same_by_windows(write_raster(bands, photometric="minisblack", finish=finish))
    assert image.color
    np.testing.assert_array_equal(image.array, np.moveaxis(bands[::-1], 0, -1))


@pytest.mark.parametrize(("dtype", "color"), [("uint16", True), ("int16", False), ("float32", False)])
def test_signed_and_floating_rgb_are_bands(write_raster, dtype, color):
    assert read(write_raster(np.ones((3, 9, 8), dtype), photometric="rgb")).color == color


def test_near_infrared_is_a_band(write_raster):
    image = read(write_raster(np.ones((4, 9, 8), np.uint8), photometric="rgb", alpha="no"))
    assert (image.n_channels, image.color) == (4, False)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_palette(write_raster, dtype):
    bands = np.arange(12, dtype=dtype).reshape(1, 3, 4) % 3
    table = {0: (9, 8, 7, 255), 1: (200, 100, 50, 255), 2: (1, 2, 3, 255)}
    path = write_raster(bands, nodata=2, finish=lambda raster: raster.write_colormap(1, table))
    image = assert_same_by_windows(path)
    assert image.color
    assert image.array[0, :2].tolist() == [[9, 8, 7], [200, 100, 50]]
    np.testing.assert_array_equal(image.valid, bands[0] != 2)
    np.testing.assert_array_equal(read_labels(path), bands[0])


def test_what_the_header_says_is_kept(write_raster):
    def finish(raster):
        raster.descriptions = ("Rot & grün", "nah")
        raster.scales, raster.offsets = (0.1, 0.2), (1, 2)
        raster.update_tags(SENSOR="x", AREA_OR_POINT="Point")

    path = write_raster(np.ones((2, 9, 8), np.int16), nodata=-1, finish=finish)
    image = read(path)
    geo = image.place.native
    assert image.channel_names == ("Rot & grün", "nah")
    assert image.spacing == (20, 30)
    assert (geo.facts["scales"], geo.facts["offsets"], geo.facts["nodata"]) == ((0.1, 0.2), (1, 2), (-1, -1))
    assert geo.facts["tags"]["SENSOR"] == "x"
    assert geo.area_or_point == "Point"
    assert geo.transform == tuple(PLACE["transform"])[:6]
    assert rasterio.CRS.from_wkt(geo.crs) == rasterio.CRS.from_epsg(32625)
    info = read_info(path)
    assert (info["driver"], info["size"], info["nodata"]) == ("GTiff", [8, 9], "-1")
    assert info["crs"].endswith("(EPSG:32625)")
    assert info["bounds"] == {"left": 500000, "bottom": 9000000 - 180, "right": 500240, "top": 9000000}


def test_a_rotated_raster_has_the_lengths_of_its_sides(write_raster):
    transform = PLACE["transform"] * rasterio.Affine.rotation(30)
    image = read(write_raster(np.ones((1, 9, 8), np.uint8), transform=transform))
    c, s = np.cos(np.pi / 6), np.sin(np.pi / 6)
    assert image.spacing == pytest.approx((np.hypot(30 * s, 20 * c), np.hypot(30 * c, 20 * s)))


@pytest.mark.parametrize("missing", [{"crs": None}, {"transform": None}, {"crs": None, "transform": None}])
def test_without_a_place(write_raster, missing):
    path = write_raster(np.ones((1, 9, 8), np.uint8), nodata=0, **missing)
    image = read(path)
    assert (image.place.crs is None) == ("crs" in missing)
    assert (image.spacing is None) == ("transform" in missing)
    assert read_info(path)["georeferenced"] == ("transform" not in missing)


@pytest.mark.parametrize("driver", ["ENVI", "HFA", "AAIGrid", "PCIDSK"])
def test_other_formats(tmp_path, write_raster, rng, driver):
    count = 1 if driver == "AAIGrid" else 4
    bands = rng.integers(0, 200, (count, 20, 30)).astype(np.int32 if driver == "AAIGrid" else np.uint8)
    square = {"transform": rasterio.Affine(30, 0, 0, 0, -30, 0)}
    plain = write_raster(bands, photometric="minisblack", **square)
    path = tmp_path / "scene.img"
    with rasterio.open(plain) as raster:
        translate(raster, path, driver=driver)
    image = assert_same_by_windows(path)
    np.testing.assert_array_equal(image.array, np.moveaxis(bands, 0, -1))
    assert image.place.native.facts["driver"] == driver
    np.testing.assert_array_equal(read_probabilities(path), bands)
    if count == 1:
        np.testing.assert_array_equal(read_labels(path), bands[0])
    else:
        with pytest.raises(InputError, match="4 bands"):
            read_labels(path)


def test_bands_of_several_dtypes(tmp_path, write_raster):
    write_raster(np.full((1, 4, 5), 200, np.uint8), "a.tif")
    write_raster(np.full((1, 4, 5), -3, np.int16), "b.tif")
    parts = "".join(
        f'<VRTRasterBand dataType="{kind}" band="{i}"><SimpleSource><SourceFilename relativeToVRT="1">{name}'
        f"</SourceFilename><SourceBand>1</SourceBand></SimpleSource></VRTRasterBand>"
        for i, (kind, name) in enumerate((("Byte", "a.tif"), ("Int16", "b.tif")), 1)
    )
    (tmp_path / "v.vrt").write_text(f'<VRTDataset rasterXSize="5" rasterYSize="4">{parts}</VRTDataset>')
    image = assert_same_by_windows(tmp_path / "v.vrt")
    assert image.array[0, 0].tolist() == [200, -3]


@pytest.mark.parametrize(
    "name", ["/vsicurl/http://localhost/a.tif", "http://localhost/a.tif", "WMS:http://localhost/", "../gone.tif", "\0"]
)
def test_virtual_rasters_stay_on_this_computer(tmp_path, name):
    source = f"<SimpleSource><SourceFilename>{name}</SourceFilename></SimpleSource>".replace("\0", "")
    body = f'<VRTRasterBand dataType="Byte" band="1">{source if name != chr(0) else "<"}</VRTRasterBand>'
    (tmp_path / "v.vrt").write_text(f'<VRTDataset rasterXSize="5" rasterYSize="4">{body}</VRTDataset>')
    with pytest.raises(InputError, match="virtual raster"):
        read(tmp_path / "v.vrt")


def test_a_virtual_raster_of_a_description_of_the_network(tmp_path):
    (tmp_path / "w.xml").write_text('<GDAL_WMS><Service name="TMS"><ServerUrl>http://localhost</ServerUrl></Service>')
    source = '<SimpleSource><SourceFilename relativeToVRT="1">w.xml</SourceFilename></SimpleSource>'
    body = f'<VRTRasterBand dataType="Byte" band="1">{source}</VRTRasterBand>'
    (tmp_path / "v.vrt").write_text(f'<VRTDataset rasterXSize="5" rasterYSize="4">{body}</VRTDataset>')
    with pytest.raises(InputError, match="elsewhere"):
        read(tmp_path / "v.vrt")
    with pytest.raises(InputError, match="no known image"):
        read(tmp_path / "w.xml")


def test_whose_a_tiff_file_is(tmp_path, write_raster, pictures, rng):
    geo = write_raster(np.ones((1, 30, 40), np.uint8))
    with rasterio.open(geo, "r+") as raster:
        raster.build_overviews([2], rasterio.enums.Resampling.nearest)
    big = write_raster(np.ones((1, 30, 40), np.uint8), "b.tif", bigtiff="yes", endianness="big")
    assert all(map(subject.owns, (geo, big, pictures / "L7_ETMs.tif")))
    values = rng.integers(0, 255, (3, 20, 30), dtype=np.uint8)
    tags = {"extratags": [(42113, "s", 0, "0", True)]}
    others = {
        "plain": {},
        "stack": {"photometric": "minisblack", **tags},
        "imagej": {"imagej": True},
        "ome": {"ome": True, **tags},
    }
    for name, options in others.items():
        path = tmp_path / f"{name}.tif"
        tifffile.imwrite(path, values if name == "stack" else values[0], **options)
        assert not subject.owns(path), name
    assert not subject.owns(pictures / "nuclei.tif")
    shutil.copy(pictures / "nuclei.tif", tmp_path / "n.tif")
    (tmp_path / "n.tfw").write_text("2\n0\n0\n-2\n100\n200\n")
    assert read(tmp_path / "n.tif").spacing == (2, 2)
    for content in (b"", b"II*\0", b"II*\0\xff\xff\0\0", b"MM\0*\0\0\0\x08\xff\xff"):
        (tmp_path / "x.tif").write_bytes(content)
        assert not subject.owns(tmp_path / "x.tif")


def test_what_gdal_does_not_know(tmp_path, capfd):
    for content in (b"hello", b"\0" * 600, b"{}", b"<html></html>"):
        (tmp_path / "x").write_bytes(content)
        assert not subject.sniff(b"", tmp_path / "x")
    assert not subject.sniff(b"", tmp_path / "missing")
    assert capfd.readouterr() == ("", "")


def test_complex_numbers_are_refused(write_raster):
    with pytest.raises(InputError, match="complex numbers .* magnitudes"):
        read(write_raster(np.ones((1, 4, 5), np.complex64)))


def test_zero_size_and_damaged_headers(tmp_path, write_raster):
    content = bytearray(write_raster(np.ones((1, 4, 5), np.uint8)).read_bytes())
    (start,) = struct.unpack_from("<I", content, 4)
    for at in range(start + 2, start + 2 + 60, 12):
        if struct.unpack_from("<H", content, at)[0] == 256:
            struct.pack_into("<I", content, at + 8, 0)
    (tmp_path / "z.tif").write_bytes(content)
    with pytest.raises(InputError, match=r"z\.tif"):
        read(tmp_path / "z.tif")


def test_the_limit_holds_in_memory_only(write_raster):
    path = write_raster(np.ones((2, 40, 50), np.uint8))
    with pytest.raises(InputError, match="50 x 40 = 2000 pixels, above the limit of 1999"):
        read(path, max_pixels=1999)
    assert read(path, max_pixels=10, memory=3999).in_memory is False
    with pytest.raises(InputError, match="above the limit"):
        read(path, max_pixels=10, memory=4000)


def test_a_tile_that_is_corrupt(tmp_path, write_raster, rng):
    bands = rng.integers(0, 255, (1, 64, 64), dtype=np.uint8)
    path = write_raster(bands, tiled=True, blockxsize=16, blockysize=16, compress="deflate")
    with tifffile.TiffFile(path) as tiff:
        offset, count = (getattr(tiff.pages[0], name)[9] for name in ("dataoffsets", "databytecounts"))
    content = bytearray(path.read_bytes())
    content[offset : offset + count] = bytes(count)
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"r\.tif is damaged or cut short in rows 0 to 63, columns 0 to 63 \("):
        read(path)
    source = read(path, memory=0).pixels
    np.testing.assert_array_equal(source.read((slice(0, 32), slice(0, 64)))[0][..., 0], bands[0, :32])
    with pytest.raises(InputError, match="rows 32 to 47"):
        source.read((slice(32, 48), slice(0, 64)))
    source.close()


@pytest.mark.parametrize("name", ["a b.tif", "a\nb.tif", "größe 東京.tif", "http:x.tif", "zip+x!y.tif", "a?b#c%20.tif"])
def test_names(tmp_path, write_raster, name):
    shutil.copy(write_raster(np.full((1, 4, 5), 3, np.uint8)), tmp_path / name)
    assert (read(tmp_path / name).array == 3).all()
    assert read_info(tmp_path / name)["georeferenced"]


def test_sources_read_in_other_threads_and_close(write_raster, rng):
    from concurrent.futures import ThreadPoolExecutor

    bands = rng.integers(0, 255, (2, 40, 50), dtype=np.uint8)
    source = read(write_raster(bands), memory=0).pixels
    with ThreadPoolExecutor(1) as pool:
        pixels, valid = pool.submit(source.read, everything(source.shape[:-1])).result()
    np.testing.assert_array_equal(np.moveaxis(pixels, -1, 0), bands)
    assert valid is None
    dataset = source._dataset
    del source
    assert dataset.closed


def test_blocks_of_tiles_are_whole_columns_of_results(write_raster):
    path = write_raster(np.ones((1, 600, 1100), np.uint8), tiled=True, blockxsize=128, blockysize=64)
    source = read(path, memory=0).pixels
    assert (source.blocks, source.sweep) == ((64, 512), 0)
    source.close()


def test_channel_axis_has_nothing_to_say(write_raster):
    with pytest.raises(ParameterError, match="leave it out"):
        read(write_raster(np.ones((2, 4, 5), np.uint8)), channel_axis=0)


def test_importing_does_not_load_rasterio(fresh_python):
    code = "import sys, gmmseg.io.raster.format; print('rasterio' in sys.modules)"
    assert fresh_python(code).strip() == "False"
