"""What tifffile only logs of a file, for whoever reads it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["heard"]


class _Sorter(logging.Handler):
    """Keeps warnings and errors for the thread that they come from, where it listens; else drops them.

    It is there once for the process, so that threads which read at the same time do not undo each other's changes of
    the logger. Without any handler Python would print what tifffile logs.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.kept = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        lines: list[str] | None = getattr(self.kept, "lines", None)
        if lines is not None:
            lines.append(" ".join(record.getMessage().split()))


_SORTER = _Sorter()
logging.getLogger("tifffile").addHandler(_SORTER)


@contextmanager
def heard() -> Iterator[list[str]]:
    """Collect what tifffile logs in this thread, as lines."""
    before = getattr(_SORTER.kept, "lines", None)
    lines: list[str] = []
    _SORTER.kept.lines = lines
    try:
        yield lines
    finally:
        _SORTER.kept.lines = before
