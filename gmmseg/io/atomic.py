"""Write a file whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from gmmseg.checks import single
from gmmseg.errors import OutputError
from gmmseg.io.temporary import temporary_file, temporary_folder
from gmmseg.io.unnamed import leave_unnamed
from gmmseg.platforms import put_on_disk

__all__ = ["atomic_file", "atomic_folder", "atomic_path", "check_folder", "check_place"]

_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.EBADF, errno.ELOOP)


def check_place(path: Path, *, overwrite: bool) -> None:
    """Refuse a target that could not, or must not, be written.

    Parameters
    ----------
    path : Path
        The file to be written.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    OutputError
        The folder is missing or not writable, the target is no regular file, or it exists and may not be replaced.
    """
    folder, there = path.parent, None
    try:
        there = os.stat(path).st_mode
    except OSError as error:
        if error.errno not in _NOT_THERE:
            raise OutputError(f"{path} cannot be written: {error.strerror or error}; choose another name") from None
    if there is None and not os.path.isdir(folder):
        raise OutputError(f"{path}: the folder {folder} does not exist; create it first")
    if there is not None:
        if stat.S_ISDIR(there):
            raise OutputError(f"{path} is a folder; name a file to write")
        if not stat.S_ISREG(there):
            raise OutputError(f"{path} is not a regular file; name another file to write")
        if not single("overwrite", overwrite):
            raise OutputError(f"{path} exists already; pass overwrite=True or choose another name")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"{path}: the folder {folder} is not writable; choose another folder or change its rights")


def check_folder(path: Path, *, overwrite: bool) -> None:
    """Refuse a folder in which files could not, or must not, be written: it is made where it is missing.

    Raises
    ------
    OutputError
        It is a file, cannot be made or written in, or holds files that might have to be replaced.
    """
    if not path.exists():
        return check_place(path, overwrite=overwrite)
    if not path.is_dir():
        raise OutputError(f"{path} is a file, but a folder is written; choose another name")
    if not overwrite and any(path.iterdir()):
        raise OutputError(f"{path} is not empty; pass overwrite=True or choose another folder")
    if not os.access(path, os.W_OK | os.X_OK):
        raise OutputError(f"the folder {path} is not writable; choose another one or change its rights")
    return None


@contextlib.contextmanager
def atomic_folder(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """Have a temporary folder beside `path` for many files; it takes its name once all of them are on disk.

    Parameters
    ----------
    path : Path
        The folder. Where it is there already the files are moved into it, over those of the same names.
    overwrite : bool
        Whether it may hold files.

    Yields
    ------
    Path
        The temporary folder, empty. On any exception it is removed and `path` is as it was.

    Raises
    ------
    OutputError
        The target is refused (see `check_folder`) or the system could not write (disk full, ...).
    """
    check_folder(path, overwrite=overwrite)
    target = Path(os.path.realpath(path))
    with _reported(path, target), temporary_folder(target.parent) as folder:
        content = folder / "content"
        content.mkdir()
        yield content
        files = [each for each in sorted(content.rglob("*")) if each.is_file()]
        for each in files:
            put_on_disk(each)
        if not target.exists():
            os.rename(content, target)
            return
        for each in files:
            place = target / each.relative_to(content)
            place.parent.mkdir(parents=True, exist_ok=True)
            os.replace(each, place)


@contextlib.contextmanager
def atomic_file(path: Path, *, overwrite: bool) -> Iterator[BinaryIO]:
    """Open a hidden file beside `path`; it takes its name once everything is on disk.

    Parameters
    ----------
    path : Path
        The file to be written.
    overwrite : bool
        Whether an existing file may be replaced. Where False, a file that appeared meanwhile is kept too.

    Yields
    ------
    BinaryIO
        Open for writing and reading. On any exception it is removed and `path` is as it was.

    Raises
    ------
    OutputError
        The target is refused (see `check_place`) or the system could not write (disk full, ...).
    """
    # Unlike the tempfile module's 0o600, the rights of any new file: the umask decides.
    with atomic_path(path, overwrite=overwrite, alone=True) as temporary, open(temporary, "x+b") as file:
        yield file


@contextlib.contextmanager
def atomic_path(path: Path, *, overwrite: bool, suffix: str = "", alone: bool = False) -> Iterator[Path]:
    """Name a temporary file, for a library that opens files itself; as `atomic_file` otherwise.

    Parameters
    ----------
    path : Path
        The file to be written.
    overwrite : bool
        Whether an existing file may be replaced.
    suffix : str
        End of the temporary name, for libraries that choose the format by it.
    alone : bool
        Whether one file is made and nothing beside it; then the suffix counts for nothing.

    Yields
    ------
    Path
        Where a file, or a folder in its stead, has to be when the block ends. Unless it comes alone, its folder is
        there for it, and goes with all that is in it.

    Raises
    ------
    OutputError
        The target is refused (see `check_place`) or the system could not write (disk full, ...).
    OSError
        As it came, where it is about a file elsewhere, such as an input that has vanished.
    """
    check_place(path, overwrite=overwrite)
    # A link keeps pointing where it points: its target is what is replaced.
    target = Path(os.path.realpath(path)) if os.path.islink(path) else path.absolute()
    with _reported(path, target), (temporary_file if alone else temporary_folder)(target.parent) as hidden:
        temporary = hidden if alone else hidden / f"{hidden.name}{suffix}"
        yield temporary
        if not alone and temporary.is_dir():  # which takes the place of nothing
            for each in temporary.rglob("*"):
                if each.is_file():
                    put_on_disk(each)
            os.rename(temporary, target)
            return
        if overwrite and leave_unnamed(temporary, path, target):
            return
        put_on_disk(temporary)
        _rename(temporary, target, path, overwrite=overwrite)


@contextlib.contextmanager
def _reported(path: Path, target: Path) -> Iterator[None]:
    """Say what the system could not do as an OutputError of a path, but of files elsewhere than its target is."""
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        if _is_elsewhere(error, target.parent):
            raise
        reason = error.strerror or error
        raise OutputError(f"{path} cannot be written: {reason}; free space or choose another place") from error


def _is_elsewhere(error: OSError, folder: Path) -> bool:
    """Whether an error names a file that is neither the target nor a temporary one: `folder` is where these lie."""
    if not isinstance(error.filename, str | bytes | os.PathLike):
        return False
    place = Path(os.path.abspath(os.fsdecode(error.filename)))
    beside = place.parent == Path(os.path.abspath(folder))
    return not beside and not any(part.startswith(".gmmseg-") for part in place.parts)


def _rename(temporary: Path, target: Path, path: Path, *, overwrite: bool) -> None:
    """Give the finished file its name; without `overwrite` by a hard link, which fails where the name is taken."""
    if not overwrite:
        try:
            os.link(temporary, target)
        except FileExistsError:
            raise OutputError(f"{path} appeared meanwhile and was kept; pass overwrite=True") from None
        except (OSError, NotImplementedError):
            # File systems without hard links (FAT, some network mounts) leave a look before the leap.
            check_place(path, overwrite=False)
        else:
            temporary.unlink()
            return
    os.replace(temporary, target)
