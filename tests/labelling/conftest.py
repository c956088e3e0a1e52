"""What the tests of labelling share."""

import numpy as np
import pytest

from gmmseg import Image


@pytest.fixture
def specks(rng):
    """A colour picture with specks, and part of it without data."""
    pixels = np.full((90, 120, 3), 60, np.uint8)
    pixels[:, 50:] = (180, 150, 90)
    pixels[40:, 80:] = (90, 160, 220)
    for row, column in rng.integers(2, (86, 116), (60, 2)):
        pixels[row : row + 3, column : column + 2] = rng.choice([60, 120, 230], 3)
    valid = np.ones((90, 120), bool)
    valid[60:, :30] = False
    return Image(pixels, color=True, valid=valid)
