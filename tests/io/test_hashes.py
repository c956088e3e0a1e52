"""SHA-256 of files and of folders."""

import hashlib
from pathlib import Path

import pytest

from gmmseg.errors import InputError
from gmmseg.io.hashes import digest


@pytest.mark.parametrize("size", [0, 3, 1 << 18, (1 << 18) + 1, 1 << 20])
def test_a_file_has_the_hash_of_its_bytes(tmp_path, size):
    path, content = tmp_path / "a", bytes(range(256)) * (size // 256) + b"abc"[: size % 256]
    path.write_bytes(content)
    assert len(content) == size
    assert digest(path) == hashlib.sha256(content).hexdigest()


def test_a_folder_has_the_hash_of_names_and_contents(tmp_path):
    (tmp_path / "deep").mkdir()
    file = tmp_path / "deep" / "a"
    file.write_bytes(b"abc")
    before = digest(tmp_path)
    (tmp_path / ".hidden").write_bytes(b"x")
    assert digest(tmp_path) == before
    file.rename(tmp_path / "deep" / "b")
    assert digest(tmp_path) != before


def test_what_is_no_regular_file_is_refused():
    with pytest.raises(InputError, match="/dev/zero"):
        digest(Path("/dev/zero"))
