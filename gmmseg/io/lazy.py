"""Dask arrays as sources of pixels: a window is computed when it is read, and single pixels by a task a chunk."""

from __future__ import annotations

import copy
import itertools
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gmmseg.errors import InputError
from gmmseg.image import Image
from gmmseg.image.letters import Lettered
from gmmseg.image.sources import WindowSource
from gmmseg.image.windows import Window, holding, windows_across
from gmmseg.io.array.sliced import settled, unread_image
from gmmseg.io.meaning import InterpretedSource, Meaning
from gmmseg.io.request import Reading

if TYPE_CHECKING:
    from gmmseg.image.sources import Source

__all__ = ["LazyArray", "Piece", "assembled", "image_of_dask", "lazy_array"]


@dataclass(frozen=True, eq=False)
class Piece:
    """Where some pixels of a chunk go: from here in the chunk, to there in what is put together.

    Parameters
    ----------
    here, there : tuple of slice
        One slice each axis of the array.
    """

    here: tuple[slice, ...]
    there: tuple[slice, ...]


def assembled(shape: tuple[int, ...], dtype: Any, pieces: Sequence[Piece], blocks: Sequence[Any]) -> np.ndarray:
    """Put the parts of some chunks together to one array, in the memory order of theirs."""
    if len(blocks) == 1:
        return np.asarray(blocks[0])[pieces[0].here]
    out = np.empty(shape, dtype)
    for piece, block in zip(pieces, blocks, strict=True):
        out[piece.there] = np.asarray(block)[piece.here]
    return out


