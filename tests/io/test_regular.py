"""Regular files are opened, and nothing that waits or acts."""

import os
import socket

import pytest
from processes import PROGRAM, process

from gmmseg.errors import InputError
from gmmseg.io import read, read_info, read_labels
from gmmseg.io.regular import require_regular
from gmmseg.model import load_model


@pytest.fixture(params=["pipe", "link to a pipe", "socket", "device"])
def special(request, tmp_path, monkeypatch):
    """A path whose opening or reading would block, and what it is."""
    monkeypatch.chdir(tmp_path)
    if request.param == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("a.png")
        return "a.png", "a socket"
    if request.param == "device":
        os.symlink("/dev/zero", "a.png")
        return "a.png", "a device"
    os.mkfifo("a.png")
    if request.param == "pipe":
        return "a.png", "a named pipe"
    os.symlink("a.png", "b.png")
    return "b.png", "a named pipe"


@pytest.mark.parametrize("function", [read, read_info, read_labels, load_model])
def test_what_is_no_file_is_refused_at_once(special, function):
    path, kind = special
    with pytest.raises(InputError, match=rf"^{path} is {kind}, not a regular file; copy what it holds to a file"):
        function(path)


def test_files_folders_and_what_is_missing(tmp_path):
    (tmp_path / "a").touch()
    require_regular(tmp_path / "a")
    require_regular(tmp_path)
    with pytest.raises(FileNotFoundError):
        require_regular(tmp_path / "b")


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        "segment {}",
        "info {}",
        "info model.json",
        "apply model.json {}",
        "segment photo.png --mask {}",
        "batch {} --out-dir out",
        "batch photo.png --model model.json --out-dir out",
        "batch list.txt --out-dir out",
        "evaluate {} {}",
    ],
)
def test_every_command_refuses_a_pipe_in_one_line(tmp_path, command):
    for name in ("pipe.png", "model.json", "list.txt"):
        os.mkfifo(tmp_path / name)
    read_from = tmp_path / "photo.png"
    read_from.write_bytes(b"\x89PNG\r\n\x1a\n")
    finished = process("-c", PROGRAM, *command.format("pipe.png", "pipe.png").split(), cwd=tmp_path, timeout=60)
    assert finished.returncode == 1
    assert "is a named pipe, not a regular file; copy what it holds" in finished.stderr
    assert finished.stderr.count("gmmseg: error") == finished.stderr.count("\n") == 1
