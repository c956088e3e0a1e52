"""How far a command is: one line on stderr that is rewritten in place, where a person is watching."""

from __future__ import annotations

import sys
import time
from contextlib import suppress

__all__ = ["Count", "Progress"]

_SECONDS_BETWEEN = 0.1
_SECONDS_BETWEEN_LINES = 30.0
_BAR = 24


class Progress:
    """One line, shown only on a terminal.

    Parameters
    ----------
    quiet : bool
        Never show it.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self.shown = not quiet and sys.stderr is not None and sys.stderr.isatty()
        self._title = ""
        self._last = 0.0
        self._dirty = False

    def stage(self, title: str, text: str) -> None:
        """Say what is being done to what."""
        self._title = title
        self.show(f"{title}: {text}")

    def __call__(self, done: int, total: int) -> None:
        """Show how many tiles have their labels; this is the `progress` of the library's functions."""
        now = time.monotonic()
        if now - self._last >= _SECONDS_BETWEEN or done == total:
            self._last = now
            full = _BAR * done // max(1, total)
            self.show(f"{self._title}: labelling [{'#' * full}{'.' * (_BAR - full)}] {100 * done // max(1, total)} %")

    def clear(self) -> None:
        """Erase the line."""
        if self._dirty:
            self._dirty = False
            _write("\r\x1b[K")

    def show(self, text: str) -> None:
        """Rewrite the line."""
        if self.shown:
            import shutil

            # A line that wraps could not be erased; what matters is at its end.
            room = shutil.get_terminal_size().columns - 1
            self._dirty = True
            _write(f"\r\x1b[K{text[-room:]}")


class Count:
    """How many of many are done, how fast, and how long it will take.

    On a terminal one line that is rewritten in place; elsewhere a line now and then, for logs.

    Parameters
    ----------
    total : int
    noun : str
        What is counted, in the plural.
    quiet : bool
        Never show it.
    """

    def __init__(self, total: int, noun: str, *, quiet: bool = False) -> None:
        self._total, self._noun, self._done = total, noun, 0
        self._quiet = quiet or sys.stderr is None
        self._line = Progress(quiet=quiet)
        self._start = self._last = time.monotonic()

    @property
    def seconds(self) -> float:
        """Time since the count began."""
        return time.monotonic() - self._start

    def add(self, number: int) -> None:
        """Count some more that are done."""
        self._done += number
        rate = self._done / max(self.seconds, 1e-9)
        left = (self._total - self._done) / rate if rate else 0.0
        text = f"{self._done} of {self._total} {self._noun}, {_rate(rate)}, {_duration(left)} left"
        if self._line.shown:
            self._line.show(text)
        elif not self._quiet and time.monotonic() - self._last >= _SECONDS_BETWEEN_LINES:
            self._last = time.monotonic()
            _write(f"gmmseg: {text}\n")

    def clear(self) -> None:
        """Erase the line."""
        self._line.clear()


def _write(text: str) -> None:
    """Write on stderr, unless the terminal has gone: the work goes on, or ends as it is told to."""
    with suppress(OSError):
        sys.stderr.write(text)
        sys.stderr.flush()


def _rate(each_second: float) -> str:
    return f"{each_second:.1f} a second" if each_second >= 1 else f"{60 * each_second:.1f} a minute"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
