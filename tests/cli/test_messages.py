"""The library's messages, in Python's words, become those of the command line."""

import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest

from gmmseg.cli.messages import collected_warnings, explain, plural
from gmmseg.errors import DataWarning, InputError, OutputError
from gmmseg.io import read, write_labels


def spoken(function, *arguments, **options):
    """What an error says in Python, and what it says in the shell."""
    with pytest.raises((InputError, OutputError)) as caught:
        function(*arguments, **options)
    return str(caught.value), explain(caught.value)


@pytest.fixture
def labels(tmp_path):
    path = tmp_path / "a.png"
    write_labels(path, np.ones((4, 5), np.uint8))
    return path


def test_a_file_that_exists(labels):
    python, shell = spoken(write_labels, labels, np.ones((4, 5), np.uint8))
    assert python == f"{labels} exists already; pass overwrite=True or choose another name"
    assert shell == f"{labels} exists already; pass --overwrite or choose another name"


def test_an_image_that_is_too_large(labels):
    python, shell = spoken(read, labels, max_pixels=19)
    assert python == f"{labels} is 5 x 4 = 20 pixels, above the limit of 19; raise max_pixels"
    assert shell == f"{labels} is 5 x 4 = 20 pixels, above the limit of 19; raise --max-pixels"


def test_a_segmentation_that_is_given_as_an_image():
    python, shell = spoken(read, Path(pydicom.__file__).parent / "data" / "test_files" / "liver_1frame.dcm")
    assert python.endswith("; give it as mask, or the source images")
    assert shell.endswith("; give it as --mask, or the source images")


def test_a_file_whose_name_is_that_of_a_parameter(tmp_path):
    python, shell = spoken(read, tmp_path / "max_pixels mask.png")
    assert python == shell


@pytest.mark.parametrize(
    "arguments",
    [
        ("segment", "a" * 4000 + ".png"),
        ("segment", "photo.png", "-k", "many words " * 300),
        ("segment", "photo.png", f"--features={'many words ' * 300}"),
        ("segment", "photo.png", "--channels", "red,many words " * 300),
        ("segment", "photo.png", "-o", "a b/" * 300 + "l.png"),
        ("segment", "photo.png", "--mask", "\u202e" * 900),
        ("info", "no such folder " * 300 + "/a.png"),
        ("segment", "no such folder " * 300 + "/a.png"),
        ("many words " * 300,),
        ("segment", "photo.png", f"--{'many words ' * 300}"),
    ],
)
def test_long_arguments_are_quoted_in_part(run, arguments):
    finished = run(*arguments)
    assert finished.code in (1, 2)
    assert finished.out == ""
    assert finished.err.count("\n") == 1
    assert len(finished.err) <= 616
    longest = max(arguments, key=len).partition("=")[2] or max(arguments, key=len)
    assert longest[:201] not in finished.err


def test_a_long_name_in_a_batch_is_quoted_in_part(run, folder):
    (folder / "list.txt").write_text("scan" * 1000 + ".png\n")
    finished = run("batch", "list.txt", "--out-dir", "labels")
    assert finished.code == 1
    assert finished.err.count("\n") == 1
    assert len(finished.err) < 500


def test_no_option_is_asked_for_that_the_command_does_not_have():
    error = InputError("a.png: its 9 x 9 pixels take 3 MiB, above the limit of 2 MiB; raise memory")
    assert explain(error).endswith("; raise --memory")
    assert explain(error, options=["memory", "mask"]).endswith("; raise --memory")
    assert explain(error, options=["mask"]).endswith("; reduce it or cut it into tiles")


def test_a_rule_for_masks_is_that_of_the_command():
    text = explain(InputError("m.tif is no mask; name one, as in mask_values='m.tif@clear:1'"))
    assert text == "m.tif is no mask; name one, as in --mask-values m.tif@clear:1"


def test_the_same_warning_is_printed_once(capsys):
    with collected_warnings(lambda: None) as texts:
        for number in (1, 1, 2):
            warnings.warn(f"page {number} is missing", DataWarning, stacklevel=1)
    assert texts == ["page 1 is missing", "page 2 is missing"]
    assert capsys.readouterr().err.count("page 1") == 1


def test_one_is_no_plural():
    assert [plural(n, "image") for n in (0, 1, 2)] == ["0 images", "1 image", "2 images"]
    assert [plural(n, "class", "classes") for n in (1, 3)] == ["1 class", "3 classes"]
