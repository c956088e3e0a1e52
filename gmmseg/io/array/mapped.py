"""Arrays that are stored as they are somewhere in a file, and mapped window by window."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from gmmseg.image.channels import evenly
from gmmseg.image.sources import WindowSource
from gmmseg.image.windows import Window

__all__ = ["MappedArray"]


@dataclass(frozen=True)
class MappedArray(WindowSource):
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
    The file is mapped anew for each window and let go, so that what was read does not stay in memory.
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

    def select(self, channels: tuple[int, ...]) -> MappedArray:
        """Return a source of the channels at these positions."""
        at = range(self.shape[-1]) if self.channels is None else self.channels
        return replace(self, channels=tuple(at[c] for c in channels))

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray | None]:
        """Return a window's pixels."""
        mapped = np.memmap(self.path, self.number, "r", self.offset, self.stored, self.order)
        pixels = mapped[..., None] if self.channel_axis is None else np.moveaxis(mapped, self.channel_axis, -1)
        wanted = slice(None) if self.channels is None else evenly(self.channels)
        return np.array(pixels[window][..., wanted], self.dtype), None
