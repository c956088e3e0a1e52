"""Names of outputs, and which may be written."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from gmmseg.batch import plan
from gmmseg.errors import OutputError, ParameterError


def test_formats_of_label_maps(tmp_path):
    np.save(tmp_path / "volume.npy", np.zeros((3, 4, 5), np.uint8))
    np.save(tmp_path / "flat.npy", np.zeros((4, 5), np.uint8))
    (tmp_path / "scan.nii.gz").write_bytes(b"\0" * 344 + b"n+1\0")
    (tmp_path / "slice.dcm").write_bytes(b"\0" * 128 + b"DICM")
    shutil.copytree(tmp_path, tmp_path / "all", ignore=shutil.ignore_patterns("slice.dcm"))
    made = plan(tmp_path / "all", tmp_path / "labels", reading={"channel_axis": None})
    assert [step.key for step in made.steps] == ["flat_labels.png", "scan_labels.nii.gz", "volume_labels.tif"]
    assert plan(tmp_path / "slice.dcm", tmp_path / "labels").steps[0].key == "slice_labels.dcm"


def test_two_inputs_with_one_output_are_refused(scenes):
    Pillow.open(scenes / "a.png").save(scenes / "a.tif")
    Pillow.open(scenes / "a.png").save(scenes / "a.jpg")
    with pytest.raises(ParameterError, match=r"scenes/a\.jpg and scenes/a\.png would both be written to"):
        plan(scenes, "labels")
    assert not Path("labels").exists()


def test_inputs_are_never_written_over(scenes):
    shutil.copy(scenes / "a.png", scenes / "a_labels.png")
    with pytest.raises(ParameterError, match=r"a_labels\.png would be written over .*a_labels\.png, which is an input"):
        plan(["scenes/a.png", "scenes/a_labels.png"], "scenes")
    for sources in (scenes, "scenes/*.png", "scenes/**/*.png"):
        with pytest.raises(OutputError, match=r"scenes/deep/\.\. is where the images are; choose another folder"):
            plan(sources, "scenes/deep/..")
    assert len(plan("scenes/*.png", ".").images) == 4
    assert len(plan("**/*.png", "scenes/deep").images) == 4
