"""DICOM: series become volumes or are refused with the reason; segmentations are read back by others and by us."""

import re
import shutil
import sys
import warnings
from datetime import date
from pathlib import Path

import highdicom
import nibabel
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    MPEG2MPML,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    EnhancedCTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from gmmseg.cli import main
from gmmseg.errors import DataWarning, GmmsegError, InputError, OutputError
from gmmseg.io import read, read_info, read_labels, read_probabilities, write_labels, write_map, write_probabilities
from gmmseg.io.contents import Contents
from gmmseg.io.writing import write_windows

COLLECTION = Path(pydicom.__file__).parent / "data"
SAMPLES = COLLECTION / "test_files"
OBLIQUE = (0.8, 0.6, 0.0, 0.0, 0.0, -1.0)
N_SLICES, ROWS, COLUMNS = 6, 20, 25
STEP, SIDES = 2.5, (0.8, 0.7)


@pytest.fixture
def head(rng):
    """Stored numbers of a head: air, water and bone, 12 bits, 1024 above Hounsfield units."""
    z, y, x = np.mgrid[:N_SLICES, :ROWS, :COLUMNS]
    values = np.where((y - 10) ** 2 + (x - 12) ** 2 < 64, 1064, 24)
    values[(abs(y - 10) < 3) & (abs(x - 12) < 3) & (z > 1)] = 1700
    return (values + rng.integers(-9, 10, values.shape)).astype("<u2")


