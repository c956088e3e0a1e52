"""NumPy files as images and labels."""

import numpy as np
import pytest

from gmmseg.errors import InputError, ParameterError
from gmmseg.io import read, read_info, read_labels


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
