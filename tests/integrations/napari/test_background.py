"""Work in a thread that can be watched and given up."""

import threading

import pytest

from gmmseg.integrations.napari.background import Background


def result_of(work):
    watched, seen = Background(work).watched(), []
    while True:
        try:
            seen.append(next(watched))
        except StopIteration as end:
            return end.value, seen


def test_its_result_and_progress_are_seen():
    shown = threading.Event()

    def work(progress):
        progress(3, 7)
        shown.wait(0.2)
        return "done"

    value, seen = result_of(work)
    assert value == "done"
    assert (3, 7) in seen


def test_an_error_is_raised_where_it_is_watched():
    def work(progress):
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        result_of(work)


def test_work_that_nobody_watches_any_more_stops():
    begun, stopped = threading.Event(), threading.Event()

    def work(progress):
        try:
            for step in range(10_000):
                progress(step, 10_000)
                begun.set()
                stopped.wait(0.001)
        finally:
            stopped.set()

    watched = Background(work).watched()
    next(watched)
    begun.wait(5)
    watched.close()
    assert stopped.wait(5)
