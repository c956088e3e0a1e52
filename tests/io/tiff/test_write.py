"""Writing TIFF: labels, probabilities and pictures."""

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow
from PIL import ImageOps

import gmmseg
from gmmseg.image import Image
from gmmseg.image.place import Place
from gmmseg.io import read_labels, read_probabilities, write_labels, write_probabilities


def test_sizes_that_are_known_are_the_resolution(tmp_path):
    image = Image(np.zeros((4, 5)), spacing=(0.5, 0.25), place=Place(unit="um"))
    write_labels(tmp_path / "a.tif", np.ones((4, 5), np.uint8), image=image)
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        assert tiff.pages.first.get_resolution("micrometer") == pytest.approx((4.0, 2.0))


def test_pages_of_probabilities_have_the_classes_names(tmp_path):
    write_probabilities(tmp_path / "p.tif", np.full((2, 4, 5), 0.5, np.float32), names=("water", "land"))
    with tifffile.TiffFile(tmp_path / "p.tif") as tiff:
        assert [page.description for page in tiff.pages] == ["water", "land"]


@pytest.mark.filterwarnings("ignore:.*turned or mirrored")
@pytest.mark.parametrize("slide", [False, True])
def test_results_are_shown_turned_as_the_picture_is(tmp_path, monkeypatch, slide):
    if slide:
        monkeypatch.setattr("gmmseg.io.tiff.format.wants_levels", lambda contents: True)
    values = np.repeat(np.uint8([10, 200]), 60).reshape(10, 12, 1).repeat(3, axis=-1)
    tifffile.imwrite(tmp_path / "turned.tif", values, photometric="rgb", extratags=[(274, 3, 1, 6, True)])
    tifffile.imwrite(tmp_path / "plain.tif", values, photometric="rgb")
    for name, orientation in (("turned.tif", 6), ("plain.tif", None)):
        seg = gmmseg.segment(tmp_path / name, 2)
        assert type(seg.image.metadata.get("orientation")) is type(orientation)
        seg.save(tmp_path / "labels.tif", overwrite=True)
        seg.save(tmp_path / "soft.tif", layer="probabilities", overwrite=True)
        for result in ("labels.tif", "soft.tif"):
            with tifffile.TiffFile(tmp_path / result) as tiff:
                assert tiff.pages.first.tags.valueof(274) == orientation
        np.testing.assert_array_equal(read_labels(tmp_path / "labels.tif"), seg.labels)  # as they are stored
        assert read_probabilities(tmp_path / "soft.tif").shape == (2, 10, 12)
    with Pillow.open(tmp_path / "labels.tif") as shown:
        assert shown.size == (12, 10)
    seg = gmmseg.segment(tmp_path / "turned.tif", 2)
    seg.save(tmp_path / "labels.tif", overwrite=True)
    with Pillow.open(tmp_path / "labels.tif") as shown:
        assert ImageOps.exif_transpose(shown).size == (10, 12)


@pytest.mark.filterwarnings("ignore:.*turned or mirrored")
@pytest.mark.parametrize("axes", ["YX", "TYX", "ZYX"])
@pytest.mark.parametrize("family", ["ome", "imagej"])
def test_pages_of_microscopes_are_shown_turned_too(tmp_path, family, axes):
    page, source = np.repeat(np.uint8([10, 200]), 60).reshape(10, 12), tmp_path / "turned.ome.tif"
    values = page if axes == "YX" else np.stack([page] * 3)
    about = {"metadata": {"axes": axes}, "photometric": "minisblack", "extratags": [(274, 3, 1, 6, False)]}
    tifffile.imwrite(source, values, **{family: True}, **about)
    seg = gmmseg.segment(source, 2)
    for name in ("labels.ome.tif", "labels.tif"):
        seg.save(tmp_path / name)
        with tifffile.TiffFile(tmp_path / name) as tiff:
            assert tiff.is_ome or family == "imagej"
            assert [page.tags.valueof(274) for page in tiff.pages] == [6] * (values.size // page.size)
        np.testing.assert_array_equal(read_labels(tmp_path / name), seg.labels)
