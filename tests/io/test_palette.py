"""Colours of classes."""

import numpy as np
import pytest
from skimage.color import rgb2lab

from gmmseg.errors import ParameterError
from gmmseg.io.palette import palette


def test_palette_shape_and_stability():
    every = palette(255)
    assert every.shape == (256, 3)
    assert every.dtype == np.uint8
    assert every[0].tolist() == [0, 0, 0]
    for n in (0, 1, 12):
        np.testing.assert_array_equal(palette(n), every[: n + 1])
    for n in (-1, 256):
        with pytest.raises(ParameterError, match=f"n={n}"):
            palette(n)


@pytest.mark.parametrize(("n", "distance"), [(12, 25), (64, 20), (255, 12)])
def test_palette_is_distinct(n, distance):
    lab = rgb2lab(palette(n) / 255.0)
    apart = np.linalg.norm(lab[:, None] - lab[None], axis=-1)
    assert apart[~np.eye(n + 1, dtype=bool)].min() > distance
