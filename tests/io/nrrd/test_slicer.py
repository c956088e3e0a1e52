"""Segments of 3D Slicer in a header."""

import numpy as np
import pytest

from gmmseg.io.nrrd.slicer import MOST_SEGMENTS, lines_of_segments, names_of_segments
from gmmseg.io.palette import palette


@pytest.fixture
def lines():
    labels = np.zeros((4, 5, 6), np.uint8)
    labels[1:3, 2, 3:6] = 1
    labels[0, 0, 0] = 3
    return dict(line.split(":=") for line in lines_of_segments(labels, ("csf", "", "white  matter"), None))


def test_each_class_is_a_segment_of_one_layer(lines):
    assert [lines[f"Segment{n}_LabelValue"] for n in range(3)] == ["1", "2", "3"]
    assert [lines[f"Segment{n}_Name"] for n in range(3)] == ["csf", "class 2", "white matter"]
    assert [lines[f"Segment{n}_Extent"] for n in range(3)] == ["1 2 2 2 3 5", "0 -1 0 -1 0 -1", "0 0 0 0 0 0"]
    assert {lines[f"Segment{n}_Layer"] for n in range(3)} == {"0"}
    assert len({lines[f"Segment{n}_ID"] for n in range(3)}) == 3
    np.testing.assert_allclose(np.fromstring(lines["Segment1_Color"], sep=" ") * 255, palette(2)[2], atol=1e-3)
    assert "Segment3_Name" not in lines


def test_colours_that_are_given():
    colors = np.array([[0, 0, 0], [255, 0, 51]], np.uint8)
    found = list(lines_of_segments(np.ones((1, 1, 1), np.uint8), (), colors))
    assert "Segment0_Color:=1 0 0.2" in found


def test_names_come_back(lines):
    assert names_of_segments(lines) == ("csf", "class 2", "white matter")
    assert names_of_segments({}) is None
    assert names_of_segments({"Segment0_LabelValue": "one"}) is None
    assert names_of_segments({"Segment0_LabelValue": "0"}) is None
    assert names_of_segments({"Segment0_LabelValue": str(MOST_SEGMENTS + 1)}) is None
