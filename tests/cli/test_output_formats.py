"""How outputs are stored: cloud-optimised GeoTIFF, probabilities as integers."""

import shutil
from pathlib import Path

import cv2
import nibabel
import numpy as np
import pytest
import rasterio
from PIL import Image as Pillow
from rio_cogeo.cogeo import cog_validate

import gmmseg
from gmmseg.io import read_labels

IMAGES = Path(__file__).parents[2] / "images"


@pytest.fixture
def scene(folder):
    shutil.copy(IMAGES / "L7_ETMs.tif", "scene.tif")
    return "scene.tif"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_cloud_optimised_outputs(run, scene):
    finished = run("segment", scene, "-k", 3, "--cog", "-o", "l.tif", "--soft", "s.tif", "--soft-type", "uint8")
    assert (finished.code, finished.err) == (0, "")
    for name in ("l.tif", "s.tif"):
        assert cog_validate(name, strict=True, quiet=True)[0], name
    seg = gmmseg.segment(scene, 3)
    with rasterio.open(scene) as source, rasterio.open("l.tif") as labels, rasterio.open("s.tif") as soft:
        assert labels.crs == source.crs
        assert labels.transform == source.transform
        np.testing.assert_array_equal(labels.read(1), seg.labels)
        assert soft.dtypes == ("uint8",) * 3
        assert np.abs(soft.read() / 255 - seg.probabilities).max() <= 0.5 / 255 + 1e-6
        assert soft.scales == (1 / 255,) * 3


def test_probabilities_of_a_volume_in_proportion(run, folder):
    volume = np.random.default_rng(0).normal(100, 5, (12, 10, 8)).astype(np.float32)
    volume[6:] += 60
    nibabel.Nifti1Image(volume, np.diag([1, 1, 2, 1])).to_filename("scan.nii.gz")
    for kind in ("uint8", "uint16"):
        finished = run(
            "segment", "scan.nii.gz", "-k", 2, "--soft", f"{kind}.nii.gz", "--soft-type", kind, "--overwrite"
        )
        assert (finished.code, finished.err) == (0, "")
        stored = nibabel.load(f"{kind}.nii.gz")
        assert stored.get_data_dtype() == kind
        np.testing.assert_allclose(stored.get_fdata().sum(axis=-1), 1, atol=0.01)


@pytest.mark.slow
def test_options_of_what_is_not_written(refuse, scene):
    assert "--soft-type uint8 is of --soft FILE" in refuse("segment", scene, "--soft-type", "uint8", code=2)
    assert "cog=True is of another format" in refuse("segment", scene, "--cog", "-o", "l.npy", code=2)


def test_what_a_format_cannot_refer_to_is_refused_before_anything_is_computed(refuse, folder, monkeypatch):
    monkeypatch.setattr("gmmseg.segmentation.segment", lambda *_, **__: pytest.fail("it was computed"))
    assert "which it is none of; write .nii.gz or .npy" in refuse("segment", "photo.png", "-o", "l.dcm", code=1)


@pytest.mark.parametrize("command", ["segment", "regions"])
def test_plain_labels_are_grey_numbers(run, folder, command):
    for name, more in (("palette.png", ()), ("plain.png", ("--plain",)), ("plain.tif", ("--plain",))):
        finished = run(command, "photo.png", *(("-k", 3) if command == "segment" else ("-n", 3)), "-o", name, *more)
        assert finished.code == 0, finished.err
    numbers, classes = read_labels("palette.png"), command == "segment"  # regions are objects, of two bytes each
    assert (numbers.max(), numbers.dtype.itemsize) == (3, 1 if classes else 2)
    for name in ("plain.png", "plain.tif"):
        with Pillow.open(name) as picture:
            assert picture.mode == ("L" if classes else "I;16")
            np.testing.assert_array_equal(np.asarray(picture), numbers)
        np.testing.assert_array_equal(cv2.imread(name, cv2.IMREAD_UNCHANGED), numbers)
    assert cv2.imread("palette.png", cv2.IMREAD_UNCHANGED).ndim == (3 if classes else 2)  # colours, or none


def test_formats_without_colours_are_plain_already(run, folder):
    for name in ("a.npy", "a.npz", "a.nii"):
        assert run("segment", "scan.png", "-k", 2, "--plain", "-o", name).code == 0
