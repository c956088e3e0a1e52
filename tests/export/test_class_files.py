"""Names and colours of classes survive in the files of label maps."""

import json

import nibabel
import numpy as np
import pytest
import rasterio
import tifffile
from PIL import Image as Pillow

from gmmseg.export import colors_in, names_in
from gmmseg.image import Image
from gmmseg.image.place import Place
from gmmseg.io import read_labels, write_labels
from gmmseg.io.palette import palette

NAMES = ("water", "forêt & bois", "class 3")
LABELS = np.array([[0, 1, 2], [3, 3, 1]], np.uint8)
COLORS = np.array([[0, 0, 0], [1, 2, 3], [200, 100, 50], [255, 255, 255]], np.uint8)
PLACED = Image(LABELS[..., None], place=Place((30.0, 0.0, 390_000.0, 0.0, -30.0, 5_820_000.0), "EPSG:32633"))


@pytest.mark.parametrize("suffix", [".png", ".tif", ".ome.tif", ".npz", ".nii", ".nii.gz"])
@pytest.mark.parametrize("volume", [False, True])
def test_names_come_back(tmp_path, suffix, volume):
    if volume and suffix == ".png":
        pytest.skip("PNG has no room for volumes")
    labels = np.stack([LABELS, LABELS]) if volume else LABELS
    write_labels(tmp_path / f"a{suffix}", labels, names=NAMES)
    assert names_in(tmp_path / f"a{suffix}") == NAMES
    np.testing.assert_array_equal(read_labels(tmp_path / f"a{suffix}"), labels)


@pytest.mark.parametrize("aside", [False, True])
def test_names_in_a_raster_with_and_without_its_side_file(tmp_path, aside):
    write_labels(tmp_path / "a.tif", LABELS, names=NAMES, image=PLACED)
    if not aside:
        (tmp_path / "a.tif.aux.xml").unlink()
    assert names_in(tmp_path / "a.tif") == NAMES


@pytest.mark.parametrize("suffix", [".png", ".tif", ".npz", ".nii.gz"])
def test_colors_come_back(tmp_path, suffix):
    write_labels(tmp_path / f"a{suffix}", LABELS, palette=COLORS)
    np.testing.assert_array_equal(colors_in(tmp_path / f"a{suffix}")[:3], COLORS[1:])


def test_colors_of_a_raster(tmp_path):
    write_labels(tmp_path / "a.tif", LABELS, image=PLACED, palette=COLORS, names=NAMES)
    np.testing.assert_array_equal(colors_in(tmp_path / "a.tif")[:3], COLORS[1:])
    with rasterio.open(tmp_path / "a.tif") as raster:
        assert raster.colormap(1)[2][:3] == (200, 100, 50)
        assert raster.colormap(1)[4][:3] == tuple(palette(4)[4])
    assert "<F>200</F>" in (tmp_path / "a.tif.aux.xml").read_text()


def test_other_programs_find_the_names(tmp_path):
    for name in ("a.png", "a.tif", "a.nii"):
        write_labels(tmp_path / name, LABELS, names=NAMES)
    with Pillow.open(tmp_path / "a.png") as picture:
        assert json.loads(picture.text["class_names"]) == list(NAMES)
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        assert tiff.shaped_metadata[0]["class_names"] == list(NAMES)
    (extension,) = nibabel.load(tmp_path / "a.nii").header.extensions
    assert "1 water\n" in extension.text


@pytest.mark.parametrize("suffix", [".png", ".tif", ".npz"])
def test_numbers_are_no_names(tmp_path, suffix):
    write_labels(tmp_path / f"a{suffix}", LABELS, names=("class 1", "class 2", "class 3"))
    write_labels(tmp_path / f"b{suffix}", LABELS)
    assert names_in(tmp_path / f"a{suffix}") is None
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


def test_nothing_is_made_up(tmp_path):
    np.save(tmp_path / "a.npy", LABELS)
    Pillow.fromarray(LABELS).save(tmp_path / "a.png")
    tifffile.imwrite(tmp_path / "a.tif", LABELS)
    nibabel.save(nibabel.Nifti1Image(LABELS, np.eye(4)), tmp_path / "a.nii")
    for name in ("a.npy", "a.png", "a.tif", "a.nii"):
        assert names_in(tmp_path / name) is None
        assert colors_in(tmp_path / name) is None
