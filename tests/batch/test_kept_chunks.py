"""Parts of a result: whole or not there, of one plan, and of one run at a time."""

import os

import pytest

from gmmseg import OutputError
from gmmseg.batch.kept_chunks import parts_of_target


def test_parts_stay_for_the_same_plan_and_go_with_another(tmp_path):
    with parts_of_target(tmp_path / "a.tif", "one") as parts:
        parts.store([(0, 1), (0, 2)], b"do\nne")
    with parts_of_target(tmp_path / "a.tif", "one") as parts:
        assert [parts.has((0, number)) for number in range(4)] == [False, True, True, False]
        assert parts.load((0, 1)) == ([(0, 1), (0, 2)], b"do\nne")
    with parts_of_target(tmp_path / "a.tif", "two") as parts:
        assert not parts.has((0, 1))
        parts.remove()
    assert not list(tmp_path.iterdir())


def test_what_was_cut_short_is_no_part(tmp_path):
    with parts_of_target(tmp_path / "a.tif", "one") as parts:
        (parts.folder / "0-1.new").write_bytes(b"ha")
        assert not parts.has((0, 1))


def test_a_second_run_waits_outside(tmp_path):
    with (
        parts_of_target(tmp_path / "a.tif", "one"),
        pytest.raises(OutputError, match=rf"^another run \(process {os.getpid()}\) writes .*a\.tif; wait for its end$"),
        parts_of_target(tmp_path / "a.tif", "one"),
    ):
        pass


def test_a_full_disk_leaves_no_part(tmp_path, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    with parts_of_target(tmp_path / "a.tif", "one") as parts:
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(OutputError, match="No space left on device; free space, what is done is kept"):
            parts.store([(0, 0)], b"x")
        assert not parts.has((0, 0))
