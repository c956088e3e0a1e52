"""Writing PNG: OpenCV and Pillow read it, whatever strips it is made of."""

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from gmmseg.io import write_labels, write_rgb
from gmmseg.io.palette import palette


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(1, 1), (3, 1), (1, 70000), (2100, 1030)])
def test_png_strips_join(tmp_path, rng, shape):
    numbers = rng.integers(0, 256, shape, dtype=np.uint8)
    write_labels(tmp_path / "a.png", numbers)
    with Pillow.open(tmp_path / "a.png") as picture:
        assert picture.mode == "P"
        np.testing.assert_array_equal(np.asarray(picture), numbers)
    # OpenCV checks every checksum, and shows a palette's colours.
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "a.png"))[..., ::-1], palette(255)[numbers])


def test_png_sixteen_bits_in_opencv(tmp_path, rng):
    numbers = rng.integers(0, 65536, (1100, 600), dtype=np.uint16)
    write_labels(tmp_path / "a.png", numbers.T)
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED), numbers.T)


def test_rgb_strips_join(tmp_path, rng):
    pixels = rng.integers(0, 256, (700, 1000, 3), dtype=np.uint8)
    write_rgb(tmp_path / "o.png", pixels)
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "o.png"))[..., ::-1], pixels)
