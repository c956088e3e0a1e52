"""What is named on the command line, but is no file of its own: standard input and output, pipes, URLs, archives."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from gmmseg.errors import InputError

__all__ = ["printed", "replaced"]

_STREAMS = "/dev/", "/proc/"
_STARTS = (*_STREAMS, "/vsi")


def replaced(named: Any, options: Mapping[str, Any], copies: dict[Path, Any]) -> Any:
    """Return the files in which the images that are named can be read.

    Parameters
    ----------
    named : Path, tuple of Path or None
    options : mapping of str to object
        Of the command: `allow_remote` and `memory`, where it has them.
    copies : dict of Path to gmmseg.io.spool.Copy
        Those that were made before, to which new ones are added: their files are there as long as these objects are.

    Returns
    -------
    Path, tuple of Path or None
        Paths of files are as they were.

    Raises
    ------
    click.UsageError
        A stream is named twice.
    """
    if isinstance(named, tuple):
        return tuple(replaced(each, options, copies) for each in named)
    if named is None or not _may_be_address(named):
        return named
    from gmmseg.io.addresses import is_remote, local, shown  # here, because most images are files
    from gmmseg.io.request import Reading
    from gmmseg.io.spool import Copy

    if named in copies:
        if str(named).startswith(_STREAMS):  # its other image would be the same one, or what is left of it
            raise click.UsageError(f"{named} is given twice, but holds one file; name another one by its path")
        return Path(copies[named].path)
    if "allow_remote" not in options and is_remote(named):
        raise InputError(f"{shown(named)} is on the network; download it first")
    memory = {"budget": options["memory"]} if "memory" in options else {}
    place = local(named, Reading(allow_remote=options.get("allow_remote", False), **memory))
    if not isinstance(place, Copy):
        return place
    copies[named] = place
    return place.path


def _may_be_address(path: Path) -> bool:
    text = str(path)
    return ":/" in text or text.startswith(_STARTS)


@contextmanager
def printed(options: dict[str, Any]) -> Iterator[None]:
    """Print the label map, and nothing else, on standard output: have a command write it to a temporary file first.

    Parameters
    ----------
    options : dict of str to object
        Of the command, changed: `output` becomes that file, and `quiet` true.
    """
    if options["as_json"]:
        raise click.UsageError("--json and --output - both print on standard output; give one of them")
    if sys.stdout.isatty():
        raise click.UsageError("--output - prints a picture, and standard output is a terminal; send it to a file")
    from gmmseg.io.spool import Copy, chunks_of  # here, because most label maps are written to files

    copy = Copy("-", 0)
    options["output"] = path = copy.folder / "labels.png"
    copy.path, options["quiet"] = path, True
    yield
    if path.exists():
        with open(path, "rb") as file:
            sys.stdout.buffer.writelines(chunks_of(file))
