"""Classes by number or name, merged, renamed and dropped."""

import numpy as np
import pytest

from gmmseg.errors import ParameterError
from gmmseg.io.classes import class_numbers, default_names, listed, own_names, regroup

LAND = {1: "sea", 2: "rock", 3: "oak", 4: "pine", 5: "class 5"}


def test_numbers_and_names_name_classes():
    assert class_numbers(2, LAND, where="a.png") == (2,)
    assert class_numbers("pine", LAND, where="a.png") == (4,)
    assert class_numbers(["oak", 3, 1], LAND, where="a.png") == (3, 1)


@pytest.mark.parametrize("wanted", ["lake", "1", 6, 0, True, None, 2.5, ["sea", 9]])
def test_a_class_that_is_not_there_lists_those_that_are(wanted):
    with pytest.raises(ParameterError, match=r"of a.png; its classes are 1 \(sea\), 2 \(rock\), .* 4 \(pine\), 5$"):
        class_numbers(wanted, LAND, where="a.png")


def test_a_name_of_two_classes_or_no_class_at_all():
    with pytest.raises(ParameterError, match="label='sea' is the name of classes 1, 3 of a; give one"):
        class_numbers("sea", {1: "sea", 3: "sea"}, where="a")
    with pytest.raises(ParameterError, match=r"label=\[\] names no class"):
        class_numbers([], LAND, where="a")


def test_lists_are_short():
    assert listed({n: f"class {n}" for n in (1, 2, 3, 7, 9, 10)}) == "1 to 3, 7, 9 to 10"
    assert listed({n: f"kind {n}" for n in range(1, 51)}).endswith("40 (kind 40) and 10 more")
    assert listed({}) == "none"


def test_own_names():
    assert not own_names(default_names(3))
    assert own_names(("class 1", "water"))


def test_a_group_has_the_lowest_number_and_the_name_that_stands_first():
    found = regroup(LAND, merge=[("pine", 3), (1, 2)], where="a")
    assert found.numbers == {1: 1, 2: 1, 3: 2, 4: 2, 5: 3}
    assert found.names == ("sea", "pine", "class 3")
    assert found.origins == (1, 3, 5)


def test_numbers_move_down_past_those_that_go_whatever_else_there_is():
    sparse = {10: "class 10", 20: "class 20", 30: "class 30"}
    found = regroup(sparse, drop=20, rename={30: "wood"}, where="a")
    assert found.numbers == {10: 10, 20: 0, 30: 29}
    assert found.names[9] == "class 10"
    assert found.names[28] == "wood"
    kept = regroup(sparse, merge=(20, 30), keep_numbers=True, where="a")
    assert kept.numbers == {10: 10, 20: 20, 30: 20}
    assert kept.origins[9] == 10
    assert kept.origins[10] == 0


def test_groups_are_renamed_by_any_of_their_classes():
    assert regroup(LAND, merge=(3, 4), rename={"pine": "wood"}, where="a").names[2] == "wood"


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"merge": [(1, 2), (2, 3)]}, "class 2 in two groups"),
        ({"merge": (1,)}, "a group of one class"),
        ({"merge": (1, 2), "drop": 2}, "class 2 of a is both merged and dropped"),
        ({"rename": {2: "sea"}}, "classes 1 and 2 of a would both be called 'sea'; merge them"),
        ({"rename": {2: " "}}, "gives class 2 no name"),
        ({"rename": {2: "x"}, "drop": 2}, "both renamed and dropped"),
        ({"drop": [1, 2, 3, 4, 5]}, "leaves no class of a"),
        ({"drop": 7}, r"drop=7 is no class of a; its classes are 1 \(sea\)"),
    ],
)
def test_what_contradicts_itself_is_refused(wrong, text):
    with pytest.raises(ParameterError, match=text):
        regroup(LAND, **wrong, where="a")


def test_numbers_of_any_kind_name_classes():
    assert regroup(LAND, drop=np.int64(2), where="a") == regroup(LAND, drop=2, where="a")
    assert regroup(LAND, merge=np.array([3, 4]), where="a") == regroup(LAND, merge=(3, 4), where="a")
    assert regroup(LAND, drop=iter([2]), where="a") == regroup(LAND, drop=[2], where="a")
