"""Windows of a TIFF series: read where it is stored as it is, otherwise by the strips or tiles they need."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from gmmseg.errors import InputError
from gmmseg.image.sources import WindowSource
from gmmseg.image.windows import Window, shape_of, shifted
from gmmseg.io.array.in_file import array_in_file
from gmmseg.io.damage import explained
from gmmseg.io.meaning import RawSource
from gmmseg.io.tiff.directories import REMEDY
from gmmseg.io.tiff.inflating import n_workers
from gmmseg.io.tiff.layout import SeriesLayout
from gmmseg.threads import mapped

__all__ = ["PageSource", "stored_in"]


def stored_in(path: Path, tiff: Any, layout: SeriesLayout, room: int) -> RawSource | None:
    """Return a source of what a series stores.

    Parameters
    ----------
    path : Path
    tiff : tifffile.TiffFile
        Of its first series.
    layout : SeriesLayout
        Of that.
    room : int
        Bytes for strips or tiles that are decoded at the same time.

    Returns
    -------
    RawSource or None
        None where the series can only be decoded whole: compressions without a decoder in tifffile, volumes stored as
        blocks of several planes.
    """
    series, (spatial, channel) = tiff.series[0], layout.axes
    if series.dataoffset is not None and layout.in_order:
        kept = sorted((*spatial, *([] if channel is None else [channel])))
        shape = tuple(series.shape[axis] for axis in kept)
        number = series.dtype.newbyteorder(tiff.byteorder)
        return array_in_file(path, series.dataoffset, shape, number, None if channel is None else kept.index(channel))
    return _page_source(path, series, layout, room)


def _page_source(path: Path, series: Any, layout: SeriesLayout, room: int) -> PageSource | None:
    """Return a source over strips or tiles, where the series is made of whole pages in known places."""
    page, (spatial, channel) = series.keyframe, layout.axes
    pages = list(series.pages)
    n_leading = len(series.shape) - len(page.shape)
    leading = tuple(series.shape[:n_leading])
    tall, wide = (series.axes.find(axis) for axis in "YX")
    if (
        n_leading < 0
        or tuple(series.shape[n_leading:]) != page.shape
        or len(pages) != math.prod(leading)
        or page.imagedepth != 1
        or any(each is not None and each.keyframe.hash != page.hash for each in pages)
        or spatial[-2:] != (tall, wide)
        or any(axis >= n_leading for axis in spatial[:-2])
    ):
        return None
    order = [axis for axis in spatial if axis < n_leading]
    order += [channel] if channel is not None and channel < n_leading else []
    # Page numbers by the spatial axes that pages are along, then by channel.
    numbers = np.arange(len(pages)).reshape(leading).transpose(order + [a for a in range(n_leading) if a not in order])
    table = numbers.reshape(*(leading[axis] for axis in order[: len(spatial) - 2]), -1)
    source = PageSource(
        str(path),
        tuple(None if each is None else _page_of(each) for each in pages),
        table,
        page,
        page.decode,
        tuple(range(table.shape[-1] * page.samplesperpixel)),
        n_workers(page, room),
        layout.meaning.plain,
        layout,
    )
    try:  # the first segment, to learn whether it can be decoded
        source.read(tuple(slice(0, 1) for _ in spatial))
    except InputError:
        return None
    return source


@dataclass(frozen=True)
class _Page:
    """Where the strips or tiles of a page are."""

    file: str
    offsets: tuple[int, ...]
    counts: tuple[int, ...]
    tables: bytes | None


def _page_of(page: Any) -> _Page:
    return _Page(page.parent.filehandle.path, page.dataoffsets, page.databytecounts, page.jpegtables)


@dataclass(frozen=True, eq=False)
class PageSource(WindowSource):
    """Stored channels of a series whose pages are cut into strips or tiles.

    Parameters
    ----------
    name : str
        For messages.
    pages : tuple of (_Page or None)
        None where one is missing.
    table : ndarray of int, shape (*leading, n_page_channels)
        Numbers of pages, by the spatial axes along which pages follow one another and by channel.
    keyframe : tifffile.TiffPage
        What all pages have in common.
    decode : callable
        tifffile's decoder of a strip or tile.
    channels : tuple of int
        Positions of those that are read; the samples of a page count faster than pages.
    n_workers : int
        How many strips or tiles are decoded at a time.
    apart : bool
        Whether channels are missing one by one: numbers become floats, NaN where a page is missing. Otherwise a pixel
        is missing where one of its channels is.
    layout : SeriesLayout
        Says in words where a page is.

    Notes
    -----
    Files are opened for each window.
    """

    name: str
    pages: tuple[_Page | None, ...]
    table: np.ndarray
    keyframe: Any
    decode: Callable[..., Any]
    channels: tuple[int, ...]
    n_workers: int
    apart: bool
    layout: SeriesLayout

    sweep = 0

    @property
    def shape(self) -> tuple[int, ...]:
        """(*spatial, n_channels)."""
        return (*self.table.shape[:-1], self.keyframe.imagelength, self.keyframe.imagewidth, len(self.channels))

    @property
    def dtype(self) -> np.dtype[Any]:
        """In the machine's order of bytes."""
        number: np.dtype[Any] = self.keyframe.dtype.newbyteorder("=")
        return np.result_type(number, np.float32) if self._as_numbers else number

    @cached_property
    def _gaps(self) -> bool:
        return None in self.pages

    @property
    def _as_numbers(self) -> bool:
        """Whether missing pages are NaN."""
        return self._gaps and self.apart and self.table.shape[-1] * self.keyframe.samplesperpixel > 1

    @property
    def _sides(self) -> tuple[int, int]:
        """Rows and columns of a strip or tile."""
        page = self.keyframe
        if page.is_tiled:
            return page.tilelength, page.tilewidth
        return min(page.rowsperstrip, page.imagelength), page.imagewidth

    @property
    def blocks(self) -> tuple[int, ...]:
        """One page deep, as wide and high as strips or tiles."""
        return (*[1] * (self.table.ndim - 1), *self._sides)

    def select(self, channels: tuple[int, ...]) -> PageSource:
        """Return a source of some of the channels; pages and planes of others are not read."""
        return replace(self, channels=tuple(self.channels[c] for c in channels))

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray | None]:
        """Return a window's samples, and where no page of them is missing.

        Raises
        ------
        InputError
            A strip or tile is damaged.
        """
        shape = (*shape_of(window), len(self.channels))
        out = np.zeros(shape, self.dtype) if self._gaps else np.empty(shape, self.dtype)
        known = np.zeros(shape, bool) if self._gaps else None
        jobs = list(self._jobs(window))
        files = {job.page.file for job in jobs}
        try:
            handles = {file: os.open(file, os.O_RDONLY) for file in files}
        except OSError as error:
            raise InputError(f"{self.name} cannot be read: {error.strerror}; check the path") from error
        try:
            filled = mapped(lambda job: (self._fill(out, window, job, handles), job), jobs, self.n_workers)
            for place, job in filled:
                if known is not None:
                    for _, position in job.channels:
                        known[place][..., position] = True
        finally:
            for handle in handles.values():
                os.close(handle)
        if known is None:
            return out, None
        if self._as_numbers:
            out[~known] = np.nan
            return out, None
        return out, np.logical_and.reduce(known, axis=-1)

    def _jobs(self, window: Window) -> Iterator[_Job]:
        """Yield the strips or tiles of a window."""
        page, (high, wide) = self.keyframe, self._sides
        rows, columns = window[-2:]
        down, across = math.ceil(page.imagelength / high), math.ceil(page.imagewidth / wide)
        contiguous = page.planarconfig == 1
        for leading in itertools.product(*(range(s.start, s.stop) for s in window[:-2])):
            place = tuple(i - s.start for i, s in zip(leading, window, strict=False))
            for (of_pages, plane), wanted in self._planes(contiguous).items():
                of = self.pages[self.table[(*leading, of_pages)]]
                if of is None:
                    continue
                for row in range(rows.start // high, -(-rows.stop // high)):
                    for column in range(columns.start // wide, -(-columns.stop // wide)):
                        segment = (plane * down + row) * across + column
                        yield _Job(of, segment, place, tuple(wanted))

    def _planes(self, contiguous: bool) -> dict[tuple[int, int], list[tuple[int, int]]]:
        """Return for each page and plane of it that holds channels: (sample within it, position in the result)."""
        planes: dict[tuple[int, int], list[tuple[int, int]]] = {}
        for position, channel in enumerate(self.channels):
            page, sample = divmod(channel, self.keyframe.samplesperpixel)
            key, within = ((page, 0), sample) if contiguous else ((page, sample), 0)
            planes.setdefault(key, []).append((within, position))
        return planes

    def _fill(self, out: np.ndarray, window: Window, job: _Job, handles: dict[str, int]) -> tuple[Any, ...]:
        """Decode one strip or tile, copy what the window has of it, and return where that lies in the result."""
        page = job.page
        count = page.counts[job.segment]
        leading = tuple(i + s.start for i, s in zip(job.place, window, strict=False))
        where = ", ".join(
            filter(None, (self.layout.place(leading), f"rows {window[-2].start} to {window[-2].stop - 1}"))
        )
        with explained(self.name, REMEDY, finding=f"damaged in {where}"):
            data = os.pread(handles[page.file], count, page.offsets[job.segment]) if count else None
            if data is not None and len(data) < count:
                raise InputError(f"{self.name} is cut short; {REMEDY}")
            segment, index, shape = self.decode(data, job.segment, **self._tables(page))
        box = []
        for start, length, wanted in zip(index[2:4], shape[1:3], window[-2:], strict=True):
            box.append(slice(max(start, wanted.start), min(start + length, wanted.stop)))
        place: tuple[Any, ...] = (*job.place, *shifted(tuple(box), tuple(-s.start for s in window[-2:])))
        target = out[place]
        here = shifted(tuple(box), (-index[2], -index[3]))
        for sample, position in job.channels:
            target[..., position] = self.keyframe.nodata if segment is None else segment[0][here][..., sample]
        return place

    def _tables(self, page: _Page) -> dict[str, Any]:
        if self.keyframe.compression not in (6, 7, 34892, 33007):  # JPEG and its kin
            return {}
        return {"jpegtables": page.tables, "jpegheader": self.keyframe.jpegheader}


@dataclass(frozen=True)
class _Job:
    """One strip or tile: its page, its number there, where its plane lies in the window, and the channels in it."""

    page: _Page
    segment: int
    place: tuple[int, ...]
    channels: tuple[tuple[int, int], ...]
