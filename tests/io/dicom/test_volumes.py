"""Several volumes in one series."""

import numpy as np
import pytest
from dicom_slices import N_SLICES, OBLIQUE, enhanced, position
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

import gmmseg
from gmmseg.batch.inputs import Found
from gmmseg.batch.study import each_series
from gmmseg.errors import InputError, OutputError
from gmmseg.io import read, read_info, write_labels
from gmmseg.io.dicom.parsing import series_in
from gmmseg.io.dicom.volumes import split_series

VARIED = {
    "echoes": (lambda n: {"EchoTime": (80, 20)[n]}, "echo time 20", "echo time 80", (1, 0)),
    "times": (lambda n: {"TemporalPositionIdentifier": n + 1}, "time 1", "time 2", (0, 1)),
    "clock": (lambda n: {"AcquisitionTime": f"12000{n}", "AcquisitionNumber": 1}, "time 120000", "time 120001", (0, 1)),
    "parts": (lambda n: {"ImageType": ["ORIGINAL", "PRIMARY", "MP"[n]]}, r"ORIGINAL\\PRIMARY\\M", r".*P", (0, 1)),
    "directions": (
        lambda n: {"DiffusionBValue": 1000.0, "DiffusionGradientOrientation": [1.0 - n, 0.0, float(n)]},
        r"diffusion direction 0\\0\\1",
        r"diffusion direction 1\\0\\0",
        (1, 0),
    ),
}


@pytest.fixture
def several(tmp_path, head, series):
    """Write a series of volumes that differ in their headers, and by 100 in their numbers: (case, n) -> folder."""

    def write(vary, n=2):
        place = tmp_path / "study"
        place.mkdir()
        for number in range(n):

            def change(made, number=number):
                made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = f"{made.SOPInstanceUID}.{number + 1}"
                made.TriggerTime = float(made.InstanceNumber)  # of each slice its own: it tells no volumes
                for name, value in vary(number).items():
                    setattr(made, name, value)
                return made

            folder = series(f"part{number}", stored=head + np.uint16(100 * number), change=change)
            for path in folder.iterdir():
                path.rename(place / f"{path.name}_{number}")
        return place

    return write


@pytest.mark.parametrize("case", VARIED)
def test_volumes_are_told_by_what_their_slices_say(several, head, case):
    vary, first, second, order = VARIED[case]
    folder = several(vary)
    expected = rf"is 2 volumes in one series \(3/1 {first}; 3/2 {second}\); pass series='3/1'"
    with pytest.raises(InputError, match=expected):
        read(folder)
    with pytest.raises(InputError, match=expected):
        read(folder, series="3/3")
    for number, at in enumerate(order, 1):
        for asked in (f"3/{number}", f"/{number}", f"Head/{number}"):
            np.testing.assert_array_equal(read(folder, series=asked).array[..., 0], head + 100.0 * at - 1024)
    assert read_info(folder, series="3/2")["files"] == N_SLICES


def test_what_parts_the_slices_unevenly_tells_no_volumes(several, head, series):
    with pytest.raises(InputError, match="lie at the same place"):
        read(several(lambda n: {}))
    folder = series()
    assert read(folder, series="3/1").shape == head.shape
    with pytest.raises(InputError, match=r"ct is 1 volume in one series \(3/1\); pass series='3/1'"):
        read(folder, series="3/2")


def test_two_things_that_vary_tell_four_volumes(several, head):
    folder = several(lambda n: {"EchoTime": 20 + n % 2, "TemporalPositionIdentifier": n // 2}, n=4)
    for number, at in ((1, 0), (2, 2), (3, 1), (4, 3)):  # by echoes, then by times
        np.testing.assert_array_equal(read(folder, series=f"3/{number}").array[..., 0], head + 100.0 * at - 1024)
    assert [each[:2] for each in series_in(folder)] == [(f"3/{i}", f"3_Head_{i}") for i in (1, 2, 3, 4)]


def test_a_batch_does_each_volume(several, tmp_path):
    folder = several(VARIED["echoes"][0])
    parts = each_series(Found(folder, tmp_path))
    assert [(each.out, each.series) for each in parts] == [("study/3_Head_1", "3/1"), ("study/3_Head_2", "3/2")]


def test_frames_of_one_file_are_volumes_too(tmp_path, head):
    stored = np.concatenate([head, head + np.uint16(100)])
    made = enhanced(stored, range(2 * N_SLICES))
    for number, group in enumerate(made.PerFrameFunctionalGroupsSequence):
        group.PlanePositionSequence[0].ImagePositionPatient = position(number % N_SLICES, OBLIQUE)
        content = Dataset()
        content.TemporalPositionIndex = 2 - number // N_SLICES
        group.FrameContentSequence = Sequence([content])
    path = tmp_path / "a.dcm"
    made.save_as(path, enforce_file_format=True)
    with pytest.raises(InputError, match=r"a\.dcm is 2 volumes in one series \(3/1 time 1; 3/2 time 2\)"):
        read(path)
    for number, more in ((1, 100), (2, 0)):
        image = read(path, series=f"3/{number}")
        np.testing.assert_array_equal(image.array[..., 0], head + float(more) - 1024)
        with pytest.raises(OutputError, match=r"holds more volumes than the one that was segmented.*write \.nii\.gz"):
            write_labels(tmp_path / "l.dcm", np.ones(head.shape, np.uint8), image=image)
    assert gmmseg.segment(path, 2, series="3/1").labels.shape == head.shape


def test_a_description_may_end_as_the_number_of_a_volume_does(series, head):
    folder = series(SeriesDescription="T1/2")
    assert read(folder, series="T1/2").shape == head.shape
    assert split_series("T1/2/1") == ("T1/2", 1)
