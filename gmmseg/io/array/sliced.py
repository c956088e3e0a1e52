"""Arrays that are read by slices: those of HDF5 and Zarr, in blocks, and those that lie in a file as they are."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from gmmseg.image import Image
from gmmseg.image.axes import are_bytes, require_alpha
from gmmseg.image.named_axes import Lettered
from gmmseg.image.sources import WindowSource, windows_of
from gmmseg.image.windows import Window
from gmmseg.io.meaning import InterpretedSource, Meaning, RawSource, settle_color
from gmmseg.io.request import Reading, chosen, kept, require_room
from gmmseg.records import dataclass, replace

if TYPE_CHECKING:
    from gmmseg.image.image import ChannelAxis

__all__ = ["SlicedArray", "lettered_image", "read_array", "settled", "unread_image"]


@dataclass(frozen=True, eq=False)
class SlicedArray(WindowSource):
    """An array that stays where it is: a source of pixels.

    Parameters
    ----------
    opened : callable
        Opens the array: what it returns yields an object that gives numbers for a tuple of slices and integers.
    stored : tuple of int
        Its shape.
    number : numpy.dtype
    chunks : tuple of int, optional
        Sides of its blocks; None where it is stored as a whole.
    channel_axis : int, optional
    fixed : tuple of (int, int)
        Axes of which one position is read, such as the only point in time: the axis and the position.
    channels : tuple of int, optional
        Positions of those that are read; None for all.
    order : "C" or "F"
        Whether the last or the first axis of what is stored as a whole is contiguous.
    """

    opened: Callable[[], AbstractContextManager[Any]]
    stored: tuple[int, ...]
    number: np.dtype[Any]
    chunks: tuple[int, ...] | None = None
    channel_axis: int | None = None
    fixed: tuple[tuple[int, int], ...] = ()
    channels: tuple[int, ...] | None = None
    order: Literal["C", "F"] = "C"

    @property
    def sweep(self) -> int:
        """The axis along which numbers lie farthest apart."""
        return 0 if self.order == "C" else len(self._spatial) - 1

    @property
    def _spatial(self) -> list[int]:
        """The axes that are in space."""
        others = {self.channel_axis, *(axis for axis, _ in self.fixed)}
        return [axis for axis in range(len(self.stored)) if axis not in others]

    @property
    def shape(self) -> tuple[int, ...]:
        """(*spatial, n_channels)."""
        spatial = tuple(self.stored[axis] for axis in self._spatial)
        if self.channel_axis is None:
            return (*spatial, 1)
        return (*spatial, self.stored[self.channel_axis] if self.channels is None else len(self.channels))

    @property
    def dtype(self) -> np.dtype[Any]:
        """That of the pixels: in the machine's order of bytes."""
        return self.number.newbyteorder("=")

    @property
    def blocks(self) -> tuple[int, ...]:
        """Blocks along the spatial axes; where there are none rows, or columns where the first axis is contiguous."""
        sides = [self.stored[axis] for axis in self._spatial]
        if self.chunks is not None:
            return tuple(min(self.chunks[axis], side) for axis, side in zip(self._spatial, sides, strict=True))
        ones = [1] * (len(sides) - 1)
        return (*ones, sides[-1]) if self.order == "C" else (sides[0], *ones)

    def select(self, channels: tuple[int, ...]) -> SlicedArray:
        """Return a source of the channels at these positions."""
        at = range(self.shape[-1]) if self.channels is None else self.channels
        return replace(self, channels=tuple(at[c] for c in channels))

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray | None]:
        """Return a window's pixels; of channels that lie apart only those that are wanted are read."""
        index: list[Any] = [slice(None)] * len(self.stored)
        for axis, position in self.fixed:
            index[axis] = position
        for axis, along in zip(self._spatial, window, strict=True):
            index[axis] = along
        contiguous = len(self.stored) - 1 if self.order == "C" else 0
        together = self.chunks is None and self.channel_axis == contiguous
        with self.opened() as array:
            if self.channel_axis is None or self.channels is None or together:
                pixels = self._pixels(np.asarray(array[tuple(index)]))
                return pixels if self.channels is None else pixels.take(self.channels, axis=-1), None
            few = []
            for channel in self.channels:
                index[self.channel_axis] = slice(channel, channel + 1)
                few.append(np.asarray(array[tuple(index)]))
            return self._pixels(np.concatenate(few, self._place)), None

    @property
    def _place(self) -> int:
        """Where the axis of channels is when the fixed ones are gone."""
        assert self.channel_axis is not None
        return self.channel_axis - sum(axis < self.channel_axis for axis, _ in self.fixed)

    def _pixels(self, numbers: np.ndarray) -> np.ndarray:
        pixels = numbers[..., None] if self.channel_axis is None else np.moveaxis(numbers, self._place, -1)
        return pixels.astype(self.dtype, copy=False)


