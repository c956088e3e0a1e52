"""Cut-outs: soft edges, colours that are the object's own, backgrounds and boxes."""

import numpy as np
import pytest

import gmmseg
from gmmseg.errors import ParameterError
from gmmseg.export.cutout import color_of, cut_out, soft_mask
from gmmseg.image import Image

RED, BLUE = np.array([220.0, 30, 40]), np.array([20.0, 60, 200])


def disc(shape=(80, 100), centre=(40, 45), radius=25.0):
    """How much of each pixel is within a circle."""
    rows, columns = np.indices(shape)
    return np.clip(radius + 0.5 - np.hypot(rows - centre[0], columns - centre[1]), 0, 1).astype(np.float32)


@pytest.fixture
def scene():
    """A red disc before blue, mixed where a pixel holds both, and its true opacity."""
    alpha = disc()
    mixed = alpha[..., None] * RED + (1 - alpha[..., None]) * BLUE
    return Image(np.rint(mixed).astype(np.uint8), color=True, name="disc.png"), alpha


def test_the_edge_has_no_color_of_the_background(scene):
    image, alpha = scene
    found = cut_out(image, alpha)
    assert found.shape == (80, 100, 4)
    np.testing.assert_array_equal(found[..., 3], np.rint(255 * alpha))
    there = found[..., 3] > 0
    assert ((alpha > 0) & (alpha < 0.9)).any()
    np.testing.assert_allclose(found[there][:, :3], np.broadcast_to(RED, (there.sum(), 3)), atol=1)
    assert not found[~there].any()


def test_on_a_background_it_is_a_picture_of_the_object_there(scene):
    image, alpha = scene
    found = cut_out(image, alpha, background="white")
    assert (found[..., 3] == 255).all()
    expected = np.rint(alpha[..., None] * RED + (1 - alpha[..., None]) * 255)
    np.testing.assert_allclose(found[..., :3], expected, atol=2)
    assert cut_out(image, alpha, background="#102030")[0, 0].tolist() == [16, 32, 48, 255]


def test_the_box_holds_the_object_and_no_more(scene):
    image, alpha = scene
    found = cut_out(image, alpha, crop=True)
    assert found.shape == (51, 51, 4)
    np.testing.assert_array_equal(found, cut_out(image, alpha)[15:66, 20:71])


def test_thin_objects_have_the_colors_of_the_nearest_sure_pixel():
    alpha = np.zeros((30, 60), np.float32)
    alpha[10:20, 5:15], alpha[14, 15:50] = 1, 0.5  # a hair on a patch
    pixels = np.full((30, 60, 3), 200, np.uint8)
    pixels[10:20, 5:15] = (10, 80, 20)
    found = cut_out(Image(pixels, color=True), alpha)
    assert found[14, 49].tolist() == [10, 80, 20, 128]


def test_what_is_unsure_far_from_the_edge_is_not_transparent():
    inside = disc() > 0.5
    share = np.where(inside, 0.6, 0.4).astype(np.float32)
    alpha = soft_mask(inside, share)
    rows, columns = np.indices(inside.shape)
    away = np.hypot(rows - 40, columns - 45) - 25.5
    assert (alpha[away < -5] == 1).all()
    assert (alpha[away > 5] == 0).all()
    edge = alpha[np.abs(away) < 1]
    assert (edge > 0.3).all()
    assert (edge < 0.7).all()


def test_feathers_are_wider():
    inside = disc() > 0.5
    widths = [int(((a > 0.02) & (a < 0.98)).sum()) for a in (soft_mask(inside, inside * 1.0, f) for f in (0, 4, 10))]
    assert widths[0] < widths[1] < widths[2]
    assert soft_mask(inside, inside * 1.0, 10)[40, 45] == 1


@pytest.mark.parametrize("value", [False, True])
def test_pictures_that_are_all_object_or_none(value):
    inside = np.full((20, 30), value)
    assert (soft_mask(inside, inside.astype(np.float32), 5) == value).all()


def test_the_frame_of_the_picture_is_no_edge():
    inside = np.zeros((40, 40), bool)
    inside[:, :20] = True
    alpha = soft_mask(inside, inside.astype(np.float32))
    assert (alpha[:, 0] == 1).all()
    assert (alpha[[0, -1], 5] == 1).all()


@pytest.mark.parametrize("kind", ["grey", "grey16", "color16", "float"])
def test_other_pictures(scene, kind):
    image, alpha = scene
    eight = image.array
    pixels, color = {
        "grey": (eight[..., :1], False),
        "grey16": (eight[..., :1].astype(np.uint16) * 257, False),
        "color16": (eight.astype(np.uint16) * 257, True),
        "float": (eight / np.float32(255), True),
    }[kind]
    expected = cut_out(Image(eight if color else np.repeat(eight[..., :1], 3, axis=-1), color=True), alpha)
    np.testing.assert_array_equal(cut_out(Image(pixels, color=color), alpha), expected)


def test_a_segmentation_is_cut_out(scene):
    image, alpha = scene
    seg = gmmseg.segment(image, k=2, features="lab", class_names=["sky", "ball"])
    ball = "ball" if seg.labels[40, 45] == 2 else "sky"
    found = seg.cutout(ball)
    assert found.dtype == np.uint8
    assert np.abs(found[..., 3] / 255.0 - alpha).mean() < 0.015
    assert np.abs(found[..., :3][found[..., 3] > 25].astype(float) - RED).max() <= 3
    assert seg.cutout([1, "ball"])[..., 3].min() == 255
    overlaid = seg.overlay()
    assert (overlaid.shape, overlaid.dtype) == ((80, 100, 3), np.uint8)


def test_no_data_is_never_part_of_it(scene):
    image, _ = scene
    valid = np.ones(image.shape, bool)
    valid[:, :40] = False
    seg = gmmseg.segment(image, k=2, mask=valid)
    assert not seg.cutout([1, 2])[:, :40].any()


def test_what_cannot_be_cut_out(scene):
    image, alpha = scene
    with pytest.raises(ParameterError, match="disc.png has no pixel of what is to be cut out; choose another class"):
        cut_out(image, np.zeros_like(alpha))
    with pytest.raises(ParameterError, match="background='whitish' is no colour; use a name such as white, or #rrggbb"):
        color_of("whitish")
    with pytest.raises(ParameterError, match="give one a pixel"):
        cut_out(image, alpha[1:])
    with pytest.raises(ParameterError, match="3 spatial axes; a cut-out needs 2"):
        cut_out(Image(np.zeros((3, 4, 5, 1), np.uint8)), np.ones((3, 4, 5), np.float32))
    with pytest.raises(ParameterError, match="has an axis of time; a cut-out is of one frame"):
        cut_out(Image.from_array(np.zeros((3, 4, 5), np.uint8), axes="TYX"), np.ones((3, 4, 5), np.float32))
    seg = gmmseg.segment(image, k=2)
    with pytest.raises(ParameterError, match="label=3 is no class of disc.png; its classes are 1 to 2"):
        seg.cutout(3)
    for feather in (-1, 2000, float("nan")):
        with pytest.raises(ParameterError, match="is no width of an edge"):
            seg.cutout(1, feather=feather)


@pytest.mark.parametrize(("axes", "words"), [("TYX", "an axis of time"), ("ZYX", "3 spatial axes; a cut-out needs 2")])
def test_nothing_is_cut_out_of_volumes_and_time_lapses(axes, words):
    pixels = np.zeros((3, 12, 14), np.uint8)
    pixels[:, 3:9, 4:10] = 200
    with pytest.raises(ParameterError, match=words):
        gmmseg.segment(pixels, 2, axes=axes).cutout(2)
