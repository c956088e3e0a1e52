"""Objects found, and average precision at overlaps."""

import numpy as np
import pytest

from gmmseg import ParameterError
from gmmseg.evaluation import detection


@pytest.fixture
def squares():
    """Three true objects: one found, one found by three quarters, one missed; and one that is none."""
    truth, ours = np.zeros((2, 20, 40), np.uint16)
    truth[2:6, 2:6], truth[2:6, 10:14], truth[10:14, 2:6] = 3, 9, 700
    ours[2:6, 2:6], ours[2:5, 10:14], ours[12:18, 20:30] = 5, 1, 2
    ours.setflags(write=False)
    return ours, truth


def test_f1_and_average_precision(squares):
    found = detection(*squares)
    assert (found.found, found.true) == (3, 3)
    assert found.f1[0.75] == pytest.approx(4 / 6)
    assert found.f1[0.8] == pytest.approx(2 / 6)
    assert found.average_precision[0.5] == pytest.approx(2 / 4)
    assert found.average_precision[0.95] == pytest.approx(1 / 5)
    assert found.mean_average_precision == pytest.approx((6 * 2 / 4 + 4 * 1 / 5) / 10)


def test_masks_are_cut_into_connected_regions(squares):
    ours, truth = ((each > 0).astype(np.uint8) * np.uint8(255) for each in squares)
    assert detection(ours, truth) == detection(*squares)


def test_each_true_object_is_found_once():
    truth = np.array([[1, 1, 1, 1, 2, 2]])
    ours = np.array([[1, 1, 2, 2, 2, 2]])
    found = detection(ours, truth, overlaps=[0.4])
    assert found.f1 == {0.4: 1.0}
    assert detection(truth, np.array([[1, 1, 1, 1, 1, 1]]) * 4, overlaps=[0.3]).f1 == {0.3: pytest.approx(2 / 3)}


def test_nothing_to_find():
    nothing = np.zeros((3, 4), np.uint8)
    assert detection(nothing, nothing).mean_average_precision == 1
    assert detection(nothing, nothing + 1).f1[0.5] == 0


def test_refusals(squares):
    with pytest.raises(ParameterError, match="labels have shape"):
        detection(squares[0], squares[1][1:])
    with pytest.raises(ParameterError, match="an overlap of 50 is not usable"):
        detection(*squares, overlaps=[50])
    with pytest.raises(ParameterError, match="labels has dtype float64"):
        detection(squares[0] * 1.0, squares[1])


def test_objects_of_a_time_lapse_are_those_of_frames():
    """A track that keeps its number is as many objects as it has frames, and no region goes on in time."""
    truth = np.zeros((3, 4, 8), np.uint16)
    truth[:, 1:3, 1:3] = 7
    truth[:2, 1:3, 5:7] = 9
    found = np.zeros_like(truth)
    found[0, 1:3, 1:3], found[1, 1:3, 1:3], found[0, 1:3, 5:7] = 1, 2, 3
    lapse = detection(found, truth, overlaps=[0.5], time=True)
    assert (lapse.found, lapse.true) == (3, 5)
    assert lapse.f1[0.5] == pytest.approx(6 / 8)
    assert detection(found, truth).true == 2
    masks = detection(found > 0, truth > 0, overlaps=[0.5], time=True)
    assert (masks.found, masks.true, masks.f1) == (3, 5, lapse.f1)
    empty = detection(np.zeros_like(truth), truth, time=True)
    assert (empty.found, empty.true) == (0, 5)
