"""Names of outputs, and which may be written."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from gmmseg.batch import plan
from gmmseg.batch.outputs import check_outputs, check_room, output_name, require_distinct
from gmmseg.errors import OutputError, ParameterError
from gmmseg.image import Image


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


def test_other_outputs_are_named_after_the_labels():
    assert output_name("labels", "deep/a_labels.tif") == "deep/a_labels.tif"
    assert output_name("soft", "deep/a_labels.tif") == "deep/a_soft.npz"
    assert output_name("overlay", "b_labels_labels.png") == "b_labels_overlay.png"
    assert output_name("model", "a_labels.png") == "a_model.gmm.json"


@pytest.mark.parametrize(
    ("outputs", "error", "words"),
    [
        ({"depth": "a.npy"}, ParameterError, "outputs has 'depth', which is nothing to write; use labels, "),
        ({"model": "a.png"}, OutputError, "a.png: models are written as JSON"),
        ({"labels": "a.jpg"}, OutputError, r"a\.jpg has the suffix '\.jpg'"),
        ({"soft": "none/a.npz"}, OutputError, "the folder none does not exist"),
        ({"overlay": "a.npy"}, OutputError, "which a picture cannot be written to"),
        ({"labels": "there.png"}, OutputError, r"there\.png exists already"),
    ],
)
def test_outputs_that_could_not_be_written(tmp_path, monkeypatch, outputs, error, words):
    monkeypatch.chdir(tmp_path)
    Path("there.png").touch()
    with pytest.raises(error, match=words):
        check_outputs({kind: Path(name) for kind, name in outputs.items()}, overwrite=False)
    check_outputs({"labels": Path("there.png")}, overwrite=True)


def test_frames_in_time_have_no_overlay(tmp_path):
    frames = Image.from_array(np.zeros((2, 3, 4), np.uint8), axes="TYX")
    outputs = {"overlay": tmp_path / "o.png"}
    check_room(Path("v.npy"), outputs, Image(np.zeros((2, 3, 4, 1), np.uint8)))
    with pytest.raises(OutputError, match="an overlay needs a picture or a volume, v.npy has frames in time; leave it"):
        check_room(Path("v.npy"), outputs, frames)
    with pytest.raises(OutputError, match="contours need a picture or a volume"):
        check_room(Path("v.npy"), {"contours": tmp_path / "c.png"}, frames)


def test_files_are_the_same_through_links_and_before_they_exist(tmp_path):
    (tmp_path / "in.png").touch()
    (tmp_path / "link.png").symlink_to("in.png")
    source = tmp_path / "in.png"
    for target, words in (("link.png", "which is an input"), ("sub/../in.png", "which is an input")):
        (tmp_path / "sub").mkdir(exist_ok=True)
        with pytest.raises(ParameterError, match=words):
            require_distinct([(source, {"labels": tmp_path / target})], [source])
    twice = {"labels": tmp_path / "a.png", "overlay": tmp_path / "sub" / ".." / "a.png"}
    with pytest.raises(ParameterError, match="is named for two results; give each its own name"):
        require_distinct([(source, twice)], [source])
    require_distinct([(source, {"labels": tmp_path / "a.png", "soft": tmp_path / "b.png"})], [source])
