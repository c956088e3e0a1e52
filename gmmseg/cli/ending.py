"""Signals that end a program: they are taken as the interrupt key is, so that nothing half-written stays."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from gmmseg.platforms import ending_signals

__all__ = ["Ended", "interrupted_by_signals"]


class Ended(KeyboardInterrupt):
    """A signal that ends programs has come.

    Parameters
    ----------
    number : int
        Of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def interrupted_by_signals() -> Iterator[None]:
    """Have SIGTERM and SIGHUP raise `Ended` in the main thread, unless they are ignored or somebody else handles them.

    `nohup` ignores SIGHUP, so a program that it runs goes on.
    """
    numbers = [each for each in ending_signals() if signal.getsignal(each) is signal.SIG_DFL]

    def end(number: int, frame: FrameType | None) -> None:
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)  # the next ones would cut the tidying up short
        raise Ended(number)

    try:
        for each in numbers:
            signal.signal(each, end)
    except ValueError:  # threads other than the main one get no signals
        numbers = []
    try:
        yield
    finally:
        for each in numbers:
            signal.signal(each, signal.SIG_DFL)
