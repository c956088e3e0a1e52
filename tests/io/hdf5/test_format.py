"""Arrays in files of HDF5."""

import h5py
import numpy as np
import pytest

from gmmseg.errors import InputError, ParameterError
from gmmseg.io import read, read_info, read_labels, read_probabilities
from gmmseg.io.formats import identify


@pytest.fixture
def make(tmp_path):
    """Write a file: (name of array = values, ...) -> path."""

    def write(attributes=(), **arrays):
        with h5py.File(tmp_path / "a.h5", "w") as file:
            for name, values in arrays.items():
                chunks = tuple(min(4, length) for length in np.shape(values)) or None
                made = file.create_dataset(name.replace("__", "/"), data=values, chunks=chunks, compression="gzip")
                made.attrs.update(attributes)
        return tmp_path / "a.h5"

    return write


@pytest.mark.parametrize("memory", [None, 0])
@pytest.mark.parametrize("n_channels", [3, 4])
def test_rows_columns_and_colours_are_where_they_are_stored(make, rng, memory, n_channels):
    values = rng.integers(0, 256, (6, 9, n_channels), dtype=np.uint8)
    image = read(make(image=values), memory=memory)
    assert image.in_memory == (memory is None)
    np.testing.assert_array_equal(image.array, values[..., :3])
    assert image.color
    bands = read(make(image=values), memory=memory, channel_axis=2, channels="3,1")
    np.testing.assert_array_equal(bands.array, values[..., [2, 0]])


@pytest.mark.parametrize("dtype", [">i2", "u4", "f2", "f8", bool])
def test_grey_of_any_numbers(make, dtype):
    values = np.arange(54).reshape(6, 9).astype(dtype)
    path = make(image=values)
    np.testing.assert_array_equal(read(path).array[..., 0], values)
    assert read_info(path)["shape"] == [6, 9]
    assert identify(path).suffix_of_labels(path, "auto") == ".png"


@pytest.mark.parametrize("memory", [None, 0])
def test_volumes_channels_and_the_sides_of_a_voxel(make, memory):
    values = np.arange(5 * 6 * 7, dtype=np.float32).reshape(5, 6, 7)
    path = make({"element_size_um": (2.0, 0.5, 0.25)}, image=values)
    with pytest.raises(ParameterError, match=r"channel_axis=-1 .* channel_axis=None"):
        read(path, memory=memory)
    image = read(path, channel_axis=None, memory=memory)
    np.testing.assert_array_equal(image.array[..., 0], values)
    assert (image.spacing, image.place.unit) == ((2.0, 0.5, 0.25), "um")
    assert identify(path).suffix_of_labels(path, None) == ".tif"
    channels = read(path, channel_axis=0, memory=memory, channels=(5, 2))
    np.testing.assert_array_equal(channels.array, values[[4, 1]].transpose(1, 2, 0))
    assert channels.spacing is None


@pytest.mark.parametrize("memory", [None, 0])
@pytest.mark.parametrize("name", ["_FillValue", "missing_value", "Data_Ignore_Value"])
def test_numbers_that_are_declared_as_no_data(make, memory, name):
    values = np.arange(1, 121, dtype=np.int16).reshape(6, 5, 4)
    values[0, 1], values[2, 3, 0] = -9999, -9999
    path = make({name: np.float64(-9999)}, image=values)
    image = read(path, channel_axis=2, memory=memory)
    assert image.in_memory == (memory is None)
    whole = image.crop((slice(0, 6), slice(0, 5)))
    assert np.argwhere(~whole.valid).tolist() == [[0, 1]]
    assert np.argwhere(np.isnan(whole.array[whole.valid])).tolist() == [[12, 0]]
    single = read(path, channel_axis=2, memory=memory, channels=1).crop((slice(0, 6), slice(0, 5)))
    assert np.argwhere(~single.valid).tolist() == [[0, 1], [2, 3]]
    text = read(make({name: "none"}, image=values), channel_axis=2, memory=memory)
    assert text.crop((slice(0, 6), slice(0, 5))).array.min() == -9999


