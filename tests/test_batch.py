"""Batches: what is planned, what the manifest says, and that nothing is lost or wrong however a run ends."""

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

import gmmseg
from gmmseg.batch import plan, process, run
from gmmseg.batch.manifest import NAME, Manifest, locked
from gmmseg.batch.workers import Crew, Death
from gmmseg.errors import InputError, OutputError, ParameterError

PROGRAM = "from gmmseg.cli import program; program()"


@pytest.fixture
def scenes(tmp_path, monkeypatch):
    """A folder of six small pictures, in the current folder."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    names = ("a.png", "b.png", "with space.png", "deep/a.png", "deep/Zürich.jpg", "deep/er/two\nlines.png")
    for number, name in enumerate(names):
        path = Path("scenes", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = np.zeros((48, 64, 3), np.uint8)
        picture[:, 20 + number :] = (200, 60, 30)
        picture[30 + number :, 30:] = (240, 240, 200)
        Pillow.fromarray(picture + rng.integers(0, 15, picture.shape, np.uint8)).save(path)
    return Path("scenes")


def results(folder="labels"):
    """Bytes of the files below a folder, but the manifest's, which holds times."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in Path(folder).rglob("*")
        if path.is_file() and path.name != NAME
    }


def lines(folder="labels"):
    return [json.loads(text) for text in Path(folder, NAME).read_text().splitlines()]


def actions(made):
    return {str(step.source): step.action for step in made.steps}


def reasons(made):
    return {str(step.source): step.reason for step in made.steps if step.action != "skip"}


def do(scenes, *, jobs=2, **options):
    return run(plan(scenes, "labels", **{"parameters": {"k": 3}, **options}), jobs=jobs)


# ---- one image ----


def test_one_image_is_what_segment_says(scenes, tmp_path):
    outputs = {"model": Path("m.json"), "labels": Path("l.npy"), "soft": Path("s.npy"), "anomaly": Path("n.npy")}
    stages = []
    record = process(scenes / "a.png", outputs, parameters={"k": 3, "seed": 5}, stage=stages.append)
    direct = gmmseg.segment(scenes / "a.png", 3, seed=5)
    assert stages == ["reading", "fitting", "writing"]
    assert list(record["outputs"]) == ["labels", "soft", "anomaly", "model"]
    np.testing.assert_array_equal(np.load("l.npy"), direct.labels)
    np.testing.assert_array_equal(np.load("s.npy"), direct.probabilities)
    np.testing.assert_array_equal(np.load("n.npy"), direct.anomaly)
    assert [each["share"] for each in record["classes"]] == [each.share for each in direct.classes]
    model = gmmseg.load_model("m.json")
    process(scenes / "b.png", {"labels": Path("b.npy")}, model=model, parameters={"smooth": 0.2})
    np.testing.assert_array_equal(np.load("b.npy"), gmmseg.apply(model, scenes / "b.png", smooth=0.2).labels)
    with pytest.raises(OutputError, match="exists already"):
        process(scenes / "b.png", {"labels": Path("b.npy")}, model=model)
    with pytest.raises(ParameterError, match="'depth', which is nothing to write"):
        process(scenes / "b.png", {"depth": Path("c.npy")})


def test_one_image_needs_nothing_of_the_rest(fresh_python):
    code = "import sys; from gmmseg.batch.processing import process; print('gmmseg.batch.planning' in sys.modules)"
    assert fresh_python(code).strip() == "False"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = gmmseg.batch.nothing


# ---- what is planned ----


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


def test_formats_of_label_maps(tmp_path):
    np.save(tmp_path / "volume.npy", np.zeros((3, 4, 5), np.uint8))
    np.save(tmp_path / "flat.npy", np.zeros((4, 5), np.uint8))
    (tmp_path / "scan.nii.gz").write_bytes(b"\0" * 344 + b"n+1\0")
    (tmp_path / "slice.dcm").write_bytes(b"\0" * 128 + b"DICM")
    shutil.copytree(tmp_path, tmp_path / "all", ignore=shutil.ignore_patterns("slice.dcm"))
    made = plan(tmp_path / "all", tmp_path / "labels", reading={"channel_axis": None})
    assert [step.key for step in made.steps] == ["flat_labels.png", "scan_labels.nii.gz", "volume_labels.tif"]
    assert plan(tmp_path / "slice.dcm", tmp_path / "labels").steps[0].key == "slice_labels.dcm"


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


