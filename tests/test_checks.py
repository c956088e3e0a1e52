"""Checks of parameters."""

from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import gmmseg
from gmmseg.checks import is_flag, number_within, path_of, single, strength_of, whole_number
from gmmseg.errors import ParameterError


@pytest.mark.parametrize("value", [1, 7, np.uint8(7), np.int64(1), 5.0, np.float32(2)])
def test_whole_numbers_of_any_kind_become_ints(value):
    found = whole_number("k", value, 1, 7)
    assert type(found) is int
    assert found == value


@pytest.mark.parametrize("value", [0, 8, -1, 2.5, True, np.True_, np.nan, np.inf, "3", None, [3], 10**30])
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


@pytest.mark.parametrize("value", [3, None, b"a.png", ["a.png"], np.zeros((2, 2)), {}])
def test_what_is_no_path_is_refused_wherever_one_is_written_or_read(value):
    seg = gmmseg.segment(np.repeat(np.uint8([10, 200]), 8).reshape(4, 4), 2)
    calls = [path_of, gmmseg.load_model, seg.save, seg.report, seg.model.save, seg.table().save, gmmseg.io.read_labels]
    if not isinstance(value, list | dict):
        calls.append(gmmseg.io.read)
    for call in calls:
        with pytest.raises(ParameterError, match="is no path; give the name of a file"):
            call(value)
    assert path_of("a.png") == path_of(Path("a.png")) == Path("a.png")


@pytest.mark.parametrize("value", [True, False, np.True_, np.False_])
def test_flags_of_python_and_numpy(value):
    assert is_flag(value)


@pytest.mark.parametrize("value", [0, 1.0, "True", None, np.uint8(1), np.array([True])])
def test_what_is_no_flag(value):
    assert not is_flag(value)


@pytest.mark.parametrize("value", [1, "x", None, np.float32(2), np.array(3), [1, 2]])
def test_one_value_stays_as_it_is(value):
    assert single("k", value) is value


@pytest.mark.parametrize(
    "check", [single, partial(whole_number, low=1, high=None), lambda _, value: strength_of(value)]
)
def test_arrays_and_masked_numbers_are_no_single_value(check):
    with pytest.raises(ParameterError, match=r"^(k|smooth) is an array of shape \(2, 1\); give one value$"):
        check("k", np.ones((2, 1)))
    with pytest.raises(ParameterError, match=r"^(k|smooth) is masked; give a value$"):
        check("k", np.ma.masked)


@pytest.mark.parametrize("value", [0, 1, 0.5, True, np.float32(0.25), np.array(1.0), Fraction(1, 3)])
def test_numbers_of_any_kind_become_floats(value):
    assert number_within("alpha", value, 0, 1, "is wrong") == float(value)


@pytest.mark.parametrize("value", [-0.1, 2, float("nan"), "0.5", b"1", None, [1], 1j, object])
def test_what_is_no_number_of_a_range_is_refused(value):
    with pytest.raises(ParameterError) as caught:
        number_within("alpha", value, 0, 1, "is no weight; use 0 to 1")
    assert str(caught.value) == f"alpha={value!r} is no weight; use 0 to 1"


def test_a_number_beyond_all_floats_is_in_no_range():
    with pytest.raises(ParameterError, match=r"^alpha=10{100,}.* is no weight$"):
        number_within("alpha", 10**400, 0, 1, "is no weight")
