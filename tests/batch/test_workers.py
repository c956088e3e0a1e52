"""Workers that die cost their job and nothing else."""

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import gmmseg
from gmmseg.batch.workers import Crew, Death, _waited_for

TRICKY = "tricky_worker:tricky"


@pytest.mark.slow
@pytest.mark.parametrize("cause", ["SIGKILL", "SIGSEGV"])
def test_a_dying_worker_costs_its_job(cause):
    jobs = [(number, {"number": number, "die": cause if number in (0, 3) else None}) for number in range(8)]
    with Crew(2, TRICKY) as crew:
        answers = dict(each for group in crew.work(jobs) for each in group)
    assert sorted(answers) == list(range(8))
    for number, answer in answers.items():
        if number in (0, 3):
            assert isinstance(answer, Death)
            assert answer.cause == f"was killed by {cause}"
            assert "about to die" in answer.last_words
            assert ("Segmentation fault" in answer.last_words) == (cause == "SIGSEGV")
        else:
            assert answer["number"] == number


def test_a_worker_that_was_killed_idle_is_replaced():
    with Crew(1, TRICKY) as crew:

        def jobs():
            yield 0, {"number": 0}
            process = crew._workers[0]._process.pid  # which has answered by now
            os.kill(process, signal.SIGKILL)
            os.waitid(os.P_PID, process, os.WEXITED | os.WNOWAIT)
            yield 1, {"number": 1}

        (_, first), (_, second) = (each for group in crew.work(jobs()) for each in group)
    assert (first["number"], second["number"]) == (0, 1)
    assert first["process"] != second["process"]
    with pytest.raises(ProcessLookupError):
        os.kill(second["process"], 0)


def test_workers_go_on_while_the_caller_takes_its_time():
    all_taken = threading.Event()

    def jobs():
        for number in range(9):
            yield number, {"number": number}
        all_taken.set()

    with Crew(2, TRICKY) as crew:
        work = crew.work(jobs())
        first = next(work)
        all_taken.wait()  # by workers that have answered all but their last ones
        groups = [first, *work]
    assert len(groups) <= 4
    assert sorted(number for group in groups for number, _ in group) == list(range(9))


def test_not_too_many_answers_wait(monkeypatch):
    monkeypatch.setattr("gmmseg.batch.workers._MOST_WAITING", 3)
    taken = []

    def jobs():
        for number in range(12):
            taken.append(number)
            yield number, {"number": number}

    with Crew(1, TRICKY) as crew:
        waited_for = []
        for group in crew.work(jobs()):
            time.sleep(0.05)
            assert len(taken) <= len(waited_for) + 4
            waited_for += group
    assert [number for number, _ in waited_for] == list(range(12))


@pytest.mark.parametrize("begun", [False, True])
def test_a_signal_while_workers_are_started_is_what_is_raised(begun, monkeypatch):
    class Interrupted(threading.Thread):
        def start(self):
            if begun:  # it runs, but nobody has heard of it
                threading.Timer(0.1, super().start).start()
            raise KeyboardInterrupt

    monkeypatch.setattr("gmmseg.batch.workers.Thread", Interrupted)
    crew = Crew(2, TRICKY)
    with pytest.raises(KeyboardInterrupt), crew:
        list(crew.work([(0, {"number": 0})]))
    time.sleep(0.3 if begun else 0)
    assert crew._workers == []


def test_what_is_wrong_with_the_jobs_is_raised():
    def jobs():
        yield 0, {"number": 0}
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"), Crew(2, TRICKY) as crew:
        list(crew.work(jobs()))


@pytest.mark.parametrize("failure", [None, KeyboardInterrupt])
def test_who_stops_early_leaves_no_process(failure, monkeypatch):
    monkeypatch.setattr("gmmseg.batch.workers._MOST_WAITING", 1)
    processes = []

    def use():
        with Crew(2, TRICKY) as crew:
            for group in crew.work((number, {"number": number}) for number in range(1000)):
                processes.extend(answer["process"] for _, answer in group)
                time.sleep(0.1)  # until all threads wait for room
                if failure is not None:
                    raise failure
                break

    if failure is None:
        use()
    else:
        with pytest.raises(failure):
            use()
    for process in processes:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


def test_a_worker_whose_parent_was_killed_leaves_no_temporary_folder(tmp_path):
    code = f"""
import time; from pathlib import Path
from gmmseg.batch.workers import serve; from gmmseg.io.temporary import temporary_folder
def task(job):
    with temporary_folder(Path({str(tmp_path)!r})):
        time.sleep(60)
serve(task)
"""
    env = {**os.environ, "PYTHONPATH": str(Path(gmmseg.__file__).parents[1])}
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, env=env) as worker:
        worker.stdin.write(b"{}\n")
        worker.stdin.flush()
        while not list(tmp_path.iterdir()):
            assert worker.poll() is None
        worker.stdin.close()  # all that it hears of a parent's death
        assert worker.wait(30) == 0
    assert list(tmp_path.iterdir()) == []


def test_a_worker_whose_answer_nobody_hears_leaves_no_file(tmp_path):
    code = f"""
from pathlib import Path; from gmmseg.batch.workers import serve; from gmmseg.io.atomic import atomic_file
def task(job):
    with atomic_file(Path({str(tmp_path / "file")!r}), overwrite=True) as file:
        file.write(b"whole")
    return {{}}
serve(task)
"""
    env = {**os.environ, "PYTHONPATH": str(Path(gmmseg.__file__).parents[1])}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code], env=env, **pipes) as worker:
        worker.stdout.close()
        worker.stdin.write(b"{}\n")
        worker.stdin.flush()
        assert worker.wait(30) == 0
    assert list(tmp_path.iterdir()) == []


def test_workers_keep_what_they_free_for_the_next_image_unless_told_otherwise(monkeypatch):
    names = ["MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "OPENBLAS_NUM_THREADS"]
    for name in names[:2]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(names[2], "7")
    found = []
    for _ in range(2):
        with Crew(1, "tricky_worker:environment") as crew:
            ((_, answer),) = (each for group in crew.work([(0, {"names": names})]) for each in group)
        found.append(list(answer.values()))
        monkeypatch.setenv(names[1], "1")
    assert found == [[str(32 << 20), str(64 << 20), "1"], [str(32 << 20), "1", "1"]]


def test_no_wait_for_answers_is_long_lest_a_signal_be_heard_at_its_end():
    waits = []

    class Late:
        def get(self, timeout):
            waits.append(timeout)
            if len(waits) < 3:
                raise queue.Empty
            return "answer"

    assert _waited_for(Late()) == "answer"
    assert len(waits) == 3
    assert max(waits) <= 1
