"""What is said of the dataclasses of `gmmseg.records` is said of those of the standard library beside them."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from functools import cached_property
from typing import ClassVar

import pytest

from gmmseg import records


def made(library):
    """Some classes, of either library."""

    @library.dataclass(frozen=True)
    class Value:
        """Equal by what it holds."""

        KINDS: ClassVar[int] = 2
        name: str
        size: int = 3
        note: str = library.field(default="", compare=False, repr=False)
        facts: dict[str, int] = library.field(default_factory=dict, compare=False)

        def __post_init__(self) -> None:
            if self.size < 0:
                raise ValueError(f"size={self.size}")

        def _fields(self) -> str:
            return self.name

        _names = _defaults = _fields

        @cached_property
        def twice(self) -> int:
            return 2 * self.size

    @library.dataclass(frozen=True)
    class Longer(Value):
        more: int = 4

    @library.dataclass(frozen=True, eq=False, repr=False)
    class Itself:
        size: int

    @library.dataclass(eq=False)
    class Changing:
        size: int

    return Value, Longer, Itself, Changing


@pytest.fixture(params=[records, dataclasses], ids=["records", "dataclasses"])
def classes(request):
    return made(request.param)


def test_values_are_taken_by_place_and_by_name(classes):
    Value, Longer, _, _ = classes
    one = Value("a", note="n")
    assert (one.name, one.size, one.note, one.facts, one.twice, one.KINDS) == ("a", 3, "n", {}, 6, 2)
    assert (one._fields(), one._names(), one._defaults()) == ("a", "a", "a")
    assert Value("a").facts is not Value("a").facts
    assert vars(Longer("a", 1, more=7)) == {"name": "a", "size": 1, "note": "", "facts": {}, "more": 7}
    assert repr(Longer("a")).endswith("Longer(name='a', size=3, facts={}, more=4)")


def test_equal_is_what_holds_the_same(classes):
    Value, Longer, Itself, _ = classes
    assert Value("a", note="n") == Value("a")
    assert hash(Value("a", note="n")) == hash(Value("a"))
    assert Value("a") != Value("a", 4)
    assert Value("a") != Longer("a")
    assert Itself(1) != Itself(1)
    assert len({Itself(1), Itself(1)}) == 2
    assert repr(Itself(1)).startswith("<")


@pytest.mark.parametrize(
    ("arguments", "named", "words"),
    [
        ((), {}, "name"),
        (("a",), {"sice": 1}, "unexpected keyword argument 'sice'"),
        (("a",), {"name": "b"}, "values for argument 'name'"),
        (("a", 1, "", {}, 5), {}, "were given"),
    ],
)
def test_wrong_arguments_are_refused(classes, arguments, named, words):
    with pytest.raises(TypeError, match=words):
        classes[0](*arguments, **named)
    with pytest.raises(ValueError, match="size=-1"):
        classes[0]("a", -1)


def test_frozen_ones_stay_as_they_are(classes):
    Value, _, _, Changing = classes
    one = Value("a")
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'size'"):
        one.size = 4
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot delete field 'size'"):
        del one.size
    other = Changing(1)
    other.size = 2
    assert other.size == 2


def test_the_standard_library_knows_them(classes):
    Value, Longer, Itself, Changing = classes
    one = Longer("a", facts={"b": 1})
    assert dataclasses.asdict(one) == {"name": "a", "size": 3, "note": "", "facts": {"b": 1}, "more": 4}
    assert [each.name for each in dataclasses.fields(Value)] == ["name", "size", "note", "facts"]
    assert dataclasses.fields(Value)[1].default == 3
    assert dataclasses.replace(one, size=5, more=1) == records.replace(one, size=5, more=1) == Longer("a", 5, more=1)
    assert dataclasses.is_dataclass(Itself)
    assert not dataclasses.is_dataclass(int)
    assert list(inspect.signature(Longer).parameters) == ["name", "size", "note", "facts", "more"]
    assert inspect.signature(Value).parameters["size"].default == 3
    assert Value.__match_args__ == ("name", "size", "note", "facts")

    @dataclasses.dataclass(frozen=True)
    class Further(Value):
        last: int = 5

    assert Further("a", last=6) != Further("a")
    assert records.replace(Further("a", last=6), size=1) == Further("a", 1, last=6)

    with pytest.raises(TypeError, match="non-frozen"):

        @dataclasses.dataclass(frozen=True)
        class Wrong(Changing):
            pass


@records.dataclass(frozen=True)
class Sent:
    size: int = 1


def test_copies_are_equal():
    for each in (copy.copy(Sent(2)), copy.deepcopy(Sent(2)), pickle.loads(pickle.dumps(Sent(2)))):
        assert each == Sent(2)


def test_the_standard_library_is_not_loaded_for_them(fresh_python):
    code = "import sys, gmmseg.image.image, gmmseg.mixture.parameters; print('dataclasses' in sys.modules)"
    assert fresh_python(code).strip() == "False"
