"""Which images there are in folders, patterns and lists."""

import os
import shutil
from pathlib import Path

import pytest
from batches import reasons

from gmmseg.batch import plan, run
from gmmseg.batch.manifest import NAME


@pytest.mark.slow
def test_a_folder_keeps_its_structure(scenes):
    (scenes / ".hidden").mkdir()
    shutil.copy(scenes / "a.png", scenes / ".hidden" / "a.png")
    shutil.copy(scenes / "a.png", scenes / ".gmmseg-0123456789ab.tmp")
    shutil.copy(scenes / "a.png", scenes / "without suffix")
    (scenes / "notes.md").write_text("# no image")
    (scenes / "sheet.xlsx").write_bytes(b"PK\x03\x04 and more")
    (scenes / "empty.png").touch()
    made = plan(scenes, "scenes/results")
    assert {str(step.source): step.outputs.get("labels", step.reason) for step in made.steps} == {
        "scenes/a.png": "a_labels.png",
        "scenes/b.png": "b_labels.png",
        "scenes/with space.png": "with space_labels.png",
        "scenes/without suffix": "without suffix_labels.png",
        "scenes/empty.png": "empty_labels.png",
        "scenes/notes.md": "starts with text, which is no known image",
        "scenes/sheet.xlsx": "may be NPZ, but is not named so",
        "scenes/deep/a.png": "deep/a_labels.png",
        "scenes/deep/Zürich.jpg": "deep/Zürich_labels.png",
        "scenes/deep/er/two\nlines.png": "deep/er/two\nlines_labels.png",
    }
    assert not Path("scenes/results").exists()
    run(made, jobs=1)
    again = plan(scenes, "scenes/results", resume=True)
    assert reasons(again) == {
        "scenes/empty.png": "failed before: scenes/empty.png is empty (0 bytes); write or download it again"
    }


def test_patterns_lists_and_names(scenes):
    everything = plan(scenes, "labels")
    images = sorted(str(step.source) for step in everything.steps)
    by_pattern = plan("scenes/**/*.*g", "labels")
    assert {step.key for step in by_pattern.steps} == {step.key for step in everything.steps}
    Path("list.txt").write_bytes(b"\0".join(map(os.fsencode, images)))
    assert {step.key for step in plan("list.txt", "labels").steps} == {step.key for step in everything.steps}
    Path("list.txt").write_text("scenes/deep/a.png\r\n\nscenes/a.png\n")
    assert [step.key for step in plan("list.txt", "labels").steps] == ["deep/a_labels.png", "a_labels.png"]
    assert [step.key for step in plan(["scenes/deep/a.png"], "labels").steps] == ["a_labels.png"]
    Path("scenes/[odd].png").write_bytes(Path("scenes/a.png").read_bytes())
    assert [step.key for step in plan("scenes/[odd].png", "labels").steps] == ["[odd]_labels.png"]


@pytest.mark.slow
def test_results_of_other_batches_are_no_images(scenes):
    run(plan(scenes, "scenes/labels"), jobs=1)
    shutil.copytree(scenes / "deep", scenes / "data")
    (scenes / "data" / NAME).write_text('{"image": "a.png", "caption": "a data set has such files, too"}\n')
    made = plan(scenes, "scenes/others")
    assert len(made.images) == 9
    left_out = {str(step.source): step.reason for step in made.steps if not step.outputs}
    assert left_out["scenes/labels"] == "holds the results of a batch"
