"""What is wrong with a file, in one line, whatever the library that reads it raises."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gmmseg.errors import GmmsegError, GmmsegWarning, InputError, lacks_memory, one_line

__all__ = ["explained"]


# Of these the file's content is innocent.
_UNREACHABLE = (
    *(errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE, errno.ENXIO, errno.ENODEV),
    *(errno.ENOTCONN, errno.ETIMEDOUT, errno.EMFILE, errno.ENFILE),
)


def _nothing(reason: str) -> str | None:
    return None


@contextmanager
def explained(
    path: Path | str,
    remedy: str,
    *,
    finding: str = "damaged or cut short",
    smaller: str = "reduce it or cut it into tiles",
    reason: Callable[[Exception], str] = one_line,
    known: Callable[[str], str | None] = _nothing,
) -> Iterator[None]:
    """Turn what goes wrong while a file is read into an InputError of one line.

    Parameters
    ----------
    path : path or str
        What the message begins with.
    remedy : str
        What to do about a damaged file: "export or download the TIFF file again".
    finding : str
        What is said of a file that a library fails on.
    smaller : str
        What to do about a file that is too large for the memory.
    reason : callable
        Returns what an error says, on one line.
    known : callable
        Takes the reason, and returns the rest of the message where it is one that the format knows better; otherwise
        None.

    Raises
    ------
    InputError
        Of the first of these that it is: numbers that end early, memory that is too small, a file that has vanished or
        cannot be reached, what the format knows, or damage. Errors of gmmseg itself pass as they are.

    Notes
    -----
    On damaged files the libraries that read them raise almost anything: zlib.error, struct.error, ZeroDivisionError,
    SyntaxError and so on.
    """
    try:
        yield
    except (GmmsegError, GmmsegWarning):
        raise
    except EOFError as error:
        raise InputError(f"{path} is cut short: its numbers end early; {remedy}") from error
    except Exception as error:
        if lacks_memory(error):
            raise InputError(f"{path} does not fit into memory; {smaller}") from error
        if isinstance(error, OSError) and error.errno in _UNREACHABLE:
            why = "is not there any more" if error.errno == errno.ENOENT else f"cannot be read: {error.strerror}"
            raise InputError(f"{path} {why}; check the path, its rights and its disk") from error
        words = reason(error)
        raise InputError(f"{path} {known(words) or f'is {finding} ({words}); {remedy}'}") from error
