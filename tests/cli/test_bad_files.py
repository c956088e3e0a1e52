"""Files that cannot be read or written: one line that names them, exit 1, nothing left behind, the others done."""

import builtins
import json
import os

import numpy as np
import pytest
from PIL import Image as Pillow
from processes import PROGRAM, process

import gmmseg.segmentation
from gmmseg.errors import OutputError


def make_bad(folder):
    whole = (folder / "photo.png").read_bytes()
    (folder / "bad").mkdir()
    (folder / "bad" / "cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "bad" / "empty.png").touch()
    (folder / "bad" / "text.png").write_text("hello, not an image")
    (folder / "bad" / "two\nlines.png").write_text("\x1b[31mhello")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("bad/none.png", "bad/none.png does not exist"),
        ("bad", "bad is a folder"),
        ("bad/empty.png", "bad/empty.png is empty (0 bytes)"),
        ("bad/cut.png", "bad/cut.png is damaged or cut short"),
        ("bad/text.png", "bad/text.png is named as a PNG file, but starts with text"),
        ("bad/two\nlines.png", "bad/two\\nlines.png is named as a PNG file"),
        ("x" * 300 + ".png", "too long"),
    ],
)
def test_unreadable(refuse, folder, name, words):
    make_bad(folder)
    assert words in refuse("segment", name, code=1)
    assert words in refuse("segment", "photo.png", "--mask", name, code=1)
    if name != "bad/cut.png":
        assert words in refuse("info", name, code=1)


def test_larger_than_allowed(refuse):
    text = refuse("segment", "photo.png", "--max-pixels", 2399, code=1)
    assert "photo.png is 60 x 40 = 2400 pixels, above the limit of 2399; raise --max-pixels" in text
    assert "max_pixels" not in text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("-o labels.xyz", "labels.xyz has the suffix '.xyz'"),
        ("-o labels", "labels has no suffix"),
        ("-o labels.jpg", "use one of .png .tif .tiff .npy .npz"),
        ("-o none/labels.png", "none/labels.png: the folder none does not exist"),
        ("-o scan.png", "scan.png exists already; pass --overwrite or choose another name"),
        ("--soft soft.png", "soft.png has the suffix '.png', which probabilities cannot be written to"),
        ("--soft none/soft.npz", "the folder none does not exist"),
        ("--overlay overlay.npy", "overlay.npy has the suffix '.npy', which a picture cannot be written to"),
        ("--overlay scan.png", "scan.png exists already"),
        ("--model model.png", "model.png: models are written as JSON"),
        ("--model none/model.json", "the folder none does not exist"),
        ("--out-dir scan.png", "--out-dir scan.png is not a folder"),
        ("--out-dir scan.png/labels", "--out-dir scan.png/labels cannot be made"),
    ],
)
def test_targets_are_checked_before_anything_is_read(refuse, monkeypatch, options, words):
    monkeypatch.setattr("gmmseg.io.reading.read", lambda *_, **__: pytest.fail("the image was read"))
    assert words in refuse("segment", "photo.png", *options.split(), code=1)


def test_volumes_and_pictures(refuse):
    np.save("volume.npy", np.random.default_rng(0).integers(0, 99, (5, 8, 9), np.uint8))
    volume = ("segment", "volume.npy", "--channel-axis", "none")
    assert "labels.png: PNG pictures have 2 axes, the result has 3" in refuse(*volume, "-o", "labels.png", code=1)
    frames = ("segment", "volume.npy", "--axes", "TYX", "--overlay", "a.png")
    assert "an overlay needs a picture or a volume, volume.npy has frames in time" in refuse(*frames, code=1)


def test_one_bad_file_does_not_stop_the_others(run, folder):
    make_bad(folder)
    finished = run("segment", "photo.png", "bad/cut.png", "bad/none.png", "scan.png", "-k", 2)
    assert finished.code == 3
    lines = finished.err.splitlines()
    assert len(lines) == 2
    assert "bad/none.png does not exist" in lines[0]
    assert "bad/cut.png is damaged" in lines[1]
    assert "wrote photo_labels.png" in finished.out
    assert "wrote scan_labels.png" in finished.out
    assert sorted(path.name for path in folder.glob("*_labels.*")) == ["photo_labels.png", "scan_labels.png"]


