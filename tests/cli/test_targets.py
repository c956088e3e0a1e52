"""Which files a run will write."""

from pathlib import Path

import click
import numpy as np
import pytest

from gmmseg.cli.targets import folder as kept_folder
from gmmseg.cli.targets import plan
from gmmseg.errors import OutputError, ParameterError

NOTHING = {"output": None, "out_dir": None, "extra": {}, "channel_axis": "auto", "guides": []}
PHOTO, SCAN = Path("photo.png"), Path("scan.png")


def planned(*sources, **options):
    return [job.outputs for job in plan(sources, **NOTHING | options)]


def test_labels_are_named_after_their_images(folder):
    np.save("volume.npy", np.zeros((3, 4, 5), np.uint8))
    assert planned(PHOTO) == [{"labels": Path("photo_labels.png")}]
    assert planned(PHOTO, SCAN, out_dir=Path("deep/labels")) == [
        {"labels": Path("deep/labels/photo_labels.png")},
        {"labels": Path("deep/labels/scan_labels.png")},
    ]
    assert planned(Path("volume.npy"), channel_axis=None) == [{"labels": Path("volume_labels.tif")}]
    assert planned(Path("volume.npy"), channel_axis=0) == [{"labels": Path("volume_labels.png")}]


def test_what_is_asked_for_beside_them_keeps_its_name(folder):
    extra = {"soft": Path("s.npz"), "overlay": None, "model": Path("m.json")}
    expected = {"labels": Path("l.tif"), "soft": Path("s.npz"), "model": Path("m.json")}
    assert planned(PHOTO, output=Path("l.tif"), extra=extra) == [expected]


@pytest.mark.parametrize(
    ("sources", "options", "words"),
    [
        ((PHOTO,), {"output": Path("a.png"), "out_dir": Path("b")}, "--output and --out-dir both say where"),
        ((PHOTO, SCAN), {"output": Path("a.png")}, "--output a.png is one file, but 2 images are given; use --out-dir"),
        ((PHOTO, SCAN), {"extra": {"soft": Path("a.npz")}}, "--soft a.npz is one file, but 2 .* --soft with one image"),
        ((PHOTO,), {"output": Path("place")}, "--output place is a folder; use --out-dir place"),
        ((PHOTO,), {"extra": {"model": Path("place")}}, "--model place is a folder; name a file in it"),
    ],
)
def test_options_that_contradict_each_other(folder, sources, options, words):
    Path("place").mkdir()
    with pytest.raises(click.UsageError, match=words):
        planned(*sources, **options)


@pytest.mark.parametrize(
    ("sources", "options", "words"),
    [
        ((PHOTO,), {"output": PHOTO}, "photo.png would be written over photo.png, which is an input"),
        ((PHOTO,), {"output": SCAN, "guides": [SCAN]}, "would be written over scan.png, which is an input"),
        ((PHOTO,), {"output": Path("a.png"), "extra": {"overlay": Path("a.png")}}, "a.png"),
        ((PHOTO, Path("deep/photo.png")), {}, "would both be written to"),
    ],
)
def test_no_file_is_written_twice_or_over_an_input(folder, sources, options, words):
    Path("deep").mkdir()
    Path("deep/photo.png").write_bytes(PHOTO.read_bytes())
    with pytest.raises(ParameterError, match=words):
        planned(*sources, **options)


def test_a_folder_stays_where_something_was_written(folder):
    with kept_folder(Path("new/labels")):
        Path("new/labels/a.png").touch()
    assert Path("new/labels/a.png").exists()


def test_a_folder_goes_where_nothing_was(folder):
    Path("there").mkdir()
    with pytest.raises(ZeroDivisionError), kept_folder(Path("there/new/labels")):
        assert Path("there/new/labels").is_dir()
        _ = 1 / 0
    assert Path("there").is_dir()  # it was there before
    assert not Path("there/new").exists()
    with kept_folder(None):
        pass


@pytest.mark.parametrize(("place", "words"), [("photo.png", "is not a folder"), ("photo.png/a", "cannot be made: ")])
def test_a_folder_that_cannot_be_made(folder, place, words):
    with (
        pytest.raises(OutputError, match=f"^--out-dir {place} {words}.*choose another folder$"),
        kept_folder(Path(place)),
    ):
        pytest.fail("it was made")
