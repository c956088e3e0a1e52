"""gmmseg batch: what it prints, its exit codes, and that it resumes."""

import csv
import fcntl
import json
import os
import shutil
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import tifffile
from dicom_slices import COLUMNS, ROWS, dataset, position
from PIL import Image as Pillow
from terminals import Terminal

import gmmseg
from gmmseg.cli.batch import _warnings_of
from gmmseg.io.temporary import temporary_folder


@pytest.fixture
def scenes(folder):
    """A folder of four pictures and two other files, beside those of `folder`."""
    scenes = folder / "scenes"
    (scenes / "deep").mkdir(parents=True)
    for name in ("a.png", "b.png", "deep/a.png"):
        shutil.copy("photo.png", scenes / name)
    shutil.copy("scan.png", scenes / "deep" / "scan ü.png")
    (scenes / "notes.txt").write_text("no image")
    (scenes / "table.csv").write_text("1,2,3\n")
    return scenes


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


LABELS = ["a_labels.png", "b_labels.png", "deep/a_labels.png", "deep/scan ü_labels.png"]


@pytest.mark.slow
def test_a_folder(run, scenes, folder):
    finished = run("batch", "scenes", "-k", 3, "--out-dir", "labels", "--jobs", 2)
    assert finished.code == 0
    assert finished.out.startswith("4 done in ")
    assert finished.out.endswith(" s; results in labels, one line an image in labels/manifest.jsonl\n")
    assert finished.err.splitlines() == [
        "gmmseg: skipped scenes/notes.txt: starts with text, which is no known image",
        "gmmseg: skipped scenes/table.csv: starts with text, which is no known image",
    ]
    assert files(folder / "labels") == [*LABELS, "manifest.jsonl"]
    with Pillow.open("labels/deep/a_labels.png") as picture:
        np.testing.assert_array_equal(np.array(picture), gmmseg.segment("photo.png", 3).labels)


@pytest.mark.slow
def test_resuming(run, refuse, scenes, folder):
    assert run("batch", "scenes", "--out-dir", "labels", "-q").out == ""
    arguments = ("batch", "scenes", "--out-dir", "labels")
    assert "a_labels.png and 3 more exist already; pass --resume" in refuse(*arguments, code=1)
    assert run(*arguments, "--resume").out == "nothing to do: all 4 images are done; see labels/manifest.jsonl\n"
    (folder / "labels" / "b_labels.png").unlink()
    assert run(*arguments, "--resume").out.startswith("1 done in ")
    assert run(*arguments, "--resume", "-k", 4, "--smooth", "auto").out.startswith("nothing to do")
    (folder / "labels" / "b_labels.png").unlink()
    assert ", 3 done before; " in run(*arguments, "--resume").out
    assert run(*arguments, "--overwrite").out.startswith("4 done in ")
    assert "contradict each other" in refuse(*arguments, "--overwrite", "--resume", code=2)


@pytest.mark.slow
def test_a_data_set_of_all_images_on_the_way(run, refuse, scenes, folder):
    finished = run(
        "batch", "scenes", "-k", 2, "--class-names", "sea,land", "--out-dir", "labels", "--also", "coco,yolo"
    )
    assert finished.code == 0
    assert [line.partition(":")[0] for line in finished.out.splitlines()[1:]] == [
        "wrote labels/coco.json",
        "wrote labels/yolo",
    ]
    data = json.loads((folder / "labels" / "coco.json").read_text())
    names = ["a.png", "b.png", "deep/a.png", "deep/scan ü.png"]
    assert [each["file_name"] for each in data["images"]] == names
    assert [each["name"] for each in data["categories"]] == ["sea", "land"]
    yolo = folder / "labels" / "yolo"
    assert files(yolo / "images" / "train") == names
    assert (yolo / "images" / "train" / "b.png").read_bytes() == Path("scenes/b.png").read_bytes()
    Path("labels/coco.json").write_text("{}")
    assert run(
        "batch", "scenes", "-k", 2, "--class-names", "sea,land", "--out-dir", "labels", "--also", "coco", "--resume"
    )
    assert json.loads((folder / "labels" / "coco.json").read_text()) == data
    Path("more").mkdir()
    Path("more/voc").write_text("mine")
    words = refuse("batch", "scenes", "-k", 2, "--out-dir", "more", "--also", "voc", code=1)
    assert "more/voc is a file, but a folder is written" in words


