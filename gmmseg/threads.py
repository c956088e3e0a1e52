"""Threads that work through a list: as many as were asked for, and none where that is one or the system has none.

`concurrent.futures` would do the same, and takes 6 ms to load, a fiftieth of a run on a photograph.
"""

from __future__ import annotations

from _thread import allocate_lock
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any, TypeVar

from gmmseg.platforms import starts_threads

__all__ = ["ahead", "mapped"]

Item = TypeVar("Item")
Result = TypeVar("Result")


class _Call:
    """A call that another thread makes."""

    def __init__(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self._function, self._arguments = function, arguments
        self._value: Any = None
        self._error: BaseException | None = None
        self.wanted = True
        self._pending = allocate_lock()
        self._pending.acquire()

    def make(self) -> None:
        try:
            if self.wanted:
                self._value = self._function(*self._arguments)
        except BaseException as error:  # whoever asks for the value is told
            self._error = error
        self._pending.release()

    def value(self) -> Any:
        """Wait for what came of it; an exception is raised here."""
        with self._pending:
            if self._error is None:
                return self._value
        try:
            raise self._error
        finally:
            del self  # the traceback would hold what holds it


class _Pool:
    """So many threads, for a block of code; at its end they have made every call."""

    def __init__(self, size: int) -> None:
        from queue import SimpleQueue  # what one thread does goes without it
        from threading import Thread  # likewise

        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._threads = [Thread(target=self._work, daemon=True) for _ in range(size)]

    def __enter__(self) -> Callable[..., _Call]:
        for thread in self._threads:
            thread.start()
        return self._begin

    def _begin(self, function: Callable[..., Any], *arguments: Any) -> _Call:
        call = _Call(function, arguments)
        self._calls.put(call)
        return call

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            call.make()
            del call  # which holds its value while this thread waits

    def __exit__(self, *exception: object) -> None:
        for _ in self._threads:
            self._calls.put(None)
        for thread in self._threads:
            thread.join()


def mapped(function: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Iterator[Result]:
    """Yield what a function makes of each item, in their order, from up to so many threads; this one, for one.

    With several, all items are taken at once, and an exception of the function is raised when its turn comes.
    """
    if threads <= 1 or not starts_threads():
        yield from map(function, items)
        return
    every = list(items)
    with _Pool(min(threads, len(every))) as begin:
        calls = deque(begin(function, item) for item in every)
        del every
        try:
            while calls:
                yield calls.popleft().value()
        finally:
            for call in calls:
                call.wanted = False


def ahead(items: Iterable[Item], threads: int = 2) -> Generator[Item]:
    """Yield items, each made in a second thread while the one before is in use; in this one, for one.

    Closed before its end, it waits for the item that is being made.
    """
    source = iter(items)
    if threads <= 1 or not starts_threads():
        yield from source
        return
    nothing = object()
    with _Pool(1) as begin:
        following = begin(next, source, nothing)
        while (item := following.value()) is not nothing:
            following = begin(next, source, nothing)
            yield item
