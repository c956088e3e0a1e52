"""Bands of a raster: what they mean, which are missing, and reading them window by window."""

import numpy as np
import pytest
import rasterio
import tifffile
from counted_sources import SelectableSource
from raster_windows import assert_same_by_windows
from rasterio.enums import ColorInterp

import gmmseg
from gmmseg.errors import DataWarning, InputError, heard
from gmmseg.export import names_in
from gmmseg.image import Image
from gmmseg.image.place import Place
from gmmseg.image.windows import everything
from gmmseg.io import read, read_labels
from gmmseg.io.raster import format
from gmmseg.io.raster import format as subject
from gmmseg.io.raster.bands import bands_of
from gmmseg.io.raster.location import GeoReference


@pytest.fixture
def as_raster(tmp_path, rng, monkeypatch):
    """Have a TIFF file read as GDAL's reader does: (values, meanings of the bands) -> (path, log of what was read)."""

    def make(values, meanings):
        tifffile.imwrite(tmp_path / "r.tif", np.zeros((2, 2), np.uint8))
        source = SelectableSource(values)

        def opened(path, reading):
            memory = reading.memory_unchosen
            pixels = values if memory is None or values.nbytes <= memory else source
            return Image(pixels, name=str(path), place=Place(native=GeoReference(facts={"colorinterp": meanings})))

        monkeypatch.setattr(format, "owns", lambda path: True)
        monkeypatch.setattr(format, "open_raster", opened)
        return tmp_path / "r.tif", source.log

    return make


@pytest.mark.parametrize("memory", [None, 0, 10**9])
@pytest.mark.parametrize("dtype", ["u2", "f4"])
def test_bands_of_a_raster_are_chosen_before_they_are_read(rng, as_raster, memory, dtype):
    values = rng.integers(0, 99, (6, 7, 4)).astype(dtype)
    path, log = as_raster(values, ("alpha", "blue", "green", "red", "undefined"))  # alpha is no channel of an image
    color = read(path, channels="3,2,1", memory=memory)
    assert color.color == (dtype == "u2")
    assert color.in_memory == (memory != 0)
    np.testing.assert_array_equal(color.array, values[..., [2, 1, 0]])
    assert set(log) == {(2, 1, 0)}
    assert not read(path, channels="4,3,2", memory=memory).color
    assert not read(path, channels="1,2,3", memory=memory).color
    assert not read(path, memory=memory).color
    with pytest.raises(InputError, match="above the limit of 41"):
        read(path, channels="1", max_pixels=41)


pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dtype", "nodata", "becomes"),
    [
        ("uint8", 0, "float32"),
        ("uint16", 65535, "float32"),
        ("int16", -9999, "float32"),
        ("int32", 0, "float32"),
        ("float32", -9999, "float32"),
        ("float32", np.nan, "float32"),
        ("float64", -1e300, "float64"),
    ],
)
def test_pixels_without_data(write_raster, rng, dtype, nodata, becomes):
    bands = rng.integers(1, 100, (3, 20, 30)).astype(dtype)
    bands[:, 2, 3] = nodata
    bands[1, 4, 5] = nodata
    image = assert_same_by_windows(write_raster(bands, nodata=nodata, photometric="minisblack"))
    assert np.argwhere(~image.valid).tolist() == [[2, 3]]
    assert image.pixels.dtype == becomes
    assert np.isnan(image.array[4, 5, 1])
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


@pytest.mark.filterwarnings("error")
def test_measurements_that_are_called_alpha_are_a_band(write_raster, rng):
    bands = rng.integers(1, 255, (4, 20, 30), dtype=np.uint8)
    path = write_raster(bands)  # of which GDAL says red, green, blue and alpha
    with rasterio.open(path) as raster:
        assert raster.colorinterp[3] == ColorInterp.alpha
    with pytest.warns(DataWarning, match=r"r\.tif: its band 4 is called alpha, but holds"), heard() as said:
        image = read(path)
    assert len(said) == 1
    assert (image.n_channels, image.color, image.valid) == (4, False, None)
    np.testing.assert_array_equal(image.array, np.moveaxis(bands, 0, -1))
    with pytest.warns(DataWarning, match="called alpha"):
        np.testing.assert_array_equal(read(path, channels="4,1").array[..., 0], bands[3])
    bands[3] = np.where(rng.random((20, 30)) < 0.3, 100, 255)  # glass
    assert read(write_raster(bands, "b.tif")).color
    picture = rng.integers(1, 255, (4, 20, 30), dtype=np.uint8)
    assert read(write_raster(picture, "c.tif", crs=None)).color  # on no map


