"""The accessor of xarray: arrays with named axes in, labels with coordinates and classes out."""

import numpy as np
import pytest
from mosaics import made_scene

import gmmseg

xarray = pytest.importorskip("xarray")
pytest.importorskip("dask.array")

import gmmseg.integrations.xarray  # noqa: E402  # registers the accessor

WKT = 'LOCAL_CS["made"]'


def scene():
    numbers = made_scene().transpose(2, 0, 1)
    coords = {
        "band": ["green", "red", "nir"],
        "y": 5000000 - 10 * (np.arange(256) + 0.5),
        "x": 600000 + 10 * (np.arange(320) + 0.5),
        "spatial_ref": ((), 0, {"crs_wkt": WKT}),
    }
    return xarray.DataArray(numbers, coords, ("band", "y", "x"), "land")


def test_labels_are_those_of_the_array_with_its_coordinates():
    labels = scene().gmmseg.segment(k=3)
    expected = gmmseg.segment(gmmseg.Image(made_scene()), 3)
    np.testing.assert_array_equal(labels.values, expected.labels)
    assert labels.dims == ("y", "x")
    xarray.testing.assert_equal(labels.y, scene().y)
    assert labels.spatial_ref.attrs["crs_wkt"] == WKT
    assert labels.attrs["_FillValue"] == 0
    shares = gmmseg.segment(scene(), 3).to_xarray("probabilities")
    assert "_FillValue" not in shares.attrs  # 0 is a number: of a class that the pixel is certainly not of
    assert labels.attrs["flag_values"].tolist() == [1, 2, 3]
    assert labels.attrs["flag_meanings"] == "class_1 class_2 class_3"


def test_results_are_lazy_where_the_array_is():
    lazy = scene().chunk({"band": 1, "y": 70, "x": 90})
    model = lazy.gmmseg.fit(k=3)
    labels = lazy.gmmseg.apply(model)
    assert labels.chunks == ((70, 70, 70, 46), (90, 90, 90, 50))
    np.testing.assert_array_equal(labels.values, scene().gmmseg.segment(k=3).values)
    soft = lazy.gmmseg.apply(model, layer="probabilities")
    assert soft.dims == ("class", "y", "x")
    assert soft.sel({"class": "class 2"}).shape == (256, 320)
    np.testing.assert_array_equal(soft.argmax("class") + 1, labels)


def test_a_dataset_of_bands_is_an_image():
    bands = scene().to_dataset("band")
    model = bands.gmmseg.fit(3)
    assert model.channel_names == ("green", "red", "nir")
    np.testing.assert_array_equal(bands.gmmseg.apply(model), scene().gmmseg.segment(3))


def test_the_axis_of_channels_may_have_any_name():
    odd = scene().rename(band="channels_of_it")
    with pytest.raises(gmmseg.ParameterError, match="channel_axis='bands' is no axis of land, which has channels_of"):
        odd.gmmseg.segment(3, channel_dim="bands")
    labels = odd.gmmseg.segment(3, channel_dim="channels_of_it")
    np.testing.assert_array_equal(labels, scene().gmmseg.segment(3))


def test_times_are_labelled_one_by_one():
    days = np.array(["2025-06-01", "2025-07-01"], "M8[ns]")
    film = scene().expand_dims(time=days[:1]).reindex(time=days, method="ffill")
    model = film.gmmseg.fit(3)
    labels = film.chunk({"time": 1, "y": 100}).gmmseg.apply(model)
    assert labels.dims == ("time", "y", "x")
    np.testing.assert_array_equal(labels, film.gmmseg.apply(model))
    np.testing.assert_array_equal(labels[0], scene().gmmseg.apply(model))


def test_numbers_without_data_have_no_class():
    array = scene().astype(np.int16).assign_attrs(_FillValue=-9999)
    array[:, 20:60, 30:90] = -9999
    labels = array.gmmseg.segment(3)
    assert (labels[20:60, 30:90] == 0).all()
    assert int((labels == 0).sum()) == 40 * 60


def test_results_survive_a_file_of_netcdf(tmp_path):
    pytest.importorskip("scipy")
    scene().gmmseg.segment(3).to_netcdf(tmp_path / "labels.nc", engine="scipy")
    with xarray.open_dataset(tmp_path / "labels.nc", engine="scipy", mask_and_scale=False) as back:
        assert back.labels.attrs["flag_meanings"] == "class_1 class_2 class_3"
        assert "spatial_ref" in back.variables
