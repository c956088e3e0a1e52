"""What `gmmseg segment --replay` does: the commands of a log, one after the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from gmmseg.cli.group import run

__all__ = ["replay"]

_WITH = {"replay", "output", "overwrite", "as_json", "quiet"}


def replay(context: click.Context, log: Path, options: dict[str, Any]) -> int:
    """Run what a log says; its own options are refused beside it.

    Parameters
    ----------
    context : click.Context
        Of `gmmseg segment`.
    log : Path
    options : dict of str to object
        Its parameters.

    Returns
    -------
    int
        The exit code.
    """
    for each in context.command.params:
        said = context.get_parameter_source(str(each.name)) is ParameterSource.COMMANDLINE
        if said and each.name not in _WITH and options.get(str(each.name)) != ():
            what = each.opts[0] if isinstance(each, click.Option) else "IMAGE"
            raise click.UsageError(f"--replay {log} says all that is wanted; leave {what} out")
    from gmmseg.web import replay_commands

    *first, last = replay_commands(log, output=options["output"], overwrite=options["overwrite"])
    for command in first:
        if code := run([*command, "--quiet"]):
            return code
    last += ["--json"] if options["as_json"] else []
    last += ["--quiet"] if options["quiet"] else []
    return run(last)
