"""`--partial-volume`: soft masks are fractions, and tables have volumes by their sums beside those of the labels."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import tifffile
from scipy.ndimage import gaussian_filter

import gmmseg
from gmmseg.image import Image
from gmmseg.image.place import Place
from gmmseg.measuring.table import read_table

_NAMES = ("csf", "gm", "wm")


def _written(path):
    rng = np.random.default_rng(0)
    field = gaussian_filter(rng.normal(size=(40, 40, 40)), 3)
    fine = np.searchsorted(np.quantile(field, [0.33, 0.66]), field)
    truth = np.stack([(fine == c).astype("f4").reshape(20, 2, 20, 2, 20, 2).mean((1, 3, 5)) for c in range(3)])
    values = np.tensordot([0.2, 0.55, 0.9], truth, 1) + rng.normal(0, 0.03, truth.shape[1:])
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(values.astype("f4"), np.diag([2.0, 2, 2, 1])), path)
    return truth


def test_soft_masks_are_fractions_and_the_table_has_their_sums(run):
    truth = _written(Path("t1.nii.gz"))
    result = run("segment", "t1.nii.gz", "-k", "3", "--partial-volume", "--soft", "s.nii.gz", "--table", "v.csv")
    assert result.code == 0, result.err
    soft = np.asarray(nib.load("s.nii.gz").dataobj)
    assert np.abs(np.moveaxis(soft, -1, 0) - truth).mean() < 0.04
    rows = read_table(Path("v.csv")).rows()
    by_fractions = [float(row["volume_ml_soft"]) for row in rows]
    np.testing.assert_allclose(by_fractions, soft.sum((0, 1, 2)) * 8 / 1000, rtol=1e-4)
    np.testing.assert_allclose(by_fractions, truth.sum((1, 2, 3)) * 8 / 1000, rtol=0.04)


def test_a_batch_says_that_its_maps_are_fractions(run):
    _written(Path("raw/sub-01/anat/sub-01_T1w.nii.gz"))
    asked = ("-k", "3", "--partial-volume", "--class-names", ",".join(_NAMES), "--also", "soft", "--table", "v.csv")
    result = run("batch", "raw", "--bids", *asked, "--out-dir", "out")
    assert result.code == 0, result.err
    sidecar = json.loads(Path("out/sub-01/anat/sub-01_desc-gmmseg_probseg.json").read_text())
    assert sidecar["Description"] == "Fraction of a class of a Gaussian mixture in each voxel"
    rows = read_table(Path("v.csv")).rows()
    soft = nib.load("out/sub-01/anat/sub-01_label-GM_desc-gmmseg_probseg.nii.gz").get_fdata()
    np.testing.assert_allclose(float(rows[1]["volume_ml_soft"]), soft.sum() * 8 / 1000, rtol=1e-4)


def test_files_of_fractions_say_what_they_are(run):
    _written(Path("t1.nii.gz"))
    for mixed in (True, False):
        asked = ["-k", "3", "--overwrite", *["--partial-volume"] * mixed]
        for name in ("s.nii.gz", "s.npz"):
            assert run("segment", "t1.nii.gz", *asked, "--soft", name).code == 0
        word = "fractions" if mixed else "probabilities"
        assert nib.load("s.nii.gz").header["descrip"].item().decode() == f"gmmseg: {word}"
        with np.load("s.npz") as stored:
            assert list(stored) == [word]
        # As a prior, both are what each class has of a voxel beforehand.
        assert run("segment", "t1.nii.gz", "-k", "3", "--overwrite", "--prior", "s.npz").code == 0


def test_other_files_have_a_word_for_it_too(run):
    _written(Path("t1.nii.gz"))
    for mixed in (True, False):
        asked = ["-k", "3", "--overwrite", *["--partial-volume"] * mixed]
        for name in ("s.nrrd", "s.mha", "s.tif", "s.ome.tif"):
            assert run("segment", "t1.nii.gz", *asked, "--soft", name).code == 0
        word = "fractions" if mixed else "probabilities"
        assert f"content: gmmseg: {word}".encode() in Path("s.nrrd").read_bytes().partition(b"\n\n")[0].split(b"\n")
        assert f"Comment = gmmseg: {word}".encode() in Path("s.mha").read_bytes().partition(b"LOCAL")[0].split(b"\n")
        with tifffile.TiffFile("s.tif") as tiff:
            assert tiff.pages[-1].description == ("class 3 (fraction)" if mixed else "class 3")
        with tifffile.TiffFile("s.ome.tif") as tiff:
            assert f'Name="{word}"' in tiff.ome_metadata
        shares = [gmmseg.io.read_probabilities(name) for name in ("s.nrrd", "s.mha", "s.tif", "s.ome.tif")]
        assert all((each == shares[0]).all() for each in shares)


def test_arrays_and_pictures_on_a_map_say_it_too(tmp_path):
    halves = np.repeat(np.repeat([0.2, 0.8], 20)[None], 40, 0) + np.random.default_rng(0).normal(0, 0.05, (40, 40))
    image = Image(halves.astype("f4"), place=Place(affine=(10.0, 0.0, 0.0, 0.0, -10.0, 0.0), crs="EPSG:32632"))
    for mixed in (True, False):
        seg = gmmseg.segment(image, 2, partial_volume=mixed)
        seg.save(tmp_path / "s.tif", layer="probabilities", overwrite=True)
        with tifffile.TiffFile(tmp_path / "s.tif") as tiff:
            assert tiff.pages.first.description == ("gmmseg: fractions" if mixed else "")
        word = "fraction" if mixed else "probability"
        assert seg.to_xarray("probabilities").attrs["long_name"] == f"{word} of each class"


@pytest.mark.parametrize("command", ["fit", "apply"])
def test_a_model_has_no_fractions(run, command):
    _written(Path("t1.nii.gz"))
    assert run("fit", "t1.nii.gz", "-k", "3", "-o", "m.json").code == 0
    start = ("fit", "t1.nii.gz", "-k", "3", "-o", "n.json") if command == "fit" else ("apply", "m.json", "t1.nii.gz")
    result = run(*start, "--partial-volume")
    assert result.code == 2
    assert "there is no option --partial-volume; `gmmseg segment` has it; see" in result.err
