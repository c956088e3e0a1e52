"""Quality flags: said where there is something, and only there."""

from dataclasses import replace

import numpy as np
import pytest

import gmmseg
from gmmseg.errors import DataWarning
from gmmseg.mixture.em import Fit
from gmmseg.report.flags import Doubts, flags_of

FINE = Doubts(0.02, 0.001, 0.0)


def test_a_photograph_in_good_classes_has_no_flag(found):
    assert flags_of(found, FINE, ()) == []


def test_fewer_classes_than_asked_for():
    image = np.uint8([[10, 200] * 8] * 16)
    with pytest.warns(DataWarning):
        few = gmmseg.segment(image, k=5)
    assert any("5 classes were asked for, 2 were found" in each for each in flags_of(few, FINE, ()))


def test_a_fit_that_fell_or_had_not_settled(found):
    fit = Fit(found.model.mixture, (-3.0, -2.0, -2.5), converged=False)
    flags = flags_of(replace(found, course=replace(found.course, fit=fit)), FINE, ())
    assert ["fell" in each for each in flags] == [True, False]
    assert "had not settled after 3 iterations" in flags[1]


def test_classes_that_hardly_exist():
    image = np.zeros((100, 100), np.uint8)
    image[:, 50:] = 200
    strokes = np.zeros((100, 100), np.uint8)
    strokes[50, 10], strokes[50, 90], strokes[0, 0] = 1, 2, 3
    found = gmmseg.segment(image, k=3, smooth=False, scribbles=strokes)
    assert found.classes[2].share < 0.001
    assert any("has < 0.1 % of the pixels" in each for each in flags_of(found, FINE, ()))


@pytest.mark.parametrize(
    ("doubts", "said"),
    [
        (Doubts(0.2, 0.0, 0.0), "mean uncertainty of a pixel is 0.20"),
        (Doubts(0.0, 0.05, 0.0), "5.0 % of the pixels are unlike every class"),
        (Doubts(0.0, 0.0, 0.7), "70.0 % of the pixels have no data"),
    ],
)
def test_pixels_tell(found, doubts, said):
    (flag,) = flags_of(found, doubts, ())
    assert said in flag


def test_warnings_come_first_and_once(found):
    assert flags_of(found, Doubts(0, 0, 0.7), ("careful", "careful"))[0] == "careful"
    assert len(flags_of(found, Doubts(0, 0, 0.7), ("careful", "careful"))) == 2