def test_two_inputs_with_one_output_are_refused(scenes):
    Pillow.open(scenes / "a.png").save(scenes / "a.tif")
    Pillow.open(scenes / "a.png").save(scenes / "a.jpg")
    with pytest.raises(ParameterError, match=r"scenes/a\.jpg and scenes/a\.png would both be written to"):
        plan(scenes, "labels")
    assert not Path("labels").exists()


def test_inputs_are_never_written_over(scenes):
    shutil.copy(scenes / "a.png", scenes / "a_labels.png")
    with pytest.raises(ParameterError, match=r"a_labels\.png would be written over .*a_labels\.png, which is an input"):
        plan(["scenes/a.png", "scenes/a_labels.png"], "scenes")
    for sources in (scenes, "scenes/*.png", "scenes/**/*.png"):
        with pytest.raises(OutputError, match=r"scenes/deep/\.\. is where the images are; choose another folder"):
            plan(sources, "scenes/deep/..")
    assert len(plan("scenes/*.png", ".").images) == 4
    assert len(plan("**/*.png", "scenes/deep").images) == 4


def test_results_of_other_batches_are_no_images(scenes):
    run(plan(scenes, "scenes/labels"), jobs=1)
    shutil.copytree(scenes / "deep", scenes / "data")
    (scenes / "data" / NAME).write_text('{"image": "a.png", "caption": "a data set has such files, too"}\n')
    made = plan(scenes, "scenes/others")
    assert len(made.images) == 9
    left_out = {str(step.source): step.reason for step in made.steps if not step.outputs}
    assert left_out["scenes/labels"] == "holds the results of a batch"


# ---- what a second run does ----


def test_nothing_is_done_twice_and_everything_that_changed_is(scenes):
    first = do(scenes)
    assert len(first) == len(lines()) == 6
    whole = results()
    made = plan(scenes, "labels", parameters={"k": 3}, resume=True)
    assert set(actions(made).values()) == {"skip"}
    assert run(made) == []
    with pytest.raises(OutputError, match=r"a_labels\.png and 5 more exist already; pass --resume"):
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
        ours % ("/tmp/a.png", ""),
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


def test_the_number_of_jobs_does_not_matter(scenes):
    written = []
    for jobs, threads in ((1, 1), (1, 3), (3, None)):
        run(plan(scenes, "labels", parameters={"k": 3}, outputs=["soft", "model"]), jobs=jobs, threads=threads)
        written.append(results())
        shutil.rmtree("labels")
    assert len(written[0]) == 18
    assert written[0] == written[1] == written[2]
    for jobs in (0, True, 1.5):
        with pytest.raises(ParameterError, match="is not usable"):
            do(scenes, jobs=jobs)


def test_a_model_for_all(scenes):
    model = gmmseg.fit([scenes / "a.png", scenes / "b.png"], 4)
    model.save("land.gmm.json")
    made = plan(scenes, "labels", model="land.gmm.json", parameters={"smooth": None})
    done = run(made, jobs=1)
    assert done[0]["model"] == hashlib.sha256(Path("land.gmm.json").read_bytes()).hexdigest()
    labels = np.array(Pillow.open("labels/deep/a_labels.png"))
    np.testing.assert_array_equal(labels, gmmseg.apply(model, "scenes/deep/a.png").labels)
    gmmseg.fit(scenes / "a.png", 2).save("land.gmm.json", overwrite=True)
    shutil.rmtree("labels")
    assert all("land.gmm.json has changed since" in line["error"]["message"] for line in run(made, jobs=1))


# ---- what goes wrong ----


def test_a_bad_image_does_not_stop_the_others(scenes):
    (scenes / "b.png").write_bytes((scenes / "a.png").read_bytes()[:200])
    done = do(scenes)
    (failed,) = [line for line in done if "error" in line]
    assert failed["input"] == "scenes/b.png"
    assert failed["error"]["type"] == "InputError"
    assert "scenes/b.png is damaged or cut short" in failed["error"]["message"]
    assert "Traceback" in failed["error"]["traceback"]
    assert failed["outputs"] == {"labels": {"file": "b_labels.png"}}
    assert len(results()) == 5
    made = plan(scenes, "labels", parameters={"k": 3}, resume=True)
    assert set(reasons(made)) == {"scenes/b.png"}