@pytest.mark.slow
def test_volumes_are_done_although_they_fit_no_data_set(run, folder):
    (folder / "volumes").mkdir()
    np.save("volumes/a.npy", np.arange(600, dtype=np.uint8).reshape(6, 10, 10))
    finished = run("batch", "volumes", "-k", 2, "--channel-axis", "none", "--out-dir", "labels", "--also", "coco")
    assert finished.code == 1
    assert finished.err.startswith("gmmseg: error: labels/coco.json was not written: labels/a_labels.tif: labels have")
    assert "; the label maps are done and kept" in finished.err
    assert files(folder / "labels") == ["a_labels.tif", "manifest.jsonl"]


@pytest.mark.slow
def test_dry_run_writes_nothing(run, scenes, folder):
    (scenes / "cut.png").write_bytes((scenes / "a.png").read_bytes()[:300])
    finished = run("batch", "scenes", "--out-dir", "labels", "--dry-run")
    assert not (folder / "labels").exists()
    rows = finished.out.splitlines()
    assert rows[0].split(maxsplit=2) == ["process", "scenes/a.png", "no result yet"]
    assert rows[-1] == "7 files: 5 to process, 2 to skip"
    assert run("batch", "scenes", "--out-dir", "labels", "-q").code == 3
    (folder / "labels" / "a_labels.png").write_bytes(b"")
    records = [
        json.loads(text)
        for text in run("batch", "scenes", "--out-dir", "labels", "--resume", "--dry-run", "--json").out.splitlines()
    ]
    found = {record["input"]: (record["action"], record["reason"].partition(":")[0]) for record in records}
    assert found["scenes/a.png"] == ("redo", "a_labels.png has changed")
    assert found["scenes/b.png"] == ("skip", "done")
    assert found["scenes/cut.png"] == ("redo", "failed before")
    assert found["scenes/notes.txt"][0] == "skip"
    assert records[0]["outputs"] == {"labels": "labels/a_labels.png"}


@pytest.mark.slow
def test_json_is_the_manifest(run, scenes, folder):
    asked = ("--also", "soft,overlay", "--also", "anomaly", "--also", "model")  # all of them, not the last
    finished = run("batch", "scenes", "--out-dir", "labels", "-k", 2, "--json", *asked)
    assert finished.code == 0
    assert finished.out == (folder / "labels" / "manifest.jsonl").read_text()
    assert len(finished.out.splitlines()) == 4
    assert [name for name in files(folder / "labels") if "/" not in name and name.startswith("a")] == [
        "a_anomaly.tif",
        "a_labels.png",
        "a_model.gmm.json",
        "a_overlay.png",
        "a_soft.npz",
    ]
    direct = gmmseg.segment("photo.png", 2)
    np.testing.assert_array_equal(tifffile.imread("labels/a_anomaly.tif"), direct.anomaly)
    np.testing.assert_array_equal(np.load("labels/a_soft.npz")["probabilities"], direct.probabilities)


@pytest.mark.slow
def test_exit_codes_tell_some_from_all(run, scenes):
    broken = (scenes / "a.png").read_bytes()[:300]
    (scenes / "b.png").write_bytes(broken)
    finished = run("batch", "scenes", "-k", 2, "--out-dir", "labels")
    assert finished.code == 3
    assert "3 done in " in finished.out
    assert ", 1 failed; " in finished.out
    (said,) = [text for text in finished.err.splitlines() if "skipped" not in text]
    assert said.startswith("gmmseg: error: scenes/b.png is damaged or cut short")
    again = run("batch", "scenes", "-k", 2, "--out-dir", "labels", "--resume")
    assert again.code == 3
    assert ", 3 done before, 1 failed; " in again.out
    for path in scenes.rglob("*.png"):
        path.write_bytes(broken)
    assert run("batch", "scenes", "--out-dir", "other").code == 1


