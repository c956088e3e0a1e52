"""Checks of parameters."""

import numpy as np
import pytest

from gmmseg.checks import is_flag, strength_of, whole_number
from gmmseg.errors import ParameterError


@pytest.mark.parametrize("value", [1, 7, np.uint8(7), np.int64(1), 5.0, np.float32(2)])
def test_whole_numbers_of_any_kind_become_ints(value):
    found = whole_number("k", value, 1, 7)
    assert type(found) is int
    assert found == value


@pytest.mark.parametrize(
    "value", [0, 8, -1, 2.5, True, np.True_, np.nan, np.inf, "3", None, [3], np.array([1, 2]), 10**30]
)
def test_what_is_no_whole_number_of_the_range_is_named_with_the_range(value):
    with pytest.raises(ParameterError) as caught:
        whole_number("k", value, 1, 7)
    assert str(caught.value) == f"k={value!r} is not usable; use a whole number from 1 to 7"


def test_a_range_may_have_no_end():
    assert whole_number("seed", 10**30, 0, None) == 10**30
    with pytest.raises(ParameterError, match=r"^seed=-1 is not usable; use a whole number of at least 0$"):
        whole_number("seed", -1, 0, None)


@pytest.mark.parametrize(
    ("knob", "strength"),
    [(True, None), (False, 0.0), (np.True_, None), (0, 0.0), (1, 1.0), (0.3, 0.3), (np.float32(0.25), 0.25)],
)
def test_the_knob(knob, strength):
    assert strength_of(knob) == strength


@pytest.mark.parametrize("knob", [2, -0.1, 1.001, "a", None, float("nan"), float("inf"), [0.5, 0.5]])
def test_a_useless_knob_is_refused(knob):
    with pytest.raises(ParameterError, match="from 0 to 1") as caught:
        strength_of(knob)
    assert f"smooth={knob!r}" in str(caught.value)


def test_a_knob_beyond_floats_is_refused():
    with pytest.raises(ParameterError, match="is not a strength"):
        strength_of(10**400)


@pytest.mark.parametrize("value", [True, False, np.True_, np.False_])
def test_flags_of_python_and_numpy(value):
    assert is_flag(value)


@pytest.mark.parametrize("value", [0, 1.0, "True", None, np.uint8(1), np.array([True])])
def test_what_is_no_flag(value):
    assert not is_flag(value)
