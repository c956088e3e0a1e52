"""gmmseg cutout: an object on a transparent ground."""

import json
import re

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow


@pytest.fixture
def strokes(folder):
    """strokes.png for photo.png: red on the bright corner, blue on the rest."""
    layer = np.zeros((40, 60, 4), np.uint8)
    layer[30:33, 35:55] = (255, 0, 0, 255)
    layer[5:8, 3:50] = (0, 0, 255, 255)
    Pillow.fromarray(layer).save("strokes.png")


def opened(name):
    with Pillow.open(name) as picture:
        assert picture.mode == "RGBA"
        return np.asarray(picture)


def test_what_red_strokes_are_on(run, strokes):
    finished = run("cutout", "photo.png", "--scribbles", "strokes.png")
    assert finished.code == 0, finished
    assert finished.out.startswith("wrote photo_cutout.png: 60 x 40 pixels, class 1 is 18.8 % of the picture, ")
    found = opened("photo_cutout.png")
    assert (found[28:, 33:, 3] == 255).all()
    assert not found[:22, :, 3].any()
    photo = np.asarray(Pillow.open("photo.png"))
    np.testing.assert_array_equal(found[28:, 33:, :3], photo[28:, 33:])


def test_a_class_on_a_background_cropped(run, folder):
    arguments = "-k 3 --class c,1 --class-names a,b,c --background white --crop -o a.jpg --json"
    record = json.loads(run("cutout", "photo.png", *arguments.split()).out)
    assert record["classes"] == [{"label": 1, "name": "a"}, {"label": 3, "name": "c"}]
    assert record["output"] == "a.jpg"
    with Pillow.open("a.jpg") as picture:
        assert picture.mode == "RGB"
        assert list(picture.size) == record["size"]


def test_where_one_more_stroke_would_decide_is_said(run, folder, rng):
    levels = np.full((90, 120, 3), 115.0)  # between what is on the left and on the right
    levels[:, :38], levels[:, 82:] = 124, 100
    Pillow.fromarray((levels + rng.normal(0, 20, levels.shape)).clip(0, 255).astype(np.uint8)).save("between.png")
    layer = np.zeros((90, 120, 4), np.uint8)
    layer[5:85, 24:36], layer[5:85, 105:110], layer[4:9, 90:110] = (255, 0, 0, 255), (0, 0, 255, 255), (0, 0, 255, 255)
    Pillow.fromarray(layer).save("strokes.png")
    found = run("cutout", "between.png", "--scribbles", "strokes.png", "-o", "a.png")
    assert found.code == 0
    assert re.search(r"^gmmseg: warning: .* % of class 1 might as well be class 2, .* draw a stroke", found.err, re.M)


def test_a_photograph_that_was_turned(run, folder):
    photo = np.zeros((40, 60, 3), np.uint8)
    photo[:10] = (250, 240, 30)
    exif = Pillow.Exif()
    exif[0x0112] = 6  # stored lying on its left side
    Pillow.fromarray(photo).save("turned.jpg", exif=exif, quality=98)
    assert run("cutout", "turned.jpg", "-k", 2, "--class", 2, "-o", "a.png").code == 0
    found = opened("a.png")
    assert found.shape[:2] == (60, 40)
    assert (found[:, 35:, 3] == 255).all()
    assert not found[:, :25, 3].any()


def test_sixteen_bits_and_a_mask_for_strokes(run, folder):
    deep = np.full((40, 60, 3), 9000, np.uint16)
    deep[10:30, 10:40] = (50_000, 20_000, 10_000)
    cv2.imwrite("deep.png", deep[..., ::-1])
    mask = np.zeros((40, 60), np.uint8)
    mask[15:20, 15:35] = 255
    cv2.imwrite("mask.png", mask)
    assert run("cutout", "deep.png", "--scribbles", "mask.png").code == 0
    found = opened("deep_cutout.png")
    assert found[20, 25].tolist() == [195, 78, 39, 255]
    assert found[2, 2, 3] == 0


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        ("", 2, "nothing says what to cut out; give --scribbles FILE or --class NUMBER"),
        ("--class 9", 2, "--class 9 is no class of photo.png; its classes are 1 to 4"),
        (
            "--class 1 --background whitish",
            2,
            "--background whitish is no colour; use a name such as white",
        ),
        ("--class 1 -o a.jpg", 1, "a.jpg: JPEG pictures are not written with transparency; use .png"),
        ("--class 1 --feather -1", 2, "use a number of at least 0"),
        ("--scribbles none.png", 1, "none.png does not exist"),
        ("--scribbles scan.png", 2, "scan.png has strokes of shape (30, 20), but photo.png has shape (40, 60)"),
        ("--class 1 -o photo.png --overwrite", 2, "photo.png would be written over photo.png, which is an input"),
    ],
)
def test_one_line_and_nothing_written(refuse, folder, arguments, code, text):
    assert text in refuse("cutout", "photo.png", *arguments.split(), code=code)


def test_a_time_lapse_is_refused_as_what_it_is(refuse, folder):
    tifffile.imwrite("frames.tif", np.zeros((4, 16, 16), np.uint8), imagej=True, metadata={"axes": "TYX"})
    said = refuse("cutout", "frames.tif", "--class", "1", "-o", "object.png", code=2)
    assert "frames.tif has an axis of time; a cut-out is of one frame, so pass one alone" in said
    assert not (folder / "object.png").exists()
