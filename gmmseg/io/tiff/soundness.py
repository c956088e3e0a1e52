"""Opening sound TIFF files: followed first, then given to tifffile, whose remarks become warnings."""

from __future__ import annotations

import contextlib
import itertools
import logging
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tifffile

from gmmseg.errors import InputError, one_line, warn
from gmmseg.io.damage import explained
from gmmseg.io.request import Reading, complex_numbers
from gmmseg.io.tiff.directories import REMEDY, require_sound
from gmmseg.io.tiff.inflating import bound, segment_bytes
from gmmseg.io.tiff.ome import require_modest_xml, require_sound_ome
from gmmseg.io.unheard import attend, unheard

__all__ = ["name_of", "opened_tiff"]

# Kinds of files that look for others beside them, by their names or by an index, and of offsets of 64 bits that other
# TIFF files have not: they are read as what else they are.
_LEFT_ALONE: dict[str, Any] = {
    f"is_{kind}": False for kind in ("mmstack", "ndtiff", "ndpi") if kind in tifffile.TIFF.FILE_FLAGS
}
_MOST_UNLIKE = 1000  # pages of different kinds: tifffile compares each with every other, 8 s

attend("tifffile")
logging.getLogger("tifffile").addHandler(logging.NullHandler())  # else Python prints what is logged of windows


@contextlib.contextmanager
def opened_tiff(path: Path, reading: Reading, *, whole: bool = True) -> Iterator[Any]:
    """Open a TIFF file that holds an image, whose pages can be decoded within the bytes that they claim.

    Parameters
    ----------
    path : Path
    reading : Reading
        Whose `budget` is the limit.
    whole : bool
        False where only the header is asked for: strips and tiles need not be there.

    Yields
    ------
    tifffile.TiffFile
        Pages of its first series are None where they are missing, of which a DataWarning tells.

    Raises
    ------
    InputError
        Whatever goes wrong with the file, within the block too.
    """
    with explained(path, REMEDY, reason=_reason):
        n_pages = require_sound(path, reading)
        with unheard(logging.WARNING) as remarks, tifffile.TiffFile(path, **_LEFT_ALONE) as tiff:
            absent = _require_sound_text(path, tiff, n_pages, reading)
            if n_pages > _MOST_UNLIKE:
                # Where nothing else says which pages belong together.
                setattr(tiff, "_series_generic", lambda: _refuse(path, n_pages))  # noqa: B010
            if not tiff.series:
                raise InputError(f"{path} holds no image; export the TIFF file again")
            series = tiff.series[0]
            _require_numbers(path, series, whole=whole)
            pages = _pages_of(path, tiff)
            if whole:
                _require_whole(path, series, pages)
            for page in {id(page.keyframe): page.keyframe for page in pages if page is not None}.values():
                bound(page)
            _tell(path, pages, absent, remarks)
            yield tiff


def _reason(error: Exception) -> str:
    """Return what an error says to someone who has the file; others tell of tifffile's own variables."""
    if isinstance(error, AssertionError | AttributeError | LookupError | TypeError | ZeroDivisionError):
        return "its tags contradict one another"
    return one_line(error)


def _pages_of(path: Path, tiff: Any) -> list[Any]:
    """Return the pages of the first series, all of which have to be there or None."""
    series = tiff.series[0]
    try:
        return list(series.pages)
    except IndexError:
        raise InputError(
            f"{path} says that it has {len(series.pages)} pages, but {len(tiff.pages)} are there; {REMEDY}"
        ) from None


def _refuse(path: Path, n_pages: int) -> None:
    raise InputError(f"{path} has {n_pages} pages of different kinds; save the ones you want as a file")


def _require_sound_text(path: Path, tiff: tifffile.TiffFile, n_pages: int, reading: Reading) -> list[str]:
    """Refuse what tifffile would follow too far in the description of a file; return names of files it misses."""
    if not tiff.pages:
        return []
    first: Any = tiff.pages[0]
    xml = tiff.ome_metadata
    if xml is not None:
        return require_sound_ome(path, xml, n_pages, reading)
    require_modest_xml(path, str(first.description), reading)
    return []


