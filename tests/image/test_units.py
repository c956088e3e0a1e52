"""Numbers of any dtype on one scale."""

import numpy as np
import pytest

from gmmseg.image.units import as_float, as_stored, unit_range


@pytest.mark.parametrize(
    ("dtype", "white"), [("u1", 255), ("u2", 65535), ("u4", 2**32 - 1), ("i2", 32767), ("f4", 1), ("f8", 1)]
)
def test_white_is_one_in_every_dtype(dtype, white):
    values = np.array([0, white], dtype)
    values.flags.writeable = False
    found = unit_range(values)
    assert found.dtype == np.float32
    assert found.tolist() == [0, 1]
    if dtype != "u4":
        np.testing.assert_array_equal(as_float(values, True), found, strict=True)


def test_half_of_white_is_a_half():
    assert unit_range(np.array([51], np.uint8))[0] == pytest.approx(0.2, rel=1e-6)
    assert as_float(np.array([13107], np.uint16), True)[0] == pytest.approx(0.2, rel=1e-6)


def test_numbers_that_are_no_colour_keep_their_unit():
    for dtype in ("u1", "i2", "f8"):
        found = as_float(np.array([3, 90], dtype), False)
        assert found.dtype == np.float32
        assert found.tolist() == [3, 90]


@pytest.mark.parametrize("dtype", ["u1", "u2", "i2"])
def test_stored_colours_come_back(dtype):
    values = np.array([0, 3, 90], dtype)
    found = as_stored(as_float(values, True), values.dtype)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [0, 3, 90], rtol=1e-6)
    assert as_stored(values, values.dtype) is values
    assert as_stored(found, found.dtype) is found


def test_float32_is_not_copied():
    values = np.zeros(4, np.float32)
    assert np.shares_memory(unit_range(values), values)
    assert np.shares_memory(as_float(values, False), values)
