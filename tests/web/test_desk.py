"""The desk: what is kept, which files are written, and that they equal those of the printed commands."""

import json
import shlex
import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest
import tifffile
from dicom_slices import dataset, position
from PIL import Image as Pillow

import gmmseg
from gmmseg import GmmsegError, OutputError, ParameterError
from gmmseg.cli import main
from gmmseg.io.strokes import strokes_of
from gmmseg.web.desk import Desk, run_command
from gmmseg.web.log import load_log
from gmmseg.web.painting import painted
from gmmseg.web.replaying import replay_commands

STROKE = {"do": "stroke", "class": 1, "size": 6, "points": [[5, 5], [30, 8]]}


@pytest.fixture
def photo(tmp_path):
    rng = np.random.default_rng(0)
    values = np.zeros((40, 60, 3), np.uint8)
    values[:, 20:] = (200, 60, 30)
    values[25:, 30:] = (240, 240, 200)
    (tmp_path / "work").mkdir()
    Pillow.fromarray(values + rng.integers(0, 15, values.shape, np.uint8)).save(tmp_path / "work" / "photo.png")
    return tmp_path / "work" / "photo.png"


@pytest.fixture
def desk(photo):
    return Desk(photo, photo.parent)


def do(desk, **step):
    return desk.do({"step": step})


def test_everything_that_is_done_is_kept_at_once(desk, photo):
    do(desk, do="set", option="k", value=3)
    do(desk, do="merge", classes=[1, 2])
    assert desk.undo({})["work"]["groups"] == []
    assert Desk(photo, photo.parent).redo({})["work"]["groups"] == [[1, 2]]
    assert load_log(photo.parent / "photo.gmmseg.json").done == 2


def test_a_step_that_is_refused_changes_no_file(desk, photo):
    do(desk, do="set", option="k", value=3)
    before = (photo.parent / "photo.gmmseg.json").read_bytes()
    with pytest.raises(ParameterError, match="no class 9"):
        do(desk, do="hide", **{"class": 9}, hidden=True)
    assert (photo.parent / "photo.gmmseg.json").read_bytes() == before


def test_a_step_may_be_tried_without_being_done(desk, photo):
    answer = desk.classes({"ticket": 1, "step": {"do": "set", "option": "k", "value": 2}})
    assert len(answer["classes"]) == 2
    assert desk.state({})["work"]["options"] == {"k": 4}
    assert [each.name for each in photo.parent.iterdir()] == ["photo.png"]


def test_stale_questions_are_not_worked_on(desk):
    assert desk.classes({"ticket": 5})["stale"] is False
    assert desk.classes({"ticket": 4}) == {"ticket": 4, "stale": True, "newest": 5}
    assert desk.classes({"ticket": 5})["stale"] is True  # another page's, which happens to count as the first does


def test_a_pasted_command_is_what_is_shown(desk):
    command = "gmmseg segment photo.png -k 3 --smooth 0.25 -o photo_labels.png"
    assert desk.paste({"text": command})["command"] == command


EXPORTED = {
    "labels": ["photo_labels.png"],
    "geotiff": ["photo_labels.tif"],
    "soft": ["photo_soft.npz"],
    "coco": ["photo_coco.json"],
    "masks": ["photo_masks"],
    "cutout": ["photo_cutout.png"],
}


@pytest.mark.slow
@pytest.mark.parametrize("edited", [False, True])
@pytest.mark.parametrize(("kind", "names"), EXPORTED.items())
def test_files_equal_those_of_the_printed_command_byte_for_byte(
    desk, photo, tmp_path, monkeypatch, kind, names, edited
):
    do(desk, do="set", option="k", value=4)
    if edited:
        do(desk, do="set", option="smooth", value=0.35)
        do(desk, **STROKE)
        do(desk, do="name", **{"class": 3}, name="sea side")
        do(desk, do="merge", classes=[2, 4])
    printed = desk.export({"kind": kind, "classes": [2]})
    assert {*names} <= {*printed["files"]}
    other = tmp_path / "other"
    other.mkdir()
    for name in ("photo.png", "photo_strokes.png"):
        if (photo.parent / name).exists():
            (other / name).write_bytes((photo.parent / name).read_bytes())
    monkeypatch.chdir(other)
    for command in printed["command"].split(" && "):
        assert main(shlex.split(command)[1:]) == 0
    for name in names:
        mine, theirs = photo.parent / name, other / name
        for ours in sorted(mine.iterdir()) if mine.is_dir() else [mine]:
            twin = theirs / ours.name if mine.is_dir() else theirs
            assert ours.read_bytes() == twin.read_bytes(), ours.name


