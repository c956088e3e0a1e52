"""Files are written whole or not at all."""

import os
import stat
from pathlib import Path

import numpy as np
import pytest

from gmmseg.errors import OutputError
from gmmseg.io import check_target, read_labels, write_labels
from gmmseg.io.atomic import atomic_file, atomic_path


def test_impossible_places(tmp_path, labels, monkeypatch):
    with pytest.raises(OutputError, match="does not exist; create it first"):
        check_target(tmp_path / "none" / "a.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        check_target(tmp_path / "folder.png", overwrite=True)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(OutputError, match="not writable"):
        check_target(tmp_path / "a.png")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_devices_are_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(OutputError, match="not a regular file"):
        check_target(tmp_path / "pipe.png", overwrite=True)


@pytest.mark.parametrize("failure", [KeyboardInterrupt, ValueError])
def test_interrupted_writing_leaves_nothing(tmp_path, failure):
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(failure), atomic_file(tmp_path / "a.txt", overwrite=True) as file:
        file.write(b"new")
        raise failure
    assert (tmp_path / "a.txt").read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["a.txt"]


def test_a_full_disk_is_one_line(tmp_path):
    with pytest.raises(OutputError, match="No space left"), atomic_file(tmp_path / "a", overwrite=False):
        raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_what_is_wrong_with_another_file_is_not_said_of_this_one(tmp_path):
    with pytest.raises(FileNotFoundError) as caught, atomic_file(tmp_path / "a", overwrite=False):
        (tmp_path / "b" / "input").read_bytes()
    assert caught.value.filename == str(tmp_path / "b" / "input")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "out").mkdir()
    with (
        pytest.raises(OutputError, match="a cannot be written: No such file or directory"),
        atomic_path(tmp_path / "out" / "a", overwrite=False) as temporary,
    ):
        temporary.parent.rmdir()
        temporary.parent.parent.rmdir()
        temporary.touch()


def test_what_a_library_leaves_beside_its_file_is_gone(tmp_path):
    with atomic_path(tmp_path / "a.tif", overwrite=False, suffix=".tif") as temporary:
        temporary.write_text("whole")
        assert temporary.suffix == ".tif"
        temporary.with_name(f"{temporary.name}.ovr.tmp").touch()
    assert [each.name for each in tmp_path.iterdir()] == ["a.tif"]
    with pytest.raises(ZeroDivisionError), atomic_path(tmp_path / "b.tif", overwrite=False) as temporary:
        temporary.with_name("b.aux.xml").touch()
        raise ZeroDivisionError
    assert [each.name for each in tmp_path.iterdir()] == ["a.tif"]


def test_a_file_that_comes_alone_has_no_folder_of_its_own(tmp_path, monkeypatch, labels):
    monkeypatch.chdir(tmp_path)
    made = []
    real = os.mkdir
    monkeypatch.setattr(os, "mkdir", lambda *rest, **named: (made.append(rest), real(*rest, **named))[1])
    write_labels("a.png", labels)
    with atomic_path(Path("b"), overwrite=False, suffix=".x", alone=True) as temporary:
        assert temporary.parent == tmp_path
        assert temporary.name.startswith(".gmmseg-")
        temporary.write_text("whole")
    assert made == []
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.png", "b"]
    assert read_labels("a.png").tolist() == labels.tolist()


def test_a_link_and_a_folder_behind_a_link_are_written_through(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there", target_is_directory=True)
    (tmp_path / "there" / "name").symlink_to(tmp_path / "target")
    for path in (tmp_path / "link" / "name", tmp_path / "link" / ".." / "beside"):
        with atomic_file(path, overwrite=False) as file:
            file.write(b"text")
    assert (tmp_path / "there" / "name").is_symlink()
    assert [(tmp_path / name).read_text() for name in ("target", "beside")] == ["text", "text"]


@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_appears_meanwhile_is_kept(tmp_path, monkeypatch, links):
    if not links:

        def refuse(*_args):
            raise PermissionError(1, "no links here")

        monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(OutputError), atomic_file(tmp_path / "a", overwrite=False) as file:
        file.write(b"mine")
        (tmp_path / "a").write_text("theirs")
    assert (tmp_path / "a").read_text() == "theirs"
    assert [each.name for each in tmp_path.iterdir()] == ["a"]
    with atomic_file(tmp_path / "b", overwrite=False) as file:
        file.write(b"mine")
    assert (tmp_path / "b").read_text() == "mine"


def test_umask_decides_the_rights(tmp_path, labels):
    before = os.umask(0o027)
    try:
        write_labels(tmp_path / "a.png", labels)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.png").stat().st_mode) == 0o640


def test_links_keep_pointing(tmp_path, labels):
    (tmp_path / "real.png").write_text("old")
    (tmp_path / "link.png").symlink_to("real.png")
    write_labels(tmp_path / "link.png", labels, overwrite=True)
    assert (tmp_path / "link.png").is_symlink()
    np.testing.assert_array_equal(read_labels(tmp_path / "real.png"), labels)
