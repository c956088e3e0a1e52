"""Chunks: a layer is computed window by window in any process, each with all that its result depends on."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmseg.image import Image
from gmmseg.image.windows import Tile, Window, shape_of, widened, windows_across
from gmmseg.io.lazy import LazyArray, Piece, assembled, lazy_array
from gmmseg.kernels.effort import Effort
from gmmseg.labelling.layers import Layer
from gmmseg.labelling.summary import Tally
from gmmseg.labelling.tiles import Rule, empty_layer, visit

__all__ = ["Chunk", "ChunkWork", "Returned", "chunk_sides", "chunks_of", "compute_chunk", "label_chunk"]

Array = NDArray[Any]

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
    shape : tuple of int
        Of the numbers that are read, in the axes of the dask array that holds them.
    pieces : tuple of Piece
        Where these come from; empty where a file is read.
    """

    number: tuple[int, ...]
    tile: Tile
    frame: int | None = None
    shape: tuple[int, ...] = ()
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
    sampled : ndarray, shape (n, 3), optional
        Of labels of colour images, see `Tally.sample`.
    """

    window: Window
    values: Array
    sampled: Array | None = None

    def sample(self, tally: Tally) -> Array | None:
        """Return the pixels of the window that tell what its classes look like."""
        return self.sampled


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
    """

    image: Image
    rule: Rule
    layer: Layer
    threads: int = 1
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state | {"_lock": threading.Lock()})

    @property
    def lazy(self) -> LazyArray | None:
        """The dask array that pixels come from; None where they come from a file or memory."""
        return lazy_array(self.image.pixels)

    def read(self, chunk: Chunk, blocks: Sequence[Any]) -> Image:
        """Return the window of a chunk with what lies around it, from chunks of a dask array or from the file."""
        image = self.image if chunk.frame is None else self.image.frames[chunk.frame]
        lazy = self.lazy
        if lazy is None:
            with self._lock:  # one thread may read from a file at a time
                return image.crop(chunk.tile.outer)
        numbers = assembled(chunk.shape, lazy.dtype, chunk.pieces, blocks)
        with lazy.holding(tuple(s.start for s in chunk.outer), numbers):
            return image.crop(chunk.tile.outer)

    @property
    def halo(self) -> int:
        """Pixels that are read around a chunk."""
        return self.rule.model.halo(self.image.frames[0], smoothed=self.layer.smoothed)


def label_chunk(work: ChunkWork, chunk: Chunk, blocks: Sequence[Any] = ()) -> Array:
    """Compute the layer of one chunk (*window), or (K, *window) of probabilities: the same as that of the whole."""
    return compute_chunk(work, chunk, blocks).values


def compute_chunk(work: ChunkWork, chunk: Chunk, blocks: Sequence[Any] = ()) -> Returned:
    """Compute the layer of one chunk, with the pixels that tell what its classes look like."""
    crop = work.read(chunk, blocks)
    values = empty_layer(work.layer, work.rule.model, shape_of(chunk.tile.inner))
    visit(crop, work.rule, work.layer, values, within=chunk.tile.local, effort=Effort(threads=work.threads))
    if chunk.frame is None:
        pixels = crop.array[chunk.tile.local]
    else:
        values, pixels = np.expand_dims(values, values.ndim - len(chunk.tile.inner)), crop.array[chunk.tile.local][None]
    sampled = Tally(work.rule.model.k, work.image).sample(chunk.inner, pixels) if work.layer.name == "labels" else None
    return Returned(chunk.inner, values, sampled)


def chunk_sides(image: Image, side: int | None = None) -> tuple[tuple[int, ...], ...]:
    """Return the sides of the chunks along each axis: those of a dask array, or squares of a file.

    Parameters
    ----------
    image : Image
    side : int, optional
        Of a square; by default that of the dask array's chunks, or 4096. Frames of a time-lapse are chunks of their
        own.
    """
    lazy = lazy_array(image.pixels)
    if side is None and lazy is not None:
        own = [lazy.chunks[axis] for axis in lazy.axes]
        return ((1,) * image.shape[0], *own[1:]) if image.time else tuple(own)
    sides = []
    for axis, n in enumerate(image.shape):
        each = 1 if image.time and axis == 0 else side or CHUNK
        sides.append((each,) * (n // each) + ((n % each,) if n % each else ()))
    return tuple(sides)


def chunks_of(work: ChunkWork, sides: tuple[tuple[int, ...], ...]) -> list[tuple[Chunk, list[Any]]]:
    """Cover an image with chunks; each with the keys of the chunks of its dask array that it depends on."""
    lazy, halo, image = work.lazy, work.halo, work.image
    space = image.shape[image.time :]
    found, numbers = [], itertools.product(*(range(len(each)) for each in sides))
    for number, window in zip(numbers, windows_across(sides), strict=True):
        frame, inner = (window[0].start, window[1:]) if image.time else (None, window)
        chunk = Chunk(number, Tile(widened(inner, halo, space), inner), frame)
        keys: list[Any] = []
        if lazy is not None:
            keys, pieces, shape = lazy.around(chunk.outer)
            chunk = Chunk(number, chunk.tile, frame, shape, tuple(pieces))
        found.append((chunk, keys))
    return found
