"""Place as a feature of grey pictures, where strokes show an object that grey levels do not tell."""

import numpy as np
import pytest

import gmmseg
from gmmseg import Image
from gmmseg.fitting.placing import needs_place
from gmmseg.spatial.guidance import Guidance


@pytest.fixture
def photo(rng):
    """A dark and bright animal before ground of just these levels, and strokes on both."""
    rows, columns = np.mgrid[:90, :120]
    truth = ((rows - 45) / 18) ** 2 + ((columns - 60) / 26) ** 2 < 1
    levels = np.where(columns % 40 < 20, 95.0, 150)
    levels[truth] = np.where(rows < 45, 95, 150)[truth]
    image = (levels + rng.normal(0, 12, levels.shape)).clip(0, 255).astype(np.uint8)
    strokes = np.zeros(truth.shape, np.uint8)
    strokes[35:54, 56:64], strokes[40:50, 44:76] = 1, 1
    strokes[4:9, 5:115], strokes[80:84, 5:115], strokes[10:80, 6:12], strokes[10:80, 108:113] = 2, 2, 2, 2
    return image, truth, strokes


@pytest.fixture
def tissue(rng):
    """Two tissues in turns all over a slice, with so much noise that their values overlap."""
    rows, columns = np.mgrid[:96, :96]
    truth = (rows // 12 + columns // 12) % 2 == 1
    image = (np.where(truth, 130, 100) + rng.normal(0, 25, truth.shape)).clip(0, 255).astype(np.uint8)
    strokes = np.zeros(truth.shape, np.uint8)
    for row, column in ((6, 18), (30, 66), (78, 42)):
        strokes[row - 3 : row + 4, column - 3 : column + 4] = 1
        strokes[row - 3 : row + 4, column + 9 : column + 16] = 2
    return image, truth, strokes


@pytest.mark.filterwarnings("ignore:.*draw a stroke there")  # which is right: little but place tells it
@pytest.mark.parametrize("swapped", [False, True])
def test_an_object_in_one_place_is_found_by_place(photo, swapped):
    image, truth, strokes = photo
    if swapped:
        strokes = np.select([strokes > 0], [3 - strokes]).astype(np.uint8)
    found = gmmseg.segment(image, 2, scribbles=strokes)
    assert str(found.model.recipe) == "intensity,xy"
    by_level = gmmseg.segment(image, 2, scribbles=strokes, features="intensity")
    wrong, by_level_wrong = ((each.mask(1 + swapped) != truth).mean() for each in (found, by_level))
    assert wrong < 0.07 < by_level_wrong


def test_classes_that_lie_all_over_are_told_by_their_values(tissue):
    image, truth, strokes = tissue
    found = gmmseg.segment(image, 2, scribbles=strokes)
    assert str(found.model.recipe) == "intensity"
    assert (found.mask(1) == truth).mean() > 0.85
    assert (found.mask(1) == truth)[48:, :].mean() > 0.85  # as far from strokes as near them


def test_an_object_that_grey_levels_tell_is_found_wherever_it_is(photo):
    _, truth, strokes = photo
    bright = truth | np.roll(truth, (40, 60), axis=(0, 1))  # a second cell, of which a part has no stroke near
    strokes[bright & (strokes == 2)] = 0
    image = np.where(bright, 200, 60).astype(np.uint8)
    found = gmmseg.segment(image, 2, scribbles=strokes)
    assert str(found.model.recipe) == "intensity"
    np.testing.assert_array_equal(found.mask(1), bright)


@pytest.mark.parametrize(
    "options",
    [{"features": "intensity"}, {"smooth": False}, {"components": 1}, {"outliers": "uniform"}, {"bias_field": True}],
)
def test_what_is_asked_for_goes_before(photo, options):
    image, _, strokes = photo
    assert str(gmmseg.segment(image, 2, scribbles=strokes, **options).model.recipe) == "intensity"


def test_only_grey_pictures_with_strokes_on_both_need_place(photo):
    image, _, strokes = photo
    assert needs_place(Image.from_array(image), Guidance(strokes))
    assert not needs_place(Image.from_array(image), Guidance(np.minimum(strokes, 1)))
    assert not needs_place(Image.from_array(np.stack([image] * 3, axis=-1)), Guidance(strokes))
    volume = Image.from_array(np.stack([image] * 4), channel_axis=None)
    assert not needs_place(volume, Guidance(np.stack([strokes] * 4)))
    hidden = np.ones(image.shape, bool)
    hidden[strokes == 1] = False
    assert not needs_place(Image.from_array(image, mask=hidden), Guidance(strokes))
