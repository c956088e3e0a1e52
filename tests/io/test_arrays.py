"""NumPy files as images."""

import subprocess
import sys

import numpy as np
import pytest

from gmmseg.errors import InputError, ParameterError
from gmmseg.io import read, read_info, read_labels


def test_npy_stays_on_disk(tmp_path, rng):
    values = rng.random((6, 7))
    np.save(tmp_path / "a.npy", values)
    image = read(tmp_path / "a.npy")
    np.testing.assert_array_equal(image.array[..., 0], values)
    assert not image.array.flags.writeable
    assert read_info(tmp_path / "a.npy")["shape"] == [6, 7]


def test_npz_by_name_or_alone(tmp_path, rng):
    values = rng.random((6, 7))
    np.savez(tmp_path / "one.npz", whatever=values)
    np.savez_compressed(tmp_path / "two.npz", other=values[:2], image=values)
    for name in ("one.npz", "two.npz"):
        np.testing.assert_array_equal(read(tmp_path / name).array[..., 0], values)
    assert read_info(tmp_path / "two.npz")["arrays"]["image"] == {"shape": [6, 7], "dtype": "float64"}


def test_axes_are_asked_for(tmp_path):
    np.save(tmp_path / "v.npy", np.zeros((5, 6, 7), np.float32))
    with pytest.raises(ParameterError, match=r"v\.npy.*channel_axis=None"):
        read(tmp_path / "v.npy")
    assert read(tmp_path / "v.npy", channel_axis=None).shape == (5, 6, 7)


@pytest.mark.parametrize(("dtype", "stored"), [(bool, "u1"), ("i8", "u1"), ("u2", "u2"), (">u2", "u2")])
def test_labels(tmp_path, dtype, stored):
    np.save(tmp_path / "l.npy", np.eye(3).astype(dtype))
    found = read_labels(tmp_path / "l.npy")
    assert found.dtype == np.dtype(stored)
    np.testing.assert_array_equal(found, np.eye(3))


def test_mask_files_and_arrays(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((3, 3)))
    np.save(tmp_path / "m.npy", np.eye(3, dtype=bool))
    by_file = read(tmp_path / "a.npy", mask=tmp_path / "m.npy")
    by_array = read(str(tmp_path / "a.npy"), mask=np.eye(3, dtype=int))
    assert by_file.valid.tolist() == by_array.valid.tolist() == np.eye(3, dtype=bool).tolist()


def test_importing_io_loads_nothing_heavy():
    code = "import sys, gmmseg.io; print([m for m in ('numpy', 'PIL', 'cv2', 'tifffile') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [bool, "u1", ">u2", "i4", "f2", "f4", ">f8", "g"])
@pytest.mark.parametrize(
    ("shape", "channel_axis"),
    [((8, 9), "auto"), ((8, 9, 3), "auto"), ((8, 9, 4), "auto"), ((4, 8, 9), None), ((5, 8, 9), 0), ((2, 8, 9, 5), -1)],
)
@pytest.mark.filterwarnings("ignore:.*pixels are NaN")
def test_windows_are_parts_of_the_whole(tmp_path, rng, shape, channel_axis, dtype, order):
    values = rng.integers(0, 2, shape).astype(dtype)
    if values.dtype.kind == "f":
        values[1, 1] = np.nan
    np.save(tmp_path / "a.npy", np.asarray(values, order=order))
    whole = read(tmp_path / "a.npy", channel_axis=channel_axis)
    lazy = read(tmp_path / "a.npy", channel_axis=channel_axis, memory=0)
    assert (whole.in_memory, lazy.in_memory) == (True, False)
    assert (lazy.color, lazy.pixels.dtype, lazy.shape) == (whole.color, whole.pixels.dtype, whole.shape)
    for window in (tuple(slice(0, n) for n in whole.shape), tuple(slice(n // 3, n - 1) for n in whole.shape)):
        expected, found = whole.crop(window), lazy.crop(window)
        np.testing.assert_array_equal(found.array, expected.array)
        valid = [np.ones(found.shape, bool) if each.valid is None else each.valid for each in (found, expected)]
        np.testing.assert_array_equal(*valid)
    assert sum(np.prod([s.stop - s.start for s in w]) for w in lazy.windows()) == whole.n_pixels


def test_windows_lie_along_what_is_contiguous(tmp_path):
    np.save(tmp_path / "f.npy", np.zeros((4, 5, 6), order="F"))
    np.save(tmp_path / "c.npy", np.zeros((4, 5, 6)))
    columns, rows = (read(tmp_path / f"{name}.npy", channel_axis=None, memory=0).pixels for name in "fc")
    assert (columns.blocks, columns.sweep) == ((4, 1, 1), 2)
    assert (rows.blocks, rows.sweep) == ((1, 1, 6), 0)


def test_memory_decides_what_stays_on_disk(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((5, 6), np.float32))
    np.savez(tmp_path / "a.npz", np.zeros((5, 6), np.float32))
    assert read(tmp_path / "a.npy", memory=120).in_memory
    assert not read(tmp_path / "a.npy", memory=119, max_pixels=1).in_memory
    assert read(tmp_path / "a.npz", memory=0).in_memory


def test_what_is_wrong_in_memory_is_wrong_in_the_file(tmp_path):
    np.save(tmp_path / "v.npy", np.zeros((5, 6, 7), np.float32))
    np.save(tmp_path / "f.npy", np.full((5, 6, 3), 200.0))
    np.save(tmp_path / "c.npy", np.zeros((5, 6), complex))
    np.save(tmp_path / "s.npy", np.zeros((5, 6)))
    (tmp_path / "s.npy").write_bytes((tmp_path / "s.npy").read_bytes()[:-1])
    for name, error in (("v", ParameterError), ("f", ParameterError), ("c", InputError), ("s", InputError)):
        with pytest.raises(error) as in_memory:
            read(tmp_path / f"{name}.npy")
        with pytest.raises(error) as in_file:
            read(tmp_path / f"{name}.npy", memory=0)
        assert str(in_file.value) == str(in_memory.value)


def test_chosen_channels_of_an_array_in_its_file(tmp_path, rng):
    values = rng.random((5, 8, 9))
    np.save(tmp_path / "a.npy", values)
    for memory in (None, 0, 10**6):
        image = read(tmp_path / "a.npy", channel_axis=0, channels="5,2", memory=memory)
        assert image.in_memory == (memory != 0)
        np.testing.assert_array_equal(image.array, np.moveaxis(values[[4, 1]], 0, -1))