def dataset(number, stored, *, sop_class=CTImageStorage, **attributes):
    """Make a CT slice in memory."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID = sop_class
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID = f"1.2.3.{number + 1}"
    made.StudyInstanceUID, made.SeriesInstanceUID, made.FrameOfReferenceUID = "1.2", "1.2.3", "1.2.9"
    made.Modality, made.SeriesNumber, made.InstanceNumber, made.SeriesDescription = "CT", 3, number + 1, "Head"
    made.PatientID, made.PatientName, made.StudyDate, made.StudyTime = "17", "Doe^Jane", "20200102", "030405"
    made.Rows, made.Columns, made.SamplesPerPixel = *stored.shape[-2:], 1
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 12, 11, 0
    made.PhotometricInterpretation = "MONOCHROME2"
    made.PixelSpacing, made.SliceThickness = list(SIDES), STEP
    made.RescaleSlope, made.RescaleIntercept = 1, -1024
    made.PixelData = stored.tobytes()
    for name, value in attributes.items():
        if value is None:
            del made[name]
        else:
            setattr(made, name, value)
    return made


def position(number, orientation, step=STEP):
    normal = np.cross(orientation[:3], orientation[3:])
    return [float(each) for each in np.array([-10.0, -20.0, 30.0]) + normal * step * number]


@pytest.fixture
def series(tmp_path, head):
    """Write a series, in an order of names that says nothing: (folder, change=, **attributes) -> folder."""

    def write(folder="ct", *, orientation=(1, 0, 0, 0, 1, 0), change=lambda made: made, stored=head, **attributes):
        place = tmp_path / folder
        place.mkdir()
        for number in range(len(stored)):
            made = dataset(number, stored[number], ImageOrientationPatient=list(orientation))
            made.ImagePositionPatient = position(number, orientation)
            for name, value in attributes.items():
                setattr(made, name, value)
            made = change(made)
            if made is not None:
                made.save_as(place / f"IM{number * 5 % 6}", enforce_file_format=True)
        return place

    return write


@pytest.fixture
def refused():
    """Read what must be refused in one line: (path) -> the line."""

    def call(path):
        with pytest.raises(InputError) as caught:
            read(path)
        assert "\n" not in str(caught.value)
        assert str(path) in str(caught.value)
        return str(caught.value)

    return call


def only(number, **attributes):
    """Change attributes of one slice."""

    def change(made):
        if made.InstanceNumber == number + 1:
            for name, value in attributes.items():
                setattr(made, name, value)
        return made

    return change


@pytest.mark.parametrize("orientation", [(1, 0, 0, 0, 1, 0), OBLIQUE, (0, 1, 0, 0, 0, -1)])
def test_a_series_is_a_volume(series, head, orientation):
    image = read(series(orientation=orientation))
    assert image.array.dtype == np.int16
    np.testing.assert_array_equal(image.array[..., 0], head.astype(int) - 1024)
    np.testing.assert_allclose(image.spacing, (STEP, *SIDES))
    assert image.valid is None
    # A voxel of the matrix lies where DICOM says, x and y turned from LPS to RAS.
    slice_, row, column = 4, 3, 7
    along, down = np.array(orientation[:3]), np.array(orientation[3:])
    place = position(slice_, orientation) + along * SIDES[1] * column + down * SIDES[0] * row
    found = np.array(image.place.affine3d) @ [slice_, row, column, 1]
    np.testing.assert_allclose(found[:3], place * [-1, -1, 1], atol=1e-9)


def test_highdicom_finds_the_same_volume(series):
    folder = series(orientation=OBLIQUE)
    ours = np.array(read(folder).place.native.affine)
    volume = highdicom.get_volume_from_series([pydicom.dcmread(path) for path in folder.iterdir()])
    theirs = np.diag([-1, -1, 1, 1]) @ volume.to_patient_orientation("LPS").affine
    # The same box of voxels, whatever the order of axes: its two far corners.
    corners = [ours @ [x, y, z, 1] for x in (0, COLUMNS - 1) for y in (0, ROWS - 1) for z in (0, N_SLICES - 1)]
    i, j, k = (n - 1 for n in volume.to_patient_orientation("LPS").spatial_shape)
    others = [theirs @ [x, y, z, 1] for x in (0, i) for y in (0, j) for z in (0, k)]

    def ordered(points):
        return np.array(sorted(np.round(point, 6).tolist() for point in points))

    np.testing.assert_allclose(ordered(corners), ordered(others), atol=1e-5)


def test_what_else_lies_in_the_folder(series, head):
    folder = series()
    (folder / "A readme.txt").write_text("not an image, and first by its name")
    (folder / ".hidden").write_bytes(b"\0" * 128 + b"DICM")
    shutil.copy(SAMPLES / "dicomdirtests" / "DICOMDIR", folder / "DICOMDIR")
    shutil.copy(SAMPLES / "reportsi.dcm", folder / "report")
    np.testing.assert_array_equal(read(folder).array[..., 0], head.astype(int) - 1024)


def test_folders_below_a_dicomdir(series, tmp_path, head):
    folder = series("disc")
    (folder / "DICOM").mkdir()
    for path in list(folder.glob("IM*")):
        path.rename(folder / "DICOM" / path.name)
    shutil.copy(SAMPLES / "dicomdirtests" / "DICOMDIR", folder)
    np.testing.assert_array_equal(read(folder).array[..., 0], head.astype(int) - 1024)


@pytest.mark.parametrize(
    ("attributes", "dtype", "factor", "offset"),
    [
        ({"RescaleSlope": 1, "RescaleIntercept": 0}, "u2", 1, 0),
        ({"RescaleSlope": 2, "RescaleIntercept": -1024}, "i2", 2, -1024),
        ({"RescaleSlope": 20, "RescaleIntercept": -1024}, "i4", 20, -1024),
        ({"RescaleSlope": "0.5", "RescaleIntercept": "-0.25"}, "f4", 0.5, -0.25),
    ],
)
def test_units_of_the_scanner(series, head, attributes, dtype, factor, offset):
    found = read(series(**attributes)).array[..., 0]
    assert found.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(found, head * float(factor) + offset)


def test_each_slice_has_its_own_scale(series, head):
    """As PET scanners write them."""

    def change(made):
        made.RescaleSlope, made.RescaleIntercept = made.InstanceNumber * 0.5, 0
        return made

    found = read(series(change=change)).array[..., 0]
    np.testing.assert_allclose(found, head * 0.5 * np.arange(1, 7)[:, None, None])


def test_padding_is_no_data(series, head):
    stored = head.copy()
    stored[:, :2], stored[:, 2] = 0, 5
    image = read(series(stored=stored, PixelPaddingValue=0))
    np.testing.assert_array_equal(image.valid, np.broadcast_to(stored != 0, head.shape))
    image = read(series("range", stored=stored, PixelPaddingValue=0, PixelPaddingRangeLimit=5))
    np.testing.assert_array_equal(image.valid, stored > 5)


def test_white_at_zero_is_turned_around(tmp_path, head):
    made = dataset(0, head[0], PhotometricInterpretation="MONOCHROME1", RescaleSlope=None, RescaleIntercept=None)
    made.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    np.testing.assert_array_equal(read(tmp_path / "a.dcm").array[..., 0], 4095 - head[0])
    made.RescaleSlope, made.RescaleIntercept = 1, -1024
    made.save_as(tmp_path / "b.dcm", enforce_file_format=True)
    np.testing.assert_array_equal(read(tmp_path / "b.dcm").array[..., 0], head[0].astype(int) - 1024)


LOSSLESS = [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian, RLELossless]


@pytest.mark.parametrize("syntax", [*LOSSLESS, JPEGLSLossless, JPEG2000Lossless], ids=lambda syntax: syntax.keyword)
def test_every_lossless_syntax_holds_the_same_pixels(tmp_path, head, syntax):
    stored = np.tile(head[0], (4, 4))
    made = dataset(0, stored)
    if syntax.is_encapsulated:
        if not pydicom.pixels.get_encoder(syntax).is_available:
            pytest.skip("no encoder")
        made.compress(syntax)
    else:
        made.file_meta.TransferSyntaxUID = syntax
        made["PixelData"].VR = "OW"
        if not syntax.is_little_endian:
            made.PixelData = stored.astype(">u2").tobytes()
    made.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    np.testing.assert_array_equal(read(tmp_path / "a.dcm").array[..., 0], stored.astype(int) - 1024)


def test_a_missing_decoder_is_named(monkeypatch, refused):
    decoder = pydicom.pixels.get_decoder(JPEGLSLossless)
    monkeypatch.setattr(type(decoder), "is_available", property(lambda self: False))
    message = refused(SAMPLES / "MR_small_jpeg_ls_lossless.dcm")
    assert message.endswith("JPEG-LS Lossless Image Compression, for which a decoder is missing; pip install pyjpegls")
    assert refused(SAMPLES / "MR_small_jp2klossless.dcm").endswith("pip install pylibjpeg pylibjpeg-openjpeg")
    assert refused(SAMPLES / "JPGExtended.dcm").endswith("pip install pylibjpeg pylibjpeg-libjpeg")


def test_videos_are_refused(tmp_path, head, refused):
    made = dataset(0, head[0])
    made.file_meta.TransferSyntaxUID = MPEG2MPML
    made.PixelData = pydicom.encaps.encapsulate([b"\0" * 10])
    made["PixelData"].VR = "OB"
    made.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    assert "MPEG2" in refused(tmp_path / "a.dcm")


def enhanced(head, order, **shared):
    """Make a multi-frame CT whose frames are stored in this order."""
    stored = head[list(order)]
    made = dataset(0, stored, sop_class=EnhancedCTImageStorage, NumberOfFrames=len(order))
    for name in ("PixelSpacing", "RescaleSlope", "RescaleIntercept"):
        del made[name]
    common, orientation, measures, values = Dataset(), Dataset(), Dataset(), Dataset()
    orientation.ImageOrientationPatient = list(OBLIQUE)
    measures.PixelSpacing, measures.SliceThickness = list(SIDES), STEP
    values.RescaleSlope, values.RescaleIntercept, values.RescaleType = 1, -1024, "HU"
    common.PlaneOrientationSequence = Sequence([orientation])
    common.PixelMeasuresSequence = Sequence([measures])
    common.PixelValueTransformationSequence = Sequence([values])
    made.SharedFunctionalGroupsSequence = Sequence([common])
    made.PerFrameFunctionalGroupsSequence = Sequence([])
    for number in order:
        group, place = Dataset(), Dataset()
        place.ImagePositionPatient = position(number, OBLIQUE)
        group.PlanePositionSequence = Sequence([place])
        made.PerFrameFunctionalGroupsSequence.append(group)
    return made


def test_multi_frame_objects(tmp_path, head, refused, rng):
    path = tmp_path / "a.dcm"
    enhanced(head, (3, 0, 5, 1, 4, 2)).save_as(path, enforce_file_format=True)
    image = read(path)
    np.testing.assert_array_equal(image.array[..., 0], head.astype(int) - 1024)
    np.testing.assert_allclose(image.spacing, (STEP, *SIDES))
    labels = rng.integers(0, 3, image.shape, dtype=np.uint8)
    write_labels(tmp_path / "l.dcm", labels, image=image)
    np.testing.assert_array_equal(read_labels(tmp_path / "l.dcm"), labels)
    seg = highdicom.seg.segread(tmp_path / "l.dcm")
    by_frame = seg.get_pixels_by_source_frame("1.2.3.1", [1], combine_segments=True, ignore_spatial_locations=True)
    np.testing.assert_array_equal(by_frame[0], labels[3])
    enhanced(head, (3, 0, 3)).save_as(tmp_path / "twice.dcm", enforce_file_format=True)
    assert "frame 1 and frame 3 lie at the same place" in refused(tmp_path / "twice.dcm")


def test_windows_are_parts_of_the_whole(tmp_path, series, head):
    stored = head.copy()
    stored[0, 0, 0] = 0
    many = enhanced(stored, (3, 0, 5, 1, 4, 2))
    many.PixelPaddingValue = 0
    many.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    for path in (series(stored=stored, PixelPaddingValue=0), tmp_path / "a.dcm"):
        whole = read(path)
        assert whole.valid.sum() == whole.valid.size - 1
        image = read(path, memory=whole.array.nbytes - 1, max_pixels=1)
        assert not image.in_memory
        for window in ((slice(0, 6), slice(0, 20), slice(0, 25)), (slice(2, 5), slice(3, 9), slice(20, 25))):
            found, valid = image.pixels.read(window)
            np.testing.assert_array_equal(found, whole.array[window])
            assert (valid is None) == (window[0].start > 0)
    with pytest.raises(InputError, match="3000 pixels, above the limit of 2999"):
        read(tmp_path / "a.dcm", max_pixels=2999)


def test_colors_are_rgb():
    for name in ("SC_rgb_dcmtk_+eb+cy+np.dcm", "SC_rgb_small_odd.dcm", "examples_palette.dcm", "examples_jpeg2k.dcm"):
        image = read(SAMPLES / name)
        theirs = pydicom.dcmread(SAMPLES / name)
        expected = theirs.pixel_array
        if theirs.PhotometricInterpretation == "PALETTE COLOR":
            expected = pydicom.pixels.apply_color_lut(expected, theirs)
        assert image.color
        np.testing.assert_array_equal(image.array, expected)


def test_dose_grids_are_volumes():
    image = read(SAMPLES / "rtdose.dcm")
    theirs = pydicom.dcmread(SAMPLES / "rtdose.dcm")
    assert image.spacing == (5.0, 10.0, 10.0)
    np.testing.assert_allclose(image.array[..., 0], theirs.pixel_array * float(theirs.DoseGridScaling), rtol=1e-6)


REFUSALS = {
    "missing": (lambda made: None if made.InstanceNumber in (3, 4) else made, "2 slices are missing between IM"),
    "uneven": (only(5, ImagePositionPatient=[-10.0, -20.0, 43.5]), r"3\.5 mm apart between .* but 2\.5 mm elsewhere"),
    "twice": (only(5, ImagePositionPatient=[-10.0, -20.0, 40.0]), r"lie at the same place \(40 mm\)"),
    "tilted": (None, r"15\.0 degrees off \(gantry tilt\)"),
    "shifted": (only(3, ImagePositionPatient=[-9.0, -20.0, 37.5]), r"lies 1 mm beside the axis"),
    "turned": (only(2, ImageOrientationPatient=[0, 1, 0, 0, 0, -1]), "orientation 0 x 1.*without localizers"),
    "sizes": (only(2, Rows=10), "size 10 x 25, but .* has 20 x 25"),
    "sides": (only(2, PixelSpacing=[0.8, 0.8]), r"pixel spacing 0\.8 x 0\.8, but .* has 0\.8 x 0\.7"),
    "kinds": (only(2, PixelRepresentation=1), "kind of pixels"),
    "homeless": (only(2, ImagePositionPatient=None), "6 files of one series do not say where"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_is_no_even_stack(series, refused, case):
    change, pattern = REFUSALS[case]

    def tilt(made):
        aside = np.tan(np.radians(15)) * STEP * made.InstanceNumber
        made.ImagePositionPatient = [-10.0, -20.0 + float(aside), float(made.ImagePositionPatient[2])]
        return made

    message = refused(series(change=change or tilt))
    assert re.search(pattern, message), message
    assert ";" in message  # a remedy


def test_rounded_positions_are_even(series, head):
    def change(made):
        made.ImagePositionPatient = [-10.0, -20.0, round(30 + 0.6666 * made.InstanceNumber, 2)]
        return made

    assert read(series(change=change)).spacing[0] == pytest.approx(0.6666, abs=0.003)


def test_several_series_are_listed(series, refused):
    folder = series(change=only(4, SeriesInstanceUID="1.2.4", SeriesNumber=8, SeriesDescription="Scout"))
    message = refused(folder)
    assert "2 series" in message
    assert "3 Head: 5 files as IM" in message
    assert "8 Scout: 1 file as IM" in message


def test_what_a_folder_may_lack(tmp_path, refused):
    (tmp_path / "empty").mkdir()
    assert "is a folder; name an image file" in refused(tmp_path / "empty")
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("a")
    assert "is a folder" in refused(tmp_path / "texts")
    (tmp_path / "reports").mkdir()
    shutil.copy(SAMPLES / "reportsi.dcm", tmp_path / "reports")
    assert "1 DICOM files, but no image" in refused(tmp_path / "reports")
    assert "holds no pixels (Basic Text SR Storage)" in refused(SAMPLES / "reportsi.dcm")
    assert "DICOMDIR, a list of files" in refused(SAMPLES / "dicomdirtests" / "DICOMDIR")
    assert "give it as mask" in refused(SAMPLES / "liver_1frame.dcm")
    with pytest.raises(InputError, match="1 frames, but describes 3"):
        read_labels(SAMPLES / "liver_1frame.dcm")


@pytest.fixture
def labels(rng):
    """Labels 0 to 3, with a slice in which there is none."""
    made = rng.integers(0, 4, (N_SLICES, ROWS, COLUMNS), dtype=np.uint8)
    made[2] = 0
    made.flags.writeable = False
    return made


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
    assert seg.PatientName.ideographic == japanese.PatientName.ideographic == "山田^太郎"


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


@pytest.mark.parametrize("orientation", [(1, 0, 0, 0, 1, 0), OBLIQUE])
def test_nifti_labels_of_a_series(series, labels, tmp_path, rng, orientation):
    image = read(series(orientation=orientation))
    write_labels(tmp_path / "l.nii.gz", labels, image=image)
    result = nibabel.load(tmp_path / "l.nii.gz")
    np.testing.assert_array_equal(np.asarray(result.dataobj), labels.T)
    np.testing.assert_allclose(result.affine, image.place.native.affine, atol=1e-5)
    np.testing.assert_allclose(result.header.get_qform(), result.header.get_sform(), atol=1e-4)
    assert result.header["sform_code"] == result.header["qform_code"] == 1
    np.testing.assert_allclose(result.header.get_zooms(), (*SIDES[::-1], STEP), rtol=1e-6)
    shares = rng.random((2, *labels.shape)).astype("f4")
    write_probabilities(tmp_path / "p.nii.gz", shares, image=image)
    np.testing.assert_array_equal(nibabel.load(tmp_path / "p.nii.gz").get_fdata(), shares.T)
    write_labels(tmp_path / "l.npy", labels, image=image)
    write_labels(tmp_path / "l.tif", labels, image=image)
    for name in ("l.npy", "l.tif"):
        np.testing.assert_array_equal(read_labels(tmp_path / name), labels)


def test_what_no_segmentation_can_refer_to(series, labels, tmp_path):
    target = tmp_path / "l.dcm"
    with pytest.raises(OutputError, match="the labels: .*has to refer to DICOM images.*nii.gz"):
        write_labels(target, labels)
    image = read(series())
    with pytest.raises(OutputError, match="hold classes, not numbers"):
        write_map(target, labels.astype("f4"), key="anomaly", image=image)
    with pytest.raises(OutputError, match="up to 65535, the largest is 90000"):
        write_labels(target, labels * np.uint32(30000), image=image)
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


FILES = sorted(p for p in COLLECTION.rglob("*") if p.is_file() and p.suffix not in (".py", ".pyc", ".json"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name}-{p.name}")
def test_any_file_is_read_or_refused_in_one_line(path, tmp_path):
    """Every file of pydicom's own tests, whole and cut."""
    content = path.read_bytes()
    cuts = (len(content), len(content) // 2, 200, len(content) - 5)
    for number, length in enumerate(dict.fromkeys(cuts)):
        file = tmp_path / f"{number}{path.suffix}"
        file.write_bytes(content[:length])
        for reader in (read, read_info, read_labels, read_probabilities) if number < 2 else (read, read_labels):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", DataWarning)
                    reader(file)
            except InputError as error:
                assert str(file) in str(error)
                assert "\n" not in str(error)
            except GmmsegError as error:
                assert "\n" not in str(error)


def test_every_folder_of_the_collection(tmp_path):
    for folder in {path.parent for path in FILES}:
        try:
            read(folder)
        except InputError as error:
            assert "\n" not in str(error)


def test_without_pydicom(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(GmmsegError, match=r"DICOM files need pydicom.*pip install 'gmmseg\[medical\]'"):
        read(SAMPLES / "CT_small.dcm")


def test_a_series_from_the_command_line(series, tmp_path, monkeypatch, capsys, head):
    monkeypatch.chdir(tmp_path)
    series("head")
    assert main(["info", "head"]) == 0
    shown = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert shown["shape"] == f"{N_SLICES} x {ROWS} x {COLUMNS}"
    assert shown["files"] == "6"
    assert "Doe" not in str(shown)
    assert main(["segment", "head", "-k", "3", "--soft", "soft.dcm"]) == 0
    finished = capsys.readouterr()
    assert finished.err == ""
    assert "wrote head_labels.dcm, soft.dcm" in finished.out
    expected = 1 + (head > 500) + (head > 1400)
    np.testing.assert_array_equal(read_labels("head_labels.dcm"), expected)
    assert main(["segment", "head", "-k", "3", "-o", "tissue.nii.gz", "--mask", "head_labels.dcm", "-q"]) == 0
    np.testing.assert_array_equal(np.asarray(nibabel.load("tissue.nii.gz").dataobj).T, expected)


def test_films_are_written_as_nifti(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["segment", str(SAMPLES / "SC_rgb_rle_2frame.dcm"), "-k", "3"]) == 0
    assert "wrote SC_rgb_rle_2frame_labels.nii.gz" in capsys.readouterr().out
    assert nibabel.load("SC_rgb_rle_2frame_labels.nii.gz").shape == (100, 100, 2)
