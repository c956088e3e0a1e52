"""Names of masks and priors by patterns."""

from pathlib import Path

import numpy as np
import pytest

from gmmseg.batch.guide_names import mask_of
from gmmseg.errors import InputError
from gmmseg.io import write_labels


def test_the_mask_of_an_image_is_the_file_given_or_the_one_that_a_pattern_names(tmp_path):
    image, given, pattern = tmp_path / "a.tif", Path("mask.png"), Path("{folder}/{name}_mask.png")
    assert mask_of(None, image) is None
    assert mask_of(given, image) is given  # whoever reads it says whether it is there
    with pytest.raises(InputError, match=r"a\.tif: its mask .*a_mask\.png does not exist; add it, or leave"):
        mask_of(pattern, image)
    write_labels(tmp_path / "a_mask.png", np.ones((2, 2), np.uint8))
    assert mask_of(pattern, image) == tmp_path / "a_mask.png"
    (tmp_path / "a_mask.png").write_text("no image")
    with pytest.raises(InputError, match=r"a_mask\.png"):
        mask_of(pattern, image)
