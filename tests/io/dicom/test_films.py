"""Films of ultrasound and angiography: frames in time, with the sizes that their regions say."""

import numpy as np
import pytest
import tifffile
from dicom_slices import dataset
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import UltrasoundMultiFrameImageStorage

import gmmseg
from gmmseg.batch import plan
from gmmseg.cli import main
from gmmseg.errors import OutputError
from gmmseg.io import read, read_info, read_labels
from gmmseg.io.dicom.films import interval_of, is_film, sides_of_ultrasound
from gmmseg.io.formats import identify

N_FRAMES = 5


def region(**changed):
    made = Dataset()
    made.RegionSpatialFormat = 1
    made.PhysicalUnitsXDirection = made.PhysicalUnitsYDirection = 3
    made.PhysicalDeltaX, made.PhysicalDeltaY = 0.02, 0.03
    for name, value in changed.items():
        setattr(made, name, value)
    return made


def header(**said):
    made = Dataset()
    for name, value in said.items():
        setattr(made, name, value)
    return made


@pytest.fixture
def film(tmp_path, rng):
    """Return the path of a film of a spot that jumps from frame to frame, and where the spot is."""
    spot = np.zeros((N_FRAMES, 20, 24), bool)
    for number in range(N_FRAMES):
        spot[number, 4:14, (7 * number) % 20 :][:, :4] = True
    stored = np.where(spot, 900, 100) + rng.integers(0, 9, spot.shape)

    def write(**changed):
        said = {"PixelSpacing": None, "NumberOfFrames": N_FRAMES, "RescaleIntercept": 0, "Modality": "US", **changed}
        said |= {"SequenceOfUltrasoundRegions": Sequence([region()]), "sop_class": UltrasoundMultiFrameImageStorage}
        made = dataset(0, stored.astype("<u2"), **said)
        made.save_as(tmp_path / "film.dcm", enforce_file_format=True)
        return tmp_path / "film.dcm"

    return write, spot


def test_frames_in_time_are_a_time_lapse(film, tmp_path):
    write, spot = film
    path = write(FrameTime=40.0)
    image = read(path)
    assert (image.time, image.shape, image.spacing) == (True, spot.shape, (0.3, 0.2))
    facts = read_info(path)
    assert (facts["axes"], facts["interval_s"], facts["spacing_mm"]) == ("TYX", 0.04, [0.3, 0.2])
    found = gmmseg.segment(path, 2)
    np.testing.assert_array_equal(found.labels, 1 + spot)  # no frame is smoothed with others
    by_frame = found.table(by_frame=True)
    np.testing.assert_allclose(by_frame["area_mm2"][by_frame["label"] == 2], spot.sum((1, 2)) * 0.06)
    np.testing.assert_array_equal(gmmseg.segment(path, 2, memory=1 << 12).labels, found.labels)
    with pytest.raises(OutputError, match="NIfTI has no axis of time; use .tif"):
        found.save(tmp_path / "labels.nii.gz")


def test_labels_of_a_film_are_a_film(film, tmp_path, monkeypatch, capsys):
    write, spot = film
    path = write(FrameTime=40.0)
    monkeypatch.chdir(tmp_path)
    assert main(["segment", str(path), "-k", "2"]) == 0
    assert "wrote film_labels.tif: 5 x 20 x 24 pixels" in capsys.readouterr().out
    np.testing.assert_array_equal(read_labels("film_labels.tif"), 1 + spot)
    with tifffile.TiffFile("film_labels.tif") as written:
        assert written.series[0].axes == "TYX"
        assert written.imagej_metadata["finterval"] == 0.04


def test_labels_of_a_folder_with_a_film_are_a_film(film, tmp_path):
    write, _ = film
    folder = tmp_path / "study"
    folder.mkdir()
    write(FrameTime=40.0).rename(folder / "film")
    assert identify(folder).suffix_of_labels(folder, "auto") == ".tif"
    (step,) = plan(folder, tmp_path / "out", parameters={"k": 2}).images
    assert step.key == "study/film_labels.tif"


def test_frames_that_say_no_time_are_none(film):
    write, spot = film
    image = read(write())
    assert (image.time, image.shape, image.spacing) == (False, spot.shape, None)


@pytest.mark.parametrize(
    ("said", "interval"),
    [
        ({"FrameTime": 33.5}, (33.5, "ms")),
        ({"FrameTime": 0}, None),
        ({"FrameTime": None}, None),
        ({"FrameTimeVector": [0, 20, 40]}, (30, "ms")),
        ({"FrameTimeVector": [0, 0]}, None),
        ({"FrameTimeVector": 20}, None),  # of one frame
    ],
)
def test_the_interval_of_frames(said, interval):
    assert is_film(header(NumberOfFrames=3, **said))
    assert interval_of(header(**said)) == interval
    assert not is_film(header(NumberOfFrames=3))
    assert not is_film(header(**said))


@pytest.mark.parametrize(
    ("regions", "sides"),
    [
        ([region()], (0.3, 0.2)),
        ([region(), region(RegionSpatialFormat=3, PhysicalDeltaX=5.0)], (0.3, 0.2)),  # the other one is a spectrum
        ([region(), region(PhysicalDeltaX=0.05)], None),  # two depths side by side
        ([region(PhysicalUnitsYDirection=4)], None),  # seconds
        ([region(PhysicalDeltaY=-0.03)], (0.3, 0.2)),
        ([region(PhysicalDeltaX=0.0)], None),
        ([], None),
    ],
)
def test_the_size_of_a_pixel_of_ultrasound(regions, sides):
    assert sides_of_ultrasound(header(SequenceOfUltrasoundRegions=Sequence(regions))) == sides
