"""Runs: nothing is lost or wrong however a run ends."""

import hashlib
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
from batches import do, lines, reasons, results
from PIL import Image as Pillow

import gmmseg
from gmmseg.batch import plan, run
from gmmseg.batch.manifest import NAME, Manifest, locked
from gmmseg.errors import OutputError, ParameterError
from gmmseg.io import unnamed

PROGRAM = "from gmmseg.cli import program; program()"


@pytest.mark.slow
def test_the_number_of_jobs_does_not_matter(scenes):
    written = []
    for jobs, threads in ((1, 1), (2, 3)):
        run(plan(scenes, "labels", parameters={"k": 3}, outputs=["soft", "model"]), jobs=jobs, threads=threads)
        written.append(results())
        shutil.rmtree("labels")
    assert len(written[0]) == 18
    assert written[0] == written[1]
    for jobs in (0, True, 1.5):
        with pytest.raises(ParameterError, match="is not usable"):
            do(scenes, jobs=jobs)


@pytest.mark.slow
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


@pytest.mark.slow
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


def test_what_fails_leaves_no_folder_behind(scenes):
    for name in ("lost/inner", "half"):
        (scenes / name).mkdir(parents=True)
        (scenes / name / "bad.png").write_bytes((scenes / "a.png").read_bytes()[:200])
    shutil.copy(scenes / "a.png", scenes / "half" / "good.png")
    Path("labels/kept").mkdir(parents=True)
    done = do(scenes)
    assert sum("error" in line for line in done) == 2
    assert sorted(each.name for each in Path("labels").iterdir() if each.is_dir()) == ["deep", "half", "kept"]


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


@pytest.mark.slow
@pytest.mark.parametrize("twice", [False, True])
def test_an_image_that_kills_its_process_is_tried_again_alone(scenes, tmp_path, monkeypatch, twice):
    if not twice:
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


@pytest.mark.slow
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


@pytest.mark.slow
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
        with pytest.raises(OutputError, match="No space left; what was done is kept, and resume=True does the rest"):
            do(scenes, jobs=1)
    before = len(lines())
    assert before == len(results())
    assert 0 < before < 6
    do(scenes, resume=True)
    assert (len(lines()), len(results())) == (6, 6)


@pytest.mark.slow
def test_files_are_on_disk_and_have_their_names_before_their_lines(scenes, monkeypatch):
    groups, on_disk = [], []
    real = {"fsync": os.fsync, "append": Manifest.append}

    def fsync(descriptor):
        on_disk.append(os.fstat(descriptor).st_ino)
        real["fsync"](descriptor)

    def append(self, lines):
        groups.append(list(lines))
        for line in groups[-1]:
            path = Path("labels", line["outputs"]["labels"]["file"])
            assert hashlib.sha256(path.read_bytes()).hexdigest() == line["outputs"]["labels"]["sha256"]
            assert path.stat().st_ino in on_disk
        real["append"](self, groups[-1])

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Manifest, "append", append)
    do(scenes, jobs=1)
    assert sum(map(len, groups)) == len(results()) == 6
    assert len(on_disk) == 6 + 1 + len(groups)  # of the manifest when it is made, then once for all that are done


@pytest.mark.slow
def test_a_disk_that_fails_at_the_end(scenes, monkeypatch):
    def name_all(files):
        if any("space" in target for target, _ in files):
            raise OSError(5, "Input/output error")
        unnamed.name_all(files)

    with monkeypatch.context() as patch:
        patch.setattr("gmmseg.batch.running.name_all", name_all)
        with pytest.raises(OutputError, match=r"with space\.png: Input/output error; .*; what was done is kept, and"):
            do(scenes, jobs=1)
    assert len(lines()) == len(results()) < 6
    do(scenes, resume=True)
    assert (len(lines()), len(results())) == (6, 6)


def test_a_folder_that_cannot_be_written(scenes):
    with pytest.raises(OutputError, match="cannot be made"):
        run(plan(scenes, "/proc/none/labels"))
    with pytest.raises(OutputError, match=r"scenes/a\.png is not a folder"):
        plan("scenes/deep", "scenes/a.png")


@pytest.mark.slow
def test_interrupted(scenes):
    with_more(scenes)
    process = start("scenes", "-k", 3, "--out-dir", "labels", "--jobs", 2, new_session=True)
    while not Path("labels", NAME).exists():
        time.sleep(0.002)
    time.sleep(0.05)
    assert process.poll() is None
    os.killpg(process.pid, signal.SIGINT)  # as the terminal does it: to the workers, too
    assert process.wait(20) == 130
    assert [path.name for path in Path("labels").rglob(".*")] == []
    assert start("scenes", "-k", 3, "--out-dir", "labels", "--resume").wait(60) == 0
    assert len(lines()) == 406


def with_more(scenes):
    """Add many more pictures than are ready before the run is stopped."""
    for number in range(400):
        shutil.copy(sorted(scenes.rglob("*.png"))[0], scenes / f"copy {number}.png")


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


@pytest.mark.slow
@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="looks at processes through /proc")
def test_killed_at_random_moments(scenes):
    with_more(scenes)
    do(scenes)
    whole = results()
    shutil.rmtree("labels")
    rng = random.Random(0)
    arguments = ("scenes", "-k", 3, "--out-dir", "labels", "--jobs", 2, "--resume", "-q")

    def known():
        return len(Manifest.read(Path("labels")).lines)

    for victim, number in (("parent", 0), ("worker", 2), ("parent", 3), ("parent", 9)):
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
