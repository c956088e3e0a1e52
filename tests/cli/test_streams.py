"""Standard input and output, pipes, and addresses on the command line."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from gmmseg.io import read_labels, write_labels


def piped(command, folder, **streams):
    """Run a command line of a shell, in which $G is the program."""
    program = f"{sys.executable} -m gmmseg"
    # Without the hashes of passwords and colours that a shell's profile may set.
    return subprocess.run(
        ["bash", "-c", command.replace("$G", program)], cwd=folder, capture_output=True, check=False, **streams
    )


@pytest.fixture
def labels(run, folder):
    """Those of photo.png."""
    assert run("segment", "photo.png", "-q").code == 0
    return (folder / "photo_labels.png").read_bytes()


def test_a_pipe_through_the_program_has_pixels_and_nothing_else(folder, labels):
    done = piped("cat photo.png | $G segment - -o -", folder)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == labels


@pytest.mark.parametrize(
    ("command", "written"),
    [
        ("cat photo.png | $G segment -", "stdin_labels.png"),
        ("cat photo.png | $G segment /dev/stdin", "stdin_labels.png"),
        ("$G segment - < photo.png", "stdin_labels.png"),
        ("$G segment <(cat photo.png)", "pipe_labels.png"),
    ],
)
def test_standard_input_and_process_substitution(folder, labels, command, written):
    done = piped(command, folder)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(f"wrote {written}".encode())
    assert (folder / written).read_bytes() == labels


def test_other_commands_read_and_print_streams_too(folder, labels):
    piped("cat photo.png | $G fit - -k 4 -o m.gmm.json", folder)
    done = piped("cat photo.png | $G apply m.gmm.json - -o - > a.png && $G regions - -o - < photo.png > r.png", folder)
    assert done.returncode == 0, done.stderr
    assert (folder / "a.png").read_bytes()[:4] == (folder / "r.png").read_bytes()[:4] == b"\x89PNG"
    assert read_labels(folder / "a.png").shape == (40, 60)
    facts = json.loads(piped("cat photo.png | $G info - --json", folder).stdout)
    assert (facts["file"], facts["size"]) == ("/dev/stdin", [60, 40])
    facts = json.loads(piped("cat photo.png | $G segment - --json", folder).stdout)
    assert facts[0]["input"] == "/dev/stdin"


def test_label_maps_are_read_from_pipes_with_their_names(folder):
    values = np.zeros((40, 60), np.uint8)
    values[5:15, 5:15], values[20:30, 20:40] = 1, 2
    write_labels(folder / "map.png", values, names=("field", "wood"))
    rows = json.loads(piped("cat map.png | $G measure - --json", folder).stdout)
    assert [(row["name"], row["pixels"]) for row in rows] == [("field", 100), ("wood", 200)]
    rows = json.loads(piped("cat photo.png | $G measure map.png - --json", folder).stdout)
    assert rows == json.loads(piped("$G measure map.png photo.png --json", folder).stdout)
    facts = json.loads(piped("cat map.png | $G objects - photo.png --label wood --json", folder).stdout)
    assert (facts["input"], facts["outputs"], facts["objects"]) == ("/dev/stdin", ["stdin_objects.tif"], 1)
    facts = json.loads(piped("cat map.png | $G relabel - --rename 2=forest --json", folder).stdout)
    assert [each["name"] for each in facts["classes"]] == ["field", "forest"]
    assert piped("cat photo.png | $G cutout - --class 1 -k 2", folder).stdout.startswith(b"wrote stdin_cutout.png")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("echo hello | $G segment -", "/dev/stdin starts with text, which is no known image; convert it"),
        ("$G segment - < /dev/null", "/dev/stdin is empty (0 bytes); check what writes to it"),
        ("head -c 1000 photo.png | $G segment - -o -", "/dev/stdin is damaged or cut short"),
        ("cat photo.png | $G segment - -o - --json", "--json and --output - both print on standard output"),
        ("cat photo.png | $G segment - -", "/dev/stdin is given twice, but holds one file; name another"),
        (
            "cat photo.png | $G measure - -",
            "/dev/stdin is given twice, but holds one file; name another one by its path",
        ),
        ("cat photo.png | $G fit photo.png - --mask -", "/dev/stdin is given twice, but holds one file"),
        ("cat photo.png | $G segment - --mask -", "/dev/stdin is given twice, but holds one file"),
        ("cat photo.png | $G segment photo.png --mask -", "/dev/stdin is a colour picture (mode RGB), not a label map"),
        ("$G segment https://x.org/a.png", "https://x.org/a.png is on the network, which is not used unasked; pass"),
        ("$G info s3://bucket/a.png", "s3://bucket/a.png is on the network; download it first"),
    ],
)
def test_what_is_wrong_is_one_line(folder, command, message):
    before = sorted(os.listdir(folder))
    done = piped(command, folder)
    assert done.returncode in (1, 2)
    assert done.stdout == b""
    assert message in done.stderr.decode()
    assert done.stderr.count(b"\n") == 1
    assert b"tmp" not in done.stderr
    assert sorted(os.listdir(folder)) == before


def test_the_option_is_named_as_it_is_typed(refuse):
    assert "pass --allow-remote, or download it first" in refuse("choose-k", "https://x.org/a.png", code=1)


def test_members_of_archives(run, folder, labels):
    with zipfile.ZipFile(folder / "p.zip", "w") as archive:
        archive.write(folder / "photo.png", "in/photo.png")
    finished = run("segment", "zip://p.zip!/in/photo.png", "-o", "z.png")
    assert (finished.code, finished.err) == (0, "")
    assert (folder / "z.png").read_bytes() == labels


def test_a_file_called_minus(run, folder, labels):
    (folder / "photo.png").rename(folder / "-")
    finished = run("segment", "./-", "-o", "m.png")
    assert (finished.code, finished.err) == (0, "")
    assert np.array_equal(read_labels(folder / "m.png"), read_labels(folder / "photo_labels.png"))
    assert not Path(folder / "-_labels.png").exists()


def test_nothing_is_printed_on_a_terminal(folder):
    main, other = os.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "gmmseg", "segment", "photo.png", "-o", "-"],
        cwd=folder, stdout=other, stderr=subprocess.PIPE, check=False,
    )  # fmt: skip
    os.close(other)
    os.close(main)
    assert done.returncode == 2
    assert b"standard output is a terminal; send it to a file" in done.stderr
