"""Overlays and contours on a picture."""

import numpy as np
import pytest

from gmmseg.errors import ParameterError
from gmmseg.export.overlay import contours, overlay
from gmmseg.image import Image
from gmmseg.io.palette import palette


@pytest.fixture
def halves():
    labels = np.ones((20, 30), np.uint8)
    labels[:, 15:] = 2
    return labels


def test_blend_is_the_weighted_mean(halves):
    image = Image.from_array(np.full((20, 30, 3), 100, np.uint8))
    blended = overlay(image, halves, alpha=0.25)
    colors = palette(2).astype(float)
    assert blended.dtype == np.uint8
    assert blended[5, 5].tolist() == np.rint(75 + 0.25 * colors[1]).tolist()
    assert blended[5, 25].tolist() == np.rint(75 + 0.25 * colors[2]).tolist()


def test_boundary_is_thin_and_darker(halves):
    image = Image.from_array(np.full((20, 30, 3), 100, np.uint8))
    blended = overlay(image, halves).astype(int).sum(-1)
    darker = blended[:, 14] < blended[:, 13]
    assert darker.all()
    assert (blended[:, :14] == blended[0, 0]).all()
    assert (blended[:, 15:] == blended[0, 20]).all()


def test_no_data_shows_the_picture():
    pixels = np.random.default_rng(0).integers(0, 256, (8, 9, 3), dtype=np.uint8)
    blended = overlay(Image.from_array(pixels), np.zeros((8, 9), np.uint8))
    np.testing.assert_array_equal(blended, pixels)


def test_strips_equal_the_whole(monkeypatch):
    rng = np.random.default_rng(0)
    image = Image.from_array(rng.integers(0, 256, (40, 50, 3), dtype=np.uint8))
    labels = rng.integers(0, 4, (40, 50), dtype=np.uint8)
    whole = overlay(image, labels)
    monkeypatch.setattr("gmmseg.export.overlay._STRIP_PIXELS", 150)
    np.testing.assert_array_equal(overlay(image, labels), whole)


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.float32])
def test_grey_is_stretched(dtype):
    ramp = np.linspace(100, 1100, 10000).reshape(100, 100).astype(dtype)
    shown = overlay(Image.from_array(ramp), np.zeros((100, 100), np.uint8))
    assert (shown[..., 0] == shown[..., 2]).all()
    assert (shown[0, 0, 0], shown[-1, -1, 0]) == (0, 255)
    assert shown[50, 0, 0] == pytest.approx(128, abs=2)


@pytest.mark.filterwarnings("ignore:.*pixels are NaN")
def test_no_data_does_not_stretch():
    values = np.tile(np.linspace(0, 1, 50), (50, 1))
    values[0] = np.nan
    values[1] = 1e9
    image = Image.from_array(values, mask=values < 1e8)
    shown = overlay(image, np.zeros((50, 50), np.uint8))
    assert shown[5, 25, 0] == pytest.approx(130, abs=4)


def test_bands_and_constants():
    bands = Image.from_array(np.zeros((4, 5, 6), np.uint16), channel_axis=-1)
    assert overlay(bands, np.zeros((4, 5), np.uint8)).max() == 0
    two = Image.from_array(np.zeros((4, 5, 2), np.uint16), channel_axis=-1)
    assert overlay(two, np.zeros((4, 5), np.uint8)).shape == (4, 5, 3)


def test_more_regions_than_colours():
    labels = np.arange(600, dtype=np.uint16).reshape(20, 30)
    blended = overlay(Image.from_array(np.zeros((20, 30), np.uint8)), labels, alpha=1)
    assert blended.shape == (20, 30, 3)


def test_refusals(halves):
    image = Image.from_array(np.zeros((20, 30), np.uint8))
    with pytest.raises(ParameterError, match="needs a picture or a volume"):
        overlay(Image.from_array(np.zeros((2, 3, 4)), axes="TYX"), np.zeros((2, 3, 4), np.uint8))
    with pytest.raises(ParameterError, match=r"\(30, 20\)"):
        overlay(image, halves.T)
    with pytest.raises(ParameterError, match="alpha=1.5"):
        overlay(image, halves, alpha=1.5)
    with pytest.raises(ParameterError, match="colour each label"):
        overlay(image, halves, palette=palette(1))
    with pytest.raises(ParameterError, match="-3"):
        overlay(image, halves.astype(int) - 4)


def test_contours_run_where_labels_change(halves):
    image = Image.from_array(np.full((20, 30, 3), 100, np.uint8))
    drawn = contours(image, halves, color=(1, 2, 3))
    assert drawn[:, 14].tolist() == [[1, 2, 3]] * 20
    drawn[:, 14] = 100
    assert (drawn == 100).all()
    wide = (contours(image, halves, color=(1, 2, 3), width=3) == (1, 2, 3)).all(axis=-1)
    assert np.flatnonzero(wide[7]).tolist() == [13, 14, 15]
    assert (contours(image, np.ones((20, 30), np.uint8)) == 100).all()


def test_contours_are_as_wide_as_the_picture_asks_for():
    labels = np.repeat(np.uint8([1, 2]), 1500)[None].repeat(4, axis=0)
    image = Image.from_array(np.full((4, 3000, 3), 100, np.uint8))
    assert (contours(image, labels) != 100).any(axis=-1).sum(axis=1).tolist() == [3] * 4


@pytest.mark.parametrize(
    "hue", [(250, 250, 10), (10, 240, 250), (240, 20, 240), (255, 255, 255), (0, 0, 0), (128, 128, 128)]
)
def test_contours_stand_out(halves, hue):
    image = Image.from_array(np.tile(np.uint8(hue), (20, 30, 1)))
    line = contours(image, halves)[0, 14]
    assert np.linalg.norm(line.astype(float) - hue) > 180


def test_contours_refuse_what_they_cannot_draw(halves):
    image = Image.from_array(np.full((20, 30, 3), 100, np.uint8))
    for options, words in (
        ({"width": 0}, "width=0"),
        ({"color": (0, 0, 300)}, "is no colour"),
        ({"color": (1, 2)}, "no"),
    ):
        with pytest.raises(ParameterError, match=words):
            contours(image, halves, **options)
    with pytest.raises(ParameterError, match="expected integers of shape"):
        contours(image, halves[:5])
    frames = Image.from_array(np.zeros((3, 4, 5)), axes="TYX")
    with pytest.raises(ParameterError, match="an overlay needs a picture or a volume"):
        contours(frames, np.ones((3, 4, 5), np.uint8))
