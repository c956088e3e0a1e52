"""Arrays in files of MATLAB, of version 5 as SciPy writes them, and of version 7.3, which are HDF5."""

import struct
import zlib

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from gmmseg.errors import InputError, ParameterError
from gmmseg.io import read, read_info, read_labels, read_probabilities
from gmmseg.io.formats import identify
from gmmseg.io.matlab import format as matlab
from gmmseg.io.parts import name_of
from gmmseg.io.request import Reading

CUBE = np.arange(4 * 5 * 6, dtype=np.uint16).reshape(4, 5, 6)


@pytest.fixture(params=["plain", "compressed", "7.3"])
def make(tmp_path, request):
    """Write a file: (name of array = values, ...) -> path."""

    def write(**arrays):
        path = tmp_path / "cube.mat"
        if request.param != "7.3":
            savemat(path, arrays, do_compression=request.param == "compressed")
            return path
        with h5py.File(path, "w", userblock_size=512) as file:
            for name, values in arrays.items():
                numbers = np.transpose(values)  # columns first, as in MATLAB's memory
                file[name] = numbers.astype(np.uint8) if numbers.dtype == bool else numbers
        with open(path, "r+b") as stored:
            stored.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\0\2IM")
        return path

    return write


def test_rows_columns_and_bands_are_those_of_matlab(make):
    path = make(pavia=CUBE, scale=np.float64(3), names=np.zeros((1, 7)))
    assert read_info(path)["shape"] == [4, 5, 6]
    image = read(path, channel_axis=-1)
    np.testing.assert_array_equal(image.array, CUBE)
    chosen = read(path, channel_axis=2, channels="6,2")
    np.testing.assert_array_equal(chosen.array, CUBE[..., [5, 1]])
    np.testing.assert_array_equal(read(path, axes="CYX").array, np.moveaxis(CUBE, 0, -1))
    with pytest.raises(ParameterError, match=r"shape \(4, 5, 6\), whose axes are ambiguous"):
        read(path)
    assert identify(path).suffix_of_labels(path, -1) == ".png"
    assert identify(path).suffix_of_labels(path, None) == ".tif"
    with pytest.raises(InputError, match=r"cube\.mat is a MATLAB file; give probability maps"):
        read_probabilities(path)


@pytest.mark.parametrize("dtype", ["u1", "i2", "f4", "f8", bool])
def test_labels_and_numbers_of_any_kind(make, dtype):
    values = (np.arange(20).reshape(4, 5) % 3).astype(dtype)
    np.testing.assert_array_equal(read(make(gt=values)).array[..., 0], values)
    if np.dtype(dtype).kind in "ui":
        np.testing.assert_array_equal(read_labels(make(gt=values)), values)


def test_windows_of_version_7_3_stay_in_the_file(make):
    path = make(pavia=CUBE)
    image = read(path, channel_axis=-1, memory=0)
    assert not image.in_memory
    part = image.crop((slice(1, 3), slice(2, 5)))
    np.testing.assert_array_equal(part.array, CUBE[1:3, 2:5])


def test_one_of_several_is_named(make):
    path = make(first=CUBE, second=CUBE[..., 0])
    with pytest.raises(InputError, match=r"holds 2 arrays \(first 4 x 5 x 6, second 4 x 5\); name one, as in MATLAB:"):
        read(path)
    np.testing.assert_array_equal(read(f"MATLAB:{path}:second").array[..., 0], CUBE[..., 0])
    assert name_of(f"MATLAB:{path}:second") == "cube_second"
    assert set(read_info(path)["arrays"]) == {"first", "second"}
    assert read_info(f"MATLAB:{path}:second")["shape"] == [4, 5]
    with pytest.raises(InputError, match=r"cube\.mat has no array third, but first 4 x 5 x 6, second 4 x 5; name one"):
        read(f"MATLAB:{path}:third")


def test_nothing_that_is_an_image(make):
    with pytest.raises(InputError, match=r"cube\.mat holds no array of real numbers with rows and columns"):
        read(make(text=np.zeros((1, 9)), one=np.float64(2)))


def test_cells_structures_and_objects_are_not_read(tmp_path):
    cells = np.array([[1, "a"], [2, "b"]], dtype=object)
    savemat(tmp_path / "a.mat", {"cells": cells, "cube": CUBE, "facts": {"x": np.ones((3, 3))}})
    assert read_info(tmp_path / "a.mat")["shape"] == [4, 5, 6]


def test_damage(tmp_path):
    savemat(tmp_path / "a.mat", {"cube": CUBE})
    whole = (tmp_path / "a.mat").read_bytes()
    (tmp_path / "a.mat").write_bytes(whole[:-40])
    with pytest.raises(InputError, match=r"a\.mat is cut short: its numbers end early; save it again"):
        read(tmp_path / "a.mat", channel_axis=-1)
    (tmp_path / "a.mat").write_bytes(whole[:140] + bytes(60) + whole[200:])
    with pytest.raises(InputError, match=r"a\.mat"):
        read(tmp_path / "a.mat", channel_axis=-1)


def test_what_is_too_large_is_refused_before_it_is_inflated(tmp_path):
    savemat(tmp_path / "a.mat", {"cube": np.zeros((600, 600, 100), np.uint16)}, do_compression=True)
    with pytest.raises(InputError, match=r"its numbers, inflated, take 65 MiB, above the limit of 64 MiB; raise"):
        matlab.read(tmp_path / "a.mat", Reading(budget=1, channel_axis=-1))
    savemat(tmp_path / "a.mat", {"cube": np.zeros((600, 600, 100), np.uint16)})
    with pytest.raises(InputError, match=r"the numbers of cube take 69 MiB, above the limit of 64 MiB; raise memory"):
        matlab.read(tmp_path / "a.mat", Reading(budget=1, channel_axis=-1))
    packed = zlib.compress(bytes(100 << 20))
    head = b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\1IM"
    (tmp_path / "a.mat").write_bytes(head + struct.pack("<II", 15, len(packed)) + packed)
    with pytest.raises(InputError, match=r"its numbers, inflated, take 65 MiB"):
        matlab.read(tmp_path / "a.mat", Reading(budget=1))


def test_complex_numbers(tmp_path):
    savemat(tmp_path / "a.mat", {"waves": np.array([[3 + 4j, 0], [1j, 2]])})
    with pytest.raises(InputError, match=r"holds complex numbers \(complex128\); take their magnitude"):
        read(tmp_path / "a.mat")
    np.testing.assert_array_equal(read(tmp_path / "a.mat", magnitude=True).array[..., 0], [[5, 0], [1, 2]])
