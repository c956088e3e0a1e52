"""Sources: images too large for memory, whose pixels stay in a file and are read window by window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from gmmseg.image.channels import evenly
from gmmseg.image.validity import combine, finite
from gmmseg.image.windows import Window

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Masked", "Selected", "Source"]


class Source(Protocol):
    """What is asked of an image in a file, such as a raster of 100 000 x 80 000 pixels: its size, and to read windows.

    One thread reads at a time. A source that can leave channels unread has `select(channels) -> Source` too, with the
    positions of the channels from 0.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of pixels along each spatial axis, and of channels: (*spatial, n_channels)."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Data type of the pixels."""

    @property
    def blocks(self) -> tuple[int, ...]:
        """Sides of the blocks in which the file is stored, such as (256, 256): whole ones are read at least cost."""

    @property
    def sweep(self) -> int:
        """The spatial axis along which blocks follow one another in the file: 0 where it is stored row by row."""

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the pixels of a window (*window, n_channels), and which are valid (*window); None where all are."""


class _Over:
    """A source made of another one, the whole, whose size and blocks it has."""

    def __init__(self, whole: Source) -> None:
        self.whole = whole

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the whole."""
        return self.whole.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """That of the whole."""
        return self.whole.dtype

    @property
    def blocks(self) -> tuple[int, ...]:
        """Those of the whole."""
        return self.whole.blocks

    @property
    def sweep(self) -> int:
        """That of the whole."""
        return self.whole.sweep


class Masked(_Over):
    """A source under a mask: its pixels are valid only where a second source, of one channel, is not 0."""

    def __init__(self, whole: Source, mask: Source) -> None:
        super().__init__(whole)
        self.mask = mask

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the pixels of a window, and which are valid, as every source does."""
        (pixels, valid), (used, known) = self.whole.read(window), self.mask.read(window)
        return pixels, combine(valid, combine(known, used[..., 0] != 0))


class Selected(_Over):
    """Some channels of a source, such as the first three; pixels where none of these is finite are not valid."""

    def __init__(self, whole: Source, channels: tuple[int, ...]) -> None:
        super().__init__(whole)
        self.channels = channels

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the whole, with the number of the chosen channels."""
        return (*self.whole.shape[:-1], len(self.channels))

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the pixels of a window, and which are valid, as every source does."""
        pixels, valid = self.whole.read(window)
        pixels = pixels[..., evenly(self.channels)]
        known = finite(pixels, every=False)
        return pixels, combine(valid, known)
