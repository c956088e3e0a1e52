"""DICOM segmentations are read back by others and by us."""

from datetime import date

import highdicom
import nibabel
import numpy as np
import pydicom
import pytest
from dicom_slices import COLLECTION, COLUMNS, N_SLICES, OBLIQUE, ROWS, SAMPLES, SIDES

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
