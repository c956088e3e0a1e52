"""File names that are unusual, and allowed."""

import os

import numpy as np
import pytest
from PIL import Image as Pillow

from gmmseg.errors import OutputError
from gmmseg.io import read, write_labels

NAMES = [b"\xff.png", "größe 中文.png".encode(), b"two\nlines.png", b"-k.png"]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_any_name_that_the_system_takes_is_read_and_written(tmp_path, name):
    path = tmp_path / os.fsdecode(name)
    pixels = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    with open(path, "wb") as file:
        Pillow.fromarray(pixels).save(file, "PNG")
    np.testing.assert_array_equal(read(path).array, pixels)
    write_labels(path, np.ones((4, 5), np.uint8), overwrite=True)
    assert (read(path).shape) == (4, 5)


def test_a_name_that_is_too_long_is_refused_in_one_line(tmp_path):
    with pytest.raises(OutputError, match="choose another name") as caught:
        write_labels(tmp_path / ("a" * 300 + ".png"), np.ones((4, 5), np.uint8))
    assert "\n" not in str(caught.value)
