"""What can go wrong, one class for each thing a caller can handle.

Every message is one line that names what was wrong, where, which value was found and what to do about it.
"""

from __future__ import annotations

__all__ = [
    "ConvergenceWarning",
    "DataWarning",
    "GmmsegError",
    "GmmsegWarning",
    "InputError",
    "OutputError",
    "ParameterError",
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
