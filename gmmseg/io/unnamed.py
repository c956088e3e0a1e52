"""Files that are whole, and wait together for being put on the disk and for their names.

To have the disk write one small file takes several times as long as to make it, and of many at once hardly longer. So
a process that makes one after the other leaves them under temporary names, and says so to the one that names them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from gmmseg.io.temporary import temporary_name
from gmmseg.platforms import put_on_disk

__all__ = ["leave_all_unnamed", "leave_unnamed", "lies_at", "name_all", "take_unnamed"]

# Names to come and temporary ones, by the paths that were asked for; None where files get theirs at once.
_waiting: dict[Path, tuple[Path, Path]] | None = None


def leave_all_unnamed() -> None:
    """Leave the files unnamed that this process writes from now on, but those that may replace nothing."""
    global _waiting
    _waiting = {}


def leave_unnamed(temporary: Path, path: Path, target: Path) -> bool:
    """Leave a file for who calls `take_unnamed`, if this process does so; False where it needs its name now.

    The target is where the path leads: one that is a link keeps pointing there.
    """
    if _waiting is None:
        return False
    hidden = _waiting[path][1] if path in _waiting else None
    if hidden is None and temporary.parent == target.parent:  # it has such a name already
        hidden = temporary
    else:
        hidden = hidden or temporary_name(target.parent)
        os.replace(temporary, hidden)
    _waiting[path] = target, hidden
    return True


def lies_at(path: Path) -> Path:
    """Return where the content of a file lies that may have been left."""
    return _waiting[path][1] if _waiting and path in _waiting else path


def take_unnamed() -> list[tuple[str, str]]:
    """Return the names to come and the temporary ones of the files that are left, and know of them no more.

    If nobody gives them the former, see `name_all`, they go with this process, or by a sweep once it is over.
    """
    global _waiting
    if not _waiting:
        return []
    found, _waiting = _waiting, {}
    return [(str(target), str(hidden)) for target, hidden in found.values()]


def name_all(files: Iterable[tuple[str, str]]) -> None:
    """Have files on disk, then give each its name.

    Parameters
    ----------
    files : iterable of (str, str)
        The names to come and the temporary ones.

    Raises
    ------
    OSError
        The system could not; files that have no name yet keep their temporary one.
    """
    pairs = list(files)
    for _, hidden in pairs:
        put_on_disk(hidden)
    for target, hidden in pairs:
        os.replace(hidden, target)