@pytest.mark.filterwarnings("ignore::gmmseg.GmmsegWarning")
@pytest.mark.parametrize("tiled", [True, False])
def test_few_blocks_are_decoded_to_tell_measurements_from_alpha(write_raster, rng, tiled):
    bands = rng.integers(1, 255, (4, 160, 320), dtype=np.uint8)
    bands[3, :, :100] = 0  # around a scene that lies across the grid
    path = write_raster(bands, **({"tiled": True, "blockxsize": 16, "blockysize": 16} if tiled else {"blockysize": 1}))
    windows = []
    with rasterio.open(path) as raster:
        assert bands_of(path, _Recorded(raster, windows)).alpha is None
        assert len(windows) == 16
        assert all(window.height * window.width == (16 * 16 if tiled else 64) for window in windows)
        shape = raster.block_shapes[0]
    corners = {(window.row_off // shape[0], window.col_off // shape[1]) for window in windows}
    ends = {
        ((window.row_off + window.height - 1) // shape[0], (window.col_off + window.width - 1) // shape[1])
        for window in windows
    }
    assert corners == ends  # none of them in two blocks
    bands[3, :, :170] = 0
    assert read(write_raster(bands, "b.tif")).color


class _Recorded:
    """A dataset of rasterio, and the windows of which bands are read."""

    def __init__(self, raster, windows):
        self._raster, self._windows = raster, windows

    def __getattr__(self, name):
        return getattr(self._raster, name)

    def read(self, band, *, window):
        self._windows.append(window)
        return self._raster.read(band, window=window)


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


@pytest.mark.slow
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


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
@pytest.mark.parametrize("memory", [None, 0])
def test_a_value_of_one_band_is_missing_in_that_band_however_bands_come(write_raster, rng, dtype, memory):
    """In one file, in separate files that are stacked, and in a virtual raster that declares it for one band only."""
    bands = rng.integers(1, 100, (3, 20, 30)).astype(dtype)
    bands[1, 4, 5] = 0
    bands[:, 2, 3] = 0
    paths = [write_raster(band[None], f"{name}.tif", nodata=0) for name, band in zip("abc", bands, strict=True)]
    whole = write_raster(bands, nodata=0, photometric="minisblack")
    for source in (whole, paths):
        pixels = read(source, memory=memory).array
        assert np.argwhere(np.isnan(pixels)).tolist() == [[2, 3, 0], [2, 3, 1], [2, 3, 2], [4, 5, 1]]
    plain = write_raster(bands, "plain.tif", photometric="minisblack")
    kind = {"uint8": "Byte", "uint16": "UInt16", "int16": "Int16", "float32": "Float32"}[dtype]
    described = "".join(
        f'<VRTRasterBand dataType="{kind}" band="{band}">{"<NoDataValue>0</NoDataValue>" if band == 2 else ""}'
        f'<SimpleSource><SourceFilename relativeToVRT="1">{plain.name}</SourceFilename><SourceBand>{band}</SourceBand>'
        "</SimpleSource></VRTRasterBand>"
        for band in (1, 2, 3)
    )
    virtual = plain.with_name("v.vrt")
    virtual.write_text(f'<VRTDataset rasterXSize="30" rasterYSize="20">{described}</VRTDataset>')
    image = read(virtual, memory=memory)
    assert np.argwhere(np.isnan(image.array)).tolist() == [[2, 3, 1], [4, 5, 1]]
    assert image.crop(everything(image.shape)).valid is None


@pytest.mark.parametrize(("dtype", "becomes"), [("complex64", "float32"), ("complex128", "float64")])
@pytest.mark.parametrize("memory", [None, 0])
def test_complex_numbers_are_refused_or_taken_by_their_magnitude(write_raster, rng, dtype, becomes, memory):
    bands = (rng.normal(0, 9, (2, 20, 30)) + 1j * rng.normal(0, 9, (2, 20, 30))).astype(dtype)
    path = write_raster(bands)
    with pytest.raises(
        InputError, match=rf"r\.tif holds complex numbers \({dtype}\); take their magnitude by --magnitude"
    ):
        read(path, memory=memory)
    image = read(path, memory=memory, magnitude=True)
    assert (image.pixels.dtype, image.in_memory) == (becomes, memory is None)
    np.testing.assert_allclose(image.array, np.moveaxis(np.abs(bands), 0, -1), rtol=1e-6)


def test_whole_complex_numbers(write_raster):
    bands = np.full((1, 20, 30), 3 + 4j, np.complex64)
    path = write_raster(bands, dtype="complex_int16")
    assert (read(path, magnitude=True).array == 5).all()


def test_complex_numbers_that_lie_nowhere(tmp_path):
    values = np.full((20, 30), 3 + 4j, np.complex64)
    tifffile.imwrite(tmp_path / "c.tif", values)
    with pytest.raises(InputError, match="take their magnitude by --magnitude"):
        read(tmp_path / "c.tif")
    assert (read(tmp_path / "c.tif", magnitude=True).array == 5).all()
    assert names_in(tmp_path / "c.tif") is None


def scaled(write_raster, stored, *, scales, offsets, **options):
    """A raster whose bands say what their numbers mean."""

    def finish(raster):
        raster.scales, raster.offsets = scales, offsets

    return write_raster(stored, finish=finish, **options)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "int32", "float32", "float64"])
@pytest.mark.parametrize("nodata", [None, 7])
def test_numbers_are_what_was_measured(write_raster, rng, dtype, nodata):
    stored = rng.integers(1, 120, (2, 20, 30)).astype(dtype)
    path = scaled(write_raster, stored, scales=(1e-4, 0.5), offsets=(-0.1, 149), nodata=nodata)
    image = assert_same_by_windows(path)
    assert image.pixels.dtype == ("float64" if dtype == "float64" else "float32")
    expected = np.where(stored == nodata, np.nan, stored * np.array([[[1e-4]], [[0.5]]]) + [[[-0.1]], [[149]]])
    np.testing.assert_allclose(image.array, np.moveaxis(expected, 0, -1), rtol=1e-6, atol=1e-8)
    second, known = read(path, channels="2"), np.isfinite(image.array[..., 1])
    np.testing.assert_array_equal(second.array[known, 0], image.array[known, 1])
    assert known.all() if second.valid is None else (second.valid == known).all()


def test_labels_are_as_stored_whatever_a_scale_says(write_raster, rng):
    stored = rng.integers(0, 9, (1, 20, 30)).astype(np.uint8)
    np.testing.assert_array_equal(read_labels(scaled(write_raster, stored, scales=(2,), offsets=(1,))), stored[0])


def test_a_scale_of_nothing_colours_and_tables_of_colours_leave_numbers_as_they_are(write_raster, rng):
    stored = rng.integers(1, 120, (3, 20, 30)).astype(np.uint8)
    whole = np.moveaxis(stored, 0, -1)
    none = scaled(write_raster, stored, scales=(0, np.nan, 1), offsets=(5, 0, 0), photometric="minisblack")
    assert_same_by_windows(none)
    np.testing.assert_array_equal(read(none).array, whole)
    color = read(scaled(write_raster, stored, scales=(2,) * 3, offsets=(0,) * 3, photometric="rgb", name="c.tif"))
    assert color.color
    np.testing.assert_array_equal(color.array, whole)


def test_a_model_holds_for_scenes_that_are_stored_otherwise(write_raster, rng):
    truth = rng.integers(0, 2, (40, 50)).repeat(2, 0).repeat(2, 1)
    measured = np.array([[0.05, 0.3], [0.2, 0.1]])[:, truth] + rng.normal(0, 0.005, (2, 80, 100))
    before = scaled(
        write_raster, (measured * 1e4).round().astype(np.uint16), scales=(1e-4,) * 2, offsets=(0,) * 2, name="a.tif"
    )
    after = scaled(
        write_raster,
        (measured * 1e4 + 1000).round().astype(np.uint16),
        scales=(1e-4,) * 2,
        offsets=(-0.1,) * 2,
        name="b.tif",
    )
    model = gmmseg.fit(before, 2)
    for each in (before, after):
        np.testing.assert_array_equal(gmmseg.apply(model, each).labels, truth + 1)
    assert [round(c.means["band 1"], 2) for c in gmmseg.apply(model, after).classes] == [0.05, 0.3]


def test_margins_are_told_where_what_was_measured_is_whole_numbers(write_raster, rng):
    stored = rng.integers(100, 200, (1, 60, 60)).astype(np.uint16)
    stored[:, :9] = 5
    assert len(gmmseg.fit(scaled(write_raster, stored, scales=(2,), offsets=(0,)), 2).means) == 2
    stored[:, :9] = 0
    with pytest.warns(DataWarning, match=r"15 % of its pixels are 0 in every band, .*--nodata 0"):
        gmmseg.fit(scaled(write_raster, stored, scales=(2,), offsets=(300,), name="b.tif"), 2)


@pytest.mark.parametrize("memory", [None, 0])
def test_no_data_is_named_as_it_is_stored(write_raster, rng, memory):
    stored = rng.integers(900, 1200, (2, 60, 60)).astype(np.uint16)
    stored[:, :9] = 0
    stored[:, 30:40] = 1000  # measured 0
    path = scaled(write_raster, stored, scales=(1e-4, 2e-4), offsets=(-0.1, -0.2))
    image = read(path, nodata=0, memory=memory)
    valid = image.crop(everything(image.shape)).valid
    np.testing.assert_array_equal(valid, (stored != 0).all(axis=0))
    np.testing.assert_array_equal(read(path, nodata=[0], channels="2").valid, valid)
    with pytest.warns(DataWarning, match=r"15 % of its pixels are 0 in every band, .*--nodata 0"):
        gmmseg.fit(path, 2)


def test_bands_of_codes_are_said_to_be_no_measurements(tmp_path, write_raster):
    path = write_raster(np.arange(216, dtype=np.uint16).reshape(3, 9, 8))
    with rasterio.open(path, "r+") as file:
        file.descriptions = ("red", "nir", "QA_PIXEL")
    with pytest.warns(DataWarning, match=r"its band QA_PIXEL holds codes, .*mask_values='r\.tif@QA_PIXEL:\.\.\.'"):
        assert read(path).n_channels == 3
    with heard() as said:
        assert read(path, channels="red,nir").n_channels == 2
        assert read(path, channels="QA_PIXEL").n_channels == 1
    assert not said
