"""What a file begins with, by which its format is told."""

from __future__ import annotations

import zlib
from codecs import getincrementaldecoder
from pathlib import Path

from gmmseg.errors import InputError
from gmmseg.io.held import opened

__all__ = ["GZIP", "first_bytes", "is_text", "stored_bytes", "unpacked"]

GZIP = b"\x1f\x8b"
"""What files begin with that are compressed by gzip."""

_LOOK = 512  # bytes, in which every format says what it is


def first_bytes(path: Path) -> bytes:
    """Return the first bytes of a file, or of what a gzip file holds.

    Raises
    ------
    InputError
        The file is missing, a folder, no regular file, empty or unreadable.
    """
    return unpacked(stored_bytes(path))


def stored_bytes(path: Path) -> bytes:
    """Return the first bytes of a file as they are."""
    try:
        with opened(path) as file:
            start = file.read(_LOOK)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; check the path") from None
    except IsADirectoryError:
        raise InputError(
            f"{path} is a folder; name an image file in it, or the folder of one series of DICOM files; "
            "gmmseg batch does all of its images"
        ) from None
    except PermissionError:
        raise InputError(f"{path} cannot be read: permission denied; change its rights") from None
    except InputError:
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path} cannot be read: {reason}; check the path") from error
    if not start:
        raise InputError(f"{path} is empty (0 bytes); write or download it again")
    return start


def unpacked(start: bytes) -> bytes:
    """Return what a gzip file that begins so holds first; of any other, what it begins with."""
    if not start.startswith(GZIP):
        return start
    try:
        return zlib.decompressobj(wbits=31).decompress(start, _LOOK)
    except zlib.error:
        return start


def is_text(start: bytes) -> bool:
    r"""Whether a file that begins so is text, in ASCII or UTF-8.

    Examples
    --------
    >>> is_text("Höhe,Breite\n".encode()), is_text(b"BM\0\1")
    (True, False)
    """
    try:
        text = getincrementaldecoder("utf-8")().decode(start)  # the last character may be cut
    except UnicodeDecodeError:
        return False
    return all(character in "\t\n\r\f\ufeff" or character.isprintable() for character in text)
