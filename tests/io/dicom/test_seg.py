"""DICOM segmentations are read back by others and by us."""

from datetime import date

import highdicom
import nibabel
import numpy as np
import pydicom
import pytest
from dicom_slices import COLLECTION, COLUMNS, N_SLICES, OBLIQUE, ROWS, SAMPLES, SIDES

import gmmseg
from gmmseg.errors import InputError, OutputError
from gmmseg.export import names_in
from gmmseg.io import read, read_labels, read_probabilities, write_labels, write_map, write_probabilities
from gmmseg.io.contents import Contents
from gmmseg.io.writing import write_windows


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["binary", "labelmap"])
def test_segmentations(series, labels, tmp_path, kind):
    image = read(series(orientation=OBLIQUE))
    path = tmp_path / "l.dcm"
    names = ("air", "water", "bone")
    contents = Contents("labels", image.shape, "uint8", names, image, {"segmentation": kind})
    write_windows(
        path, contents, [((slice(z, z + 2), slice(0, ROWS), slice(0, COLUMNS)), labels[z : z + 2]) for z in (4, 0, 2)]
    )
    assert read_labels(path).dtype == np.uint8
    np.testing.assert_array_equal(read_labels(path), labels)
    seg = highdicom.seg.segread(path)
    assert seg.segmentation_type.value == kind.upper()
    assert [seg.get_segment_description(number).segment_label for number in (1, 2, 3)] == list(names)
    assert seg.PatientName == "Doe^Jane"
    assert seg.FrameOfReferenceUID == "1.2.9"
    assert seg.StudyInstanceUID == "1.2"
    # Slice by slice as the standard links them: by the identifiers of the images.
    sources = [f"1.2.3.{number + 1}" for number in range(N_SLICES)]
    by_source = seg.get_pixels_by_source_instance(sources, combine_segments=True)
    np.testing.assert_array_equal(by_source, labels)
    # And where it lies in the patient.
    theirs = seg.get_volume(combine_segments=True)
    spot = np.argwhere(labels == 3)[0]
    place = np.array(image.place.affine3d) @ [*spot, 1] * [-1, -1, 1, 1]
    index = np.rint(theirs.map_reference_to_indices(place[None, :3])[0]).astype(int)
    assert theirs.array[tuple(index)] == 3


def test_shares_of_segments(series, tmp_path, rng):
    image = read(series())
    shares = rng.dirichlet(np.ones(3), image.shape).astype("f4").transpose(3, 0, 1, 2)
    write_probabilities(tmp_path / "p.dcm", shares, image=image)
    np.testing.assert_allclose(read_probabilities(tmp_path / "p.dcm"), shares, atol=0.5 / 255 + 1e-6)
    seg = highdicom.seg.segread(tmp_path / "p.dcm")
    assert seg.segmentation_fractional_type.value == "PROBABILITY"
    volume = seg.get_pixels_by_source_instance([f"1.2.3.{n + 1}" for n in range(N_SLICES)])
    np.testing.assert_allclose(np.moveaxis(volume, -1, 0), shares, atol=0.5 / 255 + 1e-6)
    assert (read_labels(tmp_path / "p.dcm") == shares.argmax(0) + 1).mean() > 0.98


@pytest.mark.parametrize("memory", [None, 0])
def test_a_mask_of_shares_has_the_sum_of_its_segments(series, tmp_path, memory):
    folder = series()
    image = read(folder)
    shares = np.zeros((2, *image.shape), np.float32)
    shares[:, 0], shares[0, 1], shares[:, 2] = 0.4, 0.4, 0.8
    write_probabilities(tmp_path / "p.dcm", shares, image=image)
    found = read(folder, mask=tmp_path / "p.dcm", mask_threshold=0.5, memory=memory)
    whole = found.crop(tuple(slice(0, n) for n in image.shape))
    np.testing.assert_array_equal(whole.valid, shares.sum(axis=0) >= 0.5)
    with pytest.warns(gmmseg.errors.DataWarning, match=r"its mask p\.dcm holds fractions"):
        found = read(folder, mask=tmp_path / "p.dcm")
    np.testing.assert_array_equal(found.valid, shares.sum(axis=0) > 0)


