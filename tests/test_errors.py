"""Errors: what each is a kind of, and that every one is said on one line."""

import pickle
import sys
from types import ModuleType

import pytest

from gmmseg.errors import (
    ConvergenceWarning,
    DataWarning,
    GmmsegError,
    GmmsegWarning,
    InputError,
    OutputError,
    ParameterError,
    compatible,
    described,
    one_line,
)


@pytest.mark.parametrize(
    ("kind", "standard"), [(ParameterError, ValueError), (InputError, ValueError), (OutputError, OSError)]
)
def test_errors_are_caught_as_those_of_python(kind, standard):
    with pytest.raises(standard, match="why"):
        raise kind("why")
    assert issubclass(kind, GmmsegError)


def test_warnings_are_told_apart_from_those_of_others():
    for kind in (DataWarning, ConvergenceWarning):
        assert issubclass(kind, GmmsegWarning)
        assert issubclass(kind, UserWarning)
    assert not issubclass(DataWarning, ConvergenceWarning)


def test_messages_of_others_become_one_short_line():
    assert one_line(ValueError("first\n  second\tthird ")) == "first second third"
    assert one_line(ValueError("x" * 300)) == "x" * 100
    assert one_line(ValueError("abcdef"), most=3) == "abc"
    assert one_line(ZeroDivisionError()) == "ZeroDivisionError"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (InputError("a.png is empty; write it again"), "a.png is empty; write it again"),
        (OutputError("a.png exists already; choose another"), "a.png exists already; choose another"),
        (MemoryError(), "a.png: there is not enough memory; use a smaller image, or fewer classes"),
        (
            OSError(28, "No space left on device"),
            "a.png: No space left on device; check the file, its rights and the free space",
        ),
        (OSError("gone"), "a.png: gone; check the file, its rights and the free space"),
        (
            ZeroDivisionError("division\nby zero"),
            "a.png: unexpected ZeroDivisionError (division by zero); please report this",
        ),
    ],
)
def test_what_went_wrong_is_described_with_its_place(error, text):
    assert described(error, "a.png: ") == text


def test_a_long_unexpected_message_is_cut():
    assert len(described(RuntimeError("y" * 1000))) < 270


def test_a_class_is_that_of_scikit_learn_too_where_that_is_loaded(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.exceptions", None)
    assert compatible(ConvergenceWarning) is ConvergenceWarning

    class Theirs(UserWarning):
        pass

    theirs = ModuleType("sklearn.exceptions")
    theirs.ConvergenceWarning = Theirs
    monkeypatch.setitem(sys.modules, "sklearn.exceptions", theirs)
    joint = compatible(ConvergenceWarning)
    assert issubclass(joint, ConvergenceWarning)
    assert issubclass(joint, Theirs)
    assert joint is compatible(ConvergenceWarning)
    assert compatible(DataWarning) is DataWarning  # of which there is none
    again = pickle.loads(pickle.dumps(joint("why")))
    assert (type(again), again.args) == (joint, ("why",))
    # A process without scikit-learn reads it, too.
    content = pickle.dumps(joint("why"))
    monkeypatch.setitem(sys.modules, "sklearn.exceptions", None)
    assert type(pickle.loads(content)) is ConvergenceWarning
