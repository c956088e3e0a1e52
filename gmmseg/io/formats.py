"""Which file format a path holds (by its first bytes) and which one a new file gets (by its suffix)."""

from __future__ import annotations

import os
import zlib
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from gmmseg.errors import InputError, OutputError

__all__ = ["FORMATS", "GDAL", "Format", "Kind", "choose", "has_rasterio", "identify", "require_room"]

Kind = Literal["labels", "soft", "map", "picture"]


@dataclass(frozen=True)
class Format:
    """One file format: how to recognise it, and what may be written in it.

    Parameters
    ----------
    name : str
        What people call it.
    suffixes : tuple of str
        In lower case, with the dot.
    signatures : tuple of (int, bytes)
        Offset and bytes; one match is enough.
    writes : frozenset of str
        The kinds of result that can be written: "labels", "soft" (probabilities), "map" (any numbers), "picture" (RGB).
    module : str, optional
        That of a family that comes with an extra; it has `read`, `read_labels`, `read_probabilities`, `describe` and
        `write`, as `gmmseg.io.reading` and `gmmseg.io.writing` call them.
    """

    name: str
    suffixes: tuple[str, ...]
    signatures: tuple[tuple[int, bytes], ...]
    writes: frozenset[Kind] = frozenset()
    module: str | None = None

    def load(self) -> Any:
        """Return the module of the family; what it needs beyond gmmseg's own requirements it asks for when called."""
        assert self.module is not None
        return import_module(f"gmmseg.io.{self.module}.format")


_LOOK = 512  # bytes, in which every format says what it is

FORMATS = (
    Format("PNG", (".png",), ((0, b"\x89PNG\r\n\x1a\n"),), frozenset({"labels", "picture"})),
    Format("JPEG", (".jpg", ".jpeg"), ((0, b"\xff\xd8\xff"),), frozenset({"picture"})),
    Format(
        "TIFF",
        (".tif", ".tiff"),
        ((0, b"II*\0"), (0, b"MM\0*"), (0, b"II+\0"), (0, b"MM\0+")),
        frozenset({"labels", "soft", "map", "picture"}),
    ),
    Format("WebP", (".webp",), ((8, b"WEBP"),), frozenset({"picture"})),
    Format("BMP", (".bmp",), ((0, b"BM"),)),
    Format("GIF", (".gif",), ((0, b"GIF87a"), (0, b"GIF89a"))),
    Format("NPY", (".npy",), ((0, b"\x93NUMPY"),), frozenset({"labels", "soft", "map"})),
    Format("NPZ", (".npz",), ((0, b"PK\x03\x04"), (0, b"PK\x05\x06")), frozenset({"labels", "soft", "map"})),
    Format(
        "NIfTI",
        (".nii", ".nii.gz"),
        ((344, b"n+1\0"), (4, b"n+2\0\r\n\x1a\n"), (344, b"ni1\0"), (4, b"ni2\0\r\n\x1a\n")),
        frozenset({"labels", "soft", "map"}),
        "nifti",
    ),
    Format("DICOM", (".dcm",), ((128, b"DICM"),), frozenset({"labels", "soft"}), "dicom"),
)

GDAL = Format("GDAL raster", (), (), frozenset(), "raster")
"""What only GDAL can tell and read; georeferenced TIFF files are written by the same module."""


def identify(path: Path) -> Format:
    """Return the format of an existing file, whatever its suffix says.

    Raises
    ------
    InputError
        The file is missing, a folder, empty, unreadable or of no known format.
    """
    if path.is_dir() and _holds_dicom(path):
        return next(known for known in FORMATS if known.name == "DICOM")
    start = _first_bytes(path)
    known = _of_signature(start)
    if known is not None:
        return known
    if has_rasterio() and GDAL.load().knows(path):
        return GDAL
    raise _unknown(path, start)


def _first_bytes(path: Path) -> bytes:
    """Return the first bytes of a file, or of what a gzip file holds."""
    try:
        with open(path, "rb") as file:
            start = file.read(_LOOK)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; check the path") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a folder; name an image file in it") from None
    except PermissionError:
        raise InputError(f"{path} cannot be read: permission denied; change its rights") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path} cannot be read: {reason}; check the path") from error
    if not start:
        raise InputError(f"{path} is empty (0 bytes); write or download it again")
    if start[:2] != b"\x1f\x8b":
        return start
    try:
        return zlib.decompressobj(wbits=31).decompress(start, _LOOK)
    except zlib.error:
        return start


def has_rasterio() -> bool:
    """Whether GDAL can be asked."""
    from importlib.util import find_spec

    return find_spec("rasterio") is not None


def _holds_dicom(folder: Path) -> bool:
    """Whether a folder has DICOM files and no other images; texts and hidden files may lie beside them."""
    found = False
    try:
        for each in sorted(folder.iterdir()):
            if each.name[0] != "." and each.is_file() and each.stat().st_size:
                known = _of_signature(_first_bytes(each))
                if known is not None and known.name != "DICOM":
                    return False
                found = found or known is not None
    except (OSError, InputError):
        return False
    return found


def _of_signature(start: bytes) -> Format | None:
    for known in reversed(FORMATS):  # DICOM first: what stands before its signature may be the start of a TIFF file
        if any(start[offset : offset + len(magic)] == magic for offset, magic in known.signatures):
            return known
    return None


def choose(path: Path, *, kind: Kind) -> Format:
    """Return the format that a result of this kind is written in.

    Raises
    ------
    OutputError
        No format for this kind has the suffix.
    """
    name = path.name.lower()
    for known in FORMATS:
        if name.endswith(known.suffixes) and kind in known.writes:
            return known
    suffix = path.suffix.lower()
    nouns = {"labels": "a label map", "soft": "probabilities", "map": "numbers", "picture": "a picture"}
    usable = " ".join(end for known in FORMATS if kind in known.writes for end in known.suffixes)
    found = f"the suffix {suffix!r}" if suffix else "no suffix"
    raise OutputError(f"{path} has {found}, which {nouns[kind]} cannot be written to; use one of {usable}")


def require_room(path: Path, shape: tuple[int, ...], max_pixels: int) -> None:
    """Refuse an image of more pixels than allowed, before any is decoded.

    Parameters
    ----------
    path : Path
        For the message.
    shape : tuple of int
        Spatial shape.
    max_pixels : int
        The most pixels that may be decoded.

    Raises
    ------
    InputError
        The header promises no pixel or too many.
    """
    n_pixels = 1
    for length in shape:
        n_pixels *= length
    size = " x ".join(str(length) for length in reversed(shape))
    if n_pixels <= 0:
        raise InputError(f"{path} is {size} pixels in size; an image needs at least one pixel")
    if n_pixels > max_pixels:
        raise InputError(
            f"{path} is {size} = {n_pixels} pixels, above the limit of {max_pixels}; raise --max-pixels (max_pixels=)"
        )


def _unknown(path: Path, start: bytes) -> InputError:
    """Say what a file of no known format looks like."""
    known = ", ".join(each.name for each in FORMATS)
    suffix = path.suffix.lower()
    promised = next((each.name for each in FORMATS if suffix in each.suffixes), None)
    printable = all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in start)
    content = "text" if printable else f"bytes {start[:4].hex(' ')}"
    if promised is not None:
        return InputError(
            f"{os.fspath(path)} is named as a {promised} file, but starts with {content}; give an image file ({known})"
        )
    return InputError(f"{os.fspath(path)} starts with {content}, which is no known image; convert it to one of {known}")
