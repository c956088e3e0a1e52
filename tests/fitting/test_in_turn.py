"""The images of one fit, one after the other."""

import numpy as np
import pytest

from gmmseg import ParameterError
from gmmseg.fitting.in_turn import counted, masks_of


def test_one_image_is_one_and_a_generator_is_gone_through_once():
    image = np.zeros((4, 4))
    assert counted(image) == (1, [image])
    number, images = counted(each for each in (image, image, image))
    assert (number, len(list(images)), len(list(images))) == (3, 3, 3)


def test_a_mask_for_all_is_not_a_list_of_masks():
    rows = [[1, 0], [1, 1]]
    assert masks_of(rows, 3) == [rows] * 3
    assert masks_of("mask.png", 2) == ["mask.png", "mask.png"]
    assert masks_of(["a.png", None], 2) == ["a.png", None]
    with pytest.raises(ParameterError, match="mask has 2 entries, but there are 3 images"):
        masks_of(["a.png", None], 3)
