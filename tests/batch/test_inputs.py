"""Which images there are in folders, patterns and lists."""

import os
import shutil
import socket
from pathlib import Path

import pytest
from batches import reasons

from gmmseg.batch import plan, run
from gmmseg.batch.inputs import find_images, images_of, listed
from gmmseg.batch.manifest import NAME
from gmmseg.errors import InputError, ParameterError


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


def test_pipes_sockets_devices_and_links_to_them_are_no_images(scenes, tmp_path):
    os.mkfifo(scenes / "pipe.png")
    (scenes / "link.png").symlink_to("pipe.png")
    (scenes / "null").symlink_to("/dev/null")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(scenes / "s.npy"))
        made = plan(scenes, "labels")
    assert {step.source.name: step.reason for step in made.steps if not step.outputs} == {
        "link.png": "is a named pipe, not a regular file",
        "null": "is a device, not a regular file",
        "pipe.png": "is a named pipe, not a regular file",
        "s.npy": "is a socket, not a regular file",
    }
    assert len(made.images) == 6
    assert len(images_of([scenes])) == 3
    os.mkfifo("list.txt")
    with pytest.raises(InputError, match=r"^list\.txt is a named pipe, not a regular file; copy what it holds"):
        plan("list.txt", "labels")
    (line,) = run(plan("scenes/pipe.png", "labels"))  # named on purpose: it is said when it is its turn
    assert line["error"]["message"].startswith("scenes/pipe.png is a named pipe")
    (line,) = run(plan("scenes/pipe.png", "labels", resume=True))
    assert "error" in line
    with pytest.raises(InputError, match="is a named pipe"):
        plan(scenes, "others", model=scenes / "pipe.png")


@pytest.mark.parametrize("name", ["table.csv", "readme.txt", "numbers", "numbers.md"])
def test_tables_and_notes_are_no_images_whatever_gdal_takes_them_for(scenes, name):
    (scenes / name).write_text("".join(f"{x} {y} {x * y}\n" for y in range(4) for x in range(5)))
    made = plan(scenes, "labels")
    (left_out,) = [step for step in made.steps if not step.outputs]
    assert left_out.source == scenes / name
    assert scenes / name not in images_of([scenes])


def test_a_raster_that_is_text_is_named_so(scenes):
    (scenes / "height.asc").write_text("ncols 3\nnrows 2\nxllcorner 0\nyllcorner 0\ncellsize 1\n1 2 3\n4 5 6\n")
    assert "height_labels.tif" in {step.key for step in plan(scenes, "labels").images}
    assert scenes / "height.asc" in images_of([scenes])


def test_patterns_lists_and_names(scenes):
    everything = plan(scenes, "labels")
    images = sorted(str(step.source) for step in everything.steps)
    by_pattern = plan("scenes/**/*.*g", "labels")
    assert {step.key for step in by_pattern.steps} == {step.key for step in everything.steps}
    Path("list.txt").write_bytes(b"\0".join(map(os.fsencode, images)))
    assert {step.key for step in plan("list.txt", "labels").steps} == {step.key for step in everything.steps}
    Path("list.txt").write_text("scenes/deep/a.png\r\n\nscenes/a.png\n")
    assert [step.key for step in plan("list.txt", "labels").steps] == ["deep/a_labels.png", "a_labels.png"]
    # A line that begins with # is a comment, unless a file is called so.
    Path("#1.png").write_bytes(Path("scenes/a.png").read_bytes())
    Path("list.txt").write_text("# of the first field\nscenes/a.png\n#1.png\n#" + "x" * 9999 + "\n")
    assert [step.key for step in plan("list.txt", "labels").steps] == ["scenes/a_labels.png", "#1_labels.png"]
    Path("list.txt").write_text("#1.png+scenes/a.png\n")
    assert [str(step.source) for step in plan("list.txt", "labels").steps] == ["#1.png+scenes/a.png"]
    Path("list.txt").write_bytes(b"scenes/a.png\0#2.png\0")
    assert [step.source.name for step in plan("list.txt", "labels").steps] == ["a.png", "#2.png"]
    Path("list.txt").write_text("# nothing yet\n")
    with pytest.raises(InputError, match=r"list\.txt names no image; write one path a line"):
        plan("list.txt", "labels")
    assert [step.key for step in plan(["scenes/deep/a.png"], "labels").steps] == ["a_labels.png"]
    Path("scenes/[odd].png").write_bytes(Path("scenes/a.png").read_bytes())
    assert [step.key for step in plan("scenes/[odd].png", "labels").steps] == ["[odd]_labels.png"]


def test_a_list_names_files_below_its_folder(scenes, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    shutil.move(scenes / "b.png", tmp_path / "elsewhere" / "b.png")
    (scenes / "b.png").symlink_to(tmp_path / "elsewhere" / "b.png")
    (scenes / "a link.png").symlink_to("a.png")
    lists = scenes / "list.txt"
    outside = ("elsewhere/b.png", "scenes/b.png", "scenes/../elsewhere/b.png", "/etc/hostname", "scenes/b.png+x.png")
    for entry in outside:
        lists.write_text(f"scenes/a.png\n{entry}\n")
        with pytest.raises(InputError, match=r"^scenes/list\.txt names .* not in the list's folder .*; put the list"):
            plan(lists, "labels")
    lists.write_text(f"scenes/a.png\nscenes/a link.png\n{scenes.absolute()}/deep/a.png\n")
    assert len(plan(lists, "labels").images) == 3


@pytest.mark.slow
def test_results_of_other_batches_are_no_images(scenes):
    run(plan(scenes, "scenes/labels"), jobs=1)
    shutil.copytree(scenes / "deep", scenes / "data")
    (scenes / "data" / NAME).write_text('{"image": "a.png", "caption": "a data set has such files, too"}\n')
    made = plan(scenes, "scenes/others")
    assert len(made.images) == 9
    left_out = {str(step.source): step.reason for step in made.steps if not step.outputs}
    assert left_out["scenes/labels"] == "holds the results of a batch"


@pytest.mark.parametrize("address", ["https://x.org/a.tif", "/vsizip/a.zip/b.tif", "zip://a.zip!/b.tif"])
def test_an_address_is_no_file_of_a_batch(tmp_path, address):
    with pytest.raises(InputError) as caught:
        find_images([address], without=tmp_path)
    assert str(caught.value).startswith(f"{address} is an address, and a batch is of files")


def test_what_is_named_as_an_image_and_is_none_is_listed_with_the_reason(scenes):
    (scenes / "broken.png").write_text("nothing")
    (scenes / "empty.jpg").touch()
    (scenes / "notes.md").write_text("# no image")
    (scenes / "folder.png").mkdir()
    (scenes / ".hidden.png").write_text("nothing")
    found = {each.path.name: each.reason for each in listed([scenes])}
    assert list(found) == ["a.png", "b.png", "broken.png", "empty.jpg", "with space.png"]
    assert found["a.png"] == ""
    assert found["broken.png"].startswith(f"{scenes / 'broken.png'} is named as a PNG file, but starts with text")
    assert "empty" in found["empty.jpg"]
    assert images_of([scenes]) == [each.path for each in listed([scenes]) if not each.reason]
    assert [each.path for each in listed([scenes / "broken.png"])] == [scenes / "broken.png"]  # named on purpose
    for name in ("a.png", "b.png", "with space.png"):
        (scenes / name).unlink()
    with pytest.raises(ParameterError, match="is a folder without images"):
        listed([scenes])
