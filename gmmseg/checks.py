"""Checks of parameters, and the limits that hold unless a caller says otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gmmseg.errors import ParameterError

__all__ = ["MEMORY", "is_flag", "number_within", "path_of", "single", "strength_of", "whole_number"]

MEMORY = 1 << 30
"""Bytes that an image and its result may take by default."""


def single(name: str, value: Any) -> Any:
    """Return a parameter as it is, or raise ParameterError where it is an array, whose truth nobody knows, or masked.

    NumPy's arrays of no axes are numbers.
    """
    if getattr(value, "ndim", 0):
        raise ParameterError(f"{name} is an array of shape {tuple(value.shape)}; give one value")
    if type(value).__name__ == "MaskedConstant":
        raise ParameterError(f"{name} is masked; give a value")
    return value


def number_within(name: str, value: Any, low: float, high: float, wanted: str) -> float:
    """Return a parameter as a float, or raise ParameterError, which says what is wanted, outside low to high."""
    single(name, value)
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        found = float("nan")
    if not low <= found <= high or isinstance(value, str | bytes):
        raise ParameterError(f"{name}={value!r} {wanted}")
    return found


def whole_number(name: str, value: Any, low: int, high: int | None, also: str = "") -> int:
    """Return a parameter as an int, or raise ParameterError where it is no whole number of this range.

    What may be given `also`, as ", or None", is for the message.
    """
    single(name, value)
    wanted = f"a whole number from {low} to {high}" if high is not None else f"a whole number of at least {low}"
    try:
        number = int(value)
        usable = not is_flag(value) and bool(number == value)
    except (TypeError, ValueError, OverflowError):
        number, usable = low, False
    if not usable or number < low or (high is not None and number > high):
        raise ParameterError(f"{name}={value!r} is not usable; use {wanted}{also}")
    return number


def path_of(value: Any, name: str = "path") -> Path:
    """Return a parameter as a path, or raise ParameterError where it is none."""
    try:
        return Path(value)
    except TypeError:
        raise ParameterError(f"{name}={value!r} is no path; give the name of a file, such as 'labels.png'") from None


def is_flag(value: Any) -> bool:
    """Whether a value is a bool, of Python or of NumPy, which need not be loaded."""
    return isinstance(value, bool) or (type(value).__module__ == "numpy" and type(value).__name__ in ("bool", "bool_"))


def strength_of(smooth: Any) -> float | None:
    """Return the knob as a number 0 to 1; False is 0, True is None: estimated. ParameterError outside."""
    if is_flag(smooth):
        return None if smooth else 0.0
    single("smooth", smooth)
    try:
        value = float(smooth)
    except (TypeError, ValueError, OverflowError):
        value = -1.0
    if not 0 <= value <= 1:
        raise ParameterError(f"smooth={smooth!r} is not a strength; use True, False or a number from 0 to 1")
    return value
