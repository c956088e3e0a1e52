"""Checks of parameters."""

import numpy as np
import pytest

from gmmseg.checks import whole_number
from gmmseg.errors import ParameterError


@pytest.mark.parametrize("value", [1, 7, np.uint8(7), np.int64(1), 5.0, np.float32(2)])
def test_whole_numbers_of_any_kind_become_ints(value):
    found = whole_number("k", value, 1, 7)
    assert type(found) is int
    assert found == value


@pytest.mark.parametrize("value", [0, 8, -1, 2.5, True, np.nan, np.inf, "3", None, [3], 10**30])
def test_what_is_no_whole_number_of_the_range_is_named_with_the_range(value):
    with pytest.raises(ParameterError) as caught:
        whole_number("k", value, 1, 7)
    assert str(caught.value) == f"k={value!r} is not usable; use a whole number from 1 to 7"


def test_a_range_may_have_no_end():
    assert whole_number("seed", 10**30, 0, None) == 10**30
    with pytest.raises(ParameterError, match=r"^seed=-1 is not usable; use a whole number of at least 0$"):
        whole_number("seed", -1, 0, None)
