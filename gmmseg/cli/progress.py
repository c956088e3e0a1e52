"""How far a command is: on stderr, one line that is rewritten in place where a person is watching, or JSON lines."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from typing import Any

import click

from gmmseg.cli.records import json_text
from gmmseg.cli.types import running

__all__ = ["Count", "Progress", "progress_option"]

_SECONDS_BETWEEN = 0.1
_SECONDS_BETWEEN_LINES = 30.0
_BAR = 24

progress_option = running(
    "--progress",
    type=click.Choice(("auto", "json")),
    default="auto",
    show_default=True,
    help="How far the command is, on stderr: json prints one object a line, also with --quiet; auto shows a line where "
    "stderr is a terminal.",
)


class Progress:
    """One line, shown only on a terminal; or for another program, objects of JSON, one a line.

    Parameters
    ----------
    quiet : bool
        Never show the line.
    style : {"auto", "json"}
        "json" prints the objects, quiet or not: "image" and "stage", and while labels are found "done" and "total".
    """

    def __init__(self, *, quiet: bool = False, style: str = "auto") -> None:
        self.as_json = style == "json" and sys.stderr is not None
        self.shown = not (quiet or self.as_json) and sys.stderr is not None and sys.stderr.isatty()
        self._title = ""
        self._last = 0.0
        self._dirty = False

    def stage(self, title: str, text: str) -> None:
        """Say what is being done to what."""
        self._title = title
        if self.as_json:
            _write_object(image=title, stage=text)
        self.show(f"{title}: {text}")

    def __call__(self, done: int, total: int) -> None:
        """Show how many tiles have their labels; this is the `progress` of the library's functions."""
        now = time.monotonic()
        if now - self._last >= _SECONDS_BETWEEN or done == total:
            self._last = now
            if self.as_json:
                _write_object(image=self._title, stage="labelling", done=done, total=total)
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

    On a terminal one line that is rewritten in place; elsewhere a line now and then, for logs, or objects of JSON.

    Parameters
    ----------
    total : int
    noun : str
        What is counted, in the plural.
    quiet : bool
        Never show it.
    style : {"auto", "json"}
        "json" prints objects, quiet or not: "stage" (the noun), "done", "total" and "seconds" since the count began.
    """

    def __init__(self, total: int, noun: str, *, quiet: bool = False, style: str = "auto") -> None:
        self._total, self._noun, self._done = total, noun, 0
        self._quiet = quiet or sys.stderr is None
        self._line = Progress(quiet=quiet, style=style)
        self._start = self._last = time.monotonic()

    @property
    def seconds(self) -> float:
        """Time since the count began."""
        return time.monotonic() - self._start

    def add(self, number: int) -> None:
        """Count some more that are done."""
        self._done += number
        if self._line.as_json:
            _write_object(stage=self._noun, done=self._done, total=self._total, seconds=round(self.seconds, 3))
            return
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


def _write_object(**facts: Any) -> None:
    """Write an object on a line of its own."""
    _write(json_text(facts) + "\n")


def _rate(each_second: float) -> str:
    return f"{each_second:.1f} a second" if each_second >= 1 else f"{60 * each_second:.1f} a minute"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
