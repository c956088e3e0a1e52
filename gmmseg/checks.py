"""Checks of parameters, and the limits that hold unless a caller says otherwise."""

from __future__ import annotations

from typing import Any

from gmmseg.errors import ParameterError

__all__ = ["MEMORY", "whole_number"]

MEMORY = 1 << 30
"""Bytes that an image and its result may take by default."""


def whole_number(name: str, value: Any, low: int, high: int | None) -> int:
    """Return a parameter as an int, or raise ParameterError where it is no whole number of this range."""
    wanted = f"a whole number from {low} to {high}" if high is not None else f"a whole number of at least {low}"
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        number = low - 1
    if isinstance(value, bool) or number != value or number < low or (high is not None and number > high):
        raise ParameterError(f"{name}={value!r} is not usable; use {wanted}")
    return number
