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
