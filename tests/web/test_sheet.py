"""The sheet: which images of a strip can be taken, their small pictures, and what a model is tried on."""

import io
from pathlib import Path
from threading import Timer

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

from gmmseg.errors import InputError, ParameterError
from gmmseg.web import sheet as module
from gmmseg.web.sheet import Sheet, typed


@pytest.fixture
def folder(tmp_path):
    """Three pictures, one of them cut short, and one that is grey."""
    for number in range(3):
        noise = np.random.default_rng(number).integers(0, 255, (40, 60, 3), np.uint8)
        Pillow.fromarray(noise).save(tmp_path / f"{number}.png")
    (tmp_path / "1.png").write_bytes((tmp_path / "1.png").read_bytes()[:600])
    Pillow.fromarray(noise[..., 0]).save(tmp_path / "grey.png")
    return tmp_path


def sheet_of(folder, names, **reasons):
    return Sheet({folder / name: reasons.get(name.partition(".")[0], "") for name in names}, folder)


def test_what_cannot_be_taken_is_known_once_it_was_read(folder):
    sheet = sheet_of(folder, ["0.png", "1.png", "2.png", "grey.png"])
    assert sheet.taken == ["0.png", "1.png", "2.png", "grey.png"]
    sheet.look()
    assert sheet.taken == ["0.png", "2.png"]
    assert sheet.label_maps == ["0_labels.png", "2_labels.png"]
    assert dict(sheet.reasons)["1.png"].startswith(f"{folder / '1.png'} is damaged or cut short")
    assert dict(sheet.reasons)["grey.png"].startswith(
        "grey.png has one channel, but the others have colours; open it by"
    )
    with pytest.raises(InputError, match="cut short"):
        sheet.thumbnail(1)
    with pytest.raises(InputError, match="one channel"):
        sheet.thumbnail(3)
    with pytest.raises(ParameterError, match="image=4 is none; there are 4"):
        sheet.thumbnail(4)
    with pytest.raises(ParameterError, match="image=-1 is none"):
        sheet.preview(-1)


def test_small_pictures_are_small(tmp_path):
    Pillow.linear_gradient("L").resize((400, 200)).convert("RGB").save(tmp_path / "wide.png")
    content, kind = sheet_of(tmp_path, ["wide.png"]).thumbnail(0)
    assert kind == "image/png"
    drawn = Pillow.open(io.BytesIO(content))
    assert drawn.size == (128, 64)
    assert drawn.getpixel((60, 2))[0] < 10
    assert drawn.getpixel((60, 61))[0] > 245


def test_a_model_is_tried_on_copies_of_all_in_their_order(folder, monkeypatch):
    monkeypatch.setattr(module, "TRIED_PIXELS", 3 * 600)
    sheet = sheet_of(folder, ["0.png", "1.png", "2.png"])
    ready, copies = sheet.tried()
    sheet.close()
    assert (ready, sheet.wanted, sheet.complete) == (3, 3, False)
    assert [Path(each.name).name for each in copies] == ["0.png", "2.png"]
    assert all(each.shape == (20, 30) for each in copies)


def test_copies_of_small_images_are_the_images(folder):
    sheet = sheet_of(folder, ["0.png", "2.png"])
    _, copies = sheet.tried()
    sheet.close()
    assert sheet.complete
    np.testing.assert_array_equal(copies[1].array, np.asarray(Pillow.open(folder / "2.png")))


def test_many_images_are_begun_with_as_soon_as_a_few_are_read(folder, monkeypatch):
    """Of 20 images, of which the ninth to be read never comes, the model is tried on eight that are spread over all."""
    monkeypatch.setattr(module, "_PATIENCE", 0.05)
    content = (folder / "0.png").read_bytes()
    names = [f"{number:02}.png" for number in range(20)]
    for name in names:
        (folder / name).write_bytes(content)
    sheet = Sheet({folder / name: "" for name in names}, folder, threads=1)
    assert (sheet.ready, sheet.wanted) == (0, 20)
    sheet._order[8].reading.acquire()  # as one that takes long
    ready, copies = sheet.tried()
    assert ready == 8
    assert [Path(each.name).name for each in copies] == ["00.png", *(f"{n:02}.png" for n in (2, 4, 8, 10, 12, 16, 18))]
    sheet._order[8].reading.release()
    sheet._readers[0].join()
    assert sheet.ready == 20
    assert len(sheet.tried()[1]) == 20
    assert (sheet.tried(4)[0], len(sheet.tried(4)[1])) == (4, 4)


def test_reading_ends_when_it_is_closed(folder):
    content = (folder / "0.png").read_bytes()
    names = [f"{number:02}.png" for number in range(40)]
    for name in names:
        (folder / name).write_bytes(content)
    sheet = Sheet({folder / name: "" for name in names}, folder, threads=1)
    sheet._order[9].reading.acquire()
    assert sheet.tried()[0] == 8
    Timer(0.2, sheet._order[9].reading.release).start()
    sheet.close()
    assert not sheet._readers[0].is_alive()
    assert sheet.ready == 8  # the tenth was read to its end, and none behind it


def test_where_no_image_can_be_read_the_reason_is_said(folder):
    sheet = sheet_of(folder, ["1.png"])
    with pytest.raises(InputError, match=r"1\.png is damaged or cut short .*; no other image can be read"):
        sheet.tried()
    sheet.close()


def test_images_of_one_name_would_have_one_label_map(folder):
    Pillow.open(folder / "0.png").save(folder / "0.bmp")
    sheet = sheet_of(folder, ["0.bmp", "0.png"])
    assert sheet.taken == ["0.bmp"]
    assert dict(sheet.reasons)["0.png"].startswith("0.png has results of the same name as 0.bmp")


def test_volumes_have_no_place_in_a_strip(tmp_path):
    tifffile.imwrite(tmp_path / "stack.tif", np.zeros((4, 5, 6), np.uint8), imagej=True, metadata={"axes": "ZYX"})
    sheet = sheet_of(tmp_path, ["stack.tif"])
    sheet.look()
    assert dict(sheet.reasons)["stack.tif"] == (
        "stack.tif has 4 x 5 x 6 pixels and is no picture; open it by itself: gmmseg view stack.tif"
    )


def test_names_are_those_that_are_typed(tmp_path):
    (tmp_path / "work").mkdir()
    assert typed(tmp_path / "work" / "a.png", tmp_path) == "work/a.png"
    assert typed(tmp_path / "-k.png", tmp_path) == "./-k.png"  # or it would be an option
    assert typed(tmp_path / "a.png", tmp_path / "work") == str(tmp_path / "a.png")
