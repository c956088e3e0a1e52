"""Which files belong to each image of a study, from a table and by patterns."""

from pathlib import Path

import numpy as np
import pytest
from dicom_slices import COLUMNS, ROWS, dataset

from gmmseg.batch import plan
from gmmseg.batch.guide_names import is_pattern
from gmmseg.batch.inputs import Found
from gmmseg.batch.study import each_series, read_study, subjects_of
from gmmseg.errors import InputError, ParameterError


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Three subjects with an image each, the second of which has no mask, in the current folder."""
    monkeypatch.chdir(tmp_path)
    for number in (1, 2, 3):
        folder = Path(f"raw/sub-{number}/ses-a/anat")
        folder.mkdir(parents=True)
        (folder / f"sub-{number}_ses-a_T1w.nii.gz").touch()
        if number != 2:
            (folder.parent / "masks").mkdir()
            (folder.parent / "masks" / f"sub-{number}_mask.nii.gz").touch()
    return Path("raw")


def found(study):
    return [Found(path, study) for path in sorted(study.rglob("*_T1w.nii.gz"))]


def test_a_pattern_names_a_file_for_each_image(study):
    pattern = Path("{folder}/../masks/{subject}_mask.nii.gz")
    assert is_pattern(pattern)
    first, second, third = subjects_of(found(study), {"mask": pattern})
    assert first.guides["mask"] == Path("raw/sub-1/ses-a/anat/../masks/sub-1_mask.nii.gz")
    assert (first.fault, third.fault) == ("", "")
    assert second.fault == (
        "raw/sub-2/ses-a/anat/sub-2_ses-a_T1w.nii.gz: its mask raw/sub-2/ses-a/anat/../masks/sub-2_mask.nii.gz does "
        "not exist; add it, or leave the image out"
    )
    (named,) = subjects_of(found(study)[:1], {"prior": Path("maps/{session}/{name}.nii.gz")})
    assert named.guides["prior"] == Path("maps/ses-a/sub-1_ses-a_T1w.nii.gz")


def test_patterns_that_cannot_be_meant(study, tmp_path):
    with pytest.raises(ParameterError, match=r"mask \{who\}\.nii has \{who\}, which stands for nothing"):
        subjects_of(found(study), {"mask": Path("{who}.nii")})
    Path("scan.nii").touch()
    (alone,) = subjects_of([Found(Path("scan.nii"), Path())], {"mask": Path("{session}/{subject}.nii")})
    assert alone.fault.startswith("scan.nii: its path names no session, but mask")
    Path("scan_mask.nii").touch()
    (alone,) = subjects_of([Found(Path("scan.nii"), Path())], {"mask": Path("{subject}_mask.nii")})
    assert (alone.guides["mask"], alone.fault) == (Path("scan_mask.nii"), "")


def test_what_lies_over_an_image_is_none_itself(study):
    everything = [Found(path, study) for path in sorted(study.rglob("*.nii.gz"))]
    subjects = subjects_of(everything, {"mask": Path("{folder}/../masks/{subject}_mask.nii.gz")}, include=["sub-1_*"])
    reasons = [each.found.reason for each in subjects]
    assert reasons == ["", "is the mask of an image"]


def test_the_mask_that_values_are_of_is_of_each_image(study):
    everything = [Found(path, study) for path in sorted(study.rglob("*.nii.gz"))]
    subjects = subjects_of(everything, {"mask_values": Path("{folder}/../masks/{subject}_mask.nii.gz")})
    assert [each.found.reason for each in subjects].count("is the mask of an image") == 2
    images = [each for each in subjects if not each.found.reason]
    assert images[0].guides["mask_values"] == Path("raw/sub-1/ses-a/anat/../masks/sub-1_mask.nii.gz")
    assert "its mask raw/sub-2/ses-a/anat/../masks/sub-2_mask.nii.gz does not exist" in images[1].fault


@pytest.mark.parametrize(
    ("include", "exclude", "kept"),
    [
        ([], [], "123"),
        (["*_T1w.nii.gz"], [], "123"),
        (["sub-1/*", "sub-3_*"], [], "13"),
        ([], ["sub-2/*"], "13"),
        (["sub-[12]*"], ["*sub-2*"], "1"),
        (["*_T2w.nii.gz"], [], ""),
    ],
)
def test_which_images_are_meant(study, include, exclude, kept):
    subjects = subjects_of(found(study), {}, include=include, exclude=exclude)
    assert "".join(each.found.path.name[4] for each in subjects) == kept


def test_a_table_names_what_belongs_together(study):
    Path("tables").mkdir()
    Path("tables/study.tsv").write_text(
        "subject\timage\tmask\tprior\tout\n"
        "one\t../raw/sub-1/ses-a/anat/sub-1_ses-a_T1w.nii.gz\t../raw/sub-1/ses-a/masks/sub-1_mask.nii.gz\tn/a\ta/one\n"
        "\n"
        "two\t../raw/sub-2/ses-a/anat/sub-2_ses-a_T1w.nii.gz\t\n"
        "three\t../raw/none.nii.gz\t\t\t\n",
        encoding="utf-8-sig",
    )
    one, two, three = read_study(Path("tables/study.tsv"))
    assert one.out == "a/one"
    assert one.guides == {"mask": Path("tables/../raw/sub-1/ses-a/masks/sub-1_mask.nii.gz")}
    assert one.found.base == Path("raw").absolute()
    assert two.fault.endswith(
        "tables/study.tsv, line 4 has 3 cells for 5 columns (subject, image, mask, prior, out); mend the line"
    )
    assert three.fault.endswith("none.nii.gz: it does not exist, but tables/study.tsv, line 5 names it; check the path")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "study.tsv has no column image, its first line is empty; name its columns image, mask, prior, out"),
        (b"scan\tmask\n", "study.tsv has no column image, its first line is scan mask"),
        (b"image,mask\na,b\n", "study.tsv has no column image, its first line is image,mask"),
        (b"image\tmask\n\n", "study.tsv has no row below its first line"),
        (b"mask\timage\na.nii\n", "study.tsv, line 2 names no image; write one, or remove the line"),
        (b"image\n\xff\xfe\n", "study.tsv is not text in UTF-8"),
        (b'image\n"a\n', "study.tsv is no table"),
        (None, "study.tsv cannot be read: No such file"),
    ],
)
def test_tables_that_are_none(tmp_path, text, words):
    path = tmp_path / "study.tsv"
    if text is not None:
        path.write_bytes(text)
    with pytest.raises(InputError, match=words):
        read_study(path)


def test_an_image_of_several_files_may_lack_one_where_it_is_meant(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("t1.nii", "mask.nii"):
        Path(name).touch()
    Path("study.tsv").write_text("image\tmask\nt1.nii+t2.nii\tmask.nii\n")
    (lacking,) = subjects_of(read_study(Path("study.tsv")), {})
    assert lacking.fault == (
        "t1.nii+t2.nii: its channel t2.nii does not exist; add it, or pass missing_channels='ok' where it is meant"
    )
    (meant,) = subjects_of(read_study(Path("study.tsv")), {}, missing_channels="ok")
    assert meant.fault == ""


def test_a_folder_of_several_series_is_done_once_for_each(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("discs/one").mkdir(parents=True)
    for number, (description, kind) in enumerate(
        (("T1 axial", "PRIMARY"), ("T2", "PRIMARY"), ("Scout", "LOCALIZER")), 1
    ):
        for index in range(2):
            made = dataset(index, np.full((ROWS, COLUMNS), index, "<u2"), ImageType=["ORIGINAL", kind])
            made.SeriesInstanceUID, made.SeriesNumber, made.SeriesDescription = f"1.2.{number}", number, description
            made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = f"1.2.{number}.{index}"
            made.save_as(f"discs/one/IM{number}{index}", enforce_file_format=True)
    parts = each_series(Found(Path("discs/one"), Path("discs")))
    assert [(each.out, each.series) for each in parts[:2]] == [("one/1_T1_axial", "1"), ("one/2_T2", "2")]
    assert parts[2].reason == "series 3 is a localizer"
    picture = Found(Path("a.png"), Path())
    assert each_series(picture) == [picture]
    made = plan("discs", "out", parameters={"k": 2})
    assert [step.key for step in made.images] == ["one/1_T1_axial_labels.dcm", "one/2_T2_labels.dcm"]
    (alone,) = plan("discs", "out", parameters={"k": 2}, reading={"series": "2"}).images
    assert alone.key == "one_labels.dcm"
    Path("discs/two").mkdir()
    for path in Path("discs/one").glob("IM3*"):
        path.rename(Path("discs/two", path.name))
    (scout,) = each_series(Found(Path("discs/two"), Path("discs")))
    assert scout.reason == "holds localizers only"


@pytest.mark.parametrize(("modality", "expected"), [("DX", ["view/IM0_labels.dcm", "view/IM1_labels.dcm"]), ("CT", [])])
def test_views_of_x_rays_are_images_of_their_own(tmp_path, monkeypatch, modality, expected):
    monkeypatch.chdir(tmp_path)
    Path("all/view").mkdir(parents=True)
    for index in range(2):
        made = dataset(index, np.full((ROWS + index, COLUMNS), index, "<u2"), Modality=modality)
        made.save_as(f"all/view/IM{index}", enforce_file_format=True)
    done = plan("all", "out", parameters={"k": 2})
    assert [step.key for step in done.images] == (
        expected or ["view_labels.dcm"]
    )  # slices that do not say where they lie
