"""The manifest: one line of JSON an image, appended as each ends, from which a second run knows what is done.

Everything in a folder of results is written whole or not at all, a result before its line; so a line that is there is
true of files that are there, unless somebody changed them, which their hashes tell.
"""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gmmseg.errors import InputError, OutputError
from gmmseg.io.atomic import atomic_file
from gmmseg.io.hashes import digest
from gmmseg.io.parts import files_of, parts_of
from gmmseg.io.regular import require_regular
from gmmseg.platforms import is_alive, open_lock, try_lock

__all__ = ["NAME", "Manifest", "digest", "digest_of_parts", "locked", "stamp"]

NAME = "manifest.jsonl"

_LOCK = ".gmmseg-batch.lock"
_LOCK_BYTES = 20  # the number of the process that holds it, and spaces: written over, the file need not be emptied
_PATIENCE = 10.0  # seconds for the workers of a run that was killed to notice it and end

Line = dict[str, Any]


@dataclass(frozen=True)
class Manifest:
    """What is known of a folder of results.

    Parameters
    ----------
    folder : Path
    lines : dict of str to dict
        The last line of each image, by the path of its label map below the folder.
    exists : bool
        Whether there is a file, be it empty: a batch has run here.
    settled : bool
        Whether the file holds these lines and nothing else, such as half a line.
    content : bytes
        The file as it was read.
    """

    folder: Path
    lines: dict[str, Line]
    exists: bool = False
    settled: bool = True
    content: bytes = b""

    @property
    def path(self) -> Path:
        """The file."""
        return self.folder / NAME

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read the manifest of a folder; an empty one where there is none. Half-written lines are dropped.

        Raises
        ------
        InputError
            The file cannot be read, or is not the manifest of a batch.
        """
        path = folder / NAME
        if path.is_symlink():
            raise InputError(f"{path} is a link, not the manifest of a batch; remove it, or choose another folder")
        try:
            require_regular(path)
            content = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return cls(folder, {})
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror or error}; check its rights") from None
        texts = content.split(b"\n")
        lines: dict[str, Line] = {}
        torn = 0
        for text in filter(None, texts):
            try:
                line = json.loads(text)
            except (ValueError, RecursionError):  # a power cut may leave zeros, too
                torn += 1
                continue
            if not _is_ours(line):
                raise _foreign(path)
            lines[line["outputs"]["labels"]["file"]] = line
        if torn > 1 and not lines:
            raise _foreign(path)
        return cls(folder, lines, True, not texts[-1] and len(texts) - 1 == len(lines), content)

    def settle(self, kept: Iterable[str]) -> None:
        """Make the file one line an image: of those whose keys are given, and nothing else."""
        chosen = {key: self.lines[key] for key in kept}
        if not (self.exists and self.settled and len(chosen) == len(self.lines)):
            with atomic_file(self.path, overwrite=True) as file:
                file.writelines(map(_encoded, chosen.values()))

    def append(self, lines: Iterable[Line]) -> None:
        """Add lines, and have them on disk.

        Raises
        ------
        OutputError
            They cannot be written; the file is as it was.
        """
        try:
            with open(self.path, "ab", buffering=0) as file:
                size = file.seek(0, os.SEEK_END)
                try:
                    content = b"".join(map(_encoded, lines))
                    if file.write(content) != len(content):
                        raise OSError(28, "No space left on device")
                    os.fsync(file.fileno())
                except OSError:
                    with suppress(OSError):
                        file.truncate(size)
                    raise
        except OSError as error:
            reason = error.strerror or error
            raise OutputError(f"{self.path} cannot be written: {reason}; free space and resume") from error


def _encoded(line: Line) -> bytes:
    return json.dumps(line, allow_nan=False).encode() + b"\n"


def _is_ours(line: Any) -> bool:
    """Whether a line is one that a batch wrote, with files that lie below the folder."""
    if not isinstance(line, dict) or not all(isinstance(line.get(each), dict) for each in ("outputs", "parameters")):
        return False
    files = [each.get("file") for each in line["outputs"].values() if isinstance(each, dict)]
    return (
        "labels" in line["outputs"]
        and len(files) == len(line["outputs"])
        and all(map(_is_below, files))
        and isinstance(line.get("error", {}), dict)
    )


def _is_below(file: Any) -> bool:
    """Whether something names a file below a folder."""
    try:
        name = os.fsencode(file)
    except (TypeError, ValueError):  # ValueError: half of a pair of surrogates
        return False
    return bool(name) and b"\0" not in name and not name.startswith(b"/") and b".." not in name.split(b"/")


def _foreign(path: Path) -> InputError:
    return InputError(f"{path} is not the manifest of a batch; choose another folder for the results, or move it")


def stamp(path: Path) -> Line:
    """Return size in bytes, time of the last change (seconds since 1970) and SHA-256; of several files together."""
    known = [each.stat() for each in files_of(path)]
    size, changed = sum(each.st_size for each in known), max(each.st_mtime for each in known)
    return {"bytes": size, "mtime": changed, "sha256": digest_of_parts(path)}


def digest_of_parts(path: Path) -> str:
    """Return the SHA-256 of a file or a folder; of several with "+" between them that of theirs, missing ones too.

    Raises
    ------
    InputError
        One is no regular file.
    OSError
        One that is there cannot be read, or the only one is not there.
    """
    parts = parts_of(path)
    if len(parts) == 1:
        return digest(path)
    import hashlib  # here, because most batches have one file an image

    there = files_of(path)
    return hashlib.sha256(" ".join(digest(each) if each in there else "none" for each in parts).encode()).hexdigest()


@contextmanager
def locked(folder: Path, target: Path | None = None) -> Iterator[int]:
    """Keep a second run out of a folder; the system lets go of the lock when its last holder ends, however it ends.

    Parameters
    ----------
    folder : Path
    target : Path, optional
        The one result that the folder is for, as messages have it.

    Yields
    ------
    int
        The file descriptor: a worker that inherits it holds the lock too.

    Raises
    ------
    OutputError
        Another run is at work there, or the folder cannot be written.
    """
    path = folder / _LOCK
    descriptor = _take(path, target)
    try:
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, f"{os.getpid():<{_LOCK_BYTES - 1}}\n".encode())
        yield descriptor
    finally:
        # While it is held: whoever waits for it finds another file, or none, under the name and takes that.
        with suppress(OSError):
            if _same_file(descriptor, path):
                path.unlink()
        os.close(descriptor)


def _take(path: Path, target: Path | None) -> int:
    start = time.monotonic()
    while True:
        try:
            descriptor = open_lock(path)
        except OSError as error:
            if path.is_symlink():
                raise OutputError(f"{path} is a link, not the lock of a batch; remove it") from None
            reason = error.strerror or error
            raise OutputError(f"{path.parent} cannot be written: {reason}; choose another folder") from None
        _require_lock(descriptor, path)
        try:
            try_lock(descriptor)
            if _same_file(descriptor, path):
                return descriptor
        except BlockingIOError:
            holder = _content(descriptor).strip()
            # Workers outlive a run that was killed for a moment.
            if (holder.isdigit() and is_alive(int(holder))) or time.monotonic() - start > _PATIENCE:
                os.close(descriptor)
                who = f" (process {holder.decode()})" if holder.isdigit() else ""
                place = f"batch{who} is at work in {path.parent}" if target is None else f"run{who} writes {target}"
                raise OutputError(f"another {place}; wait for its end") from None
            time.sleep(0.05)
        except OSError:
            # Some network file systems have no locks; then nothing keeps a second run out.
            return descriptor
        os.close(descriptor)


def _content(descriptor: int) -> bytes:
    os.lseek(descriptor, 0, os.SEEK_SET)
    return os.read(descriptor, _LOCK_BYTES)


def _require_lock(descriptor: int, path: Path) -> None:
    """Refuse a file that is not the lock of a batch: it would be written over."""
    status = os.fstat(descriptor)
    ours = stat.S_ISREG(status.st_mode) and status.st_nlink <= 1 and status.st_size <= _LOCK_BYTES
    holder = _content(descriptor).strip(b"\0 \n") if ours else b"none"  # a power cut may leave zeros
    if holder and not holder.isdigit():
        os.close(descriptor)
        raise OutputError(f"{path} is not the lock of a batch; remove it, or choose another folder")


def _same_file(descriptor: int, path: Path) -> bool:
    mine = os.fstat(descriptor)
    try:
        there = os.lstat(path)
    except FileNotFoundError:
        return False
    return (mine.st_dev, mine.st_ino) == (there.st_dev, there.st_ino)