@pytest.mark.slow
def test_regions_are_exported_as_the_printed_command_and_the_log_do(desk, photo, tmp_path, monkeypatch):
    do(desk, do="set", option="detail", value=0.9)
    answer = desk.classes({"ticket": 1})
    assert (answer["regions"], answer["whole"]) == (True, True)
    count = len(answer["classes"])
    labels = np.frombuffer(desk.layer(1, "labels"), "<u2").reshape(answer["shape"])
    assert labels.max() == count > 2
    with pytest.raises(ParameterError, match="regions have none"):
        desk.layer(1, "uncertainty")
    do(desk, do="foreground", classes=[1, 2], others=list(range(3, count + 1)))
    printed = desk.export({"kind": "labels"})
    assert printed["files"] == ["photo_pieces.png", "photo_regions.png"]
    exported = (photo.parent / "photo_regions.png").read_bytes()
    assert desk.export({"kind": "coco"})["files"][-1] == "photo_coco.json"
    assert len(json.loads((photo.parent / "photo_coco.json").read_text())["categories"]) == 1
    np.testing.assert_array_equal(np.asarray(Pillow.open(photo.parent / "photo_regions.png")), np.isin(labels, (1, 2)))
    other = tmp_path / "other"
    other.mkdir()
    (other / "photo.png").write_bytes(photo.read_bytes())
    monkeypatch.chdir(other)
    for command in printed["command"].split(" && "):
        assert main(shlex.split(command)[1:]) == 0
    assert (other / "photo_regions.png").read_bytes() == exported
    assert (
        main(["segment", "--replay", str(photo.parent / "photo.gmmseg.json"), "-o", "again.png", "-q", "--overwrite"])
        == 0
    )
    assert (other / "again.png").read_bytes() == exported


def test_a_file_that_the_page_did_not_write_is_replaced_only_on_request(desk, photo):
    target = photo.parent / "photo_labels.png"
    target.write_text("mine")
    with pytest.raises(OutputError, match=r"photo_labels\.png exists already"):
        desk.export({"kind": "labels"})
    assert target.read_text() == "mine"
    assert "--overwrite" in desk.export({"kind": "labels", "overwrite": True})["command"]
    assert desk.export({"kind": "labels"})["files"] == ["photo_labels.png"]


@pytest.mark.parametrize("name", ["photo_labels.png", "photo.gmmseg.json", "photo_strokes.png"])
def test_links_out_of_the_folder_are_not_followed(photo, tmp_path, name):
    outside = tmp_path / "outside"
    outside.write_text("mine")
    (photo.parent / name).symlink_to(outside)
    with pytest.raises(OutputError, match=f"{name} leads out of"):
        everything(Desk(photo, photo.parent))
    assert outside.read_text() == "mine"


def everything(desk):
    do(desk, **STROKE)
    desk.export({"kind": "labels", "overwrite": True})


def test_the_log_of_another_image_is_left_alone(desk, photo):
    do(desk, do="set", option="k", value=3)
    path = photo.parent / "photo.gmmseg.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"image": "other.png"}))
    with pytest.raises(OutputError, match=r"is the log of other\.png"):
        Desk(photo, photo.parent)


def test_an_image_elsewhere_is_named_by_its_whole_path(photo, tmp_path, monkeypatch):
    (tmp_path / "results").mkdir()
    monkeypatch.chdir(photo.parent)
    desk = Desk(Path("photo.png"), tmp_path / "results")
    desk.export({"kind": "labels"})
    assert str(photo) in desk.state({})["command"]
    assert [each.name for each in (tmp_path / "results").iterdir()] == ["photo_labels.png"]
    assert [each.name for each in photo.parent.iterdir()] == ["photo.png"]


def test_what_went_wrong_in_a_command_is_said(desk):
    photo = desk.folder / "photo.png"
    photo.write_bytes(b"nothing")
    with pytest.raises(GmmsegError, match=r"^photo\.png"):
        desk.export({"kind": "labels"})


