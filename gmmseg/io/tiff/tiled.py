"""Writing results page by page in compressed tiles, with reduced pages for viewers: as OME-TIFF, or as slides are.

Windows of volumes reach over many pages, none of which is whole before the last of them has come. So they wait as they
are in a temporary file beside that which is written.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gmmseg.io.array.boxes import make_room, read_box, write_box
from gmmseg.io.classes import CLASS_NAMES, own_names
from gmmseg.io.tiff.segments import encoded
from gmmseg.io.tiff.stacks import Stack, native_of, stored_attributes
from gmmseg.io.tiff.write import orientation_of, resolution_of

if TYPE_CHECKING:
    from gmmseg.io.contents import Contents
    from gmmseg.io.tiff.stacks import Windows

__all__ = ["wants_levels", "write_ome", "write_slide"]

_SIDE = 512
_LARGE = 1 << 26  # pixels of a page, of which viewers want reduced ones
_CLASSIC_BYTES = 4_000_000_000  # offsets of a classic TIFF file end at 4 GiB
_GDAL_NODATA = 42113
_UNKNOWN = uuid.UUID(int=0)


def wants_levels(contents: Contents) -> bool:
    """Whether a result is to have reduced pages: the image had, or it is large."""
    rows, columns = contents.shape[-2:]
    large = rows * columns > _LARGE or native_of(contents.image).n_levels > 1
    return large and max(rows, columns) > _SIDE


def write_ome(path: Path, contents: Contents, windows: Windows) -> None:
    """Write a result as OME-TIFF while its windows come.

    Parameters
    ----------
    path : Path
        A temporary file.
    contents : Contents
        Labels, probabilities, whose classes are named channels, or a map.
    windows : iterable of (tuple of slice, ndarray)
        Together all of the shape.

    Notes
    -----
    The axes are those of TCZYX that the result has. Names of classes are in the description, as JSON, reduced pages
    in SubIFDs. OME asks for an identifier: it is made of the numbers, so that the same numbers give the same file.
    """
    stack = Stack.of(contents, "TCZYX")
    metadata = stored_attributes(contents.image)
    metadata |= {"axes": stack.axes, "UUID": str(_UNKNOWN), "Creator": "gmmseg", "Name": _title(contents)}
    if contents.kind == "soft":
        metadata["Channel"] = {"Name": [_visible(name) for name in contents.names]}
    elif contents.kind == "labels" and own_names(contents.names):
        metadata["Description"] = json.dumps({CLASS_NAMES: [_visible(name) for name in contents.names]})
    turned = orientation_of(contents.image)
    digest = _write(path, _Pages.of(stack, wants_levels(contents)), stack, windows, metadata, extratags=turned)
    _name_file(path, uuid.uuid5(uuid.NAMESPACE_OID, f"gmmseg {_title(contents)} {stack.shape} {digest}"))


def _title(contents: Contents) -> str:
    return {"labels": "labels", "soft": contents.shares}.get(contents.kind) or _visible(contents.names[0])


def _visible(text: str) -> str:
    """Return a name without the control characters that XML has no way to write."""
    return "".join(character if character.isprintable() else " " for character in text)


def _name_file(path: Path, identifier: uuid.UUID) -> None:
    """Put the identifier in the place that was left for it."""
    import tifffile

    with tifffile.TiffFile(path) as tiff:
        tag = tiff.pages.first.tags[270]
        offset, count = tag.valueoffset, tag.count
    with open(path, "r+b") as file:
        file.seek(offset)
        xml = file.read(count)
        file.seek(offset)
        file.write(xml.replace(str(_UNKNOWN).encode(), str(identifier).encode()))


def write_slide(path: Path, contents: Contents, windows: Windows) -> None:
    """Write labels or a map of a whole slide while its windows come: a tiled page, and reduced ones behind it."""
    stack = Stack.of(contents, "YX")
    nodata = "0" if contents.kind == "labels" else "nan"
    options: dict[str, Any] = {"photometric": "minisblack"}
    options["extratags"] = [(_GDAL_NODATA, "s", 0, nodata, True), *orientation_of(contents.image)]
    if contents.kind == "labels" and stack.dtype == "uint8" and not contents.options.get("plain"):
        from gmmseg.io.palette import palette  # here, because only labels have colours

        options |= {"photometric": "palette", "colormap": palette(255).T.astype(np.uint16) * 257}
    _write(path, _Pages.of(stack, reduced=True), stack, windows, None, **options, **resolution_of(contents.image))


@dataclass(frozen=True)
class _Pages:
    """How pages of one size are cut into tiles, and how often they are reduced.

    Parameters
    ----------
    number : int
    rows, columns : int
        Of a page.
    side : int
        Of a tile; 0 where a page is one strip.
    n_levels : int
        Reduced ones, each of half the size of the one before.
    """

    number: int
    rows: int
    columns: int
    side: int
    n_levels: int

    @classmethod
    def of(cls, stack: Stack, reduced: bool) -> _Pages:
        rows, columns = stack.shape[-2:]
        n_levels = 0
        while reduced and max(rows, columns) > _SIDE << n_levels:
            n_levels += 1
        number = int(np.prod(stack.shape[:-2], dtype=np.int64))
        return cls(number, rows, columns, _SIDE if reduced or max(rows, columns) > 2 * _SIDE else 0, n_levels)

    def level(self, number: int) -> _Pages:
        """Return the pages of a level; 0 are those of full size."""
        step = 1 << number
        return _Pages(self.number, -(-self.rows // step), -(-self.columns // step), self.side, 0)

    @property
    def block(self) -> tuple[int, int]:
        """Rows and columns of a tile or strip."""
        return (self.side, self.side) if self.side else (self.rows, self.columns)

    @property
    def grid(self) -> tuple[int, int]:
        """Tiles along rows and columns."""
        high, wide = self.block
        return -(-self.rows // high), -(-self.columns // wide)

    @property
    def options(self) -> dict[str, Any]:
        """Arguments of tifffile."""
        return {"tile": self.block} if self.side else {"rowsperstrip": self.rows}


class _Numbers:
    """The numbers of a result as they are stored: of one window as they are, of several in a temporary file.

    Parameters
    ----------
    stack : Stack
    windows : iterable of (tuple of slice, ndarray)
    file : binary file with a name
        Empty.
    """

    def __init__(self, stack: Stack, windows: Windows, file: Any) -> None:
        self.stack, self.path = stack, Path(file.name)
        self.whole: np.ndarray | None = None
        if isinstance(windows, Sequence) and len(windows) == 1:
            ((_, self.whole),) = stack.boxes(windows)
            return
        make_room(file.file, stack.n_bytes)
        for box, values in stack.boxes(windows):
            write_box(file.file, 0, stack.shape, box, values)
        file.flush()

    def read(self, page: int, rows: slice, columns: slice) -> np.ndarray:
        """Return a part of a page."""
        leading = self.stack.shape[:-2]
        lead = [int(i) for i in np.unravel_index(page, leading)] if leading else []
        if self.whole is not None:
            place: tuple[Any, ...] = (*lead, rows, columns)
            return np.asarray(self.whole[place])
        box = (*(slice(i, i + 1) for i in lead), rows, columns)
        found = read_box(self.path, 0, self.stack.shape, np.dtype(self.stack.dtype), "C", box)
        return found.reshape(found.shape[-2:])

    def strip(self, page: int, rows: slice, step: int) -> np.ndarray:
        """Return every so many rows and columns of a page; the rows between are not read."""
        every = slice(0, self.stack.shape[-1])
        if self.whole is not None:
            return self.read(page, rows, every)[::step, ::step]
        return np.concatenate(
            [self.read(page, slice(r, r + 1), every)[:, ::step] for r in range(rows.start, rows.stop, step)]
        )


def _write(
    path: Path, pages: _Pages, stack: Stack, windows: Windows, metadata: dict[str, Any] | None, **options: Any
) -> str:
    """Write the pages of all levels, and return a digest of the numbers."""
    import tifffile

    ome = metadata is not None
    common: dict[str, Any] = {"dtype": stack.dtype, "compression": "zlib", "photometric": "minisblack", **options}
    digest = hashlib.sha256()
    room = stack.n_bytes * (4 / 3 if pages.n_levels else 1)
    with (
        tempfile.NamedTemporaryFile(prefix=".gmmseg-", suffix=".tmp", dir=path.parent) as kept,
        tifffile.TiffWriter(path, bigtiff=room > _CLASSIC_BYTES, ome=ome) as tiff,
    ):
        numbers = _Numbers(stack, windows, kept)
        for level in range(pages.n_levels + 1):
            smaller = pages.level(level)
            tiff.write(
                _segments(numbers, smaller, 1 << level, digest),
                shape=(*stack.shape[:-2], smaller.rows, smaller.columns),
                metadata=None if level else metadata,
                software=None if level else "gmmseg",
                subifds=pages.n_levels if ome and not level else None,
                subfiletype=1 if level else 0,
                **common,
                **smaller.options,
            )
    return digest.hexdigest()


def _segments(numbers: _Numbers, pages: _Pages, step: int, digest: Any) -> Iterator[bytes]:
    """Compress the strips or tiles of a level, of which one pixel stands for so many along rows and columns."""
    for _, data in encoded(_blocks(numbers, pages, step)):
        digest.update(data)
        yield data


def _blocks(numbers: _Numbers, pages: _Pages, step: int) -> Iterator[tuple[int, np.ndarray]]:
    high, wide = pages.block
    rows_of_all, columns_of_all = numbers.stack.shape[-2:]
    for page, i in itertools.product(range(pages.number), range(pages.grid[0])):
        rows = slice(i * high * step, min((i + 1) * high * step, rows_of_all))
        strip = None if step == 1 else numbers.strip(page, rows, step)
        for j in range(pages.grid[1]):
            if strip is None:
                part = numbers.read(page, rows, slice(j * wide, min((j + 1) * wide, columns_of_all)))
            else:
                part = strip[:, j * wide : (j + 1) * wide]
            block = np.zeros((high, wide), numbers.stack.dtype)
            block[: part.shape[0], : part.shape[1]] = part
            yield j, block
