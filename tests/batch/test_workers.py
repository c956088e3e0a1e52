"""Workers that die cost their job and nothing else."""

import os

import pytest

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
