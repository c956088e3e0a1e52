"""Threads that work through a list: as many as were asked for, and none where that is one or the system has none."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from operator import index
from typing import Any, TypeVar

from gmmseg.errors import ParameterError
from gmmseg.platforms import processors, starts_threads

__all__ = ["ahead", "mapped", "pooled", "thread_count"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def thread_count(threads: int | None) -> int:
    """Return the number of threads asked for; None is one for each processor that this process may use."""
    if threads is None:
        return processors()
    try:
        number = 0 if isinstance(threads, bool) else index(threads)
    except TypeError:
        number = 0
    if number < 1:
        raise ParameterError(f"threads={threads!r} is not usable; use a whole number of at least 1")
    return min(number, 4096)


def mapped(function: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Iterator[Result]:
    """Yield what a function makes of each item, in their order, from up to so many threads; this one, for one.

    With several, all items are taken at once, and an exception of the function is raised when its turn comes.
    """
    if threads <= 1:
        yield from map(function, items)
        return
    with pooled(threads) as mapping:
        yield from mapping(function, items)


@contextmanager
def pooled(threads: int) -> Iterator[Callable[..., Iterator[Any]]]:
    """Have up to so many threads for several lists, one after the other; what is yielded goes through one as `map`."""
    if threads <= 1 or not starts_threads():
        yield map
        return
    from concurrent.futures import ThreadPoolExecutor  # what one thread does goes without it

    with ThreadPoolExecutor(threads) as pool:
        yield pool.map


def ahead(items: Iterable[Item], threads: int = 2) -> Generator[Item]:
    """Yield items, each made in a second thread while the one before is in use; in this one, for one.

    Closed before its end, it waits for the item that is being made.
    """
    source = iter(items)
    if threads <= 1 or not starts_threads():
        yield from source
        return
    from concurrent.futures import ThreadPoolExecutor  # what one thread does goes without it

    nothing = object()
    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(next, source, nothing)
        while (item := following.result()) is not nothing:
            following = pool.submit(next, source, nothing)
            yield item  # type: ignore[misc]  # it is not `nothing`
