"""What can go wrong, one class for each thing a caller can handle.

Every message is one line that names what was wrong, where, which value was found and what to do about it.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

__all__ = [
    "ConvergenceWarning",
    "DataWarning",
    "GmmsegError",
    "GmmsegWarning",
    "InputError",
    "OutputError",
    "ParameterError",
    "compatible",
    "described",
    "one_line",
]


class GmmsegError(Exception):
    """Base of every error that gmmseg raises on purpose."""


class ParameterError(GmmsegError, ValueError):
    """A parameter has a value that cannot be used."""


class InputError(GmmsegError, ValueError):
    """A file or an array cannot be read as an image or as a model."""


class OutputError(GmmsegError, OSError):
    """A result cannot be written where it was asked for; nothing was changed there."""


class GmmsegWarning(UserWarning):
    """Base of every warning that gmmseg gives; the result is valid, but not quite what was asked for."""


class DataWarning(GmmsegWarning):
    """The data did not support what was asked for, and something simpler was done."""


class ConvergenceWarning(GmmsegWarning):
    """EM stopped before its objective had settled, or the objective fell."""


def one_line(error: BaseException, most: int = 100) -> str:
    """Return the message of another library's error on one line, cut where it is long; its type where it has none."""
    return " ".join(str(error).split())[:most] or type(error).__name__


def described(error: BaseException, where: str = "") -> str:
    """Say on one line what went wrong; `where` begins the messages of errors that do not name it themselves."""
    if isinstance(error, GmmsegError):
        return str(error)
    if isinstance(error, MemoryError):
        return f"{where}there is not enough memory; use a smaller image, or fewer classes"
    if isinstance(error, OSError):
        return f"{where}{error.strerror or error}; check the file, its rights and the free space"
    words = " ".join(str(error).split())[:200]
    return f"{where}unexpected {type(error).__name__} ({words}); please report this"


def compatible(own: Any) -> Any:
    """Return a class of this package, or where scikit-learn is loaded one that is also its class of the same name."""
    theirs = getattr(sys.modules.get("sklearn.exceptions"), own.__name__, None)
    return own if theirs is None else _joint(own, theirs)


@cache
def _joint(own: Any, theirs: Any) -> Any:
    def reduce(self: Any) -> tuple[Any, ...]:  # by its maker: no module holds this class under its name
        return _rebuild, (own, self.args)

    return type(
        own.__name__, (own, theirs), {"__doc__": own.__doc__, "__module__": own.__module__, "__reduce__": reduce}
    )


def _rebuild(own: Any, args: tuple[Any, ...]) -> Any:
    return compatible(own)(*args)
