"""Zarr folders that xarray wrote."""

import numpy as np
import pytest
import xarray
import zarr

import gmmseg
from gmmseg.errors import InputError, ParameterError
from gmmseg.io import read, read_info, read_labels
from gmmseg.io.formats import identify

ROWS, COLUMNS = 100.0 - 10 * np.arange(6), 300.0 + 10 * np.arange(8)
PLACE = (10.0, 0.0, 295.0, 0.0, -10.0, 105.0)
VALUES = np.arange(1.0, 97, dtype=np.float32).reshape(2, 6, 8)
VALUES[:, 0, 0] = -9999


def store(path, values, dims, zarr_format=3, **attrs):
    coords = {"y": ("y", ROWS, {"units": "m"}), "x": ("x", COLUMNS, {"units": "m"}), "band": [4, 8]}
    named = {name: each for name, each in coords.items() if name in dims}
    arrays = {name: (dims, each, {"_FillValue": np.float32(-9999)} | attrs) for name, each in values.items()}
    xarray.Dataset(arrays, coords=named).to_zarr(path, mode="w", zarr_format=zarr_format, consolidated=False)
    return path


@pytest.mark.parametrize("memory", [None, 0])
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_bands_have_their_axes_their_place_and_no_data(tmp_path, memory, zarr_format):
    folder = store(tmp_path / "a.zarr", {"reflectance": VALUES}, ("band", "y", "x"), zarr_format)
    for path in (folder, folder / "reflectance"):
        image = read(path, memory=memory)
        assert image.in_memory == (memory is None)
        assert (image.shape, image.n_channels, image.name) == ((6, 8), 2, str(path))
        assert (image.place.affine, image.spacing) == (PLACE, (10.0, 10.0))
        whole = image.crop((slice(0, 6), slice(0, 8)))
        assert np.argwhere(~whole.valid).tolist() == [[0, 0]]
        np.testing.assert_array_equal(whole.array[1:], np.moveaxis(VALUES, 0, -1)[1:])
        assert identify(path).suffix_of_labels(path, "auto") == ".tif"
        facts = read_info(path)
        assert (facts["bands"], facts["axes"], facts["shape"]) == (["reflectance"], "band, y, x", [2, 6, 8])
    chosen = read(folder, channels="2", memory=memory)
    np.testing.assert_array_equal(chosen.crop((slice(1, 3), slice(0, 8))).array[..., 0], VALUES[1, 1:3])


def test_variables_of_one_grid_are_bands_of_these_names(tmp_path):
    folder = store(tmp_path / "a.zarr", {"red": VALUES[0], "nir": VALUES[1]}, ("y", "x"))
    image = read(folder)
    assert (image.channel_names, image.place.affine) == (("nir", "red"), PLACE)
    np.testing.assert_array_equal(image.array[1:], np.moveaxis(VALUES[::-1], 0, -1)[1:])
    assert read(folder / "nir").n_channels == 1


def test_several_variables_with_bands_are_told_apart(tmp_path):
    folder = store(tmp_path / "a.zarr", {"a": VALUES, "b": VALUES}, ("band", "y", "x"))
    with pytest.raises(InputError, match=r"a\.zarr holds a, b, which are no bands of one grid; name .*a\.zarr/a"):
        read(folder)
    assert read(folder / "b").n_channels == 2


def test_what_is_no_band_is_not_advised(tmp_path):
    """Neither the array of a coordinate system, which is the first by name, nor one along an axis."""
    arrays = {"crs": ((), 0), "one": ("y", ROWS), "red": (("y", "x"), VALUES[0]), "warm": (("y", "z"), VALUES[0])}
    xarray.Dataset(arrays, coords={"y": ROWS, "x": COLUMNS, "z": COLUMNS}).to_zarr(tmp_path / "a.zarr", zarr_format=2)
    with pytest.raises(InputError, match=r"a\.zarr holds red, warm, which are .*, as in \S+a\.zarr/red$"):
        read(tmp_path / "a.zarr")


def test_a_coordinate_of_two_axes_is_read_by_name(tmp_path):
    folder = tmp_path / "a.zarr"
    along = {"height": (("y", "x"), VALUES[1]), "y": ROWS, "x": COLUMNS}
    xarray.Dataset({"one": ("y", ROWS)}, coords=along).to_zarr(folder, zarr_format=2)
    with pytest.raises(InputError, match=r"a\.zarr holds height, which .*a\.zarr/height$"):
        read(folder)
    np.testing.assert_array_equal(read(folder / "height").array[..., 0], VALUES[1])
    assert read_info(folder / "height")["bands"] == ["height"]


def test_axes_that_are_named_are_taken_as_those_of_an_array(tmp_path):
    folder = store(tmp_path / "a.zarr", {"a": VALUES}, ("band", "y", "x"))
    assert read(folder / "a", axes="CYX").place is None
    with pytest.raises(ParameterError, match="'depth' is no axis of a, which has band, y, x"):
        read(folder, channel_axis="depth")


def test_arrays_without_coordinates_are_arrays(tmp_path):
    zarr.save_array(str(tmp_path / "b.zarr"), VALUES[0])
    group = zarr.open_group(str(tmp_path / "c.zarr"), mode="w", zarr_format=3)
    group.create_array("a", data=VALUES[0], dimension_names=("y", "x"))
    for path in (tmp_path / "b.zarr", tmp_path / "c.zarr"):
        image = read(path)
        assert (image.shape, image.place) == ((6, 8), None)


def test_labels(tmp_path):
    labels = np.arange(48, dtype=np.uint8).reshape(6, 8) % 3
    folder = tmp_path / "labels.zarr"
    coords = {"y": ROWS, "x": COLUMNS}
    xarray.Dataset({"labels": (("y", "x"), labels, {"_FillValue": np.uint8(0)})}, coords).to_zarr(
        folder, consolidated=False
    )
    np.testing.assert_array_equal(read_labels(folder), labels)


def test_the_only_variable_of_a_dataset_may_have_bands():
    values = np.random.default_rng(0).normal(size=(3, 8, 9)) + np.repeat([0, 9], [4, 4])[:, None]
    for name in ("band", "bands", "wavelength"):
        dataset = xarray.Dataset({"reflectance": ((name, "y", "x"), values), "sun": ((), 3.0)})
        assert gmmseg.segment(dataset, k=2).labels.tolist() == [[1] * 9] * 4 + [[2] * 9] * 4