def test_shares_say_whether_they_are_fractions_or_probabilities(series, tmp_path, rng):
    """And are two objects: the same numbers mean another thing."""
    image = read(series())
    shares = rng.dirichlet(np.ones(2), image.shape).astype("f4").transpose(3, 0, 1, 2)
    write_probabilities(tmp_path / "p.dcm", shares, image=image)
    write_probabilities(tmp_path / "f.dcm", shares, image=image, occupancy=True)
    one, other = (highdicom.seg.segread(tmp_path / name) for name in ("p.dcm", "f.dcm"))
    assert (one.SegmentationFractionalType, other.SegmentationFractionalType) == ("PROBABILITY", "OCCUPANCY")
    assert (one.ContentLabel, other.ContentLabel) == ("PROBABILITY", "OCCUPANCY")
    assert one.SOPInstanceUID != other.SOPInstanceUID
    np.testing.assert_array_equal(read_probabilities(tmp_path / "f.dcm"), read_probabilities(tmp_path / "p.dcm"))


@pytest.mark.parametrize("partial", [False, True])
def test_soft_masks_by_partial_volume_are_occupancy(series, tmp_path, partial):
    found = gmmseg.segment(series(), 3, partial_volume=partial)
    found.save(tmp_path / "s.dcm", layer="probabilities")
    said = pydicom.dcmread(tmp_path / "s.dcm").SegmentationFractionalType
    assert said == ("OCCUPANCY" if partial else "PROBABILITY")
    for suffix in (".npz", ".nii.gz", ".nrrd", ".mgz", ".tif"):  # which have no word for it
        found.save(tmp_path / f"s{suffix}", layer="probabilities")
        assert (tmp_path / f"s{suffix}").exists()


@pytest.mark.slow
def test_same_bytes_and_identifiers_of_their_own(series, labels, tmp_path):
    folder = series()
    for name in ("a", "b"):
        write_labels(tmp_path / f"{name}.dcm", labels, image=read(folder))
    assert (tmp_path / "a.dcm").read_bytes() == (tmp_path / "b.dcm").read_bytes()
    write_labels(tmp_path / "c.dcm", labels[::-1], image=read(folder))
    one, other = (pydicom.dcmread(tmp_path / name) for name in ("a.dcm", "c.dcm"))
    for name in ("SOPInstanceUID", "SeriesInstanceUID"):
        assert one[name].value != other[name].value
        assert one[name].value.startswith("2.25.")
        assert pydicom.uid.UID(one[name].value).is_valid
    assert one.ContentDate == "20200102"
    # Nothing of the clock: only where the standard wants a time, that of the study.
    assert f"{date.today():%Y%m%d}" not in str(one)


def test_names_in_any_script(series, labels, tmp_path):
    japanese = pydicom.dcmread(COLLECTION / "charset_files" / "chrH31.dcm")
    folder = series(SpecificCharacterSet=japanese.SpecificCharacterSet, PatientName=japanese.PatientName)
    write_labels(tmp_path / "l.dcm", labels, image=read(folder), names=("Fett ü", "骨", "a\\b\nc"))
    seg = pydicom.dcmread(tmp_path / "l.dcm")
    assert [item.SegmentLabel for item in seg.SegmentSequence] == ["Fett ü", "骨", "a/b c"]
    assert names_in(tmp_path / "l.dcm") == ("Fett ü", "骨", "a/b c")
    assert seg.PatientName.ideographic == japanese.PatientName.ideographic == "山田^太郎"


