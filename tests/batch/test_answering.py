"""What a worker does with a job: the line of the manifest that tells of it, whatever happens."""

import errno
import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

import gmmseg
import gmmseg.batch.answering as answering
from gmmseg.errors import InputError, OutputError


@pytest.fixture
def job(scenes):
    """Make a job for an image: (name, kinds, **changes) -> job."""

    def make(name="a.png", kinds=("labels",), **changes):
        ends = {"labels": "labels.png", "soft": "soft.npz", "model": "model.json"}
        line = {"input": f"scenes/{name}", "model": None, "outputs": {k: {"file": f"deep/{ends[k]}"} for k in kinds}}
        return {
            "source": f"scenes/{name}",
            "folder": "labels",
            "parameters": {"k": 3},
            "reading": {},
            "guides": {},
            "fault": "",
            "model": None,
            "line": line,
        } | changes

    return make


def digest_of(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def test_the_line_says_what_came_of_it(job):
    asked = job(kinds=("labels", "soft"))
    answered = answering.answer(asked)
    line = answered["line"]
    assert (answered["retry"], answered["stop"]) == (False, None)
    assert (line["shape"], line["k"], line["warnings"]) == ([48, 64], 3, [])
    assert line["sha256"] == digest_of("scenes/a.png")
    assert line["bytes"] == Path("scenes/a.png").stat().st_size
    assert line["seconds"] > 0
    assert line["peak_mib"] > 20
    for kind, name in (("labels", "deep/labels.png"), ("soft", "deep/soft.npz")):
        path = Path("labels", name)
        expected = {"file": name, "bytes": path.stat().st_size, "sha256": digest_of(path)}
        assert line["outputs"][kind] == expected
    labels = np.array(Pillow.open("labels/deep/labels.png"))
    np.testing.assert_array_equal(labels, gmmseg.segment("scenes/a.png", 3).labels)
    assert [each["share"] for each in line["classes"]] == [(labels == n).mean() for n in (1, 2, 3)]
    assert [each["pixels"] for each in line["classes"]] == [(labels == n).sum() for n in (1, 2, 3)]
    assert set(line["classes"][0]) == {"label", "name", "share", "pixels", "color"}
    assert asked["line"] == job(kinds=("labels", "soft"))["line"]  # which is not changed


def test_what_is_there_is_replaced_as_the_plan_has_decided(job):
    Path("labels/deep").mkdir(parents=True)
    Path("labels/deep/labels.png").write_text("old")
    assert "error" not in answering.answer(job())["line"]
    assert Path("labels/deep/labels.png").read_bytes()[:4] == b"\x89PNG"


def test_a_model_is_applied_and_has_to_be_the_one_of_the_plan(job, scenes):
    gmmseg.fit(scenes / "b.png", 2).save("m.json")
    asked = job(model="m.json", parameters={})
    asked["line"]["model"] = digest_of("m.json")
    assert answering.answer(asked)["line"]["k"] == 2
    asked["line"]["model"] = "0" * 64
    line = answering.answer(asked)["line"]
    assert line["error"]["message"] == "m.json has changed since the batch began; begin it again"


def test_warnings_are_kept(job, scenes):
    Pillow.new("L", (9, 9), 7).save(scenes / "plain.png")
    line = answering.answer(job("plain.png"))["line"]
    assert len(line["warnings"]) == 1
    assert "k=3 classes were asked for" in line["warnings"][0]


def test_a_bad_image_is_an_error_in_the_line(job, scenes):
    (scenes / "bad.png").write_text("no picture")
    answered = answering.answer(job("bad.png"))
    error = answered["line"]["error"]
    assert error["type"] == "InputError"
    assert error["message"].startswith("scenes/bad.png is named as a PNG file, but starts with text")
    assert "InputError" in error["traceback"]
    assert answered["line"]["outputs"] == {"labels": {"file": "deep/labels.png"}}
    assert (answered["retry"], answered["stop"]) == (False, None)
    missing = answering.answer(job("none.png"))["line"]
    assert missing["error"]["message"] == "scenes/none.png does not exist; check the path"
    assert "sha256" not in missing


@pytest.mark.parametrize(
    ("error", "cause", "message", "retry", "stops"),
    [
        (MemoryError(), None, "scenes/a.png: there is not enough memory", True, False),
        (InputError("a.png does not fit"), MemoryError(), "a.png does not fit", True, False),
        (InputError("a.png is damaged"), ValueError(), "a.png is damaged", False, False),
        (ZeroDivisionError("by zero"), None, "scenes/a.png: unexpected ZeroDivisionError", False, False),
        (OutputError("l.png: it exists"), None, "l.png: it exists", False, False),
        (OutputError("l.png: full"), OSError(errno.ENOSPC, "full"), "l.png: full", False, True),
        (OutputError("l.png: quota"), OSError(errno.EDQUOT, "quota"), "l.png: quota", False, True),
        (OutputError("l.png: rights"), OSError(errno.EACCES, "no"), "l.png: rights", False, False),
    ],
)
def test_what_may_succeed_again_and_what_ends_the_batch(job, monkeypatch, error, cause, message, retry, stops):
    def fail(*_, **__):
        raise error from cause

    monkeypatch.setattr(answering, "process", fail)
    answered = answering.answer(job())
    assert answered["line"]["error"]["message"].startswith(message)
    assert (answered["retry"], answered["stop"]) == (retry, str(error) if stops else None)


def test_a_folder_that_cannot_be_made_is_no_place_for_results(job):
    Path("labels").write_text("a file")
    answered = answering.answer(job())
    assert answered["line"]["error"]["message"].startswith("labels/deep cannot be made: ")
    assert answered["stop"] is None
