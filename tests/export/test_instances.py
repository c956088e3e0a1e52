"""Which instances a label map has, and what they are called."""

import numpy as np
import pytest
from scipy import ndimage

from gmmseg.errors import ParameterError
from gmmseg.export import find_instances


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.int64])
def test_components_are_those_of_scipy(labels, dtype):
    found = find_instances(labels.astype(dtype), instances="component")
    for label in range(1, 5):
        theirs, n = ndimage.label(labels == label)
        pairs = np.unique(np.stack([theirs[theirs > 0], found.numbers[theirs > 0]]), axis=1)
        assert pairs.shape[1] == n == (found.categories == label).sum()
    np.testing.assert_array_equal(found.numbers > 0, labels > 0)


def test_classes_and_objects(labels):
    found = find_instances(labels * np.uint8(2), instances="class")
    assert found.categories.tolist() == [2, 4, 6, 8]
    np.testing.assert_array_equal(found.numbers, labels)
    objects = find_instances(labels.astype(np.uint16) * 100, class_names=["cell"])
    assert objects.kind == "object"
    assert [objects.name_of(i) for i in range(len(objects))] == ["cell"] * 4
    assert find_instances(labels, instances="object").names == ("object",)


@pytest.mark.parametrize("largest", [4, 200, 400])
@pytest.mark.parametrize("dtype", [np.uint16, np.uint32])
def test_what_numbers_mean_does_not_depend_on_how_many_they_are(dtype, largest):
    numbers = np.zeros((30, 20), dtype)
    numbers.flat[:largest] = np.arange(1, largest + 1)
    found = find_instances(numbers)
    assert (found.kind, len(found)) == ("object", largest)
    assert found.values.tolist() == list(range(1, largest + 1))
    assert find_instances(numbers, instances="class").kind == "class"


def test_a_dtype_that_does_not_say_it_has_to_be_asked_for():
    assert find_instances(np.array([[255, 3]])).kind == "component"
    with pytest.raises(ParameterError, match="labels of dtype int64 go up to 256, and nothing says whether"):
        find_instances(np.array([[256, 3]]))
    assert find_instances(np.array([[256, 3]]), instances="object").values.tolist() == [3, 256]


def test_a_mask_of_black_and_white_is_one_class():
    found = find_instances(np.array([[255, 0, 255]], np.uint8), class_names=["cell"])
    assert (found.names, found.labels.tolist(), len(found)) == (("cell",), [[1, 0, 1]], 2)
    assert find_instances(np.array([[255, 1]], np.uint8)).categories.tolist() == [255, 1]


def test_small_regions_are_left_out(labels):
    found = find_instances(labels, min_size=20)
    sizes = np.bincount(find_instances(labels).numbers.ravel())[1:]
    assert 0 < len(found) == (sizes >= 20).sum() < len(sizes)
    assert np.bincount(found.numbers.ravel())[1:].tolist() == sizes[sizes >= 20].tolist()
    np.testing.assert_array_equal(found.labels, np.where(found.numbers > 0, labels, 0))
    assert len(find_instances(labels, min_size=10_000)) == 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"labels": np.zeros((2, 2, 2), np.uint8)}, "shape (2, 2, 2), expected (rows, columns)"),
        ({"labels": np.zeros((0, 2), np.uint8)}, "shape (0, 2)"),
        ({"labels": np.zeros((2, 2))}, "dtype float64, expected whole numbers"),
        ({"labels": np.array([[-1, 0]])}, "from -1 to 0"),
        ({"labels": np.array([[1 << 32]])}, "to 4294967296"),
        ({"class_names": ["a"]}, "1 class name was given, but the largest label is 4"),
        ({"class_names": ["a", "b", "a", "c"]}, "empty or repeated"),
        ({"class_names": ["a", "b", " ", "c"]}, "empty or repeated"),
        ({"min_size": 0}, "min_size=0"),
        ({"instances": "cells"}, "instances='cells' is not known; use component, class, object"),
    ],
)
def test_refusals(labels, changes, words):
    arguments = {"labels": labels} | changes
    with pytest.raises(ParameterError) as caught:
        find_instances(arguments.pop("labels"), **arguments)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
