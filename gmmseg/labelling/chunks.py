"""Chunks: a layer is computed window by window in any process, each with all that its result depends on."""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from gmmseg.arrays import Array
from gmmseg.effort import Effort
from gmmseg.image import Image
from gmmseg.image.sources import Overheard
from gmmseg.image.windows import Tile, Window, shape_of, shifted, widened, windows_across
from gmmseg.io.ground import Ground
from gmmseg.io.lazy import LazyArray, Piece, lazy_array, lazy_arrays
from gmmseg.labelling.layers import Layer
from gmmseg.labelling.streaming import crops
from gmmseg.labelling.summary import Tally
from gmmseg.labelling.tiles import Rule, empty_layer, visit

__all__ = [
    "Chunk",
    "ChunkWork",
    "Returned",
    "chunk_sides",
    "chunks_of",
    "compute_chunk",
    "joined",
    "label_chunk",
    "runs_of",
    "tasks_of",
]

_READ_AT_ONCE = 32 << 20  # bytes of pixels
_AT_ONCE = 16 << 20  # pixels that one task may compute of small chunks, each of which would cost as much as it is worth
_SHARES = 4  # of a small image for each thread, so that none waits long for the last one

CHUNK = 4096
"""Pixels along each axis of a chunk of a file where nobody says."""


@dataclass(frozen=True, eq=False)
class Chunk:
    """A window that is one task.

    Parameters
    ----------
    number : tuple of int
        Its place among the chunks along each axis of the image.
    tile : Tile
        What is written, and what is read for it; without time.
    frame : int, optional
        Of a time-lapse, the number of its frame.
    pieces : tuple of Piece
        What is taken of each dask array, see `ChunkWork.lazy`; empty where a file is read.
    """

    number: tuple[int, ...]
    tile: Tile
    frame: int | None = None
    pieces: tuple[Piece, ...] = ()

    @property
    def inner(self) -> Window:
        """What is written, with the axis of time."""
        return self.tile.inner if self.frame is None else (slice(self.frame, self.frame + 1), *self.tile.inner)

    @property
    def outer(self) -> Window:
        """What is read, with the axis of time."""
        return self.tile.outer if self.frame is None else (slice(self.frame, self.frame + 1), *self.tile.outer)


@dataclass(frozen=True, eq=False)
class Returned:
    """The result of a chunk.

    Parameters
    ----------
    window : tuple of slice
        In the coordinates of the image.
    values : ndarray, shape (*window), or (K, *window) of probabilities
        Or what the format that is written packs of it, see `gmmseg.io.file_format.FileFormat.packing`.
    sampled : ndarray, shape (n, 3), optional
        Of labels of colour images, see `Tally.sample`.
    totals : ndarray, shape (7, K + 1), optional
        Of labels, see `Tally.totals`.
    heard : tuple of ndarray, optional
        Single pixels that the image is compared by, see `gmmseg.image.sources.Overheard.heard`.
    """

    window: Window
    values: Any
    sampled: Array | None = None
    totals: Array | None = None
    heard: tuple[Array, Array, Array] | None = None

    def sample(self, tally: Tally) -> Array | None:
        """Return the pixels of the window that tell what its classes look like."""
        return self.sampled

    def count(self, tally: Tally) -> None:
        """Count the labels of the window."""
        if self.totals is not None:
            tally.join(self.totals)


