"""Names and colours of classes in TIFF files."""

import numpy as np
import pytest
import tifffile

from gmmseg.errors import InputError
from gmmseg.io.tiff.class_tags import colors_in_tiff, names_in_tiff

LABELS = np.array([[0, 1, 2]], np.uint8)


def test_names_in_the_metadata_of_gdal(tmp_path):
    xml = '<GDALMetadata><Item name="class_2" sample="0">sand &amp;amp; gravel</Item></GDALMetadata>'
    tifffile.imwrite(tmp_path / "a.tif", LABELS, metadata=None, extratags=[(42112, "s", 0, xml, True)])
    assert names_in_tiff(tmp_path / "a.tif") == ("class 1", "sand & gravel")


@pytest.mark.parametrize("names", [3, {"a": "b"}, [1, 2]])
def test_what_is_no_list_of_texts(tmp_path, names):
    tifffile.imwrite(tmp_path / "a.tif", LABELS, metadata={"class_names": names})
    with pytest.raises(InputError, match=r"a\.tif: its class names are no list of texts"):
        names_in_tiff(tmp_path / "a.tif")


def test_a_description_in_words_names_nothing(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", LABELS, metadata=None, description="class_2 is land")
    assert names_in_tiff(tmp_path / "a.tif") is None
    assert colors_in_tiff(tmp_path / "a.tif") is None


def test_names_in_what_imagej_shows_of_an_image(tmp_path):
    for info, names in (("1 = sky\n2 = cell = wall", ("sky", "cell = wall")), ("Gain\n1 = high", None), ("", None)):
        tifffile.imwrite(tmp_path / "a.tif", LABELS, imagej=True, metadata={"Info": info} if info else {})
        assert names_in_tiff(tmp_path / "a.tif") == names
