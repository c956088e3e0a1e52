"""Running the program in a folder of its own."""

from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image as Pillow

from gmmseg.cli import main


@dataclass
class Finished:
    code: int
    out: str
    err: str


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with photo.png (colour, 40 x 60) and scan.png (grey, 30 x 20) in it."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    photo = np.zeros((40, 60, 3), np.uint8)
    photo[:, 20:] = (200, 60, 30)
    photo[25:, 30:] = (240, 240, 200)
    Pillow.fromarray(photo + rng.integers(0, 15, photo.shape, np.uint8)).save("photo.png", dpi=(300, 300))
    scan = np.full((30, 20), 40, np.uint8)
    scan[10:] = 180
    Pillow.fromarray(scan + rng.integers(0, 9, scan.shape, np.uint8)).save("scan.png")
    return tmp_path


@pytest.fixture
def run(folder, capsys):
    """Run the program in this process: (argument, ...) -> Finished."""

    def call(*arguments):
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Finished(code, captured.out, captured.err)

    return call


@pytest.fixture
def refuse(run, folder):
    """Run what must fail with one line and change nothing: (argument, ..., code=) -> that line."""

    def call(*arguments, code):
        before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        finished = run(*arguments)
        assert finished.code == code, finished
        assert finished.out == ""
        assert finished.err.startswith("gmmseg: error: ")
        assert finished.err.count("\n") == 1, finished.err
        assert "please report" not in finished.err
        assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
        return finished.err

    return call