@dataclass(frozen=True, eq=False)
class ChunkWork:
    """What is done with each chunk of an image: sent once to every process.

    Parameters
    ----------
    image : Image
    rule : Rule
        With the contrast of the whole image.
    layer : Layer
    threads : int
        Of each task.
    packing : optional
        Packs what is returned for the file that is written, see `gmmseg.io.file_format.FileFormat.packing`.
    """

    image: Image
    rule: Rule
    layer: Layer
    threads: int = 1
    packing: Any = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state | {"_lock": threading.Lock()})

    @cached_property
    def ground(self) -> Ground | None:
        """What pixels cover, which takes longer to measure than a small chunk to label; None where nobody asks."""
        return Ground.of(self.image) if self.layer.name == "labels" else None

    @property
    def lazy(self) -> list[LazyArray]:
        """The dask arrays that pixels and mask come from; none where they come from files or memory."""
        return lazy_arrays(self.image.pixels)

    def crops(self, chunk: Chunk, blocks: Sequence[Any]) -> Iterator[tuple[Tile, Image]]:
        """Read a chunk with what lies around it strip by strip, from chunks of dask arrays or from the file."""
        image = self.image if chunk.frame is None else self.image.frames[chunk.frame]
        lazy, start, following = self.lazy, tuple(s.start for s in chunk.outer), iter(blocks)
        with ExitStack() as stack:
            for each, piece in zip(lazy, chunk.pieces, strict=True):
                own = list(itertools.islice(following, piece.n_blocks))
                stack.enter_context(each.holding(start, piece.of(own, each.dtype)))
            tiles, axis = _strips(image, chunk.tile, self.halo), image.pixels.sweep
            coming = crops(image, axis, [tiles])
            for _ in tiles:
                with self._lock if lazy_array(image) is None else nullcontext():  # of a file one thread reads at a time
                    found = next(coming)
                yield found

    @property
    def halo(self) -> int:
        """Pixels that are read around a chunk."""
        return self.rule.model.halo(self.image.frames[0], smoothed=self.layer.smoothed)


def label_chunk(work: ChunkWork, chunk: Chunk, *blocks: Any) -> Array:
    """Compute the layer of one chunk (*window), or (K, *window) of probabilities: the same as that of the whole."""
    values: Array = compute_chunk(work, chunk, blocks).values
    return values


def compute_chunk(work: ChunkWork, chunk: Chunk, blocks: Sequence[Any] = ()) -> Returned:
    """Compute the layer of one chunk, with the pixels that tell what its classes look like."""
    values = empty_layer(work.layer, work.rule.model, shape_of(chunk.tile.inner))
    start, effort = tuple(-s.start for s in chunk.tile.inner), Effort(threads=work.threads)
    tally, colors = Tally(work.rule.model.k, work.image, work.ground), []
    axis = work.image.frames[0].pixels.sweep
    for tile, crop in work.crops(chunk, blocks):
        own: tuple[Any, ...] = (..., *shifted(tile.inner, start))
        visit(crop, work.rule, work.layer, values[own], within=tile.local, effort=effort)
        window, pixels = tile.inner, crop.array[tile.local]
        if chunk.frame is not None:
            window, pixels = (chunk.inner[0], *window), pixels[None]
        if work.layer.name == "labels" and (some := tally.on_grid(window, pixels)) is not None:
            colors.append(some)
        del crop, pixels  # before the next strip is read
    if chunk.frame is not None:
        values, axis = np.expand_dims(values, values.ndim - len(chunk.tile.inner)), axis + 1
    sampled = np.concatenate(colors, axis).reshape(-1, 3) if colors else None
    source = work.image.pixels
    heard = source.heard(chunk.inner) if isinstance(source, Overheard) else None
    if work.layer.name != "labels":
        return Returned(chunk.inner, values, heard=heard)
    tally.add(chunk.inner, values, sampled)
    return Returned(chunk.inner, values, sampled, tally.totals, heard)


