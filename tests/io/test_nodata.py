"""Nodata values: which pixels and which bands are missing."""

import numpy as np
import pytest
import tifffile

from gmmseg.errors import ParameterError
from gmmseg.image import Image
from gmmseg.image.windows import everything
from gmmseg.io import read, read_info
from gmmseg.io.nodata import can_be, dtype_without_nodata, separate_nodata, with_nodata
from gmmseg.io.request import Reading
from gmmseg.io.tiff.decoding import read_tiff


def test_nodata_is_judged_by_the_chosen_bands(tmp_path):
    values = np.ones((4, 5, 3), np.uint8)
    values[1, 1] = [0, 0, 9]
    values[2, 2] = 0
    tifffile.imwrite(
        tmp_path / "n.tif",
        values,
        photometric="minisblack",
        planarconfig="contig",
        extratags=[(42113, "s", 0, "0", True)],
        extrasamples=[0, 0],
    )
    assert np.argwhere(~read(tmp_path / "n.tif").valid).tolist() == [[2, 2]]
    for memory in (None, 0):
        chosen = read(tmp_path / "n.tif", channels="1,2", memory=memory).crop(everything((4, 5)))
        assert np.argwhere(~chosen.valid).tolist() == [[1, 1], [2, 2]]


pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")


def test_nodata_beyond_the_range_of_the_dtype(tmp_path):
    values = np.ones((4, 5), np.float32)
    values[1, 2] = -np.inf
    tifffile.imwrite(tmp_path / "n.tif", values, extratags=[(42113, "s", 0, "-1.7976931348623157e+308", True)])
    assert np.argwhere(~read(tmp_path / "n.tif").valid).tolist() == [[1, 2]]


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
        # A single band without data is missing for itself.
        assert np.argwhere(np.isnan(image.array[..., 0]) & (image.valid if missing else True)).tolist() == (
            [[0, 0]] if missing else []
        )
        assert image.pixels.dtype == ("u1" if dtype == "u1" else "f4")  # which cannot have the value
    if dtype != "u1":  # which has no such number
        assert read_info(tmp_path / "n.tif")["nodata"] == nodata


@pytest.mark.filterwarnings("ignore:.*pixels are NaN")
def test_nodata_nan(tmp_path):
    values = np.ones((4, 5), np.float32)
    values[2, 3] = np.nan
    tifffile.imwrite(tmp_path / "n.tif", values, extratags=[(42113, "s", 0, "nan", True)])
    assert np.argwhere(~read(tmp_path / "n.tif").valid).tolist() == [[2, 3]]


def test_bands_can_be_missing_one_by_one():
    for dtype, becomes in (("u1", "f4"), ("u2", "f4"), ("i2", "f4"), ("i4", "f4"), ("f4", "f4"), ("f8", "f8")):
        assert dtype_without_nodata(np.dtype(dtype), 2) == np.dtype(becomes)
        pixels, valid = separate_nodata(np.array([[1, 2], [9, 2], [9, 7]], dtype), (9.0, 7.0))
        assert pixels.dtype == np.dtype(becomes)
        np.testing.assert_array_equal(pixels, [[1, 2], [np.nan, 2], [np.nan, np.nan]])
        assert valid.tolist() == [True, True, False]


@pytest.mark.parametrize("dtype", ["u1", "f4"])
def test_colours_are_missing_only_as_a_whole(dtype):
    given = np.array([[0, 2], [0, 0]], dtype)
    pixels, valid = separate_nodata(given.copy(), (0.0, 0.0), color=True)
    np.testing.assert_array_equal(pixels, given, strict=True)
    assert valid.tolist() == [True, False]


def test_a_single_band_is_missing_where_it_has_the_value():
    assert dtype_without_nodata(np.dtype("i2"), 1) == np.dtype("i2")
    pixels, valid = separate_nodata(np.array([[5], [-9]], np.int16), (-9.0,))
    assert (pixels.dtype, valid.tolist()) == (np.int16, [True, False])


