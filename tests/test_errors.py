"""Errors: what each is a kind of, and that every one is said on one line."""

import errno
import pickle
import sys
import warnings
from types import ModuleType

import numpy as np
import pytest

import gmmseg
from gmmseg.errors import (
    ConvergenceWarning,
    DataWarning,
    GmmsegError,
    GmmsegWarning,
    InputError,
    OutputError,
    ParameterError,
    clipped,
    compatible,
    described,
    heard,
    lacks_memory,
    one_line,
    warn,
)


@pytest.mark.parametrize(
    ("kind", "standard"), [(ParameterError, ValueError), (InputError, ValueError), (OutputError, OSError)]
)
def test_errors_are_caught_as_those_of_python(kind, standard):
    with pytest.raises(standard, match="why"):
        raise kind("why")
    assert issubclass(kind, GmmsegError)


def test_a_message_is_one_line_whatever_it_quotes():
    assert str(ParameterError(f"axes={np.zeros((2, 2))!r} is odd")) == "axes=array([[0., 0.], [0., 0.]]) is odd"
    assert str(ParameterError(f"{np.zeros((2, 1, 1))!r}")) == "array([[[0.]], [[0.]]])"
    assert str(ParameterError("a  b.tif is odd")) == "a  b.tif is odd"
    assert str(ParameterError("a\nb.tif is odd")) == "a\nb.tif is odd"  # a name, as which a terminal shows it


def test_warnings_are_told_apart_from_those_of_others():
    for kind in (DataWarning, ConvergenceWarning):
        assert issubclass(kind, GmmsegWarning)
        assert issubclass(kind, UserWarning)
    assert not issubclass(DataWarning, ConvergenceWarning)


def test_a_warning_may_be_of_a_place():
    said = DataWarning("a{place}.png: look at {place}", (np.int64(3), 4, 5))
    assert (said.place, DataWarning("{place}").place) == ((3, 4, 5), None)
    assert str(DataWarning("look at {place}", (4, 5))) == "look at row 4, column 5"
    assert str(DataWarning("{place}")) == "{place}"
    assert str(said.at((0, 1, 2))).endswith("look at plane 0, row 1, column 2")
    again = pickle.loads(pickle.dumps(said))
    assert (type(again), str(again), again.place) == (DataWarning, str(said), (3, 4, 5))


def test_a_warning_may_name_classes():
    said = DataWarning("{class 2}, not {class 1}, at {place}", (1, 2), ["sky", "sea"])
    assert str(said) == "sea, not sky, at row 1, column 2"
    assert str(said.at((3, 4)).named(["air", "lake"])) == "lake, not air, at row 3, column 4"
    assert str(DataWarning("{class 1}")) == "{class 1}"
    assert str(pickle.loads(pickle.dumps(said))) == str(said)
    assert repr(DataWarning("odd")) == "DataWarning('odd')"


def test_what_is_warned_of_is_heard_by_all_who_listen_and_given_at_the_line_that_called():
    with heard() as outer, warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        warn("look at {place}", DataWarning, place=(1, 2))
        with heard() as inner:
            warn(ConvergenceWarning("it goes on"))
        with pytest.raises(InputError), heard():
            warn("too late", DataWarning)
            raise InputError("why")
    assert [str(each) for each in inner] == ["it goes on"]
    assert [str(each) for each in outer] == ["look at row 1, column 2", "it goes on", "too late"]
    assert [each.category for each in given] == [DataWarning, ConvergenceWarning, DataWarning]
    assert {each.filename for each in given} == {__file__}


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


def deep(cause, *, context=False):
    """An error that another one was the cause of, with one between them."""
    try:
        try:
            try:
                raise cause
            except type(cause) as first:
                raise KeyError("between") from (None if context is None else first)
        except KeyError:
            raise ValueError("damaged")  # noqa: B904  # as libraries do
    except ValueError as error:
        return error


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        RuntimeError("std::bad_alloc"),
        RuntimeError("OpenCV(4.11) error: (-4:Insufficient memory) Failed to allocate 1234 bytes"),
        ValueError("Unable to allocate 93.1 GiB for an array"),
        ImportError("libx.so: failed to map segment from shared object"),
        RuntimeError("can't start new thread"),
        deep(MemoryError()),
    ],
)
def test_want_of_memory_is_called_that_whatever_a_library_calls_it(error):
    assert lacks_memory(error)
    assert described(error, "a.png: ") == "a.png: there is not enough memory; use a smaller image, or fewer classes"


def test_other_errors_are_not_for_want_of_memory():
    for error in (
        ValueError("bad"),
        OSError(errno.ENOSPC, "full"),
        deep(ZeroDivisionError()),
        InputError("out of memory"),
    ):
        assert not lacks_memory(error)
    assert not lacks_memory(deep(MemoryError(), context=None))
    circle = ValueError("a")
    circle.__context__ = ValueError("b")
    circle.__context__.__context__ = circle
    assert not lacks_memory(circle)


def test_numpys_own_error_is_one_of_memory():
    with pytest.raises(MemoryError) as caught:
        np.empty(1 << 60, np.uint8)
    assert lacks_memory(caught.value)


@pytest.mark.parametrize(
    "quoted",
    [
        "a" * 5000,
        repr("many words " * 500),
        f'"{"many words " * 500}"',
        "word " * 1000,
        f"{'x' * 300} and '{'y z ' * 200}'",
    ],
)
@pytest.mark.parametrize("kind", [InputError, OutputError, ParameterError, DataWarning])
def test_messages_quote_little(quoted, kind):
    text = str(kind(f"{quoted} is not usable; use another one"))
    assert len(text) <= 600
    assert text.endswith(" is not usable; use another one")
    assert text[:100] == quoted[:100]
    assert max(map(len, text.split())) <= 200
    short = f"{'a' * 150} and {'b' * 150} and '{'c d ' * 49}' are not usable; use another one"
    assert str(kind(short)) == short


def test_apostrophes_are_no_quotation_marks():
    text = f"the list's folder {'many words ' * 25}is the user's; choose another"
    assert clipped(text) == text


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


def test_warnings_name_the_line_that_called_the_package(rng, tmp_path):
    """However deep they arise: while a file is read, while it is fitted, while EM runs, of what was found."""
    np.save(tmp_path / "a.npy", rng.normal(size=(20, 20)))
    with open(tmp_path / "a.npy", "ab") as file:
        file.write(b"more")
    for call in (
        lambda: gmmseg.segment(np.full((20, 20), np.nan), 2),
        lambda: gmmseg.io.read(tmp_path / "a.npy"),
        lambda: gmmseg.GaussianMixture(2, max_iter=1, tol=0.0).fit(rng.normal(size=(50, 2))),
    ):
        with pytest.warns(GmmsegWarning) as said:
            call()
        assert {each.filename for each in said} == {__file__}
