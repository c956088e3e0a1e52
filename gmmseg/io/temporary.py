"""Temporary folders and files whose names say which run has made them: what a killed run left is told and removed."""

from __future__ import annotations

import os
import re
import stat
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from gmmseg.platforms import is_alive, machine, started

__all__ = ["keep_folders", "remove_own", "sweep", "temporary_file", "temporary_folder", "temporary_name"]

# Of the machine, the process, its start and some random digits.
_NAME = re.compile(r"\.gmmseg-([0-9a-f]{8})-(\d+)-(\d+)-[0-9a-f]{12}\.tmp")

_places: set[Path] = set()  # where this process has named any
_keeps, _MOST_KEPT = False, 4
_kept: list[Path] = []  # those of them that are kept for what is written next


def keep_folders() -> None:
    """Keep the last temporary folders of this process, empty, for the next files in the same places.

    They go when the process ends by `remove_own`, or with a sweep after it. For who writes a small file after the
    other: to make and remove a folder takes longer than to write the file.
    """
    global _keeps
    _keeps = True


def temporary_name(place: Path) -> Path:
    """Name a temporary folder or file of this process in a folder; whatever has the name when it is over is removed."""
    _places.add(place)
    return place / f"{_begin()}{os.urandom(6).hex()}.tmp"


def _begin() -> str:
    """How names of this process begin."""
    return f".gmmseg-{_machine()}-{os.getpid()}-{started(os.getpid())}-"


@contextmanager
def temporary_file(place: Path) -> Iterator[Path]:
    """Name a hidden file in a folder, which goes where the block fails; otherwise the block has seen to it.

    For who makes one file and nothing beside it: of a small one, a folder around it takes as long as the file.
    """
    file = temporary_name(place)
    try:
        yield file
    except BaseException:
        with suppress(OSError):
            _remove(file)
        raise


@contextmanager
def temporary_folder(place: Path) -> Iterator[Path]:
    """Have a hidden folder in another one; it goes with all that is in it, however the block ends.

    Whatever a library leaves beside a file that it writes, it leaves in there.

    Raises
    ------
    OSError
        It cannot be made.
    """
    folder = _taken(place)
    is_new = folder is None
    if folder is None:
        folder = temporary_name(place)
    try:
        if is_new:
            folder.mkdir(0o700)
        yield folder
    finally:
        if _keeps and _is_empty(folder):
            _kept.append(folder)
            folder = _kept.pop(0) if len(_kept) > _MOST_KEPT else None
        if folder is not None:
            with suppress(FileNotFoundError):
                _remove(folder)


def _taken(place: Path) -> Path | None:
    """Take the folder that was kept in a place, if it is there: it may have been removed, or replaced by a link."""
    kept = next((each for each in _kept if each.parent == place), None)
    if kept is None:
        return None
    _kept.remove(kept)
    return kept if kept.is_dir() and not kept.is_symlink() else None


def _is_empty(folder: Path) -> bool:
    with suppress(OSError):
        return not os.listdir(folder)
    return False


def remove_own() -> None:
    """Remove what this process has still of temporary folders and files: for its end, where no block will end any more.

    A signal may come in the middle of removing one.
    """
    begin = _begin()
    _remove_all(list(_places), lambda name: name.startswith(begin))


def sweep(folders: Iterable[Path]) -> None:
    """Remove what is temporary in some folders and whose runs are no more; links are left alone, and not followed.

    Notes
    -----
    Of another machine, with which a disk is shared, nothing is known: its folders stay.
    """
    _remove_all(folders, _is_left_behind)


def _remove_all(folders: Iterable[Path], is_over: Callable[[str], bool]) -> None:
    for folder in folders:
        with suppress(OSError):
            for name in filter(is_over, os.listdir(folder)):
                with suppress(OSError):
                    _remove(folder / name)


def _is_left_behind(name: str) -> bool:
    """Whether a temporary folder or file of this name belongs to a run on this machine that has ended."""
    found = _NAME.fullmatch(name)
    return found is not None and found[1] == _machine() and not is_alive(int(found[2]), found[3])


def _remove(folder: Path) -> None:
    mode = os.lstat(folder).st_mode
    if stat.S_ISREG(mode):
        folder.unlink()
    if not stat.S_ISDIR(mode):
        return
    with suppress(OSError):
        folder.rmdir()
        return
    import shutil  # here, because files are gone by now, unless a library has left some or was stopped

    shutil.rmtree(folder, ignore_errors=True)


@cache
def _machine() -> str:
    return f"{zlib.crc32(os.fsencode(machine())):08x}"
