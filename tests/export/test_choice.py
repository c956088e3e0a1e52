"""Which classes are exported."""

import numpy as np
import pytest

from gmmseg.errors import ParameterError
from gmmseg.export import Choice, find_instances, to_coco, to_yolo

LABELS = np.array([[1, 2, 3], [1, 2, 255]], np.uint8)
NAMES = ["sea", "sand", "wood"]


def found(**options):
    return find_instances(LABELS, class_names=NAMES, choice=Choice(**options, ignore=255))


@pytest.mark.parametrize(
    ("options", "classes"),
    [
        ({}, (1, 2, 3)),
        ({"classes": ("wood", "sea")}, (1, 3)),
        ({"classes": ("2",)}, (2,)),
        ({"background": ("sand",)}, (1, 3)),
        ({"background": ("0", "1")}, (2, 3)),
        ({"classes": ("sea", "sand"), "background": ("sea",)}, (2,)),
    ],
)
def test_chosen_by_name_or_number(options, classes):
    instances = found(**options)
    assert instances.classes == classes
    assert np.unique(instances.labels[instances.labels > 0]).tolist() == list(classes)
    assert [each["id"] for each in to_coco(instances, file_name="a.png")["categories"]] == list(classes)


def test_yolo_counts_the_listed_classes():
    assert [line.split()[0] for line in to_yolo(found(classes=("sea", "wood")))] == ["0", "1"]


def test_objects_are_left_out_by_their_numbers():
    objects = find_instances(LABELS.astype(np.uint16), choice=Choice(background=("3",)))
    assert objects.values.tolist() == [1, 2, 255]
    assert objects.classes == (1,)


def test_a_name_goes_before_a_number():
    assert find_instances(LABELS, class_names=["2", "a", "b"], choice=Choice(("2",), ignore=255)).classes == (1,)


@pytest.mark.parametrize("options", [{"classes": ("lake",)}, {"background": ("4",)}, {"classes": ("-1",)}])
def test_what_is_not_there_lists_what_is(options):
    (word,) = next(iter(options.values()))
    with pytest.raises(ParameterError) as caught:
        found(**options)
    assert str(caught.value) == f"there is no class {word!r}; the classes are 1 sea, 2 sand, 3 wood"


def test_a_background_that_leaves_no_class_is_refused():
    with pytest.raises(ParameterError, match="of the classes sea, 2 the background leaves none; name others"):
        found(classes=("sea", "2"), background=("1", "sand"))


def test_long_lists_are_cut():
    with pytest.raises(ParameterError, match=r"the classes are 1, 2, .*, 12 and 8 more"):
        find_instances(np.arange(1, 21, dtype=np.uint16).reshape(4, 5), choice=Choice(("a",)))