@pytest.mark.parametrize("memory", [None, 0])
def test_axes_that_a_caller_names(make, memory):
    values = np.arange(4 * 2 * 6 * 7, dtype=np.float32).reshape(4, 2, 6, 7)
    path = make({"element_size_um": (0.5, 0.25)}, image=values)
    image = read(path, axes="TCYX", memory=memory)
    assert (image.time, image.shape, image.spacing, image.in_memory) == (True, (4, 6, 7), (0.5, 0.25), memory is None)
    np.testing.assert_array_equal(image.array, np.moveaxis(values, 1, -1))
    turned = read(path, axes="XCTY", memory=memory, channels=2)  # not the order in which images have them
    np.testing.assert_array_equal(turned.array[..., 0], values[:, 1].transpose(1, 2, 0))
    with pytest.raises(ParameterError, match=r"axes='TYX' does not fit .*, which has 4 axes"):
        read(path, axes="TYX")


def test_windows_and_single_pixels_in_the_file(make):
    values = np.arange(30 * 40.0).reshape(30, 40)
    values[7, 8] = np.nan
    image = read(make(image=values), memory=0)
    assert image.pixels.blocks == (4, 4)
    part = image.crop((slice(5, 12), slice(6, 20)))
    np.testing.assert_array_equal(part.array[..., 0], values[5:12, 6:20])
    assert np.argwhere(~part.valid).tolist() == [[2, 2]]
    taken, valid = image.take(np.array([45, 3, 7 * 40 + 8]))
    assert taken[:2, 0].tolist() == [45, 3]
    assert valid.tolist() == [True, True, False]


def test_one_of_several_is_named(make, monkeypatch, tmp_path):
    first, second = np.zeros((6, 9), np.uint8), np.ones((4, 5), np.uint8)
    path = make(a__first=first, second=second, note=np.float64(7.0).reshape(1))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"holds 2 arrays \(a/first 6 x 9, second 4 x 5\); name one, as in HDF5:"):
        read(path)
    for name in (f"HDF5:{path}://second", "HDF5:a.h5:second", 'HDF5:"a.h5"://second'):
        np.testing.assert_array_equal(read(name).array[..., 0], second)
        np.testing.assert_array_equal(read_labels(name), second)
    with pytest.raises(InputError, match=r"a\.h5 has no array third, but a/first 6 x 9, second 4 x 5; name one"):
        read(f"HDF5:{path}://third")
    assert list(read_info(path)["arrays"]) == ["a/first", "second"]


@pytest.mark.parametrize(("steps", "told"), [((2, 0.5), [2.0, 0.5]), ((2, 0), None), ((2, np.nan), None)])
def test_the_sides_of_a_pixel_are_told(make, steps, told):
    path = make({"element_size_um": steps}, image=np.zeros((6, 9), np.uint8))
    assert read_info(path).get("pixel_size_um") == told
    assert read(path).spacing == (told and tuple(told))


def test_what_is_no_image(make, tmp_path):
    with pytest.raises(InputError, match="holds no array of real numbers with two axes or more"):
        read(make(line=np.zeros(5), waves=np.zeros((3, 4), complex), words=np.array([[b"a"]])))
    with pytest.raises(InputError, match="above the limit of 5"):
        read(make(image=np.zeros((6, 9))), max_pixels=5)
    with pytest.raises(InputError, match="is a HDF5 file; give probability maps as"):
        read_probabilities(make(image=np.zeros((6, 9))))
    path = make(image=np.zeros((600, 900)))
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(InputError, match=r"a\.h5 is damaged or cut short"):
        read(path)


def test_arrays_in_other_files_are_refused(tmp_path):
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["x"] = np.zeros((3, 4))
    with h5py.File(tmp_path / "l.h5", "w") as file:
        file["x"] = h5py.ExternalLink("secret.h5", "/x")
    with pytest.raises(InputError, match=r"l\.h5 takes .*x' from another file"):
        read(tmp_path / "l.h5")
    with pytest.raises(InputError, match=r"takes .*x' from another file"):
        read(f"HDF5:{tmp_path}/l.h5://x")


@pytest.mark.parametrize("memory", [None, 0])
def test_a_file_that_the_caller_has_open(make, rng, memory):
    values = rng.normal(size=(6, 9))
    path = make(image=values)
    with h5py.File(path, "r"):
        np.testing.assert_array_equal(read(path, memory=memory).array[..., 0], values)
