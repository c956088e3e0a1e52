"""How much of the machine a run may take."""

import os

import pytest

from gmmseg.effort import MEMORY, Effort
from gmmseg.errors import ParameterError


def test_by_default_a_gibibyte_and_every_processor_of_this_process():
    assert Effort().memory == MEMORY == 2**30
    assert Effort().workers == len(os.sched_getaffinity(0))
    assert Effort(threads=3).workers == 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"memory": 0}, "memory=0 is not usable; use a whole number of at least 1"),
        ({"memory": 1.5}, "memory=1.5 is not usable"),
        ({"threads": 0}, "threads=0 is not usable; use a whole number of at least 1"),
        ({"threads": 2.0}, "threads=2.0 is not usable"),
        ({"threads": True}, "threads=True is not usable"),
    ],
)
def test_what_no_run_could_keep_to_is_refused(options, words):
    with pytest.raises(ParameterError, match=words):
        Effort(**options)
