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
from gmmseg.batch.manifest import NAME, Manifest
from gmmseg.errors import OutputError


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


def test_no_room_for_the_manifest(tmp_path, monkeypatch):
    manifest = Manifest(tmp_path, {})
    manifest.append({"number": 1})

    def fail(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OutputError, match=r"manifest\.jsonl cannot be written: No space left on device; free space"):
        manifest.append({"number": 2})
    assert (tmp_path / NAME).read_text() == '{"number": 1}\n'