@pytest.mark.slow
def test_warnings_are_said_and_kept(run, folder):
    np.save("constant.npy", np.full((6, 5), 9, np.uint8))
    finished = run("batch", "constant.npy", "--out-dir", "labels", "--json")
    assert finished.err.startswith("gmmseg: warning: constant.npy: k=4 classes were asked for")
    assert finished.err.count("\n") == 1
    assert json.loads(finished.out)["warnings"][0].startswith("constant.npy: k=4")


def test_a_warning_names_its_image_once():
    line = {"input": "in/deep/a.png", "warnings": ["a.png: use seed=4", "EM stopped"]}
    assert _warnings_of(line) == ["a.png: use --seed 4", "in/deep/a.png: EM stopped"]
    assert _warnings_of({"input": "a.png"}) == []


@pytest.mark.slow
def test_a_model(run, refuse, scenes):
    gmmseg.fit("photo.png", 3).save("land.gmm.json")
    arguments = ("batch", "photo.png", "--model", "land.gmm.json", "--out-dir")
    assert run(*arguments, "labels").code == 0
    assert run(*arguments, "rough", "--no-smooth").code == 0
    model = gmmseg.load_model("land.gmm.json")
    for name, smooth in (("labels", None), ("rough", 0)):
        with Pillow.open(f"{name}/photo_labels.png") as picture:
            np.testing.assert_array_equal(np.array(picture), gmmseg.apply(model, "photo.png", smooth=smooth).labels)
    assert "-k is for finding classes, but --model brings them" in refuse(*arguments, "x", "-k", 3, code=2)
    assert "--class-names is for finding" in refuse(*arguments, "x", "--class-names", "a,b", code=2)
    assert "model none.json cannot be read" in refuse(
        "batch", "photo.png", "--model", "none.json", "--out-dir", "x", code=1
    )
    Path("cut.json").write_text(Path("land.gmm.json").read_text()[:-20])
    said = refuse("batch", "scenes", "--model", "cut.json", "--out-dir", "x", code=1)
    assert said.count("cut.json: not a usable model (") == 1
    assert not Path("x").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ("scenes", 2, "--out-dir is missing"),
        ("none --out-dir labels", 1, "none does not exist; give a folder, a pattern in quotes, a list or images"),
        ("scenes --out-dir scenes", 1, "scenes is where the images are"),
        ("scenes --out-dir photo.png", 1, "photo.png is not a folder"),
        ("scenes -q --out-dir /proc/none", 1, "/proc/none cannot be made"),
        ("scenes --out-dir labels --jobs 0", 2, "--jobs 0 is not usable"),
        ("scenes --out-dir labels --also depth", 2, "--also depth is not known; use soft, uncertainty"),
        ("scenes --out-dir labels --smooth 1 --no-smooth", 2, "contradict each other"),
        ("scenes/a.png scenes/deep/a.png scenes/a.png --out-dir labels", 2, "scenes/a.png is given twice"),
    ],
)
def test_refused(refuse, scenes, arguments, code, words):
    assert words in refuse("batch", *arguments.split(), code=code)


def test_two_images_for_one_label_map(refuse, scenes):
    Pillow.open("photo.png").save(scenes / "a.jpg")
    text = refuse("batch", "scenes", "--out-dir", "labels", code=2)
    assert "scenes/a.jpg and scenes/a.png would both be written to labels/a_labels.png" in text