def test_layers_are_of_the_classes_found_last(desk):
    desk.classes({"ticket": 3})
    assert len(desk.layer(3, "uncertainty")) == 40 * 60
    assert set(desk.layer(3, "labels")) == {1, 2, 3, 4}
    with pytest.raises(ParameterError, match="is stale"):
        desk.layer(2, "labels")
    with pytest.raises(ParameterError, match="is none"):
        desk.layer(3, "secrets")


def ball(shape):
    """A bright ball on a ground that becomes brighter along the last axis."""
    places = np.indices(shape) - (np.array(shape) / 2).reshape(3, 1, 1, 1)
    within = (places**2).sum(axis=0) < 90
    return np.where(within, 180, 40 + places[2] * 2) + np.random.default_rng(0).integers(-5, 6, shape)


def write_scan(folder, name):
    """A volume in the format that its name says, slices of DICOM where that is none."""
    values = ball((20, 40, 30))
    if name == "stack.tif":
        tifffile.imwrite(folder / name, np.uint8(values), imagej=True, metadata={"axes": "ZYX"})
    elif name == "scan.nii":
        turned = np.array([[0, 0, -2.0, 30], [1.5, 0, 0, -9], [0, 1.5, 0, 4], [0, 0, 0, 1]])
        nibabel.save(nibabel.Nifti1Image(np.int16(values), turned), folder / name)
    elif name == "cube.mha":
        header = "ObjectType = Image\nNDims = 3\nDimSize = 30 40 20\nElementSpacing = 1 1 2\nElementType = MET_USHORT\n"
        (folder / name).write_bytes(f"{header}ElementDataFile = LOCAL\n".encode() + np.uint16(values).tobytes())
    else:
        (folder / name).mkdir()
        for number, values_of in enumerate(np.uint16(values)):
            made = dataset(number, values_of, ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
            made.ImagePositionPatient = position(number, (1, 0, 0, 0, 1, 0))
            made.save_as(folder / name / f"{number}.dcm", enforce_file_format=True)
    return folder / name


def mark(cuts, label, size=4):
    """A stroke across the first cut of a volume, a third down."""
    down, across = cuts.sizes[cuts.order[1]], cuts.sizes[cuts.order[2]]
    points = [[2.5, down // 3 + 0.5], [across - 2.5, down // 3 + 0.5]]
    return {"do": "stroke", "class": label, "size": size, "points": points, "at": [n // 2 for n in cuts.shape]}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "strokes"),
    [
        ("scan.nii", "scan_strokes.nii.gz"),
        ("stack.tif", "stack_strokes.tif"),
        ("cube.mha", "cube_strokes.mha"),
        ("slices", "slices_strokes.dcm"),
    ],
)
def test_strokes_on_a_volume_are_those_of_the_command_and_of_the_log(tmp_path, monkeypatch, name, strokes):
    image = write_scan(tmp_path, name)
    desk = Desk(image, tmp_path)
    cuts = desk.preview.cuts
    do(desk, do="set", option="k", value=3)
    do(desk, **mark(cuts, 3))
    first = mark(cuts, 1, 7)
    do(desk, **{**first, "points": [[5.5, 5.5]], "at": [*first["at"][:2], first["at"][2] + 1]})
    printed = desk.export({"kind": "labels"})
    assert f"--scribbles {strokes}" in printed["command"]
    drawn = strokes_of(tmp_path / strokes, desk.preview.image)
    assert {*np.unique(drawn)} == {0, 1, 3}
    np.testing.assert_array_equal(drawn, painted(desk.log.work.strokes, drawn.shape, cuts))
    desk.classes({"ticket": 1, "whole": True})
    applied = np.frombuffer(desk.layer(1, "labels", first["at"]), np.uint8).reshape(desk.preview.shape)
    (exported,) = printed["files"]
    saved = strokes_of(tmp_path / exported, desk.preview.image)
    np.testing.assert_array_equal(applied, cuts.laid(saved, first["at"]))
    assert (saved[drawn > 0] == drawn[drawn > 0]).all()
    other = tmp_path / "other"
    other.mkdir()
    monkeypatch.chdir(other)
    (shutil.copytree if image.is_dir() else shutil.copy)(image, other / name)
    for command in replay_commands(desk.file):
        command[1] = name
        assert main([*command, "-q"]) == 0
    assert (other / strokes).read_bytes() == (tmp_path / strokes).read_bytes()
    assert (other / exported).read_bytes() == (tmp_path / exported).read_bytes()
    assert [each["class"] for each in desk.undo({})["paths"]] == [3]
    desk.close()
    assert {*np.unique(strokes_of(tmp_path / strokes, desk.preview.image))} == {0, 3}


def test_strokes_of_pictures_are_none_of_volumes(desk, tmp_path):
    cube = Desk(write_scan(tmp_path, "stack.tif"), tmp_path)
    wanted = mark(cube.preview.cuts, 1)
    with pytest.raises(ParameterError, match="at=.* of a stroke is not usable"):
        do(desk, **wanted)
    with pytest.raises(ParameterError, match="at=None of a stroke is not usable"):
        do(cube, **STROKE)
    with pytest.raises(ParameterError, match="is no voxel"):
        do(cube, **{**wanted, "at": [20, 0, 0]})
    assert not cube.file.exists()


def test_strokes_that_were_not_yet_written_are_when_the_page_is_opened_again(desk, photo):
    do(desk, **STROKE)
    assert not (photo.parent / "photo_strokes.png").exists()  # strokes do not wait for it
    Desk(photo, photo.parent).close()
    assert np.asarray(Pillow.open(photo.parent / "photo_strokes.png"))[6, 10] == 1


def test_what_is_warned_of_is_told_with_the_classes_and_with_what_is_saved(tmp_path):
    Pillow.fromarray(np.full((8, 8), 100, np.uint8)).save(tmp_path / "grey.png")
    desk = Desk(tmp_path / "grey.png", tmp_path)
    with pytest.warns(gmmseg.GmmsegWarning, match="k=1 was used"):
        told = desk.classes({"ticket": 1})["warnings"]
    said = "k=4 classes were asked for, but the sampled pixels have only 1 distinct colour; k=1 was used"
    assert told == [{"text": said, "place": None}]
    assert desk.export({"kind": "labels"})["warnings"] == [f"grey.png: {said}"]
    do(desk, do="set", option="k", value=1)
    assert desk.classes({"ticket": 2})["warnings"] == []


def test_what_was_odd_about_the_file_is_told_with_all_classes(tmp_path):
    values = np.where(np.arange(64).reshape(8, 8) < 32, 1.0, 2.0)
    values[0, 0] = np.nan
    np.save(tmp_path / "odd.npy", values)
    with pytest.warns(gmmseg.GmmsegWarning, match="1 pixels are NaN"):
        desk = Desk(tmp_path / "odd.npy", tmp_path)
    for ticket, detail in ((1, None), (2, None)):
        do(desk, do="set", option="k", value=2 - (detail or 0))
        (told,) = desk.classes({"ticket": ticket})["warnings"]
        assert told["text"].startswith("1 pixels are NaN")


@pytest.mark.slow
def test_a_stack_is_exported_as_its_log_is_replayed(tmp_path):
    z, y, x = np.mgrid[:6, :30, :40]
    values = np.where((x - 20) ** 2 + (y - 15) ** 2 < 90, 180, 40 + x) + np.random.default_rng(0).integers(
        -5, 6, z.shape
    )
    tifffile.imwrite(tmp_path / "stack.tif", np.uint8(values), imagej=True, metadata={"axes": "ZYX"})
    desk = Desk(tmp_path / "stack.tif", tmp_path)
    with pytest.raises(ParameterError, match=r"regions are of pictures, not of the volume stack\.tif"):
        desk.do({"step": {"do": "set", "option": "detail", "value": 0.5}})
    desk.do({"step": {"do": "set", "option": "k", "value": 3}})
    desk.do({"step": {"do": "merge", "classes": [1, 2]}})
    assert desk.export({"kind": "labels"})["files"] == ["stack_classes.tif", "stack_labels.tif"]
    exported = (tmp_path / "stack_labels.tif").read_bytes()
    for command in replay_commands(tmp_path / "stack.gmmseg.json", output="again.tif", overwrite=True):
        run_command(command, tmp_path)
    assert (tmp_path / "again.tif").read_bytes() == exported
