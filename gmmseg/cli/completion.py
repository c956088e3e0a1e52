"""Completion of commands, options and file names in bash, zsh and fish, as the parser knows them."""

from __future__ import annotations

import os

import click
from click.shell_completion import ShellComplete, get_completion_class

from gmmseg.cli.group import GROUP
from gmmseg.cli.messages import print_error

__all__ = ["complete", "script"]


def complete(variable: str, instruction: str) -> int:
    """Answer the shell.

    Parameters
    ----------
    variable : str
        Of the environment, by which the shell asks.
    instruction : str
        Its value: a shell's name and what it wants, as in "bash_source" (the script that switches completion on) or
        "bash_complete" (what may follow the words in COMP_WORDS; that script asks so).

    Returns
    -------
    int
        The exit code.
    """
    shell, _, wanted = instruction.partition("_")
    known = get_completion_class(shell)
    asked = wanted == "source" or (wanted == "complete" and {"COMP_WORDS", "COMP_CWORD"} <= os.environ.keys())
    if known is None or not asked:
        print_error(
            f"{variable}={instruction} cannot be answered; use bash_source, zsh_source or fish_source, "
            "or unset the variable"
        )
        return 2
    completion = known(GROUP, {}, "gmmseg", variable)
    click.echo(script(shell, variable) if wanted == "source" else completion.complete())
    return 0


def script(shell: str, variable: str) -> str:
    """Return what switches completion on in a shell: "bash", "zsh" or "fish"."""
    known = get_completion_class(shell)
    assert known is not None
    # Without what the subclass of bash puts before it: it starts the bash that is first on the path, which may be none,
    # and asks for the version of that one instead of the one that reads the script.
    text = ShellComplete.source(known(GROUP, {}, "gmmseg", variable))
    # Fish would show what an option does up to its first comma.
    return text.replace('string split "," ', 'string split --max 1 "," ')
