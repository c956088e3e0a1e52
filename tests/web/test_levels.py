"""Regions as the page shows them."""

import numpy as np
import pytest

from gmmseg import ParameterError
from gmmseg.hierarchy.regions import regions
from gmmseg.web import levels as module
from gmmseg.web.levels import Level
from gmmseg.web.work import Work


@pytest.fixture(scope="module")
def tree():
    picture = np.zeros((60, 80, 3), np.uint8)
    picture[20:40, 20:50] = 200
    return regions(picture, pieces=40)


def test_regions_are_those_of_the_tree(tree):
    level = Level.of(tree, Work({"k": 4, "detail": 0.5, "min_size": 50}))
    np.testing.assert_array_equal(level.labels, tree.labels(0.5, min_size=50))
    said = level.described()["classes"]
    assert [each["class"] for each in said] == list(range(1, level.labels.max() + 1))
    assert [each["share"] for each in said] == [np.mean(level.labels == each["class"]) for each in said]
    assert len({each["color"] for each in said}) == len(said)


def test_more_regions_than_can_be_shown_are_refused(tree, monkeypatch):
    monkeypatch.setattr(module, "MOST_REGIONS", 1)
    with pytest.raises(ParameterError, match="gives 2 regions; choose one below"):
        Level.of(tree, Work({"k": 4, "detail": 0.4}))
