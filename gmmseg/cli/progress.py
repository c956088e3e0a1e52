"""How far a command is: one line on stderr that is rewritten in place, where a person is watching."""

from __future__ import annotations

import sys
import time

__all__ = ["Progress"]

_SECONDS_BETWEEN = 0.1
_BAR = 24


class Progress:
    """One line, shown only on a terminal.

    Parameters
    ----------
    quiet : bool
        Never show it.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._shown = not quiet and sys.stderr is not None and sys.stderr.isatty()
        self._title = ""
        self._last = 0.0
        self._dirty = False

    def stage(self, title: str, text: str) -> None:
        """Say what is being done to what."""
        self._title = title
        self._write(f"{title}: {text}")

    def __call__(self, done: int, total: int) -> None:
        """Show how many tiles have their labels; this is the `progress` of the library's functions."""
        now = time.monotonic()
        if now - self._last >= _SECONDS_BETWEEN or done == total:
            self._last = now
            full = _BAR * done // max(1, total)
            self._write(f"{self._title}: labelling [{'#' * full}{'.' * (_BAR - full)}] {100 * done // max(1, total)} %")

    def clear(self) -> None:
        """Erase the line."""
        if self._dirty:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._dirty = False

    def _write(self, text: str) -> None:
        if self._shown:
            import shutil

            # A line that wraps could not be erased; what matters is at its end.
            room = shutil.get_terminal_size().columns - 1
            sys.stderr.write(f"\r\x1b[K{text[-room:]}")
            sys.stderr.flush()
            self._dirty = True
