"""What is written later, once."""

from threading import Event, Thread

import pytest

from gmmseg import OutputError
from gmmseg.web import pending as module
from gmmseg.web.pending import Pending


def test_the_newest_is_written_once_when_it_is_waited_for():
    done, pending = [], Pending()
    for number in range(3):
        pending.want(lambda number=number: done.append(number))
    assert done == []
    pending.settle()
    pending.settle()
    assert done == [2]


def test_after_a_pause_it_is_written_by_itself(monkeypatch):
    monkeypatch.setattr(module, "_PAUSE", 0.02)
    written, pending = Event(), Pending()
    pending.want(written.set)
    assert written.wait(10)


def test_what_cannot_be_written_is_said_and_tried_again():
    attempts, pending = [], Pending()

    def write():
        attempts.append(len(attempts))
        if len(attempts) < 3:
            raise OutputError("the disk is full")

    pending.want(write)
    for _ in range(2):
        with pytest.raises(OutputError, match="the disk is full"):
            pending.settle()
    pending.settle()
    pending.settle()
    assert attempts == [0, 1, 2]


def test_what_comes_while_something_is_written_is_written_next():
    done, began, go, pending = [], Event(), Event(), Pending()

    def slow():
        began.set()
        assert go.wait(10)
        done.append("first")

    pending.want(slow)
    thread = Thread(target=pending.settle)
    thread.start()
    assert began.wait(10)
    pending.want(lambda: done.append("second"))
    go.set()
    pending.settle()
    thread.join(10)
    assert done == ["first", "second"]
