"""Planes whose rows begin with lines of the cache."""

import numpy as np
import pytest

from gmmseg.kernels.lines import empty_planes, planes_of


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("d", "n"), [(1, 1), (3, 1000), (64, 4096), (5, 0), (2, 1_000_003)])
def test_every_row_begins_with_a_line(d, n, dtype):
    planes = empty_planes(d, n, dtype)
    assert planes.shape == (d, n)
    assert planes.dtype == dtype
    assert planes.strides[1] == planes.itemsize
    assert all(row.__array_interface__["data"][0] % 64 == 0 for row in planes if n)
    planes[...] = np.arange(d)[:, None]
    np.testing.assert_array_equal(planes.sum(axis=1), np.arange(d) * n)  # no row is another's


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n", "d"), [(1, 1), (0, 3), (5, 40_000), (40_000, 5), (1031, 64)])
def test_samples_become_planes(n, d, dtype):
    rows = np.arange(n * d).reshape(n, d).astype(dtype)
    rows.flags.writeable = False
    for given in (rows, rows[::-1], rows[:, ::-1]):
        planes = planes_of(given)
        np.testing.assert_array_equal(planes, given.T, strict=True)
        assert not np.shares_memory(planes, rows)
        assert all(row.__array_interface__["data"][0] % 64 == 0 for row in planes if n)
