"""Work in a thread that can be watched and given up."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from threading import Event, Thread
from typing import Any

__all__ = ["Background"]

_LOOK = 0.05  # seconds between two looks


class _GivenUpError(Exception):
    """Raised in the thread, where its work reports progress, once nobody wants the result."""


class Background:
    """One call in a thread of its own.

    Parameters
    ----------
    work : callable
        Takes `progress`, a callable to which it tells what is done and how much there is.
    """

    def __init__(self, work: Callable[..., Any]) -> None:
        self.done, self.total = 0, 0
        self._given_up = Event()
        self._result: Any = None
        self._error: Exception | None = None
        self._thread = Thread(target=self._run, args=(work,), daemon=True)
        self._thread.start()

    def _run(self, work: Callable[..., Any]) -> None:
        try:
            self._result = work(progress=self._tell)
        except _GivenUpError:
            return
        except Exception as error:
            self._error = error

    def _tell(self, done: int, total: int) -> None:
        if self._given_up.is_set():
            raise _GivenUpError
        self.done, self.total = done, total

    def give_up(self) -> None:
        """Stop the work where it next tells how far it is; its result is not wanted any more."""
        self._given_up.set()

    def watched(self) -> Generator[tuple[int, int], None, Any]:
        """Yield what is done and how much there is until the work has ended; whoever stops looking gives it up.

        Returns
        -------
        object
            What the work returned, as the value of the generator.
        """
        try:
            while self._thread.is_alive():
                yield self.done, self.total
                time.sleep(_LOOK)
        finally:
            self.give_up()
        if self._error is not None:
            raise self._error
        return self._result
