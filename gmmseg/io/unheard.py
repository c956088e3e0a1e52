"""What other libraries warn of and log while they read a file for gmmseg stays unheard, in the thread that reads.

Filters of warnings and levels of loggers belong to the whole process: a thread that changes them for a while changes
them for all others, and two that do so at once leave them changed. Here the libraries are told once whom to warn.
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

__all__ = ["attend", "unheard"]

_findings: ContextVar[tuple[list[str], int] | None] = ContextVar("findings", default=None)


@contextmanager
def unheard(least: int = logging.ERROR) -> Iterator[list[str]]:
    """Keep what attended libraries say in this thread, and return what they log from a level on, as lines."""
    lines: list[str] = []
    token = _findings.set((lines, least))
    try:
        yield lines
    finally:
        _findings.reset(token)


@cache
def attend(*modules: str) -> None:
    """Let some modules that are loaded warn through gmmseg, and the loggers of their names log through it.

    Outside of `unheard` all that they say goes where it went before.
    """
    for name in modules:
        logging.getLogger(name).addFilter(_is_heard)
        if getattr(sys.modules.get(name), "warnings", None) is warnings:
            setattr(sys.modules[name], "warnings", _Warnings())  # noqa: B010  # of a module, which no type describes


def _is_heard(record: logging.LogRecord) -> bool:
    found = _findings.get()
    if found is None:
        return True
    lines, least = found
    if record.levelno >= least:
        lines.append(" ".join(record.getMessage().split()))
    return False


class _Warnings:
    """The module `warnings`, but for what is to stay unheard."""

    def __getattr__(self, name: str) -> Any:
        return getattr(warnings, name)

    @staticmethod
    def warn(message: Any, category: Any = None, stacklevel: int = 1, **further: Any) -> None:
        """Warn as `warnings.warn` does."""
        if _findings.get() is None:
            warnings.warn(message, category, stacklevel + 1, **further)
