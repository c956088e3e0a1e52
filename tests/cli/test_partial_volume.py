"""`--partial-volume`: soft masks are fractions, and tables have volumes by their sums beside those of the labels."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy.ndimage import gaussian_filter

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
    sidecar = json.loads(Path("out/sub-01/anat/sub-01_desc-gmmseg_dseg.json").read_text())
    assert sidecar["Description"].endswith("probseg files hold the fraction of each class in a voxel")
    rows = read_table(Path("v.csv")).rows()
    soft = nib.load("out/sub-01/anat/sub-01_label-GM_desc-gmmseg_probseg.nii.gz").get_fdata()
    np.testing.assert_allclose(float(rows[1]["volume_ml_soft"]), soft.sum() * 8 / 1000, rtol=1e-4)
