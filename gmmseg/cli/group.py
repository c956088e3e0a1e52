"""The parser: finds the command, runs it, and turns whatever goes wrong into one line and an exit code."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gmmseg import __version__
from gmmseg.cli.messages import exit_code, explain, print_error
from gmmseg.cli.overview import COMMANDS, overview
from gmmseg.errors import GmmsegError, lacks_memory

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

__all__ = ["GROUP", "run"]


class _Group(click.Group):
    """Commands by name; a command's module is loaded when it is run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = import_module(COMMANDS[cmd_name][0]).command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if ctx.resilient_parsing:  # a shell asks, and wants no message
            return super().resolve_command(ctx, args)
        if args[0].startswith("-"):
            raise click.NoSuchOption(args[0], ctx=ctx)
        if args[0] not in COMMANDS:
            raise click.UsageError(_unknown_command(args[0]), ctx)
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Commands, whose modules are not loaded for it, and options."""
        from click.shell_completion import CompletionItem  # here, because a run needs none

        commands = [
            CompletionItem(name, help=summary) for name, (_, summary) in COMMANDS.items() if name.startswith(incomplete)
        ]
        return [*commands, *click.Command.shell_complete(self, ctx, incomplete)]

    def get_help(self, ctx: click.Context) -> str:
        return overview().rstrip("\n")


GROUP = click.version_option(__version__, message="gmmseg %(version)s")(
    _Group("gmmseg", context_settings={"help_option_names": ["-h", "--help"]})
)


def run(arguments: list[str]) -> int:
    """Run a command.

    Parameters
    ----------
    arguments : list of str
        The command's name and what follows it.

    Returns
    -------
    int
        The exit code.
    """
    for stream in (sys.stdout, sys.stderr):
        # A file's name may hold characters that the terminal's encoding does not have.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        with GROUP.make_context("gmmseg", list(arguments), obj=tuple(arguments)) as context:
            return int(GROUP.invoke(context) or 0)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.ClickException as error:
        print_error(_usage(error, arguments), arguments)
        return 2
    except Exception as error:
        # Nameless errors of the system are those of standard output, which is main's affair; all others become one
        # line, even where the mistake is ours.
        nameless = isinstance(error, OSError) and not isinstance(error, GmmsegError) and error.filename is None
        if nameless and not lacks_memory(error):
            raise
        print_error(explain(error, options=_parameters(arguments[0])), arguments)
        return exit_code(error)


def _parameters(name: str) -> list[str]:
    """Return the names of a command's parameters."""
    command = GROUP.get_command(click.Context(GROUP), name)
    return [] if command is None else [str(each.name) for each in command.params]


def _options_of_segment() -> list[str]:
    """Return the options of `gmmseg segment` as they are typed."""
    command = GROUP.get_command(click.Context(GROUP), "segment")
    return [] if command is None else [opt for each in command.params for opt in (*each.opts, *each.secondary_opts)]


def _nearest(name: str, names: Iterable[str], cutoff: float) -> str | None:
    """Return the name that was probably meant."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(name, names, 1, cutoff)), None)


def _unknown_command(name: str) -> str:
    near = _nearest(name, COMMANDS, 0.5)
    if Path(name).is_file():
        return f"{name} is a file, not a command; did you mean 'gmmseg segment {name}'?"
    hint = f"did you mean {near!r}? " if near else ""
    return f"there is no command {name!r}; {hint}commands are {', '.join(COMMANDS)}"


def _usage(error: click.ClickException, arguments: list[str]) -> str:
    """Say in one line what was wrong with the arguments."""
    command = f"gmmseg {arguments[0]}" if arguments[0] in COMMANDS else "gmmseg"
    remedy = f"see `{command} --help`"
    if isinstance(error, click.NoSuchOption):
        if command in ("gmmseg fit", "gmmseg apply") and error.option_name in _options_of_segment():
            remedy = f"`gmmseg segment` has it; {remedy}"
        near = _nearest(error.option_name, error.possibilities or (), 0.75)
        hint = f"did you mean {near}? " if near else ""
        return f"there is no option {error.option_name}; {hint}{remedy}"
    if isinstance(error, click.MissingParameter) and error.param is not None:
        return f"{(error.param.name or '').rstrip('s').upper()} is missing; {remedy}"
    if isinstance(error, click.BadOptionUsage):
        takes = "takes no value" if "does not take" in error.message else "needs a value"
        return f"{error.option_name} {takes}; {remedy}"
    if isinstance(error, click.BadParameter) and error.param is not None:
        return f"{max(error.param.opts, key=len)} {error.message}"
    if error.message.startswith("Got unexpected"):
        return f"g{error.message[1:].rstrip('.')}; {remedy}"
    return error.message
