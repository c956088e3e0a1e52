"""What --json prints: records as strict JSON, which knows no infinity."""

from __future__ import annotations

import math
from typing import Any

import click

from gmmseg.cli.messages import as_given

__all__ = ["json_text", "print_json"]


def print_json(record: Any, *, indent: int | None = 1) -> None:
    """Print a record, see `json_text`."""
    click.echo(json_text(record, indent=indent))


def json_text(record: Any, *, indent: int | None = None) -> str:
    """Return a record as JSON; numbers that it cannot hold, infinite ones and none, are null.

    Parameters
    ----------
    record : dict or list
    indent : int, optional
        Spaces for each level; None for one line.
    """
    import json

    return json.dumps(_strict(record), indent=indent, allow_nan=False)


def _strict(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return as_given(value)
    if isinstance(value, dict):
        return {name: _strict(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(each) for each in value]
    return value
