"""NumPy files as images."""

import subprocess
import sys

import numpy as np
import pytest

from gmmseg.errors import ParameterError
from gmmseg.io import read, read_info, read_labels


def test_npy_stays_on_disk(tmp_path, rng):
    values = rng.random((6, 7))
    np.save(tmp_path / "a.npy", values)
    image = read(tmp_path / "a.npy")
    np.testing.assert_array_equal(image.pixels[..., 0], values)
    assert not image.pixels.flags.writeable
    assert read_info(tmp_path / "a.npy")["shape"] == [6, 7]


def test_npz_by_name_or_alone(tmp_path, rng):
    values = rng.random((6, 7))
    np.savez(tmp_path / "one.npz", whatever=values)
    np.savez_compressed(tmp_path / "two.npz", other=values[:2], image=values)
    for name in ("one.npz", "two.npz"):
        np.testing.assert_array_equal(read(tmp_path / name).pixels[..., 0], values)
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
