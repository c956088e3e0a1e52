"""Names of masks and priors by patterns."""

from pathlib import Path

import numpy as np
import pytest

from gmmseg.batch.guide_names import masks_of
from gmmseg.errors import InputError
from gmmseg.io import write_labels

RULES = [("mask", ""), ("mask_values", ":4,5"), ("mask_values", "@2:4,5")]


@pytest.mark.parametrize(("kind", "values"), RULES)
def test_the_mask_of_an_image_is_the_file_given_or_the_one_that_a_pattern_names(tmp_path, kind, values):
    image = tmp_path / "a.tif"

    def found(name):
        given = name if name is None else name + values if values else Path(name)
        masks = masks_of(None, given, image) if values else masks_of(given, None, image)
        assert masks.pop("mask" if values else "mask_values") is None
        return masks[kind]

    pattern = "{folder}/{name}_mask.png"
    assert found(None) is None
    assert str(found("mask.png")) == "mask.png" + values  # whoever reads it says whether it is there
    with pytest.raises(InputError, match=r"a\.tif: its mask .*a_mask\.png does not exist; add it, or leave"):
        found(pattern)
    write_labels(tmp_path / "a_mask.png", np.ones((2, 2), np.uint8))
    assert str(found(pattern)) == str(tmp_path / "a_mask.png") + values
    (tmp_path / "a_mask.png").write_text("no image")
    with pytest.raises(InputError, match=r"a_mask\.png"):
        found(pattern)
