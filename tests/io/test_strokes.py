"""Scribbles as people paint them."""

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

import gmmseg
from gmmseg.errors import InputError, ParameterError
from gmmseg.image import Image
from gmmseg.io.strokes import strokes_of

RED, GREEN, BLUE, BLACK = (230, 20, 20), (30, 200, 40), (20, 40, 240), (0, 0, 0)


@pytest.fixture
def photo(rng):
    pixels = cv2.GaussianBlur(rng.integers(0, 256, (90, 120, 3), np.uint8), (0, 0), 3)
    return Image(pixels, color=True, name="photo.jpg")


def painted(paper, *, smooth=False):
    """Three strokes, blue drawn first."""
    paper = np.ascontiguousarray(paper)
    line = cv2.LINE_AA if smooth else cv2.LINE_8
    for color, (start, stop) in {
        BLUE: ((5, 80), (110, 70)),
        RED: ((10, 10), (100, 22)),
        GREEN: ((8, 45), (60, 50)),
    }.items():
        cv2.line(paper, start, stop, color + (255,) * (paper.shape[2] - 3), 4, line)
    return paper


def centres(strokes):
    """Labels in the middle of the red, the green and the blue stroke, and where there is none."""
    return [int(strokes[row, column]) for row, column in ((16, 55), (47, 34), (75, 57), (60, 60))]


@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize("layer", ["transparent", "white", "black", "photo"])
@pytest.mark.parametrize("how", ["png", "array"])
def test_red_is_the_first_class_and_blue_the_last(tmp_path, photo, layer, smooth, how):
    papers = {
        "transparent": np.zeros((90, 120, 4), np.uint8),
        "white": np.full((90, 120, 3), 255, np.uint8),
        "black": np.zeros((90, 120, 3), np.uint8),
        "photo": photo.array.copy(),
    }
    drawn = painted(papers[layer], smooth=smooth)
    if how == "png":
        Pillow.fromarray(drawn).save(tmp_path / "s.png")
    strokes = strokes_of(tmp_path / "s.png" if how == "png" else drawn, photo, 3)
    assert centres(strokes) == [1, 2, 3, 0]
    assert set(np.unique(strokes)) == {0, 1, 2, 3}
    assert 0.04 < (strokes > 0).mean() < 0.16


def test_strokes_in_a_photograph_that_was_compressed(tmp_path, photo):
    Pillow.fromarray(painted(photo.array.copy())).save(tmp_path / "s.jpg", quality=95)
    assert centres(strokes_of(tmp_path / "s.jpg", photo, 3)) == [1, 2, 3, 0]


def test_a_white_layer_over_a_picture_on_white(photo):
    pixels = np.full((90, 120, 3), 255, np.uint8)
    pixels[30:60, 40:80] = (90, 120, 60)
    image = Image(pixels, color=True)
    for paper in (np.full_like(pixels, 255), pixels.copy()):
        assert centres(strokes_of(painted(paper), image, 3))[:3] == [1, 2, 3]


def test_greys_come_last_and_dark_first(photo):
    paper = np.zeros((90, 120, 4), np.uint8)
    for row, color in enumerate(((255, 255, 255), BLACK, GREEN, (128, 128, 128))):
        paper[20 * row : 20 * row + 8, :50] = (*color, 255)
    strokes = strokes_of(paper, photo, 4)
    assert [int(strokes[20 * row + 2, 3]) for row in range(4)] == [4, 2, 1, 3]


