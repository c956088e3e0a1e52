"""What is written: put together from windows, as it is stored, and whole or not at all."""

from pathlib import Path

import numpy as np
import pytest

from gmmseg.errors import OutputError, ParameterError
from gmmseg.image import Image
from gmmseg.image.place import Place
from gmmseg.io import check_target, write_windows
from gmmseg.io.contents import Contents, assembled, refuse_options, stored_probabilities, write_with
from gmmseg.io.file_format import FileFormat

WINDOWS = [(slice(0, 2), slice(0, 4)), (slice(2, 3), slice(0, 1)), (slice(2, 3), slice(1, 4))]


class Lines(FileFormat):
    """A format of text: a line for each window, and a file beside it."""

    name, suffixes = "lines", {".txt": {"labels"}, ".long.txt": {"labels"}}

    def write(self, path, contents, windows):
        with open(path, "w") as file:
            for _, values in windows:
                file.write(f"{values.sum()}\n")
        return {".note": b"beside"}


@pytest.mark.parametrize("kind", ["labels", "soft"])
def test_windows_make_the_whole(rng, kind):
    shape = (2, 3, 4) if kind == "soft" else (3, 4)
    whole = rng.random(shape).astype(np.float32)
    contents = Contents(kind, (3, 4), "float32", ("a", "b"))
    parts = [(window, whole[(..., *window)]) for window in WINDOWS]
    for order in (parts, parts[::-1]):
        found = assembled(contents, iter(order))
        np.testing.assert_array_equal(found, whole, strict=True)
    # One window that is the whole is not copied, and what no window covers is 0.
    assert assembled(contents, [((slice(0, 3), slice(0, 4)), whole)]) is whole
    assert (assembled(contents, parts[:1])[..., 2, :] == 0).all()
    np.testing.assert_array_equal(assembled(contents, []), np.zeros(shape, np.float32), strict=True)


def test_probabilities_are_stored_in_proportion():
    values = np.array([0, 0.25, 0.5, 1, 1.0001, -0.0001])
    assert stored_probabilities(values, "uint8").tolist() == [0, 64, 128, 255, 255, 0]
    assert stored_probabilities(values, "uint16").tolist() == [0, 16384, 32768, 65535, 65535, 0]
    single = values.astype(np.float32)
    assert stored_probabilities(single, "float32") is single
    assert stored_probabilities(values, "float32").dtype == np.float32


def test_ways_to_store_that_there_are_not():
    for dtype in ("float32", "uint16", "uint8"):
        Contents("soft", (3, 4), "float32", options={"dtype": dtype}).check()
    with pytest.raises(ParameterError, match="dtype='int8' is not a way to store probabilities"):
        Contents("soft", (3, 4), "float32", options={"dtype": "int8"}).check()


def test_options_of_other_formats_are_refused():
    contents = Contents("labels", (3, 4), "uint8", options={"palette": None, "cog": True}, target=Path("a.png"))
    refuse_options(contents, "palette", "cog")
    with pytest.raises(ParameterError, match=r"^a\.png: cog=True is of another format"):
        refuse_options(contents, "palette")


def test_the_resolution_is_that_of_the_image():
    assert Contents("labels", (3, 4), "uint8").dpi is None
    image = Image(np.zeros((3, 4, 1), np.uint8), metadata={"dpi": (300.0, 150.0)})
    assert Contents("labels", (3, 4), "uint8", image=image).dpi == (300.0, 150.0)


def labels_of(count):
    for number in range(count):
        yield (slice(number, number + 1), slice(0, 2)), np.full((1, 2), number)


def test_a_file_and_what_lies_beside_it(tmp_path):
    contents = Contents("labels", (3, 2), "uint8")
    write_with(Lines(), tmp_path / "a.long.txt", contents, labels_of(3), overwrite=False)
    assert (tmp_path / "a.long.txt").read_text() == "0\n2\n4\n"
    assert (tmp_path / "a.long.txt.note").read_bytes() == b"beside"
    with pytest.raises(OutputError, match="exists already"):
        write_with(Lines(), tmp_path / "a.long.txt", contents, list(labels_of(1)), overwrite=False)
    write_with(Lines(), tmp_path / "a.long.txt", contents, list(labels_of(1)), overwrite=True)
    assert (tmp_path / "a.long.txt").read_text() == "0\n"


@pytest.mark.parametrize("ending", ["", ".note"])
def test_neither_of_them_is_replaced_unasked(tmp_path, ending):
    (tmp_path / f"a.txt{ending}").write_text("mine")
    contents = Contents("labels", (1, 2), "uint8")
    with pytest.raises(OutputError, match=rf"a\.txt{ending} exists already"):
        write_with(Lines(), tmp_path / "a.txt", contents, labels_of(1), overwrite=False)
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [(f"a.txt{ending}", "mine")]
    write_with(Lines(), tmp_path / "a.txt", contents, labels_of(1), overwrite=True)
    assert (tmp_path / "a.txt.note").read_bytes() == b"beside"


def test_what_goes_beside_is_refused_before_anything_is_computed(tmp_path):
    for name, kind, beside in (("a.nii.gz", "labels", "a.nii.gz.txt"), ("a.tif", "soft", "a.tif.aux.xml")):
        check_target(tmp_path / name, kind=kind)
        (tmp_path / beside).touch()
        with pytest.raises(OutputError, match=f"{beside} exists already; pass overwrite=True"):
            check_target(tmp_path / name, kind=kind)
        check_target(tmp_path / name, kind=kind, overwrite=True)

        def never():
            raise AssertionError
            yield

        with pytest.raises(OutputError, match=f"{beside} exists already"):
            write_windows(tmp_path / name, Contents(kind, (1, 2), "uint8", ("a",)), never())
    check_target(tmp_path / "a.nii.gz", kind="soft")


@pytest.mark.parametrize("cog", [False, True])
def test_all_that_waits_for_its_name_is_in_one_hidden_folder(tmp_path, cog):
    pytest.importorskip("rasterio")
    seen = []

    def windows():
        seen.extend(each.name for each in tmp_path.iterdir())
        yield (slice(0, 20), slice(0, 30)), np.ones((20, 30), np.uint8)

    place = Place((1.0, 0.0, 5.0, 0.0, -1.0, 7.0), "EPSG:32633", unit="m")
    image = Image(np.zeros((20, 30, 1), np.uint8), place=place)
    contents = Contents("labels", (20, 30), "uint8", ("a",), image, {"cog": True} if cog else {})
    write_windows(tmp_path / "a.tif", contents, windows())
    assert len(seen) == 1
    assert seen[0].startswith(".gmmseg-")
    assert {each.name for each in tmp_path.iterdir()} == {"a.tif", "a.tif.aux.xml"}


def test_a_failure_among_the_windows_leaves_nothing(tmp_path):
    def failing():
        yield from labels_of(2)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_with(Lines(), tmp_path / "a.txt", Contents("labels", (3, 2), "uint8"), failing(), overwrite=False)
    assert list(tmp_path.iterdir()) == []


def test_the_next_window_is_computed_while_one_is_written(tmp_path):
    import threading

    made = threading.Event()

    def windows():
        yield from labels_of(1)
        made.set()
        yield (slice(1, 2), slice(0, 2)), np.ones((1, 2))

    class Waiting(Lines):
        def write(self, path, contents, windows):
            next(iter(windows))
            assert made.wait(10)
            path.touch()
            return {}

    write_with(Waiting(), tmp_path / "a.txt", Contents("labels", (2, 2), "uint8"), windows(), overwrite=False)
    assert (tmp_path / "a.txt").exists()