def tricky(job):
    """A job for workers of these tests: obey it, then answer with its number."""
    if job.get("die") and not (job.get("once") and Path(job["once"]).exists()):
        if job.get("once"):
            Path(job["once"]).touch()
        print("about to die", file=sys.stderr, flush=True)
        os.kill(os.getpid(), getattr(signal, job["die"]))
    print("this is no answer")
    return {"number": job["number"], "process": os.getpid()}


TRICKY = "test_batch:tricky"


@pytest.mark.parametrize("cause", ["SIGKILL", "SIGSEGV"])
def test_a_dying_worker_costs_its_job(cause, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent)
    jobs = [(number, {"number": number, "die": cause if number in (0, 3) else None}) for number in range(8)]
    with Crew(2, TRICKY) as crew:
        answers = dict(crew.work(jobs))
    assert sorted(answers) == list(range(8))
    for number, answer in answers.items():
        if number in (0, 3):
            assert isinstance(answer, Death)
            assert answer.cause == f"was killed by {cause}"
            assert "about to die" in answer.last_words
            assert ("Segmentation fault" in answer.last_words) == (cause == "SIGSEGV")
        else:
            assert answer["number"] == number


def test_a_worker_that_was_killed_idle_is_replaced(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent)
    with Crew(1, TRICKY) as crew:

        def jobs():
            yield 0, {"number": 0}
            yield 1, {"number": 1}

        work = crew.work(jobs())
        _, first = next(work)
        # It has the second job by now, or has even answered it.
        _, second = next(work)
        assert first["process"] == second["process"]
    with pytest.raises(ProcessLookupError):
        os.kill(first["process"], 0)


def killed_while_at_work(monkeypatch, folder, *, twice):
    """Have the worker that begins deep/a.png kill itself, the first time or each time."""
    once = folder / "killed"
    code = (
        "import os, sys, pathlib, signal; import gmmseg.batch.answering as a; real = a.process\n"
        "def process(source, *rest, **more):\n"
        f"    once = pathlib.Path({str(once)!r})\n"
        f"    if source.parts[-2:] == ('deep', 'a.png') and ({twice} or not once.exists()):\n"
        "        once.touch(); os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return real(source, *rest, **more)\n"
        "a.process = process; answer = a.answer\n"
    )
    (folder / "answering_that_dies.py").write_text(code)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr("gmmseg.batch.running.TASK", "answering_that_dies:answer")


@pytest.mark.parametrize("twice", [False, True])
def test_an_image_that_kills_its_process_is_tried_again_alone(scenes, tmp_path, monkeypatch, twice):
    do(scenes)
    whole = results()
    shutil.rmtree("labels")
    killed_while_at_work(monkeypatch, tmp_path, twice=twice)
    said = []
    done = run(plan(scenes, "labels", parameters={"k": 3}), jobs=2, report=said.append)
    assert len(done) == 6
    first, last = [line for line in said if line["input"] == "scenes/deep/a.png"]
    assert first["error"]["type"] == "Death"
    assert "the process that worked on it was killed by SIGKILL" in first["error"]["message"]
    assert first["retry"] is True
    assert said[-1] is last
    assert ("error" in last) == twice
    assert len(lines()) == 6
    if twice:
        assert len(results()) == 5
    else:
        assert results() == whole


def test_a_second_run_is_refused(scenes):
    made = plan(scenes, "labels")
    Path("labels").mkdir()
    with locked(Path("labels")):
        with pytest.raises(OutputError, match=rf"another batch \(process {os.getpid()}\) is at work in labels"):
            run(made)
        assert not Path("labels", NAME).exists()
    assert list(Path("labels").iterdir()) == []
    run(made)
    with pytest.raises(OutputError, match="another batch has worked in labels since"):
        run(made)


