"""What a file begins with."""

import gzip
import os

import pytest

from gmmseg.errors import InputError
from gmmseg.io.beginning import first_bytes, stored_bytes, unpacked
from gmmseg.io.held import holding


def test_a_gzip_file_begins_with_what_it_holds(tmp_path):
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b"content" * 100))
    assert first_bytes(path) == (b"content" * 100)[:512]
    assert stored_bytes(path)[:2] == b"\x1f\x8b"
    assert unpacked(b"\x1f\x8bno gzip") == b"\x1f\x8bno gzip"


def test_what_cannot_be_read_is_one_line(tmp_path):
    (tmp_path / "empty").touch()
    for name, words in (("none", "does not exist"), ("", "is a folder"), ("empty", r"is empty \(0 bytes\)")):
        with pytest.raises(InputError, match=words):
            first_bytes(tmp_path / name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with holding(tmp_path / "pipe"), pytest.raises(InputError, match="is a named pipe"):
        first_bytes(tmp_path / "pipe")
