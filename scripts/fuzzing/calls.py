"""What is called with a mutant, and what is wrong with the way in which a call ended."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import sys
import traceback
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import gmmseg
from fuzzing.pictures import SHAPE, colours, grey
from gmmseg import GmmsegError, GmmsegWarning
from gmmseg.checks import MEMORY
from gmmseg.cli import main
from gmmseg.io import read, read_info, read_labels, read_probabilities

__all__ = ["CALLS", "LONGEST", "Failure", "calls_of", "innermost", "tried", "watch_interpreter"]

LONGEST = 400
"""Characters of a message, without the path of the file that it names."""

_LITTLE_MEMORY = 1 << 20  # bytes
_MOST_SAMPLES = 4_000_000  # an image that says it is larger takes its time, which is no hang
_PACKAGE = str(Path(gmmseg.__file__).parent)
_FRAME = re.compile(rf'File "{re.escape(_PACKAGE)}{os.sep}([^"]+)", line \d+,? in (\w+)')
# What no reader of an image has a reason to do; pickles and programs are how files bring code.
_FORBIDDEN = {
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "os.spawn",
    "os.system",
    "pickle.find_class",
    "socket.connect",
    "socket.getaddrinfo",
    "subprocess.Popen",
}
_seen: list[str] = []


class Failure(NamedTuple):
    """What is wrong with a call.

    Parameters
    ----------
    kind : str
        A word, or the type of an error.
    place : str
        The innermost function of gmmseg, as far as it is known.
    text : str
        What was said, or a traceback.
    """

    kind: str
    place: str
    text: str


class CommandError(Exception):
    """The command line did not end as it should where a file is refused: exit code 1, and one line on stderr."""


def _info(path: Path) -> None:
    json.dumps(read_info(path), allow_nan=False)


def _read(path: Path) -> None:
    """Read with little memory, so that pixels stay in the file where they can; and some of those."""
    image = read(path, memory=_LITTLE_MEMORY)
    image.pixels.read(tuple(slice(0, min(length, 16)) for length in image.shape))


def _segment(path: Path) -> None:
    image = read(path, memory=MEMORY // 2)  # as `gmmseg.segment` itself does
    if image.n_pixels * image.n_channels <= _MOST_SAMPLES:
        _ = gmmseg.segment(image, 2, sample=300, threads=1).labels


def _command(path: Path) -> None:
    """Run `gmmseg info FILE --json`, and raise what it says where it fails."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(["info", str(path), "--json"])
    if code == 0:
        json.loads(out.getvalue(), parse_constant=_no_number)
        said = err.getvalue()
    else:
        said = err.getvalue().removesuffix("\n")
        if code != 1 or out.getvalue() or not said.startswith("gmmseg: error: ") or "please report" in said:
            raise CommandError(f"exit code {code}: {said}")
    if said:
        raise GmmsegError(said)


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no JSON")


def _model(path: Path) -> None:
    gmmseg.load_model(path)


def _apply(path: Path) -> None:
    model = gmmseg.load_model(path)
    _ = gmmseg.apply(model, colours() if model.color else grey(), threads=1).labels


def _prior(path: Path) -> None:
    _ = gmmseg.segment(_picture(), 2, sample=300, threads=1, prior=path).labels


@cache
def _picture() -> Any:
    assert colours().shape[:2] == SHAPE
    return gmmseg.Image(colours())


CALLS: dict[str, Callable[[Path], Any]] = {
    "info": _info,
    "read": _read,
    "read_labels": read_labels,
    "read_probabilities": read_probabilities,
    "segment": _segment,
    "command": _command,
    "load_model": _model,
    "apply": _apply,
    "prior": _prior,
}
_OF_KIND = {
    "model": ("command", "load_model", "apply"),
    "prior": ("info", "read", "read_probabilities", "segment", "prior"),
}


def calls_of(kind: str) -> tuple[str, ...]:
    """Return what is called with files of a kind."""
    return _OF_KIND.get(kind, ("info", "read", "read_labels", "segment", "command"))


def watch_interpreter() -> None:
    """Have this process note what no reader does: unpickling, other programs, sockets."""
    sys.addaudithook(lambda event, _: _seen.append(event) if event in _FORBIDDEN else None)


def tried(call: Callable[[Path], Any], path: Path) -> Failure | None:
    """Call with a file.

    Parameters
    ----------
    call : callable
    path : Path

    Returns
    -------
    Failure or None
        None where it worked, or was refused in one line by an error of gmmseg.
    """
    _seen.clear()
    said = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", GmmsegWarning)
        try:
            call(path)
        except GmmsegError as error:
            said.append((str(error), innermost(traceback.format_exc())))
        # Whatever it is, it is what the fuzzer looks for.
        except BaseException as error:
            text = traceback.format_exc()
            return Failure(type(error).__name__, innermost(text), text[-6000:])
    if _seen:
        return Failure("forbidden", ", ".join(sorted(set(_seen))), "")
    said += [(str(each.message), "a warning") for each in caught]
    for text, place in said:
        short = text.replace(str(path.parent), "").strip()
        if len(short.splitlines()) > 1 or len(short) > LONGEST:
            return Failure("message", place, text)
    return None


def innermost(text: str) -> str:
    """Return the innermost function of gmmseg that a traceback of Python names: "io/reading.py, read"."""
    found = _FRAME.findall(text)
    return ", ".join(found[-1]) if found else ""
