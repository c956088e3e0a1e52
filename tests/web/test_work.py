"""What steps amount to."""

import numpy as np
import pytest

import gmmseg
from gmmseg import ParameterError
from gmmseg.io.classes import regroup
from gmmseg.web.work import Work

NAME = {"do": "name", "class": 3, "name": "sea"}
STROKE = {"do": "stroke", "class": 4, "size": 2, "points": [[1, 1]]}


def test_smoothing_keeps_what_was_made_of_the_classes_and_another_k_does_not():
    steps = [NAME, STROKE, {"do": "merge", "classes": [1, 2]}, {"do": "color", "class": 1, "color": "#000000"}]
    smoother = Work.of([*steps, {"do": "set", "option": "smooth", "value": 0.5}])
    assert smoother.names == {3: "sea"}
    assert smoother.groups == ((1, 2),)
    fewer = Work.of([*steps, {"do": "set", "option": "k", "value": 3}])
    assert (fewer.names, fewer.groups, fewer.colors, fewer.strokes) == ({}, (), {}, ())
    assert Work.of([*steps, {"do": "set", "option": "k", "value": 5}]).strokes == (STROKE,)


def test_regions_take_the_place_of_classes_until_something_is_said_of_those():
    detail = {"do": "set", "option": "detail", "value": 0.5}
    cut = Work.of([NAME, STROKE, detail, {"do": "merge", "classes": [1, 300]}])
    assert (cut.detail, cut.names, cut.groups, cut.strokes) == (0.5, {}, ((1, 300),), (STROKE,))
    assert "detail" not in cut.parameters
    cut.require_usable()
    larger = cut.after({"do": "set", "option": "min_size", "value": 20})
    assert larger.detail == 0.5
    for step in (detail | {"value": None}, {"do": "set", "option": "smooth", "value": 0.5}):
        back = cut.after(step)
        assert (back.detail, back.groups, back.strokes) == (None, (), (STROKE,))


def test_what_is_no_foreground_is_left_out():
    work = Work.of([{"do": "foreground", "classes": [2, 4], "others": [1, 3]}])
    assert (work.groups, work.dropped, work.numbers(4)) == (((2, 4),), {1, 3}, [0, 0, 1, 0, 1])
    assert Work.of([{"do": "foreground", "classes": [2], "others": [1]}]).groups == ()
    with pytest.raises(ParameterError, match="1 was left out"):
        work.after({"do": "merge", "classes": [1, 2]}).require_usable()


def test_hidden_classes_can_be_shown_again():
    hide = {"do": "hide", "class": 2, "hidden": True}
    assert Work.of([hide]).hidden == {2}
    assert Work.of([hide, hide | {"hidden": False}]).hidden == set()


@pytest.mark.parametrize("groups", [((1, 2),), ((2, 3),), ((1, 4),), ((1, 3), (2, 4)), ((2, 3, 4),)])
def test_numbers_of_merged_classes_are_those_of_relabel(groups):
    names = {number: f"class {number}" for number in range(1, 5)}
    expected = regroup(names, merge=groups, rename=None, drop=(), keep_numbers=False, where="x").numbers
    assert Work(groups=groups).numbers(4)[1:] == [expected[number] for number in range(1, 5)]


def test_names_are_those_of_all_classes_or_none():
    assert Work().class_names == ()
    assert Work(names={2: "sea"}, options={"k": 3}).class_names == ("class 1", "sea", "class 3")


def test_parameters_are_those_of_segment(pictures):
    options = {"k": 2, "smooth": "auto", "sample": "all", "min_size": 50, "features": None}
    work = Work(options, names={1: "dark"})
    found = gmmseg.segment(np.repeat(np.uint8([10, 200]), 32).reshape(8, 8), **work.parameters)
    assert [each.name for each in found.classes] == ["dark", "class 2"]


@pytest.mark.parametrize(
    ("work", "message"),
    [
        (Work({"k": 0}), "k=0"),
        (Work({"k": 4, "smooth": 2}), "smooth=2"),
        (Work({"k": 4, "features": "nonsense"}), "nonsense"),
        (Work(groups=((1, 5),)), "no class 5"),
        (Work(names={7: "a"}), "no class 7"),
        (Work({"k": "auto"}, strokes=(STROKE,)), "choose a number"),
        (Work(dropped=frozenset([9])), "no class 9"),
        (Work({"k": 4, "detail": 2}), "detail=2 is not usable"),
        (Work({"k": 4, "detail": "fine"}), "detail='fine' is not usable"),
        (Work({"k": 4, "detail": 0.5}, names={1: "sea"}), "regions have no names"),
    ],
)
def test_what_could_not_be_segmented_is_refused(work, message):
    with pytest.raises(ParameterError, match=message):
        work.require_usable()
