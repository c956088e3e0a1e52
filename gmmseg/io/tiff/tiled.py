"""Writing results page by page in compressed tiles, with reduced pages for viewers: as OME-TIFF, or as slides are."""

from __future__ import annotations

import hashlib
import itertools
import os
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gmmseg.io.array.boxes import make_room, read_box, write_box
from gmmseg.io.tiff.segments import encoded, in_order
from gmmseg.io.tiff.stacks import Stack, class_list, native_of, stored_attributes
from gmmseg.io.tiff.write import resolution_of

if TYPE_CHECKING:
    from gmmseg.io.contents import Contents
    from gmmseg.io.tiff.stacks import Windows

__all__ = ["wants_levels", "write_ome", "write_slide"]

_SIDE = 512
_LARGE = 1 << 26  # pixels of a page, of which viewers want reduced ones
_CLASSIC_BYTES = 4_000_000_000  # offsets of a classic TIFF file end at 4 GiB
_SPOOL_BYTES = 16 << 20
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
    The axes are those of TCZYX that the result has. The names of classes are in the description, reduced pages in
    SubIFDs. OME asks for an identifier: it is made of the numbers, so that the same numbers give the same file.
    """
    stack = Stack.of(contents, "TCZYX")
    metadata = stored_attributes(contents.image)
    metadata |= {"axes": stack.axes, "UUID": str(_UNKNOWN), "Creator": "gmmseg", "Name": _title(contents)}
    if contents.kind == "soft":
        metadata["Channel"] = {"Name": [_visible(name) for name in contents.names]}
    elif contents.kind == "labels" and contents.names:
        metadata["Description"] = _visible(class_list(contents, ", "))
    digest = _write(path, _Pages.of(stack, wants_levels(contents)), stack, windows, metadata)
    _name_file(path, uuid.uuid5(uuid.NAMESPACE_OID, f"gmmseg {_title(contents)} {stack.shape} {digest}"))


def _title(contents: Contents) -> str:
    return {"labels": "labels", "soft": "probabilities"}.get(contents.kind) or _visible(contents.names[0])


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
    options: dict[str, Any] = {"photometric": "minisblack", "extratags": [(_GDAL_NODATA, "s", 0, nodata, True)]}
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


class _Blocks:
    """Cuts planes that come in any order into blocks, and keeps of each plane every second pixel of every second row.

    Parameters
    ----------
    pages : _Pages
    dtype : str
    reduced : binary file, optional
        Where what is kept is written, page by page.
    """

    def __init__(self, pages: _Pages, dtype: str, reduced: Any) -> None:
        self.pages, self.dtype, self.reduced = pages, dtype, reduced
        self.pending: dict[int, tuple[np.ndarray, int]] = {}

    def of(self, planes: Iterator[tuple[int, tuple[slice, ...], np.ndarray]]) -> Iterator[tuple[int, np.ndarray]]:
        """Yield the number of each block, and its pixels, when the last of them has come."""
        high, wide = self.pages.block
        down, across = self.pages.grid
        for page, (rows, columns), values in planes:
            if self.reduced is not None:
                self._keep(page, rows, columns, values)
            for i in range(rows.start // high, -(-rows.stop // high)):
                for j in range(columns.start // wide, -(-columns.stop // wide)):
                    number = (page * down + i) * across + j
                    block, missing = self.pending.pop(number, (None, 0))
                    if block is None:
                        block = np.zeros((high, wide), self.dtype)
                        missing = min(high, self.pages.rows - i * high) * min(wide, self.pages.columns - j * wide)
                    r = slice(max(rows.start, i * high), min(rows.stop, (i + 1) * high))
                    c = slice(max(columns.start, j * wide), min(columns.stop, (j + 1) * wide))
                    part = values[
                        r.start - rows.start : r.stop - rows.start, c.start - columns.start : c.stop - columns.start
                    ]
                    block[r.start - i * high : r.stop - i * high, c.start - j * wide : c.stop - j * wide] = part
                    missing -= part.size
                    if missing:
                        self.pending[number] = block, missing
                    else:
                        yield number, block

    def _keep(self, page: int, rows: slice, columns: slice, values: np.ndarray) -> None:
        half = self.pages.level(1)
        kept = values[rows.start % 2 :: 2, columns.start % 2 :: 2]
        top, left = -(-rows.start // 2), -(-columns.start // 2)
        box = (slice(page, page + 1), slice(top, top + kept.shape[0]), slice(left, left + kept.shape[1]))
        write_box(self.reduced, 0, (half.number, half.rows, half.columns), box, kept[None])


def _write(
    path: Path, pages: _Pages, stack: Stack, windows: Windows, metadata: dict[str, Any] | None, **options: Any
) -> str:
    """Write the pages of all levels, and return a digest of the numbers."""
    import tifffile

    ome = metadata is not None
    common: dict[str, Any] = {"dtype": stack.dtype, "compression": "zlib", "photometric": "minisblack", **options}
    digest = hashlib.sha256()
    number = np.dtype(stack.dtype)
    room = stack.n_bytes * (4 / 3 if pages.n_levels else 1)
    with (
        tempfile.SpooledTemporaryFile(_SPOOL_BYTES, dir=os.fspath(path.parent)) as spool,
        tempfile.NamedTemporaryFile(prefix=".gmmseg-", suffix=".tmp", dir=path.parent) as kept,
        tifffile.TiffWriter(path, bigtiff=room > _CLASSIC_BYTES, ome=ome) as tiff,
    ):
        if pages.n_levels:
            half = pages.level(1)
            make_room(kept.file, half.number * half.rows * half.columns * number.itemsize)
        blocks = _Blocks(pages, stack.dtype, kept.file if pages.n_levels else None)
        count = pages.number * pages.grid[0] * pages.grid[1]

        def coming() -> Iterator[bytes]:
            for data in in_order(encoded(blocks.of(stack.planes(windows))), count, spool):
                digest.update(data)
                yield data

        tiff.write(
            coming(),
            shape=stack.shape,
            metadata=metadata,
            software="gmmseg",
            subifds=pages.n_levels if ome else None,
            **common,
            **pages.options,
        )
        kept.file.flush()
        for level in range(1, pages.n_levels + 1):
            smaller = pages.level(level)
            reduced = _reduced(Path(kept.name), pages, level, number)
            segments = smaller.number * smaller.grid[0] * smaller.grid[1]
            tiff.write(
                in_order(encoded(reduced), segments, spool),
                shape=(*stack.shape[:-2], smaller.rows, smaller.columns),
                metadata=None,
                subfiletype=1,
                **common,
                **smaller.options,
            )
    return digest.hexdigest()


def _reduced(path: Path, pages: _Pages, level: int, number: np.dtype[Any]) -> Iterator[tuple[int, np.ndarray]]:
    """Go through the blocks of a level: every so many pixels of what was kept of the pages."""
    half, smaller, step = pages.level(1), pages.level(level), 1 << (level - 1)
    high, wide = smaller.block
    for each, place in enumerate(itertools.product(range(pages.number), *map(range, smaller.grid))):
        page, i, j = place
        rows = slice(i * high * step, min((i + 1) * high * step, half.rows))
        columns = slice(j * wide * step, min((j + 1) * wide * step, half.columns))
        shape = (half.number, half.rows, half.columns)
        part = read_box(path, 0, shape, number, "C", (slice(page, page + 1), rows, columns))[0, ::step, ::step]
        block = np.zeros((high, wide), number)
        block[: part.shape[0], : part.shape[1]] = part
        yield each, block
