"""Man pages, made of the commands' help, and completion for shells, in the folders where both are looked for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click

from gmmseg import __version__
from gmmseg.cli.completion import script
from gmmseg.cli.group import GROUP
from gmmseg.cli.overview import COMMANDS
from gmmseg.io.atomic import atomic_file

__all__ = ["install"]

_COMPLETIONS = {
    "bash": "share/bash-completion/completions/gmmseg",
    "zsh": "share/zsh/site-functions/_gmmseg",
    "fish": "share/fish/vendor_completions.d/gmmseg.fish",
}
_EXIT_CODES = "0 done, 1 failed, 2 wrong usage, 3 some files failed and the others were done."


def install(prefix: Path) -> list[Path]:
    """Write man pages and completions below a folder, such as ~/.local or /usr/local; those of another version go.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    OutputError
        A file cannot be written.
    """
    files = {"share/man/man1/gmmseg.1": _overview_page()}
    for name in COMMANDS:
        files[f"share/man/man1/gmmseg-{name}.1"] = _page(name)
    for shell, place in _COMPLETIONS.items():
        files[place] = script(shell, "_GMMSEG_COMPLETE")
    written = []
    for place, text in files.items():
        path = prefix.expanduser() / place
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(path, overwrite=True) as file:
            file.write(text.encode())
        written.append(path)
    return written


def _overview_page() -> str:
    parts = [
        _head("gmmseg", "segment images with Gaussian mixtures"),
        ".SH SYNOPSIS\n.B gmmseg\n.I COMMAND\n[OPTIONS] ...",
        ".SH DESCRIPTION\nLabel maps and soft masks of photographs, microscopy, scans and satellite scenes.",
        ".SH COMMANDS",
    ]
    parts += [f".TP\n.BR gmmseg\\-{_plain(name)} (1)\n{_plain(text)}" for name, (_, text) in COMMANDS.items()]
    return "\n".join([*parts, f'.SH "EXIT STATUS"\n{_EXIT_CODES}', ""])


def _page(name: str) -> str:
    """Return the man page of a command."""
    whole = click.Context(GROUP, info_name="gmmseg", **GROUP.context_settings)
    command = GROUP.get_command(whole, name)
    assert command is not None
    context = click.Context(command, whole, name)
    usage = " ".join(command.collect_usage_pieces(context))
    parts = [
        _head(f"gmmseg-{name}", COMMANDS[name][1].rstrip(".")),
        f".SH SYNOPSIS\n.B gmmseg {_plain(name)}\n{_plain(usage)}",
        ".SH DESCRIPTION",
        *_paragraphs(command.help or ""),
    ]
    section = ""
    for option in command.get_params(context):
        record = option.get_help_record(context)
        if record is None or not isinstance(option, click.Option):
            continue
        if section != (section := getattr(option, "section", "Other")):
            parts.append(f'.SH "{section.upper()}"')
        parts.append(f".TP\n.B {_plain(record[0])}\n{_plain(record[1])}")
    return "\n".join([*parts, f'.SH "EXIT STATUS"\n{_EXIT_CODES}', '.SH "SEE ALSO"\n.BR gmmseg (1)', ""])


def _head(name: str, summary: str) -> str:
    return f'.TH {name.upper()} 1 "" "gmmseg {__version__}"\n.SH NAME\n{_plain(name)} \\- {_plain(summary)}'


def _paragraphs(text: str) -> Iterator[str]:
    """Yield paragraphs of a help text as they are set: as they stand those that click would leave so."""
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        if paragraph.lstrip().startswith("\b"):
            lines = paragraph.lstrip().removeprefix("\b").strip("\n").splitlines()
            yield "\n".join([".PP", ".nf", *map(_plain, lines), ".fi"])
        else:
            yield f".PP\n{_plain(' '.join(paragraph.split()))}"


def _plain(text: str) -> str:
    """Return text in which nothing is a request to the typesetter."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text.startswith((".", "'")) else text
