"""The log: undone, redone, saved, opened again, and refused where it is damaged."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gmmseg import InputError, OutputError, ParameterError
from gmmseg.web.log import Log, load_log

K5 = {"do": "set", "option": "k", "value": 5}
MERGE = {"do": "merge", "classes": [1, 2]}
STEPS = st.sampled_from(
    [K5, MERGE, {"do": "name", "class": 1, "name": "sea"}, {"do": "hide", "class": 2, "hidden": True}, "undo", "redo"]
)


def played(moves):
    log = Log("photo.png")
    for move in moves:
        log = getattr(log, move)() if isinstance(move, str) else log.do(move)
    return log


@given(st.lists(STEPS, max_size=12), st.integers(1, 5))
def test_undo_and_redo_are_each_other_s_inverse(moves, times):
    log = played(moves)
    back = log
    undone = min(times, log.done)
    for _ in range(undone):
        back = back.undo()
    assert back.work == played_steps(log.steps[: log.done - undone])
    for _ in range(undone):
        back = back.redo()
    assert back == log


def played_steps(steps):
    return played(steps).work


def test_a_new_step_forgets_those_that_were_undone():
    log = Log("photo.png").do(K5).do(MERGE).undo().do({"do": "name", "class": 1, "name": "a"})
    assert [each["do"] for each in log.steps] == ["set", "name"]
    assert log.redo() == log


@given(st.lists(STEPS, max_size=12))
def test_saved_and_opened_it_is_the_same(tmp_path, moves):
    log, path = played(moves), tmp_path / "photo.gmmseg.json"
    log.save(path)
    assert load_log(path) == log
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_a_step_that_cannot_be_done_changes_nothing():
    log = Log("photo.png")
    with pytest.raises(ParameterError, match="no class 9"):
        log.do({"do": "hide", "class": 9, "hidden": True})
    with pytest.raises(ParameterError, match="k=0"):
        log.do({"do": "set", "option": "k", "value": 0})
    assert log == Log("photo.png")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other"}, "no log"),
        ({"version": 2}, "version 2"),
        ({"image": 3}, "no log"),
        ({"done": 3}, "damaged"),
        ({"done": -1}, "damaged"),
        ({"steps": "k"}, "damaged"),
        ({"steps": [K5, {"do": "eval"}]}, "step 2 is not usable"),
        ({"steps": [{"do": "set", "option": "k", "value": 2}, {"do": "merge", "classes": [1, 3]}]}, "no class 3"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, change, message):
    path = tmp_path / "a.gmmseg.json"
    Log("photo.png").do(K5).do(MERGE).save(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InputError, match=message):
        load_log(path)


@pytest.mark.parametrize("content", [b"", b"[" * 100_000, b"\xff\xfe", b"[]"])
def test_what_is_no_log_is_refused(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(InputError, match="no log"):
        load_log(tmp_path / "a.json")


def test_a_missing_file_and_a_missing_folder_say_so(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        load_log(tmp_path / "none.json")
    with pytest.raises(OutputError, match="does not exist"):
        Log("photo.png").save(tmp_path / "none" / "a.gmmseg.json")


def test_the_images_of_a_strip_are_kept(tmp_path):
    log = Log("scans", images=("scans/a.png", "scans/b.png")).do({"do": "merge", "classes": [1, 2]}).undo()
    log.save(tmp_path / "scans.gmmseg.json")
    assert load_log(tmp_path / "scans.gmmseg.json") == log
    content = json.loads((tmp_path / "scans.gmmseg.json").read_text())
    for wrong in ("scans", [1], {"a": "b"}):
        (tmp_path / "scans.gmmseg.json").write_text(json.dumps(content | {"images": wrong}))
        with pytest.raises(InputError, match="is a damaged log: images=.* are no paths"):
            load_log(tmp_path / "scans.gmmseg.json")
