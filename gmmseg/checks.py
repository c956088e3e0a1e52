"""Checks of parameters, and the limits that hold unless a caller says otherwise."""

from __future__ import annotations

from typing import Any

from gmmseg.errors import ParameterError

__all__ = ["MEMORY", "is_flag", "strength_of", "whole_number"]

MEMORY = 1 << 30
"""Bytes that an image and its result may take by default."""


def whole_number(name: str, value: Any, low: int, high: int | None) -> int:
    """Return a parameter as an int, or raise ParameterError where it is no whole number of this range."""
    wanted = f"a whole number from {low} to {high}" if high is not None else f"a whole number of at least {low}"
    try:
        number = int(value)
        usable = not is_flag(value) and bool(number == value)
    except (TypeError, ValueError, OverflowError):
        number, usable = low, False
    if not usable or number < low or (high is not None and number > high):
        raise ParameterError(f"{name}={value!r} is not usable; use {wanted}")
    return number


def is_flag(value: Any) -> bool:
    """Whether a value is a bool, of Python or of NumPy, which need not be loaded."""
    return isinstance(value, bool) or (type(value).__module__ == "numpy" and type(value).__name__ in ("bool", "bool_"))


def strength_of(smooth: Any) -> float | None:
    """Return the knob as a number 0 to 1; False is 0, True is None: estimated. ParameterError outside."""
    if is_flag(smooth):
        return None if smooth else 0.0
    try:
        value = float(smooth)
    except (TypeError, ValueError, OverflowError):
        value = -1.0
    if not 0 <= value <= 1:
        raise ParameterError(f"smooth={smooth!r} is not a strength; use True, False or a number from 0 to 1")
    return value
