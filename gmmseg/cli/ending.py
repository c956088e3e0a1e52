"""Signals that end a program: they are taken as the interrupt key is, so that nothing half-written stays."""

from __future__ import annotations

import _thread
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from gmmseg.platforms import ending_signals, send_to_thread

__all__ = ["Ended", "interrupted_by_signals"]

_MOMENT = 0.01  # seconds, by which destructors have ended


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


class _Listener:
    """Hears the first signal, and once more one that was raised where Python drops it."""

    def __init__(self) -> None:
        self.ended = self.closed = False
        self.thread = _thread.get_ident()
        self.dropped = sys.unraisablehook

    def end(self, number: int, frame: FrameType | None) -> None:
        if not self.ended:  # the next ones would cut the tidying up short
            self.ended = True
            raise Ended(number)

    def hear(self, found: sys.UnraisableHookArgs) -> None:
        """Take what Python drops: a signal is sent again by a thread, for here it would be dropped, too."""
        if isinstance(found.exc_value, KeyboardInterrupt):
            # The module threading has locks, which the destructor may have interrupted.
            _thread.start_new_thread(self.send_again, (getattr(found.exc_value, "number", signal.SIGINT),))
        else:
            self.dropped(found)

    def send_again(self, number: int) -> None:
        time.sleep(_MOMENT)
        self.ended = False
        if not self.closed:
            send_to_thread(self.thread, number)


@contextmanager
def interrupted_by_signals() -> Iterator[None]:
    """Have SIGTERM and SIGHUP raise `Ended` in the main thread, unless they are ignored or somebody else handles them.

    `nohup` ignores SIGHUP, so a program that it runs goes on.

    Notes
    -----
    Python drops what is raised within a destructor or a callback of a library. Such a signal is sent once more, a
    moment later, until it is heard; the interrupt key's too.
    """
    numbers = [each for each in ending_signals() if signal.getsignal(each) is signal.SIG_DFL]
    listener = _Listener()
    try:
        for each in numbers:
            signal.signal(each, listener.end)
    except ValueError:  # threads other than the main one get no signals
        numbers = []
    else:
        sys.unraisablehook = listener.hear
    try:
        yield
    finally:
        listener.closed = True
        sys.unraisablehook = listener.dropped
        for each in numbers:
            signal.signal(each, signal.SIG_DFL)