class LazyArray(WindowSource):
    """A dask array as a source of pixels.

    Parameters
    ----------
    array : dask.array.Array
    channel_axis : int, optional
        Which of its axes is that of channels; None where each pixel is one number.
    leading : int, optional
        An axis that comes first, before those that are left in their order: that of time.

    Notes
    -----
    Sent to a worker it leaves the array behind: there a task is given the chunks that it depends on, see `holding`.
    """

    sweep = 0

    def __init__(self, array: Any, channel_axis: int | None, leading: int | None = None) -> None:
        self.array, self.channel_axis = array, channel_axis
        self.channels: tuple[int, ...] | None = None
        axes = [axis for axis in range(array.ndim) if axis not in (channel_axis, leading)]
        self.axes = (*(() if leading is None else (leading,)), *axes)
        n = 1 if channel_axis is None else array.shape[channel_axis]
        self.shape: tuple[int, ...] = (*(array.shape[axis] for axis in self.axes), n)
        self.dtype: np.dtype[Any] = array.dtype.newbyteorder("=")
        self.chunks: tuple[tuple[int, ...], ...] = array.chunks
        self.blocks: tuple[int, ...] = tuple(max(array.chunks[axis]) for axis in self.axes)
        self._held = _Held()

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"array": None, "_held": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state | {"_held": _Held()})

    def select(self, channels: tuple[int, ...]) -> LazyArray:
        """Return some channels; chunks that hold none of them are not computed."""
        known = range(self.shape[-1]) if self.channels is None else self.channels
        picked = copy.copy(self)
        picked.__dict__.update(self.__dict__)  # what this thread holds too
        picked.channels, picked.shape = tuple(known[c] for c in channels), (*self.shape[:-1], len(channels))
        return picked

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray | None]:
        """Return a window's pixels: of the chunks that a task was given, or computed now."""
        held = self._held.given
        if held is None:
            index = self._index(window)
            return self._pixels(np.asarray(self.array[index].compute())), None
        start, numbers = held
        index = self._index(tuple(slice(s.start - a, s.stop - a) for s, a in zip(window, start, strict=True)))
        return self._pixels(numbers[index]), None

    def _index(self, window: Window) -> tuple[Any, ...]:
        index: list[Any] = [slice(None)] * len(self.chunks)
        for axis, along in zip(self.axes, window, strict=True):
            index[axis] = along
        return tuple(index)

    def _pixels(self, numbers: np.ndarray) -> np.ndarray:
        """Return numbers in the axes of the array as pixels, channels last: a view where all of them are wanted."""
        order = self.axes if self.channel_axis is None else (*self.axes, self.channel_axis)
        pixels = numbers.transpose(order)
        pixels = pixels[..., None] if self.channel_axis is None else pixels
        pixels = pixels if self.channels is None else pixels[..., list(self.channels)]
        return pixels.astype(self.dtype, copy=False)

    @contextmanager
    def holding(self, start: tuple[int, ...], numbers: np.ndarray) -> Iterator[None]:
        """Read from an array in memory, which begins there in the whole one, as long as this thread is in the block."""
        self._held.given = start, numbers
        try:
            yield
        finally:
            self._held.given = None

    def around(self, window: Window) -> tuple[list[Any], list[Piece], tuple[int, ...]]:
        """Return the keys of the chunks that hold pixels of a window, what is taken of each, and the shape of all."""
        index = self._index(window)
        found: list[list[tuple[int, slice, slice]]] = []
        shape = []
        for axis, (along, sides) in enumerate(zip(index, self.chunks, strict=True)):
            along = slice(*along.indices(sum(sides)))
            shape.append(along.stop - along.start)
            found.append(_touched(sides, along))
            if axis == self.channel_axis and self.channels is not None:  # the others are neither computed nor sent
                edges = np.cumsum((0, *sides))
                wanted = {int(np.searchsorted(edges, c, side="right")) - 1 for c in self.channels}
                found[-1] = [each for each in found[-1] if each[0] in wanted]
        keys, pieces = [], []
        for each in itertools.product(*found):
            keys.append((self.array.name, *(number for number, _, _ in each)))
            pieces.append(Piece(tuple(here for _, here, _ in each), tuple(there for _, _, there in each)))
        return keys, pieces, tuple(shape)

    def take(self, flat: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Return single pixels: one task for each chunk that holds some of them."""
        import dask
        from dask.highlevelgraph import HighLevelGraph

        index = np.stack(np.unravel_index(flat, self.shape[:-1]))
        values = np.empty((len(flat), self.shape[-1]), self.dtype)
        name = f"gmmseg-pick-{uuid.uuid4().hex}"
        tasks: dict[Any, Any] = {}
        places: list[np.ndarray] = []
        sides = [self.chunks[axis] for axis in self.axes]
        for window, here in holding(windows_across(sides), index):
            keys, pieces, shape = self.around(window)
            local = index[:, here] - [[s.start] for s in window]
            tasks[name, len(places)] = (_picked, _Pick(self, shape, pieces, local), keys)
            places.append(here)
        graph = HighLevelGraph.from_collections(name, tasks, dependencies=[self.array])
        wanted = [(name, number) for number in range(len(places))]
        scheduler = dask.base.get_scheduler(collections=[self.array])
        for here, part in zip(places, scheduler(graph, wanted), strict=True):
            values[here] = part
        return values, None


class _Held(threading.local):
    """What a thread reads from, in place of the array."""

    given: tuple[tuple[int, ...], np.ndarray] | None = None


@dataclass(frozen=True, eq=False)
class _Pick:
    """Which pixels are taken of some chunks."""

    source: LazyArray
    shape: tuple[int, ...]
    pieces: list[Piece]
    local: np.ndarray


def _picked(pick: _Pick, blocks: list[Any]) -> np.ndarray:
    numbers = assembled(pick.shape, pick.source.dtype, pick.pieces, blocks)
    taken: np.ndarray = pick.source._pixels(numbers)[tuple(pick.local)].copy()
    return taken


def _touched(sides: Sequence[int], along: slice) -> list[tuple[int, slice, slice]]:
    """Return the chunks along an axis that a slice touches: number, what of it, and where that goes."""
    found, start = [], 0
    for number, side in enumerate(sides):
        low, high = max(along.start, start), min(along.stop, start + side)
        if low < high:
            found.append((number, slice(low - start, high - start), slice(low - along.start, high - along.start)))
        start += side
    return found


def lazy_array(source: Source) -> LazyArray | None:
    """Return the dask array that a source reads from, whatever lies between; None where there is none."""
    waiting: list[Any] = [source]
    while waiting:
        each = waiting.pop()
        if isinstance(each, LazyArray):
            return each
        waiting += [inner for name in ("raw", "whole") if (inner := getattr(each, name, None)) is not None]
    return None


def image_of_dask(array: Any, reading: Reading, name: str = "image") -> Image:
    """Take a dask array as an image, by the rules of arrays in memory; nothing is computed but to tell its colour."""
    if any(np.isnan(side) for sides in array.chunks for side in sides):
        raise InputError(f"{name}: its chunks have unknown sizes; call compute_chunk_sizes() on the array first")
    if array.dtype.kind not in "buif" or not array.size:
        raise InputError(f"{name} is an array of {array.dtype} and shape {array.shape}, which is no image")
    if reading.axes is not None:
        image = _lettered(array, reading.axes, name)
    else:
        image = unread_image(
            Path(name), array.shape, array.dtype, reading.channel_axis, lambda axis: LazyArray(array, axis)
        )
        image = settled(image, reading)
    return image if reading.channels is None else image.select(reading.channels)


def _lettered(array: Any, axes: str, name: str) -> Image:
    """Take a dask array whose axes are named: any order, of bands, perhaps with time."""
    known = Lettered.of(axes, array.shape, name)
    order = sorted(known.letters.replace("C", "").replace("S", ""), key="TZYX".index)
    channel = next((known.letters.index(letter) for letter in "CS" if letter in known.letters), None)
    spatial = [letter for letter in known.letters if letter not in "CS"]
    leading = None
    if spatial != order:
        turned = [known.letters.index(letter) for letter in order] + ([] if channel is None else [channel])
        array, channel = array.transpose(turned), None if channel is None else len(order)
        leading = 0 if known.time else None
    elif known.time:
        leading = known.letters.index("T")
    raw = LazyArray(array, channel, leading)
    return Image(InterpretedSource(raw, Meaning()), name=name, time=known.time)