def test_values_that_no_pixel_can_have():
    assert [can_be(value, np.dtype("u1")) for value in (0.0, 255.0, -1.0, 0.5, np.nan, None)] == [True] * 2 + [
        False
    ] * 4
    assert can_be(-9999.0, np.dtype("f4"))
    for value in (-1.0, 256.0, 0.5, np.nan, None):
        pixels = np.array([[0], [255]], np.uint8)
        assert separate_nodata(pixels, (value,))[1] is None
    # Declared for 64 bits: infinite in 32.
    assert separate_nodata(np.array([[-np.inf], [1]], np.float32), (-1.7976931348623157e308,))[1].tolist() == [
        False,
        True,
    ]


def test_one_band_that_cannot_be_missing_makes_every_pixel_valid():
    assert separate_nodata(np.zeros((2, 2), np.uint8), (0.0, None))[1] is None
    masks = np.array([[255, 255], [0, 0], [0, 255]], np.uint8)
    assert separate_nodata(np.ones((3, 2), np.uint8), (None, None), masks=masks)[1].tolist() == [True, False, True]


@pytest.mark.parametrize("memory", [None, 0])
def test_numbers_that_nobody_declared_stand_for_no_data(tmp_path, rng, memory):
    values = rng.integers(1, 99, (5, 6, 3)).astype(np.uint16)
    values[0, 0] = 0
    values[1, 1, 0], values[2, 2, 2] = 0, 7
    np.save(tmp_path / "a.npy", values)

    def missing(nodata):
        image = read(tmp_path / "a.npy", channel_axis=-1, channels="3,2,1", memory=memory, nodata=nodata)
        part = image.crop(everything(image.shape))
        assert image.in_memory == (memory is None)
        assert image.pixels.dtype == part.pixels.dtype == np.float32
        valid = part.valid if part.valid is not None else np.ones((5, 6), bool)
        return np.argwhere(np.isnan(part.array)).tolist(), np.argwhere(~valid).tolist()

    everywhere = [[0, 0, 0], [0, 0, 1], [0, 0, 2], [1, 1, 2]]
    assert missing(0) == (everywhere, [[0, 0]])
    seven = np.argwhere(values[..., 2] == 7).tolist()
    assert missing((7, None, 0)) == (sorted([[0, 0, 2], [1, 1, 2], *([r, c, 0] for r, c in seven)]), [])


def test_nodata_of_a_colour_is_of_all_channels(tmp_path):
    rgb = np.full((4, 5, 3), 9, np.uint8)
    rgb[0, 0] = 0
    rgb[1, 1, 0] = 0
    tifffile.imwrite(tmp_path / "a.tif", rgb, photometric="rgb")
    image = read(tmp_path / "a.tif", nodata=0)
    assert (image.color, image.pixels.dtype) == (True, np.uint8)
    assert np.argwhere(~image.valid).tolist() == [[0, 0]]


def test_a_number_for_each_channel():
    image = Image(np.zeros((3, 4, 2)), name="a")
    with pytest.raises(ParameterError, match=r"a has 2 channels, but nodata has 3 numbers; give one of all"):
        with_nodata(image, (1, 2, 3))


@pytest.mark.parametrize("bad", ["x", ["x", 1], [[1], 2], {"a": 1}])
def test_what_is_no_number_is_refused(bad):
    with pytest.raises(ParameterError, match=r"nodata=.* is not usable; use a number"):
        with_nodata(Image(np.zeros((3, 4, 2)), name="a"), bad)


def test_numbers_may_be_an_array():
    image = with_nodata(Image(np.arange(12.0).reshape(2, 3, 2), name="a"), np.array([0.0, 1.0]))
    assert np.argwhere(~image.valid).tolist() == [[0, 0]]


@pytest.mark.parametrize("nodata", [10**400, -(10**400), [10**400], "x", np.array([["a"], ["b"]])])
def test_what_is_no_number_stands_for_nothing(nodata):
    with pytest.raises(ParameterError, match=r"^nodata=[^\n]* is not usable; use a number"):
        with_nodata(Image(np.zeros((4, 5))), nodata)
