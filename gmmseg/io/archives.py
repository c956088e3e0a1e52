"""Members of archives: copied out with what belongs to them, within the limit of the copy."""

from __future__ import annotations

import gzip
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import IO, Any

from gmmseg.errors import InputError
from gmmseg.io.damage import explained
from gmmseg.io.spool import Copy, chunks_of

__all__ = ["REMEDY", "member_of_zip", "unpack"]

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # Python inflates the others without a limit
REMEDY = "unpack it and give the file"
"""For what cannot be read from an archive."""


def unpack(kind: str, path: Path, member: str, copy: Copy) -> None:
    """Copy an image out of an archive, and what lies beside it there under its name: headers, masks, overviews.

    Parameters
    ----------
    kind : {"zip", "tar", "gzip"}
    path : Path
        The archive.
    member : str
        The name of the image in it; empty where it holds only one.
    copy : Copy

    Raises
    ------
    InputError
        The archive is not there or damaged, or holds no such member.
    """
    if not path.is_file():
        raise InputError(f"{copy.given}: there is no file {path}; check the path")
    with explained(path, REMEDY):
        if kind == "gzip":
            with gzip.open(path) as file:
                copy.path = copy.add(path.name.removesuffix(".gz"), chunks_of(file))
        elif kind == "zip":
            with zipfile.ZipFile(path) as archive:
                members = {each.filename: each for each in archive.infolist() if not each.is_dir()}
                _unpack(
                    _wanted(path, member, copy, members), copy, members, lambda each: member_of_zip(archive, each, copy)
                )
        else:
            with tarfile.open(path) as packed:
                files = {each.name: each for each in packed if each.isfile()}
                _unpack(_wanted(path, member, copy, files), copy, files, packed.extractfile)
    copy.settle()


def _unpack(wanted: str, copy: Copy, members: dict[str, Any], opened: Callable[[Any], IO[bytes] | None]) -> None:
    stem = PurePosixPath(wanted).with_suffix("").as_posix()
    for name, member in members.items():
        file = opened(member) if name == wanted or name.startswith(f"{stem}.") else None
        if file is not None:
            with file:
                written = copy.add(PurePosixPath(name).name, chunks_of(file))
            copy.path = written if name == wanted else copy.path


def _wanted(path: Path, member: str, copy: Copy, members: dict[str, Any]) -> str:
    """Return the name of the member that is asked for, or of the only one."""
    named = [name for name in members if PurePosixPath(name) == PurePosixPath(member or "/")]
    if named:
        return named[0]
    shown = ", ".join(list(members)[:6])[:200] or "no file"
    if member:
        raise InputError(f"{copy.given}: {path} has no {member}, but {shown}; name one of these")
    if len(members) != 1:
        raise InputError(f"{copy.given} holds {shown}; name one after the archive, as in {path}!/NAME")
    return next(iter(members))


def member_of_zip(archive: zipfile.ZipFile, member: zipfile.ZipInfo, copy: Copy) -> IO[bytes]:
    """Open a member of a ZIP archive, if it is of a kind that is inflated within limits."""
    if member.compress_type not in _METHODS:
        raise InputError(f"{copy.given} is compressed by method {member.compress_type}, which is not read; {REMEDY}")
    if member.flag_bits & 1:
        raise InputError(f"{copy.given} is encrypted; {REMEDY}")
    return archive.open(member)
