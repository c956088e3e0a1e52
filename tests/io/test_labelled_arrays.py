"""Arrays of xarray as images: axes by their names, places by coordinates, what has no data."""

import numpy as np
import pytest

from gmmseg import InputError, ParameterError, segment
from gmmseg.image.place import Place
from gmmseg.io.opening import open_image
from gmmseg.io.request import Reading

xarray = pytest.importorskip("xarray")

ROWS, COLUMNS = np.linspace(95, 5, 10), np.linspace(1, 29, 15)


def array(*dims, **coords):
    sizes = {"band": 3, "rgb": 3, "wavelength": 3, "y": 10, "x": 15, "z": 4, "time": 2}
    shape = [sizes[dim] for dim in dims]
    return xarray.DataArray(np.arange(np.prod(shape), dtype=np.uint16).reshape(shape), coords, dims)


def test_channels_come_last_and_have_names():
    image = open_image(array("band", "y", "x", band=["a", "b", "c"]))
    assert (image.shape, image.channel_names, image.color) == ((10, 15), ("a", "b", "c"), False)
    spectra = open_image(array("y", "wavelength", "x", wavelength=[400.0, 500.5, 600]))
    assert spectra.channel_names == ("400", "500.5", "600")
    assert open_image(array("y", "x", "rgb")).color
    assert open_image(array("band", "y", "x", band=["red", "green", "blue"])).color
    assert open_image(array("y", "x")).n_channels == 1
    assert open_image(array("z", "y", "x")).shape == (4, 10, 15)
    assert open_image(array("y", "x", "time", "band")).frames[1].shape == (10, 15)


def test_coordinates_say_where_pixels_lie():
    image = open_image(array("y", "x", y=ROWS, x=COLUMNS, spatial_ref=((), 0, {"crs_wkt": "EPSG:32633"})))
    assert image.place == Place((2.0, 0.0, 0.0, 0.0, -10.0, 100.0), "EPSG:32633")
    assert image.spacing == (10.0, 2.0)
    uneven = open_image(array("y", "x", y=ROWS**2, x=COLUMNS))
    assert (uneven.place, uneven.spacing) == (None, None)


def test_a_file_without_them_gets_coordinates_by_its_place(tmp_path):
    place = Place((2.0, 0.0, 0.0, 0.0, -10.0, 100.0), None)
    source = open_image(array("y", "x").values)
    found = segment(type(source)(source.array, place=place), 2).to_xarray()
    np.testing.assert_allclose(found.y, ROWS)
    np.testing.assert_allclose(found.x, COLUMNS)
    assert found.spatial_ref.attrs["GeoTransform"] == "0.0 2.0 0.0 100.0 0.0 -10.0"


def test_variables_that_are_no_bands_of_one_grid_are_refused():
    with pytest.raises(InputError, match="image is a Dataset whose variables are no bands of one grid"):
        open_image(xarray.Dataset({"a": array("y", "x"), "b": array("y", "z").rename(z="w")}))


def test_axes_that_are_too_many_are_refused():
    odd = xarray.DataArray(np.zeros((2, 2, 2, 2, 2)), dims=("a", "b", "d", "e", "f"))
    with pytest.raises(ParameterError, match="image has the axes a, b, d, e, f, of which 5 are in space"):
        open_image(odd)
    with pytest.raises(ParameterError, match="has names for its axes; leave it out"):
        open_image(array("y", "x"), Reading(axes="YX"))


def test_numbers_that_are_not_loaded_stay_where_they_are(tmp_path):
    zarr = pytest.importorskip("zarr")
    xarray.Dataset({"a": array("y", "x")}).to_zarr(tmp_path / "a.zarr", consolidated=False)
    assert zarr.open(str(tmp_path / "a.zarr"), mode="r")["a"].shape == (10, 15)
    with xarray.open_zarr(tmp_path / "a.zarr", chunks=None, consolidated=False) as opened:
        assert open_image(opened["a"], Reading(memory=1 << 20)).in_memory
        image = open_image(opened["a"], Reading(memory=100))
        assert not image.in_memory
        np.testing.assert_array_equal(image.array[..., 0], array("y", "x"))


@pytest.mark.parametrize("lazy", [False, True])
def test_whole_numbers_that_xarray_has_not_decoded_are_what_was_measured(rng, lazy):
    stored = rng.integers(1, 3000, (2, 6, 5)).astype(np.int16)
    stored[:, 0, 0] = stored[1, 2, 2] = 0
    expected = np.where(stored == 0, np.nan, stored * np.array([1e-4, 2.0])[:, None, None] + [[[-0.1]], [[1]]])
    attrs = {"scales": (1e-4, 2.0), "offsets": (-0.1, 1.0), "_FillValue": 0}
    array = xarray.DataArray(stored, dims=("band", "y", "x"), attrs=attrs)
    image = open_image(array.chunk({"y": 3}) if lazy else array, Reading())
    assert image.pixels.dtype == np.float32
    whole = image.crop(tuple(slice(0, n) for n in image.shape))
    np.testing.assert_array_equal(np.argwhere(~whole.valid), [[0, 0]])
    known = np.isfinite(np.moveaxis(expected, 0, -1))
    np.testing.assert_allclose(whole.array[known], np.moveaxis(expected, 0, -1)[known], rtol=1e-6)
    assert np.isnan(whole.array[2, 2, 1])
    second = image.select("2").crop(tuple(slice(0, n) for n in image.shape))
    np.testing.assert_array_equal(second.valid, known[..., 1])
    np.testing.assert_array_equal(second.array[second.valid, 0], whole.array[second.valid, 1])


def test_scales_of_variables_and_those_of_what_is_decoded_or_no_scale():
    ones = np.ones((4, 5), np.int16)
    scene = xarray.Dataset({"red": (("y", "x"), ones, {"scale_factor": 0.5}), "nir": (("y", "x"), ones)})
    np.testing.assert_array_equal(open_image(scene, Reading()).array[0, 0], [0.5, 1])
    for values, attrs in (
        (ones.astype(float), {"scale_factor": 0.5}),  # left there by arithmetic that keeps attributes
        (ones, {"scale_factor": "half"}),
        (ones, {"scale_factor": 1, "add_offset": 0}),
        (ones, {"scales": (1.0, 2.0, 3.0)}),
    ):
        image = open_image(xarray.DataArray(values, dims=("y", "x"), attrs=attrs), Reading())
        assert (image.array == 1).all()
        assert image.pixels.dtype == values.dtype
