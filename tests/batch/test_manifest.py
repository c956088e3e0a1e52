"""The manifest: what it says, and what becomes of half a line."""

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
from batches import do, lines, reasons, results
from PIL import Image as Pillow

import gmmseg
from gmmseg.batch import plan, run
from gmmseg.batch.manifest import NAME, Manifest, locked
from gmmseg.errors import InputError, OutputError


@pytest.mark.slow
def test_the_manifest_tells_the_truth(scenes):
    do(scenes, outputs=["soft", "overlay", "model"], reading={"channel_axis": "auto"})
    for line in lines():
        assert line["version"] == gmmseg.__version__
        source = Path(line["input"])
        assert line["sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
        assert (line["bytes"], line["mtime"]) == (source.stat().st_size, source.stat().st_mtime)
        assert line["parameters"] == {"k": 3, "channel_axis": "auto"}
        assert list(line["outputs"]) == ["labels", "soft", "overlay", "model"]
        for each in line["outputs"].values():
            content = Path("labels", each["file"]).read_bytes()
            assert (each["bytes"], each["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
        labels = np.array(Pillow.open(Path("labels", line["outputs"]["labels"]["file"])))
        np.testing.assert_array_equal(labels, gmmseg.segment(source, 3).labels)
        assert [each["share"] for each in line["classes"]] == [(labels == i).mean() for i in (1, 2, 3)]
        assert 0 < line["seconds"] < 60
        assert 20 < line["peak_mib"] < 2000


@pytest.mark.slow
@pytest.mark.parametrize("tail", [b'{"input": "scenes/b', b"\0" * 300, b'{"input": "a", "out\n'])
def test_half_a_line_is_dropped(scenes, tail):
    do(scenes)
    whole = results()
    path = Path("labels", NAME)
    content = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(content[:-1]) + tail)
    lost = json.loads(content[-1])["input"]
    made = plan(scenes, "labels", parameters={"k": 3}, resume=True)
    assert reasons(made) == {lost: "unfinished"}
    run(made)
    assert len(lines()) == 6
    assert results() == whole


def test_a_lock_that_is_a_link_or_holds_something_is_left_alone(tmp_path):
    folder = tmp_path / "labels"
    folder.mkdir()
    lock, precious = folder / ".gmmseg-batch.lock", tmp_path / "precious"
    precious.write_text("do not lose this")
    for target in (precious, tmp_path / "none"):
        lock.symlink_to(target)
        with pytest.raises(OutputError, match=r"lock is a link, not the lock of a batch; remove it"), locked(folder):
            pass
        lock.unlink()
    os.link(precious, lock)
    with pytest.raises(OutputError, match=r"lock is not the lock of a batch; remove it"), locked(folder):
        pass
    lock.unlink()
    for content in (b"12 and notes", b"1" * 30):
        lock.write_bytes(content)
        with pytest.raises(OutputError, match="is not the lock of a batch"), locked(folder):
            pass
        assert lock.read_bytes() == content
    lock.unlink()
    os.mkfifo(lock)
    with pytest.raises(OutputError, match="is not the lock of a batch"), locked(folder):
        pass
    lock.unlink()
    assert precious.read_text() == "do not lose this"
    assert not (tmp_path / "none").exists()
    for content in (b"", b"4194304123\n", b"\0" * 20):  # left by runs that were killed, also by a power cut
        lock.write_bytes(content)
        with locked(folder):
            assert lock.read_text().strip() == str(os.getpid())
        assert list(folder.iterdir()) == []


def test_a_lock_that_another_run_has_taken_meanwhile_is_not_removed(tmp_path):
    with locked(tmp_path):
        (tmp_path / ".gmmseg-batch.lock").unlink()
        (tmp_path / ".gmmseg-batch.lock").write_text("7\n")
    assert (tmp_path / ".gmmseg-batch.lock").read_text() == "7\n"


@pytest.mark.parametrize("target", ["precious", "none"])
def test_a_manifest_that_is_a_link_is_refused(scenes, tmp_path, target):
    (tmp_path / "precious").touch()
    Path("labels").mkdir()
    Path("labels", NAME).symlink_to(tmp_path / target)
    with pytest.raises(InputError, match=r"manifest\.jsonl is a link, not the manifest of a batch"):
        plan(scenes, "labels", overwrite=True)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("file", ["/etc/x", "../x", "a/../../x", "a\0b", "\ud800", "", 7, None, ["x"]])
def test_a_manifest_names_files_below_its_folder(tmp_path, file):
    line = {"input": "x", "parameters": {}, "outputs": {"labels": {"file": "deep/x.png"}}}
    (tmp_path / NAME).write_text(json.dumps(line) + "\n")
    assert list(Manifest.read(tmp_path).lines) == ["deep/x.png"]
    line["outputs"]["labels"]["file"] = file
    (tmp_path / NAME).write_text(json.dumps(line) + "\n")
    with pytest.raises(InputError, match=r"manifest\.jsonl is not the manifest of a batch"):
        Manifest.read(tmp_path)


def test_a_line_without_end_to_its_brackets_is_dropped(tmp_path):
    (tmp_path / NAME).write_text("[" * 100_000 + "\n")
    assert Manifest.read(tmp_path).lines == {}


def test_no_room_for_the_manifest(tmp_path, monkeypatch):
    manifest = Manifest(tmp_path, {})
    manifest.append([{"number": 1}, {"number": 2}])

    def fail(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OutputError, match=r"manifest\.jsonl cannot be written: No space left on device; free space"):
        manifest.append([{"number": 3}])
    assert (tmp_path / NAME).read_text() == '{"number": 1}\n{"number": 2}\n'
