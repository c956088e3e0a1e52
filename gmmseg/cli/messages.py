"""What is said on stderr: one line each, in the words of the command line."""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from itertools import takewhile
from typing import Any

import click

from gmmseg.errors import (
    MOST_QUOTED,
    GmmsegError,
    GmmsegWarning,
    ParameterError,
    UnfinishedError,
    clipped,
    cut,
    described,
    lacks_memory,
)

__all__ = ["as_given", "collected_warnings", "exit_code", "explain", "plain", "plural", "print_error"]

# Python's spelling of parameters in the library's messages becomes that of options: with a value wherever it stands,
# without one after the words that ask for it.
_ASKED_FOR = re.compile(r"\b(raise|give it as) (max_pixels|memory|mask)\b")
_NAMES = (
    "features|covariance|channel_axis|axes|bias_field|partial_volume|sample|seed|outliers|class_names|prior_weight|memory|threads"
    "|overwrite|resume|keep_crs|resolution|weight|allow_remote|merge|rename|drop|background|feather|instances"
    "|class|label|missing_channels|series|order|mask_threshold|mask_values|frame|plane"
)
_SET = re.compile(rf"(?<![\w-])({_NAMES})=('[^']*'|[\[(]'[^\])]*[\])]|[^\s,;:)]+)")


def plural(n: int, noun: str, several: str | None = None) -> str:
    """Return so many of something: "1 class", "2 classes"."""
    return f"{n} {noun if n == 1 else several or f'{noun}s'}"


def plain(text: str) -> str:
    """Return a text on one line, with nothing in it that a terminal would obey."""
    text = as_given(text)
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def as_given(text: str) -> str:
    """Return a text that names what was given, where it names the temporary copies of that."""
    spool = sys.modules.get("gmmseg.io.spool")  # which is loaded where there are any
    return text if spool is None else str(spool.as_given(text))


def print_error(text: str, arguments: Sequence[str] | None = None) -> None:
    """Print one line on stderr, which quotes little of long arguments; by default those of the command that is run."""
    if arguments is None:
        context = click.get_current_context(silent=True)
        arguments = () if context is None else context.obj or ()
    click.echo(f"gmmseg: error: {clipped(plain(_quoting_little(text, arguments)))}", err=True)


def _quoting_little(text: str, arguments: Sequence[str]) -> str:
    """Cut what a text repeats of long arguments: spaces in them hide where they end."""
    for value in (part for each in arguments for part in (each, each.partition("=")[2]) if len(part) > MOST_QUOTED):
        start = 0
        while (start := text.find(value[:MOST_QUOTED], start)) >= 0:
            pairs = zip(text[start:], value, strict=False)
            end = start + sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
            text = text[:start] + cut(text[start:end]) + text[end:]
            start += MOST_QUOTED
    return text


def explain(error: BaseException, subject: str = "", options: Collection[str] | None = None) -> str:
    """Say what went wrong.

    Parameters
    ----------
    error : BaseException
        Those that gmmseg raises say it themselves.
    subject : str
        What was being worked on, for errors that do not name it.
    options : collection of str, optional
        Parameters that the command has; all by default. Others are not asked for.

    Returns
    -------
    str
        One line.
    """
    start = f"{subject}: " if subject else ""
    if isinstance(error, GmmsegError):
        return _for_shell(str(error), options)
    if isinstance(error, OSError):
        named = isinstance(error.filename, str | bytes)
        return described(error, f"{os.fsdecode(error.filename)}: " if named else start)
    if lacks_memory(error):
        return described(error, start)
    if "GMMSEG_DEBUG" in os.environ:
        raise error
    return f"{described(error, start)}, with GMMSEG_DEBUG=1 for details"


def exit_code(error: BaseException) -> int:
    """Return 2 where a value of the command line was at fault, 3 where some of an image is done, otherwise 1."""
    if isinstance(error, UnfinishedError):
        return 3
    return 2 if isinstance(error, ParameterError) else 1


def _for_shell(text: str, options: Collection[str] | None = None) -> str:
    def asked(found: re.Match[str]) -> str:
        if found[1] == "raise" and options is not None and found[2] not in options:
            return "reduce it or cut it into tiles"
        return f"{found[1]} {_spelled(found[2])}"

    return _SET.sub(_option, _ASKED_FOR.sub(asked, text))


def _spelled(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _option(found: re.Match[str]) -> str:
    option, value = _spelled(found[1]), found[2].strip("'") or "''"
    if value[0] in "[(":  # several names, as they are typed
        value = ",".join(re.findall("'([^']*)'", value))
    if value == "False":
        return f"--no-{option[2:]}"
    return option if value == "True" else f"{option} {'none' if value == 'None' else value}"


@contextmanager
def collected_warnings(before: Callable[[], None]) -> Iterator[list[str]]:
    """Print gmmseg's warnings as one line each, each once, and collect them.

    Parameters
    ----------
    before : callable
        Called before a line is printed.

    Yields
    ------
    list of str
        Grows with each warning.
    """
    texts: list[str] = []

    def show(message: Warning | str, category: type[Warning], *args: Any, **options: Any) -> None:
        if issubclass(category, GmmsegWarning):
            text = as_given(_for_shell(str(message)))
            if text in texts:  # of a file that is opened once more
                return
            texts.append(text)
            before()
            click.echo(f"gmmseg: warning: {clipped(plain(texts[-1]))}", err=True)
        elif sys.warnoptions:
            # Those of other packages tell a user nothing; `python -W` is how a developer asks for them.
            shown_by_python(message, category, *args, **options)

    with warnings.catch_warnings():
        shown_by_python = warnings.showwarning
        warnings.simplefilter("always", GmmsegWarning)
        warnings.showwarning = show
        yield texts
