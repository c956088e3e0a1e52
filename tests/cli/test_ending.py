"""Signals end every command as the interrupt key does: nothing half-written stays, and the exit code says which."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import gmmseg
from gmmseg.cli import main
from gmmseg.cli.ending import Ended, interrupted_by_signals

# Waits in the middle of writing, in this process, until a signal comes: half a file is there by then.
WAITING = """
import sys, time, pathlib, gmmseg.io.atomic as atomic
real = atomic._rename
def wait(temporary, *rest, **more):
    pathlib.Path("waiting").touch()
    for _ in range(6000):  # of one that comes just before a sleep Python hears when that is over
        time.sleep(0.01)
atomic._rename = wait
from gmmseg.cli import program
program()
"""

COMMANDS = {
    "segment": "segment image.npy -k 2 -o l.npy",
    "fit": "fit image.npy -k 2 -o m.json",
    "apply": "apply model.json image.npy -o l.png",
    "regions": "regions image.npy -o r.png",
    "export": "export l.png --to coco -o c.json",
}


@pytest.fixture
def inputs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    image = np.repeat(np.uint8([10, 200, 200, 90]), 64).reshape(16, 16)
    np.save("image.npy", image)
    gmmseg.fit("image.npy", 2).save("model.json")
    gmmseg.io.write_labels("l.png", image // 100 + 1)
    return tmp_path


def start(*arguments, code=WAITING, **options):
    env = {**os.environ, "PYTHONPATH": str(Path(gmmseg.__file__).parents[1])}
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments], env=env, stderr=subprocess.PIPE, text=True, **options
    )


def wait_for(path, process):
    end = time.monotonic() + 60
    while not Path(path).exists():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_half_written_stays(inputs, command, number):
    before = sorted(each.name for each in inputs.iterdir())
    process = start(*COMMANDS[command].split(), "--overwrite")
    wait_for("waiting", process)
    assert list(inputs.glob(".gmmseg-*"))
    process.send_signal(number)
    if number != signal.SIGINT:
        process.send_signal(number)  # terminals and service managers do not stop at one
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert said == "gmmseg: error: interrupted; files that were complete are kept\n"
    Path("waiting").unlink()
    assert sorted(each.name for each in inputs.iterdir()) == before


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("all_of_them", [False, True])
def test_a_batch_and_its_workers(inputs, number, all_of_them):
    for name in range(40):
        np.save(f"image {name}.npy", np.load("image.npy"))
    code = "from gmmseg.cli import program; program()"
    process = start("batch", "*.npy", "-k", "2", "--out-dir", "out", "--jobs", "2", code=code, start_new_session=True)
    wait_for("out/manifest.jsonl", process)
    (os.killpg if all_of_them else os.kill)(process.pid, number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert said.endswith("gmmseg: error: interrupted; files that were complete are kept\n")
    assert list(Path("out").glob(".*")) == []
    assert "error" not in Path("out", "manifest.jsonl").read_text()


@pytest.mark.slow
def test_a_signal_in_the_middle_of_tidying_up_leaves_nothing(inputs):
    code = """
import os, signal, gmmseg.io.temporary as temporary
real = temporary._remove
def remove(folder):
    temporary._remove = real
    os.kill(os.getpid(), signal.SIGTERM)
    real(folder)
temporary._remove = remove
from gmmseg.cli import program
program()
"""
    before = sorted(each.name for each in inputs.iterdir())
    process = start(*COMMANDS["segment"].split(), code=code)
    process.communicate(timeout=60)
    assert process.returncode == 143
    assert sorted(each.name for each in inputs.iterdir()) == sorted([*before, "l.npy"])


@pytest.mark.slow
def test_nohup_is_obeyed(inputs):
    process = start(*COMMANDS["fit"].split(), preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    wait_for("waiting", process)
    process.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 143


def test_handlers_are_as_they_were_before():
    before = [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGHUP)]
    with pytest.raises(Ended) as caught, interrupted_by_signals():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)
    assert caught.value.number == signal.SIGTERM
    assert [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGHUP)] == before


class _Destroyed:
    """Sends this process a signal when it is destroyed, where Python drops what the handler raises."""

    def __init__(self, number):
        self.number = number

    def __del__(self):
        os.kill(os.getpid(), self.number)
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_a_destructor_dropped_is_sent_again(number, capfd):
    before = signal.getsignal(number), sys.unraisablehook
    with pytest.raises(KeyboardInterrupt) as caught, interrupted_by_signals():
        for _ in range(3):  # the signal that is sent again may be dropped, too
            _Destroyed(number)
        time.sleep(10)
    assert getattr(caught.value, "number", signal.SIGINT) == number
    assert (signal.getsignal(number), sys.unraisablehook) == before
    assert capfd.readouterr().err == ""


def test_what_else_a_destructor_raises_is_heard_by_who_listened_before(monkeypatch):
    found = []
    monkeypatch.setattr(sys, "unraisablehook", lambda each: found.append(str(each.exc_value)))

    class Faulty:
        def __del__(self):
            raise ValueError("this one")

    with interrupted_by_signals():
        Faulty()
    assert found == ["this one"]


def test_a_handler_of_the_program_around_is_kept():
    came = []
    before = signal.signal(signal.SIGHUP, lambda *_: came.append(1))
    try:
        with interrupted_by_signals():
            os.kill(os.getpid(), signal.SIGHUP)
            time.sleep(0.01)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert came == [1]


def test_a_thread_runs_the_program_too(folder):
    codes = []
    thread = threading.Thread(target=lambda: codes.append(main(["info", "photo.png"])))
    thread.start()
    thread.join()
    assert codes == [0]