def _strips(image: Image, whole: Tile, halo: int) -> list[Tile]:
    """Cut what is read for a chunk along the axis of its file; what is read at once ends where blocks of the file end.

    A process that read six bands of uint16 of 4 096 x 4 096 pixels at once took 1.3 times the memory, one of more bands
    even more; scripts/benchmark_dask.py measures it.
    """
    source, outer = image.pixels, whole.outer
    axis = source.sweep
    unit = 1 if lazy_array(image) is not None else source.blocks[axis]  # a dask array is in memory by now
    across = math.prod(shape_of(outer)) // (outer[axis].stop - outer[axis].start)
    step = max(1, _READ_AT_ONCE // (source.dtype.itemsize * image.n_channels * across * unit)) * unit
    first, last = outer[axis].start, outer[axis].stop
    ends = [*range(first - first % unit + step, last, step), last]
    inner, found, done = whole.inner[axis], [], whole.inner[axis].start
    for end in ends:
        stop = inner.stop if end == last else min(end - halo, inner.stop)
        if stop > done:
            read = slice(max(done - halo, first), end)
            found.append(
                Tile(
                    (*outer[:axis], read, *outer[axis + 1 :]),
                    (*whole.inner[:axis], slice(done, stop), *whole.inner[axis + 1 :]),
                )
            )
            done = stop
    return found


def chunk_sides(image: Image, side: int | None = None) -> tuple[tuple[int, ...], ...]:
    """Return the sides of the chunks along each axis: those of a dask array, or squares of a file.

    Parameters
    ----------
    image : Image
    side : int, optional
        Of a square; by default that of the dask array's chunks, or 4096. Frames of a time-lapse are chunks of their
        own.
    """
    lazy = lazy_array(image)
    if side is None and lazy is not None:
        own = [lazy.chunks[axis] for axis in lazy.axes]
        return ((1,) * image.shape[0], *own[1:]) if image.time else tuple(own)
    sides = []
    for axis, n in enumerate(image.shape):
        each = 1 if image.time and axis == 0 else side or CHUNK
        sides.append((each,) * (n // each) + ((n % each,) if n % each else ()))
    return tuple(sides)


def chunks_of(work: ChunkWork, sides: tuple[tuple[int, ...], ...]) -> list[tuple[Chunk, list[Any]]]:
    """Cover an image with chunks; each with the keys of the chunks of its dask arrays that it depends on."""
    lazy, halo, image = work.lazy, work.halo, work.image
    space = image.shape[image.time :]
    found, numbers = [], itertools.product(*(range(len(each)) for each in sides))
    for number, window in zip(numbers, windows_across(sides), strict=True):
        frame, inner = (window[0].start, window[1:]) if image.time else (None, window)
        tile = Tile(widened(inner, halo, space), inner)
        outer = tile.outer if frame is None else (window[0], *tile.outer)
        around = [each.around(outer) for each in lazy]
        keys = [key for each, _ in around for key in each]
        found.append((Chunk(number, tile, frame, tuple(piece for _, piece in around)), keys))
    return found


def tasks_of(image: Image, chunks: Sequence[Chunk], threads: int) -> list[list[Chunk]]:
    """Group chunks of a file to tasks for so many threads of workers."""
    most = min(_AT_ONCE, image.n_pixels // (_SHARES * threads))
    return runs_of(chunks, most, image.pixels.blocks[-1])


def runs_of(chunks: Sequence[Chunk], pixels: int, least: int = 1) -> list[list[Chunk]]:
    """Group chunks to boxes along the last two axes, as square as they get, of no more pixels together.

    What is around a run is read once for all of it: chunks of 512 x 512 one by one take three times as long. Where
    blocks of the file are wider than a square, boxes are `least` pixels wide.
    """
    rows: list[list[Chunk]] = []
    room = 0
    for chunk in chunks:
        width, before = shape_of(chunk.inner)[-1], rows[-1][-1].number if rows else ()
        if width > room or (*chunk.number[:-1], chunk.number[-1] - 1) != before:
            rows.append([])
            room = max(min(pixels, max(math.isqrt(pixels), least)), width)
        rows[-1].append(chunk)
        room -= width
    runs: list[list[Chunk]] = []
    following: dict[tuple[Any, ...], tuple[list[Chunk], int]] = {}  # by the row that would go below a run
    for row in rows:
        place = [chunk.number for chunk in row]
        size = sum(math.prod(shape_of(chunk.inner)) for chunk in row)
        run, left = following.pop(tuple(place), ([], 0))
        if size > left:  # none, or one that is full
            run = []
            runs.append(run)
            left = max(pixels, size)
        run += row
        following[tuple(_below(number) for number in place)] = run, left - size
    return runs


def _below(number: tuple[int, ...]) -> tuple[int, ...]:
    return (*number[:-2], number[-2] + 1, number[-1])


def joined(run: Sequence[Chunk]) -> Chunk:
    """Return a run of chunks of a file, from its first corner to its last, as one."""
    first, last = run[0].tile, run[-1].tile
    return replace(run[0], tile=Tile(_spanned(first.outer, last.outer), _spanned(first.inner, last.inner)))


def _spanned(first: Window, last: Window) -> Window:
    return tuple(slice(a.start, b.stop) for a, b in zip(first, last, strict=True))
