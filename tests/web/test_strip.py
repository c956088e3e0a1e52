"""The desk of a strip: one model, the labels of each image, and files that equal those of the printed command."""

import json
import os
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

import gmmseg
from gmmseg import GmmsegError, InputError, OutputError, ParameterError
from gmmseg.cli import main
from gmmseg.web import sheet
from gmmseg.web import strip as module
from gmmseg.web.log import load_log
from gmmseg.web.replaying import replay_commands
from gmmseg.web.strip import Strip


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder; scans/ has three pictures of a ground, a stripe and a square, each in its own light."""
    (tmp_path / "scans").mkdir()
    for number in range(3):
        rng = np.random.default_rng(number)
        values = np.full((40, 60, 3), 40 + 10 * number, np.int64)
        values[:, 20 + 5 * number :] = (200, 60, 30)
        values[25:, 30:] = (240, 240, 200)
        Pillow.fromarray(np.uint8(values + rng.integers(0, 15, values.shape))).save(
            tmp_path / "scans" / f"{number}.png"
        )
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def opened(folder):
    """Open a strip: (reasons by name, ...) -> it."""
    strips = []

    def call(out=".", **reasons):
        paths = sorted(Path("scans").iterdir())
        strips.append(Strip({path: reasons.get(path.stem, "") for path in paths}, [Path("scans")], Path(out)))
        return strips[-1]

    yield call
    for strip in strips:
        strip.close()


def do(strip, **step):
    return strip.do({"step": step})


def labels(strip, ticket, number):
    answer = strip.classes({"ticket": ticket, "at": number})
    return np.frombuffer(strip.layer(ticket, "labels"), np.uint8).reshape(answer["shape"]), answer


COMMAND = "gmmseg fit scans -k 3 -o scans.gmm.json && gmmseg apply scans.gmm.json scans --out-dir scans_labels"


def test_the_command_names_the_folder_and_is_kept_with_what_was_done(opened):
    strip = opened()
    assert do(strip, do="set", option="k", value=3)["command"] == COMMAND
    assert strip.undo({})["work"]["options"] == {"k": 4}
    assert opened().redo({})["command"] == COMMAND
    assert opened().paste({"text": COMMAND.replace("-k 3", "-k 5")})["work"]["options"] == {"k": 5}
    log = load_log(Path("scans.gmmseg.json"))
    assert (log.image, log.images, log.done) == ("scans", ("scans",), 2)


def test_each_image_has_the_labels_that_apply_gives_with_the_model_of_all(opened):
    strip = opened()
    do(strip, do="set", option="k", value=3)
    model = gmmseg.fit([Path("scans", f"{number}.png") for number in range(3)], 3)
    for number in (2, 0):
        found, answer = labels(strip, 1 + number, 0 + number)
        np.testing.assert_array_equal(found, gmmseg.apply(model, f"scans/{number}.png").labels)
        assert (answer["whole"], answer["pixels"], answer["tried"]) == (True, 2400, 3)
        strip._newest = 0  # as a page that is loaded again


def test_a_new_number_of_classes_is_of_one_model_again_and_may_be_tried(opened):
    strip = opened()
    answer = strip.classes({"ticket": 1, "at": 0, "step": {"do": "set", "option": "k", "value": 2}})
    assert len(answer["classes"]) == 2
    assert strip.state({})["work"]["options"] == {"k": 4}
    before = strip._tried
    strip.classes({"ticket": 2, "at": 1, "step": {"do": "set", "option": "k", "value": 2}})
    assert strip._tried is before  # another image needs no other model
    assert strip.classes({"ticket": 1, "at": 1}) == {"ticket": 1, "stale": True, "newest": 2}
    assert not Path("scans.gmmseg.json").exists()


@pytest.mark.slow
def test_files_equal_those_of_the_printed_command_and_of_the_log_byte_for_byte(opened, folder, monkeypatch):
    strip = opened()
    do(strip, do="set", option="k", value=4)
    do(strip, do="set", option="smooth", value=0.35)
    do(strip, do="set", option="min_size", value=4)
    do(strip, do="name", **{"class": 3}, name="sea side")
    do(strip, do="merge", classes=[1, 2])
    do(strip, do="foreground", classes=[1], others=[4])
    printed = strip.export({"kind": "labels"})
    assert printed["files"] == ["scans_classes.gmm.json", "scans.gmm.json", "3 label maps in scans_labels"]
    names = ["scans_classes.gmm.json", "scans.gmm.json", *(f"scans_labels/{number}_labels.png" for number in range(3))]
    written = {name: Path(name).read_bytes() for name in names}
    for number in range(3):
        found, answer = labels(strip, 5 + number, number)
        assert answer["whole"]
        saved = np.asarray(Pillow.open(f"scans_labels/{number}_labels.png"))
        np.testing.assert_array_equal(np.array(strip.log.work.numbers(4))[found], saved)
    for run in ("printed", "replayed"):
        other = folder / run
        other.mkdir()
        shutil.copytree("scans", other / "scans")
        shutil.copy("scans.gmmseg.json", other)
        with monkeypatch.context() as patch:
            patch.chdir(other)
            commands = [shlex.split(each)[1:] for each in printed["command"].split(" && ")]
            for command in commands if run == "printed" else [["segment", "--replay", "scans.gmmseg.json"]]:
                assert main(command) == 0
            assert {name: Path(name).read_bytes() for name in names} == written


def test_while_a_slider_moves_the_model_is_of_fewer_images(opened, monkeypatch):
    monkeypatch.setattr(module, "_MOST_AT_ONCE", 2)
    strip = opened()
    step = {"do": "set", "option": "k", "value": 3}
    answer = strip.classes({"ticket": 1, "at": 0, "step": step})
    assert (answer["tried"], answer["whole"]) == (2, False)
    strip.do({"step": step})
    answer = strip.classes({"ticket": 2, "at": 0})
    assert (answer["tried"], answer["whole"], strip.state({})["tried"]) == (3, True, 3)


@pytest.mark.slow
def test_large_images_are_tried_on_small_copies_until_they_are_written(opened, monkeypatch):
    monkeypatch.setattr(sheet, "TRIED_PIXELS", 3 * 600)
    strip = opened()
    do(strip, do="set", option="k", value=3)
    assert labels(strip, 1, 1)[1]["whole"] is False
    strip.export({"kind": "labels"})
    found, answer = labels(strip, 2, 1)
    assert answer["whole"] is True
    np.testing.assert_array_equal(found, np.asarray(Pillow.open("scans_labels/1_labels.png")))
    do(strip, do="set", option="k", value=2)
    assert labels(strip, 3, 1)[1]["whole"] is False


def test_what_cannot_be_read_is_said_and_left_out_of_the_command(opened):
    content = Path("scans/0.png").read_bytes()
    Path("scans/1.png").write_bytes(content[: len(content) // 2])
    strip = opened()
    do(strip, do="set", option="k", value=3)
    assert load_log(Path("scans.gmmseg.json")).images == ("scans",)
    printed = strip.export({"kind": "labels"})
    assert sorted(each.name for each in Path("scans_labels").iterdir()) == ["0_labels.png", "2_labels.png"]
    assert printed["command"].startswith("gmmseg fit scans/0.png scans/2.png -k 3 -o scans.gmm.json && ")
    listed = strip.state({})["strip"]
    assert [each["name"] for each in listed] == ["0.png", "1.png", "2.png"]
    assert "cut short" in listed[1]["reason"]
    with pytest.raises(InputError, match="cut short"):
        strip.picture([1])
    first, *_ = replay_commands(Path("scans.gmmseg.json"))
    assert first[:3] == ["fit", "scans/0.png", "scans/2.png"]


def test_files_that_the_folder_does_not_count_leave_it_its_name(opened):
    Path("scans/3.png").write_text("nothing")
    strip = opened(**{"3": "scans/3.png is none"})
    assert do(strip, do="set", option="k", value=3)["command"] == COMMAND
    with pytest.raises(InputError, match=r"scans/3\.png is none"):
        strip.tile([3])


def test_a_file_that_the_page_did_not_write_is_replaced_only_on_request(opened):
    strip = opened()
    Path("scans_labels").mkdir()
    Path("scans_labels/2_labels.png").write_text("mine")
    with pytest.raises(OutputError, match=r"scans_labels/2_labels\.png exists already"):
        strip.export({"kind": "labels"})
    assert Path("scans_labels/2_labels.png").read_text() == "mine"
    assert not Path("scans.gmm.json").exists()
    assert "--overwrite" in strip.export({"kind": "labels", "overwrite": True})["command"]
    assert "--overwrite" in strip.export({"kind": "labels"})["command"]


@pytest.mark.parametrize("name", ["scans.gmm.json", "scans_labels", "scans_labels/1_labels.png", "scans.gmmseg.json"])
def test_links_out_of_the_folder_are_not_followed(opened, folder, name):
    outside = folder / "outside"
    outside.mkdir()
    if "/" in name:
        Path("scans_labels").mkdir()
    Path(name).symlink_to(outside if name == "scans_labels" else outside / "file")
    with pytest.raises(OutputError, match="leads out of"):
        opened().export({"kind": "labels", "overwrite": True})
    assert not [*outside.iterdir()]


def test_what_is_of_single_images_is_refused_and_changes_nothing(opened):
    strip = opened()
    steps = (
        {"do": "set", "option": "detail", "value": 0.5},
        {"do": "stroke", "class": 1, "size": 3, "points": [[1, 1]]},
        {"do": "set", "option": "bias_field", "value": True},
    )
    for ticket, step in enumerate(steps):
        with pytest.raises(ParameterError, match="open one image by itself"):
            strip.do({"step": step})
        with pytest.raises(ParameterError, match="open one image by itself"):
            strip.classes({"ticket": ticket + 1, "at": 0, "step": step})
    with pytest.raises(ParameterError, match="export='cutout' is of single images"):
        strip.export({"kind": "cutout", "classes": [1]})
    assert not Path("scans.gmmseg.json").exists()


def test_logs_of_others_are_left_alone(opened):
    do(opened(), do="set", option="k", value=3)
    path = Path("scans.gmmseg.json")
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"image": "others"}))
    with pytest.raises(OutputError, match="is the log of others"):
        opened()
    path.write_text(json.dumps({name: each for name, each in content.items() if name != "images"}))
    with pytest.raises(OutputError, match="is the log of scans; move it"):
        opened()  # of one image of that name
    step = {"do": "stroke", "class": 1, "size": 3, "points": [[1, 1]]}
    path.write_text(json.dumps(content | {"steps": [step], "done": 1}))
    with pytest.raises(ParameterError, match="strokes are of single pictures"):
        opened()


@pytest.mark.parametrize("asked", [{}, {"ticket": 1}, {"ticket": 1, "at": "0"}, {"ticket": 1, "at": 3}, {"at": 0}])
def test_questions_that_are_none(opened, asked):
    with pytest.raises(ParameterError):
        opened().classes(asked)


@pytest.mark.parametrize("at", [[], [0, 1], [3], [-1]])
def test_pictures_are_asked_for_by_a_number(opened, at):
    strip = opened()
    with pytest.raises(ParameterError):
        strip.picture(at)
    with pytest.raises(ParameterError):
        strip.tile(at)


def test_layers_are_of_the_classes_found_last(opened):
    strip = opened()
    strip.classes({"ticket": 3, "at": 0})
    assert len(strip.layer(3, "uncertainty")) == 40 * 60
    with pytest.raises(ParameterError, match="is stale"):
        strip.layer(2, "labels")
    with pytest.raises(ParameterError, match="is none"):
        strip.layer(3, "secrets")


def test_images_elsewhere_are_named_by_their_whole_path(opened, folder):
    Path("results").mkdir()
    strip = opened("results")
    strip.export({"kind": "labels"})
    assert f"gmmseg fit {folder / 'scans'} -k 4" in strip.state({})["command"]
    assert sorted(each.name for each in Path("results").iterdir()) == ["scans.gmm.json", "scans_labels"]


def test_while_files_are_written_they_are_counted(opened, monkeypatch):
    strip = opened()
    Path("scans_labels").mkdir()
    Path("scans_labels/0_labels.png").write_text("of before")
    os.utime("scans_labels/0_labels.png", (1e9, 1e9))
    seen = []

    def run(command, folder):
        if command[0] == "apply":
            Path("scans_labels/1_labels.png").write_text("new")
            raise GmmsegError("it failed")
        gmmseg.fit(["scans/0.png"], 2).save("scans.gmm.json")
        seen.append(strip.state({})["saving"])
        with pytest.raises(OutputError) as error:
            strip.export({"kind": "labels", "overwrite": True})
        seen.append(str(error.value))
        return []

    assert strip.state({})["saving"] is None
    with monkeypatch.context() as patch, pytest.raises(GmmsegError, match="it failed"):
        patch.setattr(module, "run_command", run)
        strip.export({"kind": "labels", "overwrite": True})
    assert seen == [(1, 4), "the label maps are being written; wait until they are"]
    assert strip.state({})["saving"] is None
    assert not Path("scans_labels/2_labels.png").exists()
    assert len(strip.export({"kind": "labels"})["files"]) == 2  # what was written until then is the page's own


def test_what_the_model_and_the_image_are_warned_of_is_told_with_classes(folder):
    shutil.rmtree("scans")
    Path("scans").mkdir()
    for number in range(2):
        Pillow.fromarray(np.full((8, 8), 100 + number, np.uint8)).save(f"scans/{number}.png")
    paths = sorted(Path("scans").iterdir())
    strip = Strip(dict.fromkeys(paths, ""), [Path("scans")], Path())
    with pytest.warns(gmmseg.GmmsegWarning, match="k=2 was used"):
        told = [strip.classes({"ticket": ticket, "at": 1})["warnings"] for ticket in (1, 2)]
    strip.close()
    assert told[0] == told[1]  # the second is of the same model
    assert [each["place"] for each in told[0]] == [None]
    assert "k=2 was used" in told[0][0]["text"]


def test_what_went_wrong_in_a_command_is_said(opened):
    strip = opened()
    strip.sheet.look()
    for number in range(3):
        Path(f"scans/{number}.png").write_bytes(b"nothing")
    with pytest.raises(GmmsegError, match="scans"):
        strip.export({"kind": "labels"})
    assert not Path("scans_labels").exists()


def test_images_of_several_folders_are_called_after_what_is_above_them(folder):
    for name in ("scans/left", "scans/right"):
        Path(name).mkdir()
        shutil.copy("scans/0.png", name)
    paths = [Path("scans/left/0.png"), Path("scans/right/0.png")]
    strip = Strip(dict.fromkeys(paths, ""), [Path("scans/left"), Path("scans/right")], Path())
    assert strip.file.name == "scans.gmmseg.json"
    assert strip.sheet.taken == ["scans/left/0.png"]  # the other's label map would have the same name


def test_several_images_are_called_after_their_folder(folder):
    paths = [Path("scans/0.png"), Path("scans/2.png")]
    strip = Strip(dict.fromkeys(paths, ""), paths, Path())
    assert strip.file.name == "scans.gmmseg.json"
    assert strip.state({})["command"].startswith("gmmseg fit scans/0.png scans/2.png -k 4 -o scans.gmm.json && ")