def test_a_mask_is_of_the_first_class(tmp_path, photo):
    mask = np.zeros((90, 120), np.uint8)
    mask[40:50, 30:60] = 255
    for name, values in (("a.png", mask), ("b.png", np.repeat(mask[..., None], 3, axis=-1))):
        Pillow.fromarray(values).save(tmp_path / name)
        np.testing.assert_array_equal(strokes_of(tmp_path / name, photo, 2), mask // 255)
    np.testing.assert_array_equal(strokes_of(mask, photo, 255), mask)


def test_label_maps_are_what_they_were(tmp_path, photo):
    labels = np.zeros((90, 120), np.uint8)
    labels[3:6], labels[50:60] = 2, 1
    gmmseg.io.write_labels(tmp_path / "s.png", labels)
    np.testing.assert_array_equal(strokes_of(tmp_path / "s.png", photo, 2), labels)
    gmmseg.io.write_labels(tmp_path / "t.png", labels + np.uint8(1))
    with pytest.raises(ParameterError, match="labels from 0 to 3, but k=2"):
        gmmseg.segment(photo, k=2, scribbles=tmp_path / "t.png")


def test_a_palette_of_a_painting_program_is_taken_by_its_colors(tmp_path, photo):
    drawn = Pillow.fromarray(painted(np.full((90, 120, 3), 255, np.uint8))).quantize(4)
    numbers = np.asarray(drawn).astype(np.uint8) + 100
    moved = Pillow.fromarray(numbers)
    moved.putpalette([0] * 300 + drawn.getpalette()[:12])
    moved.save(tmp_path / "s.png")
    for k in (3, None):
        assert centres(strokes_of(tmp_path / "s.png", photo, k)) == [1, 2, 3, 0]


def test_more_colors_than_classes(photo):
    with pytest.raises(ParameterError, match=r"scribbles has strokes of 3 colours \(#e61414, .*\), but k=2"):
        strokes_of(painted(np.zeros((90, 120, 4), np.uint8)), photo, 2)


def test_no_strokes_and_no_layer(tmp_path, photo, rng):
    Pillow.fromarray(np.zeros((90, 120), np.uint8)).save(tmp_path / "empty.png")
    np.save(tmp_path / "empty.npy", np.zeros((90, 120), np.uint8))
    for name in ("empty.png", "empty.npy"):
        with pytest.raises(InputError, match=rf"{name}: there are no strokes in it; paint one on each class"):
            strokes_of(tmp_path / name, photo, 2)
    for empty in (np.full((90, 120, 3), 255, np.uint8), np.zeros((90, 120), np.uint8), np.zeros((90, 120), bool)):
        with pytest.raises(InputError, match="scribbles: there are no strokes in it; paint one on each class"):
            strokes_of(empty, photo, 2)
    Pillow.fromarray(rng.integers(0, 256, (90, 120, 3), np.uint8)).save(tmp_path / "other.png")
    with pytest.raises(InputError, match=r"other\.png is a picture in colours; paint strokes on a transparent"):
        strokes_of(tmp_path / "other.png", photo, 2)


def test_a_segmentation_is_told_by_painted_strokes(tmp_path, photo):
    pixels = np.full((60, 80, 3), (40, 60, 50), np.uint8)
    pixels[15:45, 20:60] = (60, 40, 45)
    layer = np.zeros((60, 80, 4), np.uint8)
    layer[28:32, 25:55], layer[3:6, 5:75] = (255, 0, 0, 255), (0, 0, 255, 255)
    Pillow.fromarray(layer).save(tmp_path / "s.png")
    inside = gmmseg.segment(pixels, k=2, scribbles=tmp_path / "s.png").mask(1)
    assert inside[16:44, 21:59].all()
    assert inside.sum() == 30 * 40


@pytest.mark.parametrize("color", [False, True])
def test_strokes_of_another_size_name_their_file(tmp_path, color):
    strokes = np.zeros((9, 10, 3) if color else (9, 10), np.uint8)
    strokes[2:4, 3:5] = [255, 0, 0] if color else 1
    Pillow.fromarray(strokes).save(tmp_path / "strokes.png")
    with pytest.raises(ParameterError, match=r"strokes\.png has strokes of shape \(9, 10\), but .* \(8, 10\)"):
        strokes_of(tmp_path / "strokes.png", Image(np.zeros((8, 10), np.uint8)), 2)