def test_an_existing_target_does_not_stop_the_others(run):
    assert run("segment", "photo.png").code == 0
    finished = run("segment", "photo.png", "scan.png", "--json")
    assert finished.code == 3
    first, second = json.loads(finished.out)
    assert first == {
        "input": "photo.png",
        "error": "photo_labels.png exists already; pass --overwrite or choose another name",
        "warnings": [],
    }
    assert second["outputs"] == {"labels": "scan_labels.png"}


def test_all_bad(run, folder):
    make_bad(folder)
    finished = run("segment", "bad/cut.png", "bad/text.png", "--out-dir", "new/labels")
    assert (finished.code, finished.out, finished.err.count("\n")) == (1, "", 2)
    assert not (folder / "new").exists()


@pytest.mark.parametrize(
    ("error", "words", "code"),
    [
        (MemoryError(), "photo.png: there is not enough memory", 1),
        (OSError(5, "Input/output error"), "photo.png: Input/output error", 1),
        (KeyboardInterrupt(), "interrupted", 130),
    ],
)
def test_the_system_fails(refuse, monkeypatch, error, words, code):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(gmmseg.segmentation, "segment", fail)
    assert words in refuse("segment", "photo.png", "--out-dir", "new", code=code)


def test_our_own_mistakes_are_one_line_too(run, monkeypatch):
    def fail(*_, **__):
        raise ZeroDivisionError("division\nby zero")

    monkeypatch.setattr(gmmseg.segmentation, "segment", fail)
    finished = run("segment", "photo.png")
    assert finished.code == 1
    assert finished.err.startswith("gmmseg: error: photo.png: unexpected ZeroDivisionError (division by zero); please")
    monkeypatch.setenv("GMMSEG_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        run("segment", "photo.png")


def test_what_was_written_before_a_failure_is_named(run, folder, monkeypatch):
    def fail(path, *_, **__):
        raise OutputError(f"{path} cannot be written: disk full; free space")

    monkeypatch.setattr("gmmseg.io.writing.write_probabilities", fail)
    finished = run("segment", "photo.png", "--soft", "soft.npz")
    assert finished.code == 1
    assert finished.out == ""
    assert (
        "soft.npz cannot be written: disk full; free space (photo_labels.png was written before that)" in finished.err
    )
    with Pillow.open("photo_labels.png") as picture:
        assert picture.size == (60, 40)
    assert sorted(path.name for path in folder.iterdir()) == ["photo.png", "photo_labels.png", "scan.png"]


def test_no_permission(refuse, monkeypatch):
    usual = builtins.open

    def refuse_photo(path, *arguments, **options):
        if str(path) == "photo.png":
            raise PermissionError(13, "Permission denied", str(path))
        return usual(path, *arguments, **options)

    monkeypatch.setattr(builtins, "open", refuse_photo)
    assert "photo.png cannot be read: permission denied" in refuse("segment", "photo.png", code=1)


# Lets the program have some more memory than it has when all is loaded.
LITTLE = """
import resource, sys, gmmseg.batch.processing, gmmseg.cli.segment, gmmseg.io.reading, gmmseg.segmentation
pages = int(open("/proc/self/statm").read().split()[0])
resource.setrlimit(resource.RLIMIT_AS, 2 * (pages * resource.getpagesize() + (int(sys.argv.pop(1)) << 20),))
"""


@pytest.mark.slow
@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="asks Linux how much memory it has")
@pytest.mark.parametrize("mebibytes", [20, 60])
def test_too_little_memory_is_called_that(folder, mebibytes):
    np.save("image.npy", np.random.default_rng(0).integers(0, 255, (6000, 5000, 3), np.uint8))
    arguments = (str(mebibytes), "segment", "image.npy", "-k", "3", "-q")
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    finished = process("-c", LITTLE + PROGRAM, *arguments, env=environment, timeout=120)
    assert finished.returncode == 1
    assert finished.stderr.startswith("gmmseg: error: image.npy")
    assert finished.stderr.count("\n") == 1
    assert "memory" in finished.stderr
    assert {each.name for each in folder.iterdir()} == {"image.npy", "photo.png", "scan.png"}
