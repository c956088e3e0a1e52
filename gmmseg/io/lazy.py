"""Dask arrays as sources of pixels: a window is computed when it is read, and single pixels by a task a chunk."""

from __future__ import annotations

import copy
import itertools
import math
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gmmseg.errors import InputError
from gmmseg.image import Image
from gmmseg.image.named_axes import Lettered
from gmmseg.image.sources import Masked, WindowSource, beneath
from gmmseg.image.windows import Window, holding, widened, windows_across
from gmmseg.io.array.sliced import settled, unread_image
from gmmseg.io.meaning import InterpretedSource, Meaning
from gmmseg.io.request import Reading
from gmmseg.records import dataclass, replace

if TYPE_CHECKING:
    from gmmseg.image.sources import Source

__all__ = ["LazyArray", "Piece", "called_lazily", "image_of_dask", "lazy_array", "lazy_arrays", "masked_lazily"]

Touched = tuple[tuple[int, slice, slice], ...]
"""Of the chunks along an axis that a slice touches: number, what of it, and where that goes."""


@dataclass(frozen=True, eq=False)
class Piece:
    """What a window takes of the chunks of a dask array.

    Parameters
    ----------
    shape : tuple of int
        Of what is put together, in the axes of the array.
    along : tuple of Touched
        One an axis.
    """

    shape: tuple[int, ...]
    along: tuple[Touched, ...]

    @property
    def n_blocks(self) -> int:
        """How many chunks it is taken of."""
        return math.prod(map(len, self.along))

    def of(self, blocks: Sequence[Any], dtype: Any) -> np.ndarray:
        """Put what is taken of these chunks together to one array, in the memory order of theirs."""
        each = itertools.product(*self.along)
        if len(blocks) == 1:
            return np.asarray(blocks[0])[tuple(here for _, here, _ in next(each))]
        out = np.empty(self.shape, dtype)
        for taken, block in zip(each, blocks, strict=True):
            out[tuple(there for _, _, there in taken)] = np.asarray(block)[tuple(here for _, here, _ in taken)]
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

    def around(self, window: Window) -> tuple[list[Any], Piece]:
        """Return the keys of the chunks that hold pixels of a window, and what is taken of them."""
        index = self._index(window)
        found: list[Touched] = []
        shape = []
        for axis, (along, sides) in enumerate(zip(index, self.chunks, strict=True)):
            start, stop, _ = along.indices(self.array.shape[axis])
            shape.append(stop - start)
            found.append(_touched(sides, start, stop))
            if axis == self.channel_axis and self.channels is not None:  # the others are neither computed nor sent
                edges = np.cumsum((0, *sides))
                wanted = {int(np.searchsorted(edges, c, side="right")) - 1 for c in self.channels}
                found[-1] = tuple(each for each in found[-1] if each[0] in wanted)
        numbers = itertools.product(*([number for number, _, _ in each] for each in found))
        return [(self.array.name, *each) for each in numbers], Piece(tuple(shape), tuple(found))

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
            keys, piece = self.around(window)
            local = index[:, here] - [[s.start] for s in window]
            tasks[name, len(places)] = (_picked, _Pick(self, piece, local), keys)
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
    piece: Piece
    local: np.ndarray


def _picked(pick: _Pick, blocks: list[Any]) -> np.ndarray:
    numbers = pick.piece.of(blocks, pick.source.dtype)
    taken: np.ndarray = pick.source._pixels(numbers)[tuple(pick.local)].copy()
    return taken


@lru_cache(maxsize=4096)  # every window of a row of chunks asks for the same: a third of the time of a graph
def _touched(sides: tuple[int, ...], first: int, end: int) -> Touched:
    """Return the chunks along an axis that hold pixels from the first one to before the end."""
    found, start = [], 0
    for number, side in enumerate(sides):
        low, high = max(first, start), min(end, start + side)
        if low < high:
            found.append((number, slice(low - start, high - start), slice(low - first, high - first)))
        start += side
    return tuple(found)


def lazy_arrays(source: Source) -> list[LazyArray]:
    """Return the dask arrays that a source reads from, whatever lies between: that of the pixels, and of their mask."""
    return [each for each in beneath(source, ("raw", "whole", "mask")) if isinstance(each, LazyArray)]


def lazy_array(image: Image) -> LazyArray | None:
    """Return the dask array that the pixels of an image come from; None where they come from elsewhere."""
    return next((each for each in beneath(image.pixels) if isinstance(each, LazyArray)), None)


def called_lazily(
    image: Image,
    function: Callable[[Any], Any],
    windows: Sequence[Window],
    *,
    jobs: Sequence[Any] | None = None,
    around: int = 0,
) -> list[Any]:
    """Call a function with windows of an image that reads from dask arrays, a task for each.

    Parameters
    ----------
    image : Image
    function : callable
        Takes a window; it may read that and `around` pixels on each side, of this image alone.
    windows : sequence of tuple of slice
    jobs : sequence, optional
        What the function takes in their stead, one a window.
    around : int

    Returns
    -------
    list
        What the function returns, in the order of the windows.
    """
    import dask
    from dask.highlevelgraph import HighLevelGraph

    lazy, name = lazy_arrays(image.pixels), f"gmmseg-call-{uuid.uuid4().hex}"
    tasks: dict[Any, Any] = {}
    for number, (window, job) in enumerate(zip(windows, jobs or windows, strict=True)):
        outer = widened(window, around, image.shape)
        taken = [each.around(outer) for each in lazy]
        call = _Call(function, job, lazy, tuple(s.start for s in outer), [piece for _, piece in taken])
        tasks[name, number] = (_called, call, [keys for keys, _ in taken])
    graph = HighLevelGraph.from_collections(name, tasks, dependencies=[each.array for each in lazy])
    scheduler = dask.base.get_scheduler(collections=[each.array for each in lazy])
    return list(scheduler(graph, [(name, number) for number in range(len(windows))]))


@dataclass(frozen=True, eq=False)
class _Call:
    """What a function is called with, and what is taken of the chunks of each dask array for it."""

    function: Callable[[Any], Any]
    job: Any
    lazy: list[LazyArray]
    start: tuple[int, ...]
    pieces: list[Piece]


def _called(call: _Call, blocks: list[list[Any]]) -> Any:
    with ExitStack() as stack:
        for each, piece, own in zip(call.lazy, call.pieces, blocks, strict=True):
            stack.enter_context(each.holding(call.start, piece.of(own, each.dtype)))
        return call.function(call.job)


def masked_lazily(image: Image, mask: Any) -> Image:
    """Return an image under a mask that is a dask array, which is read with its pixels: never as a whole.

    Parameters
    ----------
    image : Image
        Of one in memory the mask comes to memory too, a byte a pixel.
    mask : dask.array.Array of bool or integer, shape (*spatial)
        Non-zero where pixels are used; of a time-lapse also one for all frames.

    Raises
    ------
    ParameterError
        The mask has another shape or another kind of values.
    """
    import dask.array

    image.require_mask(mask)
    if image.in_memory:
        return image.with_mask((mask != 0).compute())
    if mask.shape != image.shape:
        n_frames = image.shape[0]
        mask = dask.array.broadcast_to(mask, image.shape, chunks=((1,) * n_frames, *mask.chunks))
    return replace(image, pixels=Masked(image.pixels, LazyArray(mask, None)))


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
