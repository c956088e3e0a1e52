"""Small files that are opened once."""

import builtins
import threading

import numpy as np
import pytest
from PIL import Image as Pillow

from gmmseg import io
from gmmseg.batch.answering import answer
from gmmseg.io.hashes import digest
from gmmseg.io.held import _MOST, holding, opened


def test_a_held_file_is_read_once_and_only_in_its_block(tmp_path):
    held, other = tmp_path / "a", tmp_path / "b"
    held.write_bytes(b"abc")
    other.write_bytes(b"other")
    with holding(held):
        with opened(held) as file:
            assert file.read(2) == b"ab"
        held.write_bytes(b"changed")
        with opened(held) as file:
            assert file.read() == b"abc"
        with opened(other) as file:
            assert file.read() == b"other"
        other.write_bytes(b"new")
        with opened(other) as file:
            assert file.read() == b"new"
    with opened(held) as file:
        assert file.read() == b"changed"


def test_a_file_that_is_not_there_is_looked_for_each_time(tmp_path):
    path = tmp_path / "a"
    with holding(path):
        with pytest.raises(FileNotFoundError):
            opened(path)
        path.write_bytes(b"now")
        with opened(path) as file:
            assert file.read() == b"now"


def test_a_large_file_is_not_held(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(bytes(_MOST + 1))
    with holding(path):
        with opened(path) as file:
            assert len(file.read()) == _MOST + 1
        path.write_bytes(b"changed")
        with opened(path) as file:
            assert file.read() == b"changed"


def test_other_threads_hold_nothing(tmp_path):
    path, found = tmp_path / "a", []

    def look():
        with opened(path) as file:
            found.append(file.read())

    path.write_bytes(b"abc")
    with holding(path):
        opened(path).close()
        path.write_bytes(b"changed")
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    assert found == [b"changed"]


@pytest.mark.parametrize("size", [64, 900])
def test_an_icon_of_a_batch_is_opened_once(tmp_path, monkeypatch, size):
    source, real, names = tmp_path / "icon.png", builtins.open, []
    pixels = np.random.default_rng(0).integers(0, 256, (size, size, 3), np.uint8)
    Pillow.fromarray(pixels).save(source)

    def counting(file, *rest, **more):
        names.append(str(file))
        return real(file, *rest, **more)

    monkeypatch.setattr(builtins, "open", counting)
    job = {"source": str(source), "folder": str(tmp_path / "out"), "parameters": {"k": 2, "threads": 1}, "reading": {}}
    job |= {"model": None, "guides": {}, "fault": "", "line": {"outputs": {"labels": {"file": "l.png"}}}}
    line = answer(job)["line"]
    assert "error" not in line
    assert (names.count(str(source)) == 1) == (size == 64)
    assert line["sha256"] == digest(source)
    np.testing.assert_array_equal(io.read(source).array, pixels)
