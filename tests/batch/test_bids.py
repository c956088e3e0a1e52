"""BIDS data sets: which images are meant, and what their derivative is called and holds."""

import csv
import json
import shutil
import subprocess
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

import gmmseg
from gmmseg.batch import plan, run
from gmmseg.batch.bids import Scan, is_meant
from gmmseg.batch.outputs import ENDINGS, KINDS, LAYER_OF
from gmmseg.batch.study import Choice
from gmmseg.errors import OutputError, ParameterError


@pytest.fixture
def raw(tmp_path, monkeypatch):
    """A data set of two subjects, one of two sessions, in the current folder, and a derivative of other people."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    names = ("sub-1/ses-a/anat/sub-1_ses-a_T1w", "sub-1/ses-b/anat/sub-1_ses-b_T1w", "sub-2/anat/sub-2_acq-x_T1w")
    others = ("sub-2/anat/sub-2_T2w", "derivatives/other/sub-2/anat/sub-2_desc-preproc_T1w", "sub-2/anat/notes_T1w")
    for name in names + others:
        path = Path("raw", f"{name}.nii.gz")
        path.parent.mkdir(parents=True, exist_ok=True)
        values = np.repeat([20, 60, 120], [3, 3, 4])[:, None, None] + rng.normal(0, 4, (10, 9, 8))
        nib.save(nib.Nifti1Image(values.astype(np.float32), np.diag([-1.0, 1, 2, 1])), path)
    return Path("raw")


def test_names_of_a_derivative():
    scan = Scan.of(Path("raw/sub-01/ses-a/anat/sub-01_ses-a_acq-fine_desc-x_T1w.nii.gz"))
    start = "sub-01/ses-a/anat/sub-01_ses-a_acq-fine"
    assert scan.names(["labels", "soft", "bias", "corrected", "table"], ["CSF", "white matter", "a b"]) == {
        "labels": f"{start}_desc-gmmseg_dseg.nii.gz",
        "bias": f"{start}_desc-gmmseg_bias.nii.gz",
        "corrected": f"{start}_desc-corrected_T1w.nii.gz",
        "corrected_json": f"{start}_desc-corrected_T1w.json",
        "table": f"{start}_desc-gmmseg_table.csv",
        "dseg_tsv": f"{start}_desc-gmmseg_dseg.tsv",
        "dseg_json": f"{start}_desc-gmmseg_dseg.json",
        "probseg_1": f"{start}_label-CSF_desc-gmmseg_probseg.nii.gz",
        "probseg_2": f"{start}_label-WM_desc-gmmseg_probseg.nii.gz",
        "probseg_3": f"{start}_label-ab_desc-gmmseg_probseg.nii.gz",
        "probseg_json": f"{start}_desc-gmmseg_probseg.json",
    }
    with pytest.raises(ParameterError, match="class_names gm, grey are alike as names of files"):
        scan.names(["labels", "soft"], ["gm", "grey"])
    assert Scan.of(Path("t1.nii.gz")) is None
    assert Scan.of(Path("sub-1_T1w.png")) is None


def test_outputs_have_the_suffix_of_what_they_are():
    names = Scan.of(Path("raw/sub-1/anat/sub-1_T1w.nii")).names(KINDS, ["a", "b"])
    for kind in KINDS:
        if kind != "soft":  # one file a class
            expected = ".nii.gz" if kind in LAYER_OF else ENDINGS[kind]
            assert names[kind].endswith(expected)


@pytest.mark.slow
def test_overlays_of_a_data_set(raw):
    made = plan(
        "raw", raw / "derivatives" / "gmmseg", choice=Choice(bids=True), parameters={"k": 3}, outputs=["overlay"]
    )
    assert not any("error" in line for line in run(made, jobs=1))
    drawn = raw / "derivatives" / "gmmseg/sub-1/ses-a/anat/sub-1_ses-a_desc-gmmseg_overlay.png"
    assert min(gmmseg.io.read(drawn).shape) > 8
    assert "*_overlay.png" in (raw / "derivatives" / "gmmseg" / ".bidsignore").read_text().split()


@pytest.mark.parametrize(
    ("place", "chosen", "meant"),
    [
        ("sub-1/anat/sub-1_T2w.nii", False, False),
        ("sub-1/anat/sub-1_T2w.nii", True, True),
        ("sourcedata/sub-1_T1w.nii", True, False),
        ("sub-1/anat/sub-1_T1w.json", True, False),
    ],
)
def test_what_is_meant(place, chosen, meant):
    assert is_meant(place, chosen=chosen) is meant


@pytest.mark.slow
def test_a_channel_that_lies_outside_of_the_data_set_is_named_where_it_is(raw, tmp_path):
    outside = tmp_path / "outside" / "sub-2_acq-x_T2w.nii.gz"
    outside.parent.mkdir()
    scan = next(raw.glob("sub-2/**/sub-2_acq-x_T1w.nii.gz"))
    outside.write_bytes(scan.read_bytes())
    choice = Choice(include=["sub-2_acq-x_T1w.nii.gz"], bids=True, more_channels=[outside.parent / "{stem}_T2w.nii.gz"])
    (line,) = run(plan("raw", tmp_path / "out", choice=choice, parameters={"k": 2}), jobs=1)
    assert "error" not in line
    (sidecar,) = (tmp_path / "out").glob("**/*_dseg.json")
    inside, other = json.loads(sidecar.read_text())["Sources"]
    assert inside.startswith("bids:raw:sub-2/")
    assert other == outside.as_uri()


@pytest.mark.slow
def test_a_derivative(raw):
    folder = raw / "derivatives" / "gmmseg"
    asked = {"parameters": {"k": 3, "class_names": ["csf", "gm", "wm"]}, "outputs": ["soft"]}
    made = plan("raw", folder, choice=Choice(bids=True), **asked)
    assert [step.key.rpartition("/")[2] for step in made.steps] == [
        "sub-1_ses-a_desc-gmmseg_dseg.nii.gz",
        "sub-1_ses-b_desc-gmmseg_dseg.nii.gz",
        "sub-2_acq-x_desc-gmmseg_dseg.nii.gz",
    ]
    lines = run(made, jobs=1)
    assert not any("error" in line for line in lines)
    start = folder / "sub-1/ses-a/anat/sub-1_ses-a"
    labels = nib.load(f"{start}_desc-gmmseg_dseg.nii.gz")
    np.testing.assert_array_equal(labels.affine, np.diag([-1.0, 1, 2, 1]))
    maps = [nib.load(f"{start}_label-{each}_desc-gmmseg_probseg.nii.gz").get_fdata() for each in ("CSF", "GM", "WM")]
    np.testing.assert_allclose(np.sum(maps, axis=0), 1, atol=1e-5)
    np.testing.assert_array_equal(np.argmax(maps, axis=0) + 1, np.asarray(labels.dataobj))
    with open(f"{start}_desc-gmmseg_dseg.tsv") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert [(row["index"], row["name"], row["abbreviation"], row["mapping"]) for row in rows] == [
        ("1", "csf", "CSF", "3"),
        ("2", "gm", "GM", "1"),
        ("3", "wm", "WM", "2"),
    ]
    sidecar = json.loads(Path(f"{start}_desc-gmmseg_dseg.json").read_text())
    assert sidecar["Sources"] == ["bids:raw:sub-1/ses-a/anat/sub-1_ses-a_T1w.nii.gz"]
    soft = json.loads(Path(f"{start}_desc-gmmseg_probseg.json").read_text())
    assert soft["Description"] == "Probability of a class of a Gaussian mixture in each voxel"
    assert soft["SpatialReference"] == soft["Sources"][0] == sidecar["Sources"][0]
    description = json.loads((folder / "dataset_description.json").read_text())
    assert (description["DatasetType"], description["DatasetLinks"]) == ("derivative", {"raw": "../.."})
    Path(f"{start}_desc-gmmseg_dseg.tsv").unlink()
    again = plan("raw", folder, choice=Choice(bids=True), resume=True, **asked)
    assert [step.reason for step in again.todo] == ["sub-1/ses-a/anat/sub-1_ses-a_desc-gmmseg_dseg.tsv is missing"]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bids-validator-deno") is None, reason="needs bids-validator-deno")
def test_the_validator_of_bids_finds_nothing_in_a_derivative(raw):
    """But that it has no authors, and that the scans that it is of do not say in which unit they are."""
    folder = raw / "derivatives" / "gmmseg"
    asked = {"parameters": {"k": 3, "class_names": ["csf", "gm", "wm"]}, "choice": Choice(bids=True)}
    outputs = ["soft", "bias", "corrected", "uncertainty", "table", "report", "model"]
    lines = run(plan("raw", folder, outputs=outputs, **asked), jobs=1)
    assert not any("error" in line for line in lines)
    command = ["bids-validator-deno", "--format", "json", folder]
    found = json.loads(subprocess.run(command, capture_output=True, check=False).stdout)
    assert found["summary"]["totalFiles"] > 20
    assert {each["code"] for each in found["issues"]["issues"]} <= {"TOO_FEW_AUTHORS", "NIFTI_UNIT"}


@pytest.mark.slow
def test_a_subject_without_a_scan_fails_alone(raw):
    asked = {"choice": Choice(bids=True), "parameters": {"k": 2}}
    late = Path("raw/sub-3/ses-a/anat")
    late.mkdir(parents=True)
    lines = {line["input"]: line for line in run(plan("raw", "out", **asked), jobs=1)}
    assert len(lines) == 4
    fault = "raw/sub-3: the subject has no T1w image; add it, or leave the subject out"
    assert lines.pop("raw/sub-3")["error"]["message"] == fault
    assert not any("error" in line for line in lines.values())
    assert [step.reason for step in plan("raw", "out", resume=True, **asked).todo] == [fault]
    assert not plan("raw", "out", resume=True, **asked | {"choice": Choice(exclude=["sub-3"], bids=True)}).todo
    without = Choice(exclude=["sub-2/*", "sub-3"], bids=True)
    assert len(plan("raw", "other", **asked | {"choice": without}).images) == 2  # what is excluded is not missing
    shutil.copy("raw/sub-2/anat/sub-2_acq-x_T1w.nii.gz", late / "sub-3_ses-a_T1w.nii.gz")
    (line,) = run(plan("raw", "out", resume=True, **asked), jobs=1)
    assert "error" not in line
    assert "no T1w image" not in Path("out/manifest.jsonl").read_text()


def test_refused_derivatives(raw):
    bids = Choice(bids=True)
    Path("study.tsv").write_text("image\nraw/sub-2/anat/notes_T1w.nii.gz\n")
    with pytest.raises(ParameterError, match=r"raw/sub-2/anat/notes_T1w\.nii\.gz: is not named as in BIDS"):
        plan("study.tsv", "out", choice=bids, parameters={"k": 2})
    Path("out").mkdir()
    Path("out/dataset_description.json").write_text('{"Name": "other"}')
    with pytest.raises(OutputError, match=r"out/dataset_description\.json is of another data set"):
        plan("raw", "out", choice=bids, parameters={"k": 2})
    with pytest.raises(ParameterError, match="k='auto' names no classes"):
        plan("raw", "other", choice=bids, parameters={"k": "auto"}, outputs=["soft"])