def test_tissues_have_their_codes(series, labels, tmp_path):
    write_labels(tmp_path / "l.dcm", labels, image=read(series()), names=("CSF", "gm", "other"))
    segments = pydicom.dcmread(tmp_path / "l.dcm").SegmentSequence
    kinds = [item.SegmentedPropertyTypeCodeSequence[0] for item in segments]
    categories = [item.SegmentedPropertyCategoryCodeSequence[0].CodeMeaning for item in segments]
    assert [kind.CodingSchemeDesignator for kind in kinds] == ["SCT"] * 3
    assert [kind.CodeValue for kind in kinds] == ["65216001", "389081007", "85756007"]
    assert categories == ["Body Substance", "Tissue", "Tissue"]
    assert [item.SegmentLabel for item in segments] == ["CSF", "gm", "other"]


@pytest.mark.slow
def test_many_regions_are_one_label_map(series, tmp_path, rng):
    image = read(series())
    regions = rng.integers(0, 301, image.shape).astype("u2")
    regions[0, 0, :2] = 300, 0
    write_labels(tmp_path / "l.dcm", regions, image=image)
    assert pydicom.dcmread(tmp_path / "l.dcm").SegmentationType == "LABELMAP"
    np.testing.assert_array_equal(read_labels(tmp_path / "l.dcm"), regions)


def test_a_single_slice(series, labels, tmp_path):
    image = read(series() / "IM0")
    assert (image.shape, image.spacing) == ((ROWS, COLUMNS), SIDES)
    write_labels(tmp_path / "l.dcm", labels[0], image=image)
    np.testing.assert_array_equal(read_labels(tmp_path / "l.dcm"), labels[0])
    write_labels(tmp_path / "l.nii.gz", labels[0], image=image)
    np.testing.assert_allclose(nibabel.load(tmp_path / "l.nii.gz").affine, image.place.native.affine, atol=1e-5)


def test_what_no_segmentation_can_refer_to(series, labels, tmp_path):
    target = tmp_path / "l.dcm"
    with pytest.raises(OutputError, match="the labels: .*has to refer to DICOM images.*nii.gz"):
        write_labels(target, labels)
    image = read(series())
    with pytest.raises(OutputError, match="hold classes, not numbers"):
        write_map(target, labels.astype("f4"), key="anomaly", image=image)
    with pytest.raises(OutputError, match="up to 65535, the largest is 90000"):
        write_labels(target, labels.astype(np.uint32) * 30000, image=image)
    cine = read(SAMPLES / "SC_rgb_rle_2frame.dcm")
    with pytest.raises(OutputError, match="does not say where its frames lie"):
        write_labels(target, np.ones(cine.shape, "u1"), image=cine)
    homeless = read(SAMPLES / "693_J2KI.dcm")
    with pytest.raises(OutputError, match=r"693_J2KI\.dcm \(Source images have no Frame Of Reference UID"):
        write_labels(target, np.ones(homeless.shape, "u1"), image=homeless)
    assert not target.exists()


def test_overlapping_segments_are_no_labels(series, labels, tmp_path):
    image = read(series())
    write_probabilities(tmp_path / "p.dcm", np.ones((2, *labels.shape), "f4"), image=image)
    made = pydicom.dcmread(tmp_path / "p.dcm")
    made.SegmentationType = "BINARY"
    made.BitsAllocated = made.BitsStored = 8
    made.save_as(tmp_path / "o.dcm")
    with pytest.raises(InputError, match="segments overlap"):
        read_labels(tmp_path / "o.dcm")


