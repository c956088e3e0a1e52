"""The parser: its help, unknown commands, and how the process ends."""

import os
import subprocess
import sys

import pytest
from processes import PROGRAM, imported_by, process

from gmmseg import kernels
from gmmseg.cli.group import run as run_parsed
from gmmseg.cli.overview import overview


def test_the_parser_gives_the_same_help(capsys):
    assert run_parsed(["--help"]) == 0
    assert capsys.readouterr().out == overview()


def test_help_of_segment_shows_sections_and_defaults(run):
    text = run("segment", "--help").out
    for section in ("Classes:", "Pixels:", "Output:", "Running:"):
        assert f"\n{section}\n" in text
    flat = " ".join(text.split())
    for default in (
        "[default: 4]",
        "or auto: full, but tied for pca. [default: auto]",
        "[default: auto]",
        "[default: all processors]",
    ):
        assert default in flat


@pytest.mark.slow
def test_wrong_values_and_help_of_commands_import_no_numpy():
    assert not imported_by("segment", "photo.png", "-k", "0") & {"numpy", "PIL", "cv2"}
    assert not imported_by("segment", "--help") & {"numpy", "PIL", "cv2"}


@pytest.mark.slow
def test_a_plain_picture_loads_what_it_needs(tmp_path, pictures):
    """Each of these takes a hundredth of a run or more."""
    loaded = imported_by("segment", str(pictures / "coffee.png"), "-o", str(tmp_path / "labels.png"), "--quiet")
    assert (tmp_path / "labels.png").is_file()
    assert {"numpy", "gmmseg.fitting.fit"} <= loaded
    others = {"PIL", "scipy", "json", "html", "dataclasses", "gmmseg.io.lazy", "gmmseg.io.array.sliced", "numpy.ma"}
    if kernels.IMPLEMENTATION == "native":
        others |= {"cv2", "numpy.random", "gmmseg.kernels.reference"}
    assert not loaded & others


def test_unknown_commands(refuse):
    assert "did you mean 'segment'?" in refuse("segmnt", "photo.png", code=2)
    assert "commands are segment, fit, apply" in refuse("xyz", code=2)
    assert "did you mean 'gmmseg segment photo.png'?" in refuse("photo.png", code=2)
    assert "no option --frobnicate" in refuse("--frobnicate", code=2)


@pytest.mark.slow
def test_exit_code_reaches_the_shell():
    finished = process("-c", PROGRAM, "segment", "none.png")
    assert finished.returncode == 1
    assert finished.stderr == "gmmseg: error: none.png does not exist; check the path\n"


@pytest.mark.slow
def test_a_reader_that_has_gone_is_no_news():
    command = f"{sys.executable} -c '{PROGRAM}' info --json | true"
    assert process("-c", f"import subprocess; subprocess.run({command!r}, shell=True)").stderr == ""


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
@pytest.mark.parametrize("argument", ["--help", "info"])
def test_no_room_for_the_results(argument):
    with open("/dev/full", "w") as full:
        finished = subprocess.run(
            [sys.executable, "-c", PROGRAM, argument], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert finished.returncode == 1
    assert finished.stderr == "gmmseg: error: the results cannot be printed: No space left on device\n"