@pytest.mark.slow
def test_two_runs_at_once(run, scenes, folder):
    (folder / "labels").mkdir()
    with open(folder / "labels" / ".gmmseg-batch.lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(f"{os.getpid()}\n")
        file.flush()
        finished = run("batch", "scenes", "--out-dir", "labels", "-q")
    assert finished.code == 1
    assert finished.err == (
        f"gmmseg: error: another batch (process {os.getpid()}) is at work in labels; wait for its end\n"
    )
    assert files(folder / "labels") == [".gmmseg-batch.lock"]
    # Of a run that was killed, as is the lock's file.
    with temporary_folder(folder / "labels") as mine:
        left = mine.with_name(mine.name.replace(f"-{os.getpid()}-", f"-{1 << 40}-"))
    left.mkdir()
    (left / "optimised.tif").touch()
    assert run("batch", "scenes", "--out-dir", "labels", "-q").code == 0
    assert files(folder / "labels") == [*LABELS, "manifest.jsonl"]


@pytest.mark.slow
@pytest.mark.parametrize("quiet", [False, True])
def test_progress_only_where_someone_watches(run, scenes, monkeypatch, quiet):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert run("batch", "scenes", "-k", 2, "--out-dir", "labels", *(["-q"] if quiet else [])).code == 0
    text = terminal.getvalue()
    if quiet:
        assert text == ""
        return
    assert "4 of 4 images, " in text
    assert "0 s left" in text
    assert text.endswith("\r\x1b[K")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("part", "heavy"), [("", "'scipy', 'skimage', 'cv2', 'PIL', 'multiprocessing'"), ("deep", "'numpy'")]
)
def test_the_parent_loads_nothing_heavy(scenes, fresh_python, part, heavy):
    # GDAL is asked what the two files are that are no pictures, and loads NumPy.
    code = (
        "import sys; from gmmseg.cli import main; code = main(sys.argv[1:]);"
        f"print(code, *sorted({{{heavy}}} & set(sys.modules)))"
    )
    out = fresh_python(code, "batch", scenes / part, "--out-dir", Path("labels"), "-q")
    assert out.split() == ["0"]


def test_one_table_of_all_images(run, scenes):
    command = ("batch", scenes, "-k", 2, "--out-dir", "out", "--table", "t.csv")
    assert run(*command).out.endswith("wrote t.csv: 4 images\n")
    with open("t.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [Path(row["image"]).name for row in rows[::2]] == [
        path.split("/")[-1].replace("_labels", "") for path in LABELS
    ]
    assert [row["label"] for row in rows] == ["1", "2"] * 4
    for row, path in zip(rows[::2], LABELS, strict=True):
        assert int(row["pixels"]) == (gmmseg.io.read_labels(Path("out", path)) == 1).sum()
    before = Path("t.csv").read_bytes()
    assert run(*command, "--resume").out.endswith("wrote t.csv: 4 images\n")
    assert Path("t.csv").read_bytes() == before


@pytest.mark.slow
def test_a_data_set_that_is_asked_for_twice_is_written_once(run, scenes, folder):
    finished = run("batch", "scenes", "-k", 2, "--out-dir", "labels", "--also", "yolo,yolo")
    assert finished.code == 0
    assert finished.out.count("yolo") == 1


def test_a_dry_run_refuses_what_a_run_would(refuse, scenes, folder):
    Path("classes.csv").write_text("mine")
    words = refuse("batch", "scenes", "-k", 2, "--out-dir", "labels", "--table", "classes.csv", "--dry-run", code=1)
    assert "classes.csv exists" in words


