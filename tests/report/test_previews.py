"""Small pictures: evenly chosen pixels, of a volume its middle planes."""

import base64
import io

import numpy as np
import pytest
from PIL import Image as Pillow

from gmmseg.image import Image
from gmmseg.io.palette import palette
from gmmseg.report.previews import coded, previews, views_of


def decoded(address):
    kind, _, content = address.partition(";base64,")
    assert kind.startswith("data:image/")
    return Pillow.open(io.BytesIO(base64.b64decode(content)))


def previews_of(image, labels, side, **options):
    return previews(image, views_of(image, side, **options), lambda flat: labels.reshape(-1)[flat], None)


def test_small_pictures_are_taken_whole():
    pixels = np.arange(60, dtype=np.uint8).reshape(6, 10)
    (look,) = previews_of(Image.from_array(pixels), pixels % 3, 100)
    np.testing.assert_array_equal(look.labels, pixels % 3)
    np.testing.assert_array_equal(look.picture[..., 0], pixels)


def test_labels_of_a_preview_are_those_of_the_picture_at_its_place():
    labels = np.repeat(np.repeat(np.arange(1, 7, dtype=np.uint8).reshape(2, 3), 50, 0), 50, 1)
    (look,) = previews_of(Image.from_array(40 * labels), labels, 30)
    assert look.labels.shape == (20, 30)
    np.testing.assert_array_equal(look.picture[..., 0] // 40, look.labels)


def test_a_volume_has_three_planes_in_the_proportions_of_its_voxels():
    values = np.zeros((4, 6, 8), np.float32)
    image = Image.from_array(values, channel_axis=None)
    image = Image(image.pixels, color=False, spacing=(5.0, 1.0, 2.0), name="scan")
    looks = previews_of(image, np.ones(image.shape, np.uint8), 100)
    assert [each.labels.shape for each in looks] == [(6, 8), (4, 8), (4, 6)]
    assert [each.proportions for each in looks] == [(6, 16), (20, 16), (20, 6)]
    assert looks[0].view.title == "plane 3 of 4, axis 1"
    assert len(views_of(image, 10, few=True)) == 1


def test_a_time_lapse_has_its_first_middle_and_last_frame():
    image = Image.from_array(np.zeros((7, 5, 5), np.uint8), axes="TYX")
    assert [each.title for each in views_of(image, 10)] == ["frame 1 of 7", "frame 4 of 7", "frame 7 of 7"]


def test_classes_are_coded_without_loss_and_no_data_is_clear():
    labels = np.array([[0, 1], [2, 3]], np.uint8)
    (look,) = previews_of(Image.from_array(np.zeros((2, 2), np.uint8)), labels, 10)
    shown = np.asarray(decoded(coded(look, 3)["classes"]).convert("RGBA"))
    assert (shown[..., 3] == 255 * (labels > 0)).all()
    np.testing.assert_array_equal(shown[labels > 0][:, :3], palette(3)[1:])


def test_thinned_previews_are_smaller():
    (look,) = previews_of(Image.from_array(np.zeros((9, 9), np.uint8)), np.ones((9, 9), np.uint8), 10)
    assert look.thinned(3).labels.shape == look.thinned(3).picture.shape[:2] == (3, 3)


@pytest.mark.parametrize("shape", [(3, 1000), (1000, 3)])
def test_narrow_images_keep_a_pixel(shape):
    (view,) = views_of(Image.from_array(np.zeros(shape, np.uint8)), 100)
    assert min(view.size) == 1