def written_by_others(folder, name, segments, **options):
    """Write segments (frames, rows, columns, n) of a series as highdicom does unless told otherwise."""
    from pydicom.sr.codedict import codes

    algorithm = highdicom.AlgorithmIdentificationSequence("by hand", codes.cid7162.ClusterAnalysis, "1")
    described = [
        highdicom.seg.SegmentDescription(
            number, f"part {number}", codes.SCT.Tissue, codes.SCT.Tissue, "AUTOMATIC", algorithm
        )
        for number in range(1, segments.shape[-1] + 1)
    ]
    sources = [pydicom.dcmread(path) for path in sorted(folder.iterdir())]
    for made in sources:
        for missing in ("PatientBirthDate", "PatientSex", "AccessionNumber", "ReferringPhysicianName", "StudyID"):
            setattr(made, missing, "")
    order = np.argsort([made.InstanceNumber for made in sources])
    highdicom.seg.Segmentation(
        [sources[i] for i in order],
        segments,
        "BINARY",
        described,
        highdicom.UID(),
        1,
        highdicom.UID(),
        1,
        "hand",
        "hand",
        "1",
        "1",
        **options,
    ).save_as(name)
    return name


@pytest.mark.slow
@pytest.mark.parametrize("there", [(1, 2, 4), (3,), (0, 3), (0, 2, 5)])
def test_segments_lie_where_their_frames_are_over_the_image(series, tmp_path, there):
    folder = series(orientation=OBLIQUE)
    segments = np.zeros((N_SLICES, ROWS, COLUMNS, 2), np.uint8)
    for z in there:
        segments[z, 3:9, 4 + z : 8 + z, 0] = 1
        segments[z, 6:12, 6 + z : 10 + z, 1] = 1  # over the other
    path = written_by_others(folder, tmp_path / "s.dcm", segments)
    assert pydicom.dcmread(path).NumberOfFrames == 2 * len(there)
    np.testing.assert_array_equal(read(folder, mask=path).valid, segments.any(axis=-1))
    with pytest.raises(InputError, match="segments overlap"):
        read_labels(path)


@pytest.mark.slow
def test_segments_of_another_head_are_refused(series, tmp_path):
    here = series(orientation=OBLIQUE)
    there = series("far", orientation=OBLIQUE, change=lambda made: moved(made, 30.0))
    path = written_by_others(there, tmp_path / "s.dcm", np.ones((N_SLICES, ROWS, COLUMNS, 1), np.uint8))
    with pytest.raises(InputError, match=r"s\.dcm (is of another grid|lies elsewhere) than .*ct"):
        read(here, mask=path)


def moved(made, by):
    made.ImagePositionPatient = [float(each) + by for each in made.ImagePositionPatient]
    return made


@pytest.mark.parametrize("orientation", [OBLIQUE, (1, 0, 0, 0, 1, 0)])
def test_a_nifti_mask_lies_over_a_series_by_its_place(series, labels, tmp_path, orientation):
    folder = series(orientation=orientation)
    image = read(folder)
    affine = np.array(image.place.affine3d)
    turned = labels.transpose(2, 1, 0)[::-1]  # (columns from the other end, rows, slices)
    columns = affine[:, [2, 1, 0, 3]]
    columns[:, 3] += columns[:, 0] * (COLUMNS - 1)
    columns[:, 0] *= -1
    nibabel.Nifti1Image(turned, columns).to_filename(tmp_path / "mask.nii.gz")
    np.testing.assert_array_equal(read(folder, mask=tmp_path / "mask.nii.gz").valid, labels > 0)


def test_relabelled_it_keeps_its_place_in_the_patient(series, labels, tmp_path, monkeypatch):
    from gmmseg.cli import main

    monkeypatch.chdir(tmp_path)
    image = read(series(orientation=OBLIQUE))
    write_labels(tmp_path / "s.dcm", labels, image=image)
    assert main(["relabel", "s.dcm", "--merge", "1,2"]) == 0
    found = nibabel.load("s_relabelled.nii.gz")
    spot = np.argwhere(labels == 3)[0]
    index = np.rint(np.linalg.inv(found.affine) @ np.array(image.place.affine3d) @ [*spot, 1])[:3].astype(int)
    assert np.asarray(found.dataobj)[tuple(index)] == 2
