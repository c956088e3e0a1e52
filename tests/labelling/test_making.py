"""How a rule becomes a segmentation, which keeps what was warned of on the way."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import gmmseg
from gmmseg.effort import Effort
from gmmseg.errors import DataWarning, heard, warn
from gmmseg.image import Image
from gmmseg.labelling.making import labelled
from gmmseg.labelling.tiles import Rule

TWO = np.repeat(np.uint8([10, 200]), 32).reshape(8, 8)


def test_it_holds_what_was_warned_of_before():
    model, before = gmmseg.fit(TWO, 2), DataWarning("odd")
    found = labelled(Image.from_array(TWO), Rule(model), Effort(), [before, DataWarning("odd")])
    assert [str(each) for each in found.warnings] == ["odd"]
    assert found.clean(2).warnings == found.warnings
    assert "labels" in found.__dict__


@pytest.mark.filterwarnings("ignore::gmmseg.GmmsegWarning")
def test_segmentations_in_threads_hold_their_own_warnings():
    arrays = [TWO, np.full((8, 8), np.nan), TWO, np.full((8, 8), 7, np.uint8)] * 4
    with heard() as outside, ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda array: gmmseg.segment(array, 2), arrays))
    said = [[str(each) for each in one.warnings] for one in found]
    assert said[0] == said[2] == []
    assert "64 pixels are NaN" in said[1][0]
    assert "no pixel is valid" in said[1][1]
    assert "k=1 was used" in said[3][0]
    assert said == said[:4] * 4
    assert outside == []  # of this thread alone


@pytest.mark.filterwarnings("ignore::gmmseg.GmmsegWarning")
def test_whoever_listens_to_a_segmentation_hears_it_too():
    with heard() as said:
        warn("before", DataWarning)
        found = gmmseg.segment(np.full((8, 8), 7, np.uint8), 2)
    assert [str(each) for each in said[1:]] == [str(each) for each in found.warnings]
    again = gmmseg.apply(found.model, np.full((8, 8), np.nan))
    assert "64 pixels are NaN" in str(again.warnings[0])
