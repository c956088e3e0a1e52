"""Names of masks and priors by patterns."""

from pathlib import Path

import numpy as np
import pytest

from gmmseg.batch.guide_names import masks_of, named_by, root_of
from gmmseg.errors import InputError, ParameterError
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


def test_the_data_set_of_an_image():
    assert root_of(Path("/a/raw/sub-1/ses-a/anat/a.nii")) == Path("/a/raw")
    assert root_of(Path("raw/sub-1/sub-1/a.nii")) == Path("raw")
    assert root_of(Path("raw/a.nii")) == Path("raw")


DERIVED = Path("{dataset}/derivatives/bet/{subfolder}/{stem}_desc-brain_mask.nii.gz")


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("raw/sub-1/ses-a/anat/sub-1_ses-a_run-2_T1w.nii.gz", "raw/{}/sub-1/ses-a/anat/sub-1_ses-a_run-2"),
        ("raw/sub-1/anat/sub-1_T1w.nii", "raw/{}/sub-1/anat/sub-1"),
        ("raw/sub-1/t1.nii", "raw/{}/sub-1/t1"),  # which has no _
        ("raw/a_b.nii", "raw/{}/a"),
        ("/raw/sub-1/anat/sub-1_T1w.nii", "/raw/{}/sub-1/anat/sub-1"),
    ],
)
def test_a_pattern_names_a_file_of_a_derivative(image, mask):
    expected = f"{mask.format('derivatives/bet')}_desc-brain_mask.nii.gz"
    assert named_by("mask", DERIVED, Path(image)) == Path(expected)


def test_a_data_set_may_lie_above_the_working_folder(tmp_path, monkeypatch):
    folder = tmp_path / "sub-1" / "anat"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    expected = Path("../../derivatives/bet/sub-1/anat/sub-1_desc-brain_mask.nii.gz")
    assert named_by("mask", DERIVED, Path("sub-1_T1w.nii.gz")) == expected


def test_a_pattern_asks_for_a_session_that_an_image_has_not():
    with pytest.raises(ParameterError, match=r"a\.nii: its path names no session, .*; write \{subfolder\} for"):
        named_by("mask", Path("{session}/{name}.nii"), Path("sub-1/a.nii"))
