"""Writing TIFF: labels, probabilities and pictures."""

import numpy as np
import pytest
import tifffile

from gmmseg.image import Image
from gmmseg.image.place import Place
from gmmseg.io import write_labels, write_probabilities


def test_sizes_that_are_known_are_the_resolution(tmp_path):
    image = Image(np.zeros((4, 5)), spacing=(0.5, 0.25), place=Place(unit="um"))
    write_labels(tmp_path / "a.tif", np.ones((4, 5), np.uint8), image=image)
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        assert tiff.pages.first.get_resolution("micrometer") == pytest.approx((4.0, 2.0))


def test_pages_of_probabilities_have_the_classes_names(tmp_path):
    write_probabilities(tmp_path / "p.tif", np.full((2, 4, 5), 0.5, np.float32), names=("water", "land"))
    with tifffile.TiffFile(tmp_path / "p.tif") as tiff:
        assert [page.description for page in tiff.pages] == ["water", "land"]
