"""Prior probabilities: one file of all classes, or one a class."""

import numpy as np
import pytest

from gmmseg import io
from gmmseg.errors import InputError
from gmmseg.io.prior_maps import prior_of

nibabel = pytest.importorskip("nibabel")

MAPS = np.random.default_rng(0).random((3, 4, 5, 6)).astype(np.float32)
NAMES = ("csf.nii.gz", "gm.nii.gz", "wm.nii.gz")


@pytest.fixture(autouse=True)
def image(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    nibabel.Nifti1Image(MAPS[0], np.eye(4)).to_filename("t1.nii")
    for name, each in zip(NAMES, MAPS, strict=True):
        nibabel.Nifti1Image(each, np.eye(4)).to_filename(name)
    return io.read("t1.nii")


def test_maps_of_their_own_are_those_of_one_file(image):
    nibabel.Nifti1Image(np.moveaxis(MAPS, 0, -1), np.eye(4)).to_filename("all.nii")
    np.testing.assert_array_equal(prior_of("all.nii", image), MAPS)
    np.testing.assert_array_equal(prior_of("+".join(NAMES), image), MAPS)


def test_each_is_turned_by_its_own_place(image):
    affine = np.eye(4)
    affine[0] = -1, 0, 0, 3
    nibabel.Nifti1Image(MAPS[1, ::-1], affine).to_filename("gm.nii.gz")
    np.testing.assert_array_equal(prior_of("+".join(NAMES), image), MAPS)


def test_what_does_not_fit_is_named(image):
    np.save("two.npy", MAPS[:2])
    with pytest.raises(InputError, match=r"two\.npy holds 2 classes; where each class has a file"):
        prior_of("csf.nii.gz+two.npy", image)
    nibabel.Nifti1Image(MAPS[0], np.diag([2.0, 1, 1, 1])).to_filename("gm.nii.gz")
    with pytest.raises(InputError, match=r"gm\.nii\.gz lies elsewhere than t1\.nii"):
        prior_of("+".join(NAMES), image)
    with pytest.raises(InputError, match=r"none\.nii"):
        prior_of("csf.nii.gz+none.nii", image)
    np.save("one.npy", MAPS[:1, 1:])
    with pytest.raises(InputError, match=r"one\.npy has shape \(3, 5, 6\), but csf\.nii\.gz has \(4, 5, 6\)"):
        prior_of("csf.nii.gz+one.npy", image)