def scan(path, seed, shift=0.0):
    """Write a small head of three tissues, with its mask beside it that is stored from the other end."""
    rng = np.random.default_rng(seed)
    values = np.zeros((12, 14, 10))
    values[2:10, 2:12, 2:8], values[4:8, 4:10, 3:7], values[5:7, 6:8, 4:6] = 50, 100, 150
    affine = np.diag([-2.0, 2, 2, 1])
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image((values + rng.normal(0, 3, values.shape)).astype(np.float32), affine), path)
    turned = affine @ np.array([[-1, 0, 0, 11], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    turned[0, 3] += shift
    mask = path.with_name(path.name.replace("_T1w", "_mask"))
    nib.save(nib.Nifti1Image((values > 25).astype(np.uint8)[::-1], turned), mask)
    return mask


def test_scenes_of_which_each_has_a_mask_by_values(run, rng):
    Path("scenes").mkdir()
    masks = {}
    for name, cloudy in (("a", 4), ("b", 9)):
        np.save(f"scenes/{name}.npy", np.repeat([40.0, 200.0], 8)[:, None] + rng.normal(0, 3, (16, 16)))
        masks[name] = np.where(np.arange(16) < cloudy, 9, 4) * np.ones((16, 1), np.int16)
        np.save(f"scenes/{name}_qa.npy", masks[name])
    arguments = ("batch", "scenes", "-k", 2, "--mask-values", "{folder}/{name}_qa.npy:4,5", "--out-dir", "out")
    finished = run(*arguments)
    assert finished.out.startswith("2 done in ")
    assert "scenes/a_qa.npy: is the mask of an image" in finished.err
    for name, mask in masks.items():
        np.testing.assert_array_equal(gmmseg.io.read_labels(f"out/{name}_labels.png") > 0, mask == 4)
    assert run(*arguments, "--resume").out.startswith("nothing to do")
    np.save("scenes/b_qa.npy", masks["a"])
    rows = run(*arguments, "--resume", "--dry-run").out.splitlines()
    assert ["redo", "scenes/b.npy", "the mask has changed"] in [row.split(maxsplit=2) for row in rows]
    Path("scenes/b_qa.npy").unlink()
    finished = run(*arguments, "--resume")
    assert finished.code == 3
    assert "scenes/b.npy: its mask scenes/b_qa.npy does not exist; add it, or leave the image out" in finished.err


@pytest.mark.slow
def test_a_study_whose_subjects_have_masks(run, folder):
    masks = [scan(Path(f"raw/sub-{n}/anat/sub-{n}_T1w.nii.gz"), n, shift=30.0 * (n == 3)) for n in (1, 2, 3)]
    held = masks[1].read_bytes()
    masks[1].unlink()
    arguments = ("batch", "raw", "-k", 3, "--mask", "{folder}/{subject}_mask.nii.gz", "--bias-field")
    arguments += ("--out-dir", "out", "--also", "soft,bias,corrected", "--table", "volumes.csv", "--jobs", 1)
    first = run(*arguments)
    assert first.code == 3
    errors = [line for line in first.err.splitlines() if "error" in line]
    assert errors[0] == (
        "gmmseg: error: raw/sub-2/anat/sub-2_T1w.nii.gz: its mask raw/sub-2/anat/sub-2_mask.nii.gz does not exist; "
        "add it, or leave the image out"
    )
    assert "sub-3_mask.nii.gz" in errors[1]
    assert len(errors) == 2
    masks[1].write_bytes(held)
    scan(Path("raw/sub-3/anat/sub-3_T1w.nii.gz"), 3)
    assert run(*arguments, "--resume").out.startswith("2 done in ")
    for kind in ("labels", "soft", "bias", "corrected"):
        written = nib.load(f"out/sub-2/anat/sub-2_T1w_{kind}.nii.gz")
        np.testing.assert_array_equal(written.affine, np.diag([-2.0, 2, 2, 1]))
    labels = np.asarray(nib.load("out/sub-2/anat/sub-2_T1w_labels.nii.gz").dataobj)
    np.testing.assert_array_equal(labels > 0, np.asarray(nib.load(masks[1]).dataobj)[::-1] > 0)
    assert Path("volumes.csv").read_text().count("\n") == 10
    smaller = np.asarray(nib.load(masks[0]).dataobj).copy()
    smaller[:3] = 0
    nib.save(nib.Nifti1Image(smaller, nib.load(masks[0]).affine), masks[0])
    rows = run(*arguments, "--resume", "--dry-run").out.splitlines()
    assert rows[0].split(maxsplit=2) == ["redo", "raw/sub-1/anat/sub-1_T1w.nii.gz", "the mask has changed"]
    assert rows[1].split(maxsplit=2) == ["skip", "raw/sub-1/anat/sub-1_mask.nii.gz", "is the mask of an image"]
    assert rows[-1] == "6 files: 1 to redo, 5 to skip"


@pytest.mark.slow
def test_the_table_of_a_study(run, refuse, folder):
    mask = scan(Path("raw/t1_T1w.nii.gz"), 0)
    shutil.copy("raw/t1_T1w.nii.gz", "raw/t2.nii.gz")
    rows = (
        "image\tmask\tout",
        "raw/t1_T1w.nii.gz\traw/t1_mask.nii.gz\tone/tissue",
        "raw/t1_T1w.nii.gz+raw/t2.nii.gz\t\ttwo",
        "raw/t2.nii.gz",
        "raw/t2.nii.gz+raw/none.nii.gz\t\tfour",
    )
    Path("study.tsv").write_text("\n".join(rows))
    arguments = ("batch", "--table", "study.tsv", "--out-dir", "out", "-k", 3, "--jobs", 1)
    finished = run(*arguments, "--table", "all.csv")
    assert finished.code == 3
    words = "study.tsv, line 4 has 1 cells for 3 columns (image, mask, out); mend the line"
    assert f"gmmseg: error: raw/t2.nii.gz: {words}" in finished.err
    assert "its channel raw/none.nii.gz does not exist; add it, or pass --missing-channels ok" in finished.err
    assert nib.load("out/one/tissue_labels.nii.gz").shape == nib.load(mask).shape
    assert Path("out/two_labels.nii.gz").exists()
    assert Path("all.csv").read_text().count("\n") == 7
    again = run(*arguments, "--resume", "--missing-channels", "ok")
    assert again.code == 3
    assert again.out.startswith("1 done in ")
    scan(Path("raw/t2_T1w.nii.gz"), 1)
    shutil.copy("raw/t2_T1w.nii.gz", "raw/t2.nii.gz")
    Path("study.tsv").write_text("\n".join(rows[:3]))
    assert "1 done in " in run(*arguments, "--resume").out  # a channel has changed
    assert "--table a.csv and --table b.csv are both written" in refuse(
        "batch", "raw", "--table", "a.csv", "--table", "b.csv", "--out-dir", "x", code=2
    )
    assert "there is nothing to segment; name folders" in refuse("batch", "--out-dir", "x", code=2)


def test_a_data_set_becomes_a_derivative(run, folder):
    for name in ("sub-1/anat/sub-1_T1w", "derivatives/a/sub-1/anat/sub-1_T1w", "sub-1/anat/sub-1_T2w"):
        scan(Path(f"raw/{name}.nii.gz"), 0)
    finished = run("batch", "raw", "--bids", "-k", 3, "--also", "soft", "--out-dir", "out", "--dry-run", "--json")
    (line,) = finished.out.splitlines()
    assert json.loads(line)["outputs"]["probseg_2"] == "out/sub-1/anat/sub-1_label-class2_desc-gmmseg_probseg.nii.gz"


@pytest.mark.slow
def test_each_series_of_a_folder(run, folder):
    Path("disc").mkdir()
    for number in (1, 2):
        for index in range(2):
            pixels = np.repeat(np.arange(ROWS), COLUMNS).reshape(ROWS, COLUMNS) * number
            made = dataset(index, pixels.astype("<u2"))
            made.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
            made.ImagePositionPatient = position(index, (1, 0, 0, 0, 1, 0))
            made.SeriesInstanceUID, made.SeriesNumber = f"1.2.{number}", number
            made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = f"1.2.{number}.{index}"
            made.save_as(f"disc/IM{number}{index}", enforce_file_format=True)
    arguments = ("batch", "disc", "-k", 2, "--out-dir", "out", "--jobs", 1, "--table", "all.csv")
    assert "process  disc, series 2  no result yet" in run(*arguments, "--dry-run").out
    assert run(*arguments).code == 0
    for name in ("1_Head", "2_Head"):
        assert Path(f"out/disc/{name}_labels.dcm").exists()
    with open("all.csv") as file:
        assert {row["image"] for row in csv.DictReader(file)} == {f"disc: disc/{n}_Head_labels.dcm" for n in (1, 2)}
    assert run("batch", "disc", "-k", 2, "--out-dir", "one", "--series", 2).out.startswith("1 done in ")
