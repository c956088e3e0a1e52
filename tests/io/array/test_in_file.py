"""Arrays that stay in their file."""

import numpy as np
import pytest

from gmmseg.errors import ParameterError
from gmmseg.io import read


def test_npy_is_read_whole_by_default(tmp_path, rng):
    values = rng.random((6, 7))
    np.save(tmp_path / "a.npy", values)
    image = read(tmp_path / "a.npy")
    (tmp_path / "a.npy").write_bytes(b"")  # a map of the file would end the process now
    np.testing.assert_array_equal(image.array[..., 0], values)


@pytest.mark.slow
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


def test_chosen_channels_of_an_array_in_its_file(tmp_path, rng):
    values = rng.random((5, 8, 9))
    np.save(tmp_path / "a.npy", values)
    for memory in (None, 0, 10**6):
        image = read(tmp_path / "a.npy", channel_axis=0, channels="5,2", memory=memory)
        assert image.in_memory == (memory != 0)
        np.testing.assert_array_equal(image.array, np.moveaxis(values[[4, 1]], 0, -1))


@pytest.mark.parametrize("n_channels", [3, 4])
def test_wide_integers_within_a_byte_are_bytes_in_the_file_too(tmp_path, n_channels):
    numbers = np.arange(4 * 5 * n_channels).reshape(4, 5, n_channels)
    np.save(tmp_path / "wide.npy", numbers)
    image, whole = read(tmp_path / "wide.npy", memory=0), read(tmp_path / "wide.npy")
    assert not image.in_memory
    assert image.pixels.dtype == np.uint8
    np.testing.assert_array_equal(image.array, whole.array)
    numbers[0, 0, 0] = 256
    np.save(tmp_path / "wider.npy", numbers)
    if n_channels == 3:
        assert read(tmp_path / "wider.npy", memory=0).pixels.dtype == numbers.dtype
    else:
        with pytest.raises(ParameterError, match="four bands or a colour with alpha"):
            read(tmp_path / "wider.npy", memory=0)
