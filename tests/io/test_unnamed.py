"""Files that wait together for the disk and for their names."""

import os

import pytest

from gmmseg.io import unnamed
from gmmseg.io.atomic import atomic_file
from gmmseg.io.temporary import remove_own
from gmmseg.io.unnamed import leave_all_unnamed, lies_at, name_all, take_unnamed


@pytest.fixture
def leaving(monkeypatch):
    monkeypatch.setattr(unnamed, "_waiting", None)
    leave_all_unnamed()


def write(path, text, *, overwrite=True):
    with atomic_file(path, overwrite=overwrite) as file:
        file.write(text.encode())


def test_files_get_their_names_together_and_their_content_first(tmp_path, leaving, monkeypatch):
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("before")
    write(one, "first")
    write(two, "second")
    assert one.read_text() == "before"
    assert not two.exists()
    assert (lies_at(one).read_text(), lies_at(two).read_text()) == ("first", "second")
    files = take_unnamed()
    assert take_unnamed() == []
    assert lies_at(one) == one
    done = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *rest, real=real, name=name: (done.append(name), real(*rest))[1])
    name_all(files)
    assert done == ["fsync", "fsync", "replace", "replace"]
    assert {each.name: each.read_text() for each in tmp_path.iterdir()} == {"one": "first", "two": "second"}


def test_the_last_of_two_files_of_a_name_gets_it(tmp_path, leaving):
    write(tmp_path / "one", "first")
    write(tmp_path / "one", "second")
    name_all(take_unnamed())
    assert [each.read_text() for each in tmp_path.iterdir()] == ["second"]


def test_what_nobody_has_named_goes_with_the_process(tmp_path, leaving):
    for name in ("one", "two"):
        write(tmp_path / name, name)
        files = take_unnamed()
    name_all(files)
    write(tmp_path / "three", "three")
    remove_own()
    assert [each.name for each in tmp_path.iterdir()] == ["two"]


def test_a_link_keeps_pointing(tmp_path, leaving):
    (tmp_path / "link").symlink_to("target")
    write(tmp_path / "link", "text")
    assert lies_at(tmp_path / "link").read_text() == "text"
    assert [target for target, _ in take_unnamed()] == [os.path.realpath(tmp_path / "target")]


def test_what_may_replace_nothing_gets_its_name_at_once(tmp_path, leaving):
    write(tmp_path / "one", "first", overwrite=False)
    assert (tmp_path / "one").read_text() == "first"
    assert take_unnamed() == []
