"""What changed between two label maps."""

import numpy as np
import pytest

from gmmseg import ParameterError
from gmmseg.evaluation import changes

BEFORE = np.array([[1, 1, 2, 2], [1, 4, 4, 0], [1, 4, 4, 2]], np.uint8)
AFTER = np.array([[1, 2, 2, 1], [1, 4, 1, 2], [0, 4, 1, 2]], np.uint16)


def test_matrix_and_map():
    found = changes(BEFORE, AFTER, areas=0.5)
    assert found.classes == (1, 2, 4)
    assert found.areas.tolist() == [[1, 0.5, 0], [0.5, 1, 0], [1, 0, 1]]
    assert found.kinds == ((4, 1), (1, 2), (2, 1))
    assert found.labels.tolist() == [[1, 3, 1, 4], [1, 1, 2, 0], [0, 1, 2, 1]]


def test_areas_of_rows():
    found = changes(BEFORE, AFTER, areas=[1, 10, 100])
    assert found.areas.tolist() == [[11, 1, 0], [1, 101, 0], [110, 0, 110]]


def test_areas_of_pixels():
    areas = np.arange(12.0).reshape(3, 4)
    found = changes(BEFORE, AFTER, areas=areas)
    assert found.areas.tolist() == [[0 + 4, 1, 0], [3, 2 + 11, 0], [6 + 10, 0, 5 + 9]]


def test_refusals():
    with pytest.raises(ParameterError, match="compare the same pixels"):
        changes(BEFORE, AFTER[1:])
    with pytest.raises(ParameterError, match="no pixel has a class in both maps"):
        changes(BEFORE, AFTER * 0)
    with pytest.raises(ParameterError, match="after has dtype float64"):
        changes(BEFORE, AFTER * 0.5)
    many = np.arange(1, 401).reshape(20, 20)
    with pytest.raises(ParameterError, match="there are 400 kinds of change, a map of them holds 254"):
        changes(many, np.roll(many, 1))
