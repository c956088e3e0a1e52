"""What is planned, and what a second run does."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from batches import actions, do, lines, reasons, results

import gmmseg
from gmmseg.batch import plan, run
from gmmseg.batch.manifest import NAME
from gmmseg.errors import InputError, OutputError, ParameterError
from gmmseg.io.temporary import temporary_folder


@pytest.mark.parametrize(
    ("sources", "options", "error", "words"),
    [
        ("none", {}, InputError, "none does not exist; give a folder"),
        ("*.bmp", {}, InputError, r"\*\.bmp matches no file"),
        ("void", {}, InputError, "void: there is no image among 0 files"),
        ("void.txt", {}, InputError, "void.txt names no image"),
        ("scenes", {"resume": True, "overwrite": True}, ParameterError, "contradict each other"),
        ("scenes", {"outputs": ["depth"]}, ParameterError, "'depth', which is nothing to write"),
        ("scenes", {"model": "none.json"}, InputError, "model none.json cannot be read"),
        ("scenes", {"reading": {"mask": Path("none.png")}}, InputError, "mask none.png cannot be read"),
        ("scenes", {"reading": {"mask": np.ones((2, 2))}}, ParameterError, "mask is of type ndarray"),
        (["scenes/a.png", "scenes/a.png"], {}, ParameterError, "scenes/a.png is given twice"),
    ],
)
def test_refused_plans(scenes, sources, options, error, words):
    Path("void").mkdir()
    Path("void.txt").write_text("\n")
    with pytest.raises(error, match=words):
        plan(sources, "labels", **options)


@pytest.mark.slow
def test_nothing_is_done_twice_and_everything_that_changed_is(scenes):
    first = do(scenes)
    assert len(first) == len(lines()) == 6
    whole = results()
    made = plan(scenes, "labels", parameters={"k": 3}, resume=True)
    assert set(actions(made).values()) == {"skip"}
    assert run(made) == []
    with pytest.raises(OutputError, match=r"a_labels\.png and 5 more exist already; pass resume=True"):
        plan(scenes, "labels", parameters={"k": 3})

    def again(**options):
        return reasons(plan(scenes, "labels", **{"parameters": {"k": 3}, "resume": True, **options}))

    assert again(parameters={"k": 4})["scenes/a.png"] == "k was 3, is 4"
    assert again(parameters={"k": 3, "threads": 5}, reading={"max_pixels": 10_000}) == {}
    assert again(outputs=["soft"])["scenes/a.png"] == "a_soft.npz is missing"
    gmmseg.fit(scenes / "a.png", 3).save("m.json")
    assert again(model="m.json")["scenes/a.png"] == "made with another model"

    status = (scenes / "b.png").stat()
    content = bytearray((scenes / "b.png").read_bytes())
    shutil.copy(scenes / "a.png", "kept.png")
    (scenes / "b.png").write_bytes(Path("kept.png").read_bytes())
    os.utime(scenes / "b.png", ns=(status.st_atime_ns, status.st_mtime_ns))
    Path("labels/a_labels.png").unlink()
    Path("labels/deep/a_labels.png").write_bytes(b"something else")
    text = Path("labels", NAME).read_text().replace(f'"{gmmseg.__version__}"', '"0.0.1"', 1)
    Path("labels", NAME).write_text(text)
    old = json.loads(text.splitlines()[0])["input"]
    assert again() == {
        "scenes/b.png": "the image has changed",
        "scenes/a.png": "a_labels.png is missing",
        "scenes/deep/a.png": "deep/a_labels.png has changed",
    } | {old: f"made by version 0.0.1, this is {gmmseg.__version__}"}
    (scenes / "b.png").write_bytes(content)
    do(scenes, resume=True)
    assert results() == whole
    assert len(lines()) == 6
    (scenes / "deep" / "new.png").write_bytes(content)
    assert again() == {"scenes/deep/new.png": "no result yet"}


@pytest.mark.slow
def test_other_peoples_files_are_kept(scenes):
    Path("labels").mkdir()
    Path("labels/a_labels.png").write_text("precious")
    with pytest.raises(OutputError, match=r"labels/a_labels\.png exists, but no labels/manifest\.jsonl says"):
        plan(scenes, "labels", resume=True)
    ours = '{"parameters": {}, "outputs": {"labels": {"file": "%s"}}%s}\n'
    foreign = (
        '{"name": "of another program"}\n',
        "[1]\n",
        "one\ntwo\nthree\n",
        '{"parameters": {}, "outputs": {"labels": {"file": 1}}}\n',
        '{"parameters": {}, "outputs": {"soft": {"file": "a.npz"}}}\n',
        ours % ("../../a.png", ""),
        ours % ("/elsewhere/a.png", ""),
        ours % ("a.png", ', "error": "text"'),
    )
    for text in foreign:
        Path("labels", NAME).write_text(text)
        with pytest.raises(InputError, match="is not the manifest of a batch"):
            plan(scenes, "labels", overwrite=True)
    Path("labels", NAME).unlink()
    do(scenes, overwrite=True)
    assert Path("labels/a_labels.png").read_bytes() != b"precious"
    do([scenes / "a.png"], overwrite=True)
    assert len(lines()) == 6  # lines of the other images are true still


def test_no_result_leaves_the_folder(scenes, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    Path("labels", "inside").mkdir(parents=True)
    Path("labels", "deep").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputError, match=r"its result labels/deep/\S* would be .*/elsewhere/.*, outside of labels;"):
        plan(scenes, "labels", resume=True)
    Path("labels", "deep").unlink()
    Path("labels", "b_labels.png").symlink_to(tmp_path / "elsewhere" / "b.png")
    with pytest.raises(OutputError, match=r"^scenes/b\.png: its result labels/b_labels\.png would be"):
        plan(scenes, "labels", overwrite=True)
    Path("labels", "b_labels.png").unlink()
    shutil.copy(scenes / "a.png", "elsewhere/a.png")
    with pytest.raises(OutputError, match=r"/elsewhere/a_labels\.png, outside of labels"):
        plan("scenes/*/../../elsewhere/*.png", "labels")
    Path("labels", "deep").symlink_to("inside")  # which stays in the folder
    assert len(plan(scenes, "labels").images) == 6


def test_what_lies_beside_a_result_is_replaced_as_little_as_the_result(scenes):
    np.save(scenes / "volume.npy", np.zeros((4, 5, 6), np.uint8))
    arguments = {"sources": scenes / "volume.npy", "out_dir": "labels", "reading": {"channel_axis": None}}
    assert [step.key for step in plan(**arguments).images] == ["volume_labels.tif"]
    Path("labels").mkdir()
    Path("labels", "volume_labels.tif.aux.xml").touch()
    with pytest.raises(OutputError, match=r"labels/volume_labels\.tif\.aux\.xml exists already; pass resume=True"):
        plan(**arguments)
    assert len(plan(**arguments, overwrite=True).images) == 1


def test_what_a_manifest_names_through_links_is_not_swept(scenes, tmp_path):
    do(scenes)
    with temporary_folder(tmp_path) as mine:
        name = mine.name.replace(f"-{os.getpid()}-", f"-{1 << 40}-")
    for place in (tmp_path / "elsewhere", Path("labels")):
        Path(place, name).mkdir(parents=True)
    Path("labels", "way out").symlink_to(tmp_path / "elsewhere")
    line = lines()[0]
    line["outputs"]["labels"]["file"] = "way out/a_labels.png"
    with open(Path("labels", NAME), "a") as file:
        file.write(json.dumps(line) + "\n")
    run(plan(scenes, "labels", parameters={"k": 3}, resume=True))
    assert Path("elsewhere", name).exists()
    assert not Path("labels", name).exists()