def _require_numbers(path: Path, series: Any, *, whole: bool) -> None:
    """Refuse samples of which no number is made here."""
    page = series.keyframe
    if whole and page.dtype is not None and page.dtype.kind == "c":
        raise complex_numbers(path, page.dtype.name)
    if page.dtype is None:
        raise InputError(
            f"{path} has samples of {page.bitspersample} bits in format {name_of(page.sampleformat)}, which are "
            "not read here; save them as whole numbers or floats of 8 to 64 bits"
        )
    if page.samplesperpixel < 1:
        raise InputError(f"{path} has {page.samplesperpixel} samples a pixel; {REMEDY}")
    if 0 in (*page.shape, *series.shape):
        size = f"{page.imagewidth} x {page.imagelength}"
        raise InputError(f"{path} is {size} pixels in size; an image needs at least one pixel")


def name_of(value: Any) -> str:
    """Return the name of a number of the TIFF specification, or the number where it has none."""
    return str(getattr(value, "name", value)).lower()


def _require_whole(path: Path, series: Any, pages: list[Any]) -> None:
    """Refuse a file that has not all strips or tiles of a page, which tifffile would fill in."""
    beyond = taken = room = 0
    numbers: dict[int, int] = {}
    for page in pages:
        if page is None:
            continue
        frame, size = page.keyframe, page.parent.filehandle.size
        number = numbers.setdefault(id(frame), 0) or math.prod(frame.chunked)
        numbers[id(frame)] = number
        found = _segments(path, page, number)
        beyond = max(beyond, max((offset + count for offset, count in found), default=0) - size)
        taken += sum(count for _, count in found)
        room += size + number * segment_bytes(frame)
    if series.dataoffset is not None:
        ends = series.dataoffset + math.prod(series.shape) * series.dtype.itemsize
        beyond = max(beyond, ends - series.parent.filehandle.size)
    if beyond > 0:
        raise InputError(f"{path} is cut short by {beyond} bytes; {REMEDY}")
    if taken > room:
        raise InputError(f"{path}: its strips or tiles take {taken} bytes, more than there are; {REMEDY}")


def _segments(path: Path, page: Any, number: int) -> list[tuple[int, int]]:
    """Return the offsets and lengths of the strips or tiles of a page, as they are read."""
    offsets, counts, frame = page.dataoffsets, page.databytecounts, page.keyframe
    if not all(type(each) is int for each in itertools.chain(offsets, counts)):
        raise InputError(f"{path}: where its strips or tiles are is not said in whole numbers; {REMEDY}")
    if frame.is_contiguous:
        found = [(offsets[0], max(frame.nbytes, counts[0] if counts else 0))] if offsets else []
    else:
        found = list(zip(offsets, counts, strict=False))
    n_found = number if found and frame.is_contiguous else len(found)
    if n_found < number:
        raise InputError(f"{path} has {n_found} strips or tiles where its size asks for {number}; {REMEDY}")
    # Both are 0 where a file leaves out what is all nodata, or all 0.
    empty = next((i for i, (offset, count) in enumerate(found, 1) if (offset > 0) != (count > 0)), None)
    if empty is not None:
        raise InputError(f"{path}: its strip or tile {empty} is empty; {REMEDY}")
    return found


def _tell(path: Path, pages: list[Any], absent: list[str], remarks: list[str]) -> None:
    """Warn of planes that are missing, and of what tifffile found odd."""
    n_missing = sum(page is None for page in pages)
    if n_missing:
        files = f" with the file {absent[0]!r:.100}" if len(absent) == 1 else f" with {len(absent)} files"
        warn(f"{path}: {n_missing} of {len(pages)} planes are missing{files if absent else ''}; they are no data")
    # What GDAL's nodata values are is read anew; of the others the first says enough.
    odd = [line for line in remarks if "GDAL_NODATA" not in line and not (n_missing and "OME series" in line)]
    if odd:
        words = re.sub(r"^<tifffile\.\w+ [^>]*> ", "", odd[0])[:160]
        warn(f"{path} is odd ({words}); check the result, or {REMEDY}")
