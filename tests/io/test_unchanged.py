"""Files that are opened again are those that they were."""

import os

import pytest

from gmmseg.errors import InputError
from gmmseg.io.unchanged import stamp_of, unchanged


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "a.nii"
    path.write_bytes(b"0123456789")
    os.utime(path, ns=(0, 0))
    return path


@pytest.fixture
def stamp(path):
    with open(path, "rb") as file:
        return stamp_of(file)


def cut(path):
    os.truncate(path, 5)
    os.utime(path, ns=(0, 0))


def replaced(path):
    path.rename(path.with_name("b"))
    path.write_bytes(b"9876543210")
    os.utime(path, ns=(0, 0))


def rewritten(path):
    path.write_bytes(b"9876543210")


def test_a_file_that_stays_is_read(path, stamp):
    with unchanged(path, stamp) as file:
        assert file.read() == b"0123456789"


@pytest.mark.parametrize("change", [cut, replaced, rewritten])
def test_a_file_that_has_changed_is_named(path, stamp, change):
    change(path)
    with (
        pytest.raises(InputError, match=r"a\.nii has changed since it was opened; segment it again"),
        unchanged(path, stamp),
    ):
        raise AssertionError("it is not handed out")


def test_a_file_that_changes_while_it_is_read_is_named(path, stamp):
    with pytest.raises(InputError, match="has changed since it was opened"), unchanged(path, stamp) as file:
        file.read(2)
        rewritten(path)


def test_a_file_that_is_gone_is_named(path, stamp):
    path.unlink()
    with pytest.raises(InputError, match="is gone since it was opened"), unchanged(path, stamp):
        raise AssertionError("it is not handed out")
