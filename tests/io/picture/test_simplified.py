"""BMP and GIF files, against Pillow as the oracle."""

import io

import numpy as np
import pytest
from PIL import Image as Pillow

from gmmseg.errors import InputError
from gmmseg.io import read, read_info
from gmmseg.io.picture.simplified import BMP, GIF
from gmmseg.io.request import Reading


@pytest.mark.parametrize("known", [BMP, GIF])
def test_pixels_equal_pillows(tmp_path, smooth_rgb, known):
    path = tmp_path / "a"
    Pillow.fromarray(smooth_rgb).save(path, known.name)
    with Pillow.open(path) as picture:
        np.testing.assert_array_equal(read(path).array, np.asarray(picture.convert("RGB")))


@pytest.mark.parametrize("known", [BMP, GIF])
def test_no_more_is_decoded_than_allowed(tmp_path, known):
    path = tmp_path / "a"
    Pillow.new("L", (30, 20), 7).save(path, known.name)
    assert known.read(path, Reading(max_pixels=600)).shape == (20, 30)
    with pytest.raises(InputError, match="30 x 20 = 600 pixels, above the limit of 599"):
        known.read(path, Reading(max_pixels=599))


def test_a_picture_larger_than_its_screen(tmp_path):
    content = io.BytesIO()
    Pillow.new("L", (30, 20), 7).save(content, "GIF")
    small = bytearray(content.getvalue())
    small[6:10] = bytes([3, 0, 2, 0])
    (tmp_path / "a.gif").write_bytes(small)
    assert read(tmp_path / "a.gif").shape == (20, 30)
    assert read_info(tmp_path / "a.gif")["size"] == [30, 20]
