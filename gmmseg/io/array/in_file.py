"""Arrays that are stored as they are somewhere in a file, and read window by window."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from gmmseg.image.channels import evenly
from gmmseg.image.sources import WindowSource
from gmmseg.image.windows import Window
from gmmseg.io.array.boxes import read_box

__all__ = ["ArrayInFile"]


@dataclass(frozen=True)
class ArrayInFile(WindowSource):
    """An array stored as it is somewhere in a file: a source of pixels.

    Parameters
    ----------
    path : Path
    offset : int
        Of its first byte.
    stored : tuple of int
        Shape as stored, in C order.
    number : numpy.dtype
        Of the numbers as stored.
    channel_axis : int or None
        Of the stored shape; None for a single channel.
    order : {"C", "F"}
        Whether the last or the first axis is contiguous.
    channels : tuple of int, optional
        Positions of those that are read; None for all.

    Notes
    -----
    The file is opened anew for each window, so that any number of images may stay in theirs.
    """

    path: Path
    offset: int
    stored: tuple[int, ...]
    number: np.dtype[Any]
    channel_axis: int | None = None
    order: Literal["C", "F"] = "C"
    channels: tuple[int, ...] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """(*spatial, n_channels)."""
        if self.channel_axis is None:
            return (*self.stored, 1)
        axis = self.channel_axis % len(self.stored)
        n_channels = self.stored[axis] if self.channels is None else len(self.channels)
        return (*self.stored[:axis], *self.stored[axis + 1 :], n_channels)

    @property
    def dtype(self) -> np.dtype[Any]:
        """That of the pixels: in the machine's order of bytes."""
        return self.number.newbyteorder("=")

    @property
    def blocks(self) -> tuple[int, ...]:
        """Rows; columns where the first axis is contiguous."""
        spatial = self.shape[:-1]
        ones = [1] * (len(spatial) - 1)
        return (*ones, spatial[-1]) if self.order == "C" else (spatial[0], *ones)

    @property
    def sweep(self) -> int:
        """The axis along which numbers lie farthest apart."""
        return 0 if self.order == "C" else len(self.shape) - 2

    def select(self, channels: tuple[int, ...]) -> ArrayInFile:
        """Return a source of the channels at these positions."""
        at = range(self.shape[-1]) if self.channels is None else self.channels
        return replace(self, channels=tuple(at[c] for c in channels))

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray | None]:
        """Return a window's pixels."""
        if self.channel_axis is None:
            return self._box(window)[..., None].astype(self.dtype, copy=False), None
        axis = self.channel_axis % len(self.stored)
        wanted = range(self.stored[axis]) if self.channels is None else self.channels
        apart = axis != (len(self.stored) - 1 if self.order == "C" else 0)
        if self.channels is not None and apart:  # the others are left unread
            boxes = [self._box(_along(window, axis, slice(c, c + 1))) for c in wanted]
            return np.moveaxis(np.concatenate(boxes, axis), axis, -1).astype(self.dtype, copy=False), None
        every = self._box(_along(window, axis, slice(0, self.stored[axis])))
        pixels = np.moveaxis(every, axis, -1)[..., evenly(tuple(wanted))]
        return np.array(pixels, self.dtype) if self.channels is not None else pixels.astype(
            self.dtype, copy=False
        ), None

    def _box(self, box: Window) -> np.ndarray:
        """Return stored numbers, channels where they are stored."""
        return read_box(self.path, self.offset, self.stored, self.number, self.order, box)


def _along(window: Window, axis: int, channels: slice) -> Window:
    """Return a window of all stored axes, with these channels."""
    return (*window[:axis], channels, *window[axis:])
