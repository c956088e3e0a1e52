"""Decoding with OpenCV."""

import numpy as np
from PIL import Image as Pillow

from gmmseg.io.picture import opencv


def test_memory_made_beforehand_never_comes_back_unfilled(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (9, 11, 3), np.uint8)
    pixels[-1] = 1
    whole, cut = tmp_path / "whole.png", tmp_path / "cut.png"
    Pillow.fromarray(pixels).save(whole)
    cut.write_bytes(whole.read_bytes()[:60])
    np.testing.assert_array_equal(opencv.decode(whole, shape=(9, 11, 3))[0], pixels)
    assert opencv.decode(whole, shape=(5, 5, 3))[0] is None
    assert opencv.decode(cut, shape=(9, 11, 3))[0] is None