def unread_image(
    path: Path,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    channel_axis: ChannelAxis,
    source: Callable[[int | None], RawSource],
) -> Image:
    """Return the image that an array is by the rules of arrays in memory, unread.

    Parameters
    ----------
    path : Path
        For messages.
    shape : tuple of int
        As stored.
    dtype : numpy.dtype
    channel_axis : int, None or "auto"
    source : callable
        Takes the axis of channels, counted from 0, and returns the numbers.
    """
    guessed = channel_axis == "auto" and len(shape) == 3 and shape[-1] in (3, 4)
    alpha = guessed and shape[-1] == 4
    # One number in the shape of the array, so that the rules are those of arrays in memory.
    model = np.broadcast_to(np.uint8(0), (*shape[:-1], 3) if alpha else shape)
    like = Image.from_array(model, channel_axis=channel_axis, name=str(path))
    raw = source(2 if guessed else None if not isinstance(channel_axis, int) else channel_axis % len(shape))
    narrow = like.color and _are_bytes(raw)
    if alpha and not narrow:
        require_alpha(dtype, str(path), shape)
    meaning = Meaning(color=like.color, alpha=alpha, narrow=narrow)
    return replace(like, pixels=InterpretedSource(raw, meaning), valid=None)


def lettered_image(
    path: Path, shape: tuple[int, ...], axes: str, source: Callable[[int | None], RawSource]
) -> Image | None:
    """Return the image that an array of named axes is, unread as in `unread_image`.

    None where they are stored in another order than an image has them, but for the channels.
    """
    lettered = Lettered.of(axes, shape, str(path))
    if list(lettered.spatial) != sorted(lettered.spatial):
        return None
    like = Image.from_array(np.broadcast_to(np.uint8(0), shape), axes=axes, name=str(path))
    raw = source(lettered.channel)
    alpha = raw.shape[-1] > like.n_channels
    return replace(like, pixels=InterpretedSource(raw, Meaning(color=like.color, alpha=alpha)), valid=None)


def _are_bytes(raw: RawSource) -> bool:
    """Whether numbers are wider than 8 bits, but all within 0..255; takes a pass over them."""
    wide = raw.dtype.kind in "iu" and raw.dtype != np.uint8
    return wide and all(are_bytes(raw.read(window)[0]) for window in windows_of(raw))


def settled(image: Image, reading: Reading) -> Image:
    """Return an image of `unread_image` when it is known whether its floats are colour.

    Raises
    ------
    ParameterError
        They would be by the shape of the array, but not by their range.
    """
    found = settle_color(image)
    if reading.axes is None and reading.channel_axis == "auto" and image.color and not found.color:
        # Raises what is said of such an array in memory.
        Image.from_array(np.full((1, 1, 3), 2.0), name=image.name)
    return found


def read_array(path: Path, array: SlicedArray, reading: Reading) -> Image:
    """Read an array of which nothing is known but its numbers; what takes more than the memory stays where it is."""

    def source(axis: int | None) -> SlicedArray:
        return replace(array, channel_axis=axis)

    if reading.axes is None:
        image: Image | None = unread_image(path, array.stored, array.number, reading.channel_axis, source)
    else:
        image = lettered_image(path, array.stored, reading.axes, source)
    if image is None:
        require_room(path, array.stored, reading, array.number.itemsize)
        with array.opened() as numbers:
            return chosen(Image.from_array(numbers[()], axes=reading.axes, name=str(path)), reading)
    image = settled(image, reading)
    return kept(image if reading.channels is None else image.select(reading.channels), reading)