def test_no_room_on_the_disk(scenes, tmp_path, monkeypatch):
    code = (
        "import gmmseg.batch.answering as a; from gmmseg.errors import OutputError; real = a.process\n"
        "def process(source, *rest, **more):\n"
        "    if source.name == 'with space.png':\n"
        "        raise OutputError('x.png cannot be written: No space left') from OSError(28, 'No space left')\n"
        "    return real(source, *rest, **more)\n"
        "a.process = process; answer = a.answer\n"
    )
    (tmp_path / "full_disk.py").write_text(code)
    with monkeypatch.context() as patch:
        patch.syspath_prepend(tmp_path)
        patch.setattr("gmmseg.batch.running.TASK", "full_disk:answer")
        with pytest.raises(OutputError, match="No space left; what was done is kept, and --resume does the rest"):
            do(scenes, jobs=1)
    before = len(lines())
    assert before == len(results())
    assert 0 < before < 6
    do(scenes, resume=True)
    assert (len(lines()), len(results())) == (6, 6)


def test_no_room_for_the_manifest(tmp_path, monkeypatch):
    manifest = Manifest(tmp_path, {})
    manifest.append({"number": 1})

    def fail(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OutputError, match=r"manifest\.jsonl cannot be written: No space left on device; free space"):
        manifest.append({"number": 2})
    assert (tmp_path / NAME).read_text() == '{"number": 1}\n'


def test_a_folder_that_cannot_be_written(scenes):
    with pytest.raises(OutputError, match="cannot be made"):
        run(plan(scenes, "/proc/none/labels"))
    with pytest.raises(OutputError, match=r"scenes/a\.png is not a folder"):
        plan("scenes/deep", "scenes/a.png")


# ---- killed at any moment ----


def test_interrupted(scenes):
    process = start("scenes", "-k", 3, "--out-dir", "labels", "--jobs", 2, new_session=True)
    while not Path("labels", NAME).exists():
        time.sleep(0.002)
    time.sleep(0.05)
    assert process.poll() is None
    os.killpg(process.pid, signal.SIGINT)  # as the terminal does it: to the workers, too
    assert process.wait(20) == 130
    assert [path.name for path in Path("labels").rglob(".*")] == []
    assert start("scenes", "-k", 3, "--out-dir", "labels", "--resume").wait(60) == 0
    assert len(lines()) == 6


def start(*arguments, new_session=False):
    return subprocess.Popen(
        [sys.executable, "-P", "-c", PROGRAM, "batch", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(Path(gmmseg.__file__).parents[1])},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=new_session,
    )


def children_of(process):
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = status.read_text()
        except OSError:
            continue
        if int(text.rpartition(")")[2].split()[1]) == process:
            found.append(int(status.parent.name))
    return found


def gone(process, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="looks at processes through /proc")
def test_killed_at_random_moments(scenes):
    for number in range(6):
        for copy in range(4):
            shutil.copy(sorted(scenes.rglob("*.png"))[0], scenes / f"copy {number} {copy}.png")
    do(scenes)
    whole = results()
    shutil.rmtree("labels")
    rng = random.Random(0)
    arguments = ("scenes", "-k", 3, "--out-dir", "labels", "--jobs", 2, "--resume", "-q")

    def known():
        return len(Manifest.read(Path("labels")).lines)

    for victim, number in (("parent", 0), ("parent", 4), ("worker", 2), ("parent", 3), ("parent", 9)):
        number += known() if Path("labels", NAME).exists() else 0
        process = start(*arguments)
        while process.poll() is None and (not Path("labels", NAME).exists() or known() < number):
            time.sleep(0.002)
        if victim == "parent":
            time.sleep(rng.uniform(0, 0.05))
        workers = children_of(process.pid)
        before = known()
        if victim == "parent":
            process.kill()
            process.wait()
            assert all(gone(worker) for worker in workers)
            assert before <= known() < len(whole)
        else:
            os.kill(workers[0], signal.SIGKILL)
            assert process.wait(60) == 0
            assert results() == whole
            assert len(lines()) == len(whole)
            shutil.rmtree("labels")
            continue
        for name, content in results().items():
            assert Path(name).name.startswith(".gmmseg-") or content == whole[name], name
    assert known() >= 12
    assert start(*arguments).wait(60) == 0
    assert results() == whole
    assert len(lines()) == len(whole)
