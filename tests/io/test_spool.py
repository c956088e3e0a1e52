"""Copies of what can be read once only."""

import gc
import os
import tempfile

import pytest

from gmmseg.errors import InputError, OutputError
from gmmseg.io.spool import Copy, as_given, named


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_copy_goes_with_its_object(place):
    copy = Copy("pipe", 100)
    path = copy.add("image", [b"abc", b"def"])
    assert path == copy.path
    assert path.read_bytes() == b"abcdef"
    assert os.listdir(place) == [copy.folder.name]
    del copy
    gc.collect()
    assert not os.listdir(place)


def test_the_limit_is_of_all_files_together():
    copy = Copy("pipe", 5 << 20)
    copy.add("image", [bytes(4 << 20)])
    with pytest.raises(InputError, match="^pipe is larger than the 5 MiB that are copied; raise memory"):
        copy.add("image.hdr", [bytes(1 << 20), b"a"])


def test_no_room_is_one_line():
    copy = Copy("pipe", 5)
    copy.add("image", [b"a"])
    with pytest.raises(InputError, match=r"^pipe cannot be copied to .*: File exists; free space there, or set TMPDIR"):
        copy.add("image", [b"a"])


def test_messages_name_what_was_given():
    copy = Copy("pipe", 5)
    assert as_given(f"{copy.path} is damaged") == "pipe is damaged"
    assert as_given("other is damaged") == "other is damaged"
    with pytest.raises(OutputError, match="^pipe is damaged$"), named():
        raise OutputError(f"{copy.path} is damaged")
    with pytest.raises(OutputError, match="^other$"), named():
        raise OutputError("other")


@pytest.mark.parametrize(
    ("start", "name"),
    [
        (b"P5\n3 2\n255\n", "image.pgm"),
        (b"\xff\x4f\xff\x51", "image.jp2"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image.png"),
        (b"<VRTDataset>", "image"),
        (b"hello", "image"),
    ],
)
def test_formats_that_are_known_by_name_get_one(start, name):
    copy = Copy("pipe", 100)
    copy.add("image", [start])
    copy.settle()
    assert copy.path.name == name
    assert copy.path.exists()
