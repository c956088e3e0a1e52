"""Workers that die cost their job and nothing else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import gmmseg
from gmmseg.batch.workers import Crew, Death

TRICKY = "tricky_worker:tricky"


@pytest.mark.slow
@pytest.mark.parametrize("cause", ["SIGKILL", "SIGSEGV"])
def test_a_dying_worker_costs_its_job(cause):
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


def test_a_worker_that_was_killed_idle_is_replaced():
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
