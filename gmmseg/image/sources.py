"""Sources: pixels that stay in their file, and what of them is valid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from gmmseg.image.channels import evenly
from gmmseg.image.validity import combine, finite
from gmmseg.image.windows import Window

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Masked", "Selected", "Source"]


class Source(Protocol):
    """Pixels that stay in their file and are read window by window, by one thread at a time.

    A source that can leave channels unread has `select(channels) -> Source` too, with their positions from 0.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """(*spatial, n_channels)."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the pixels."""

    @property
    def blocks(self) -> tuple[int, ...]:
        """Sides of the blocks of the file along the spatial axes: whole ones are read at least cost."""

    @property
    def sweep(self) -> int:
        """The spatial axis along which blocks follow one another in the file."""

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray | None]:
        """Return pixels (*window, n_channels), and where they are valid, as of an `Image`; None where all are."""


class _Over:
    """What a source made of another has of it."""

    def __init__(self, whole: Source) -> None:
        self.whole = whole

    @property
    def shape(self) -> tuple[int, ...]:
        """(*spatial, n_channels)."""
        return self.whole.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the pixels."""
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
    """A source whose pixels are used only where another of the same grid, of one channel, is not zero."""

    def __init__(self, whole: Source, mask: Source) -> None:
        super().__init__(whole)
        self.mask = mask

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray | None]:
        """Return pixels and validity of a window."""
        (pixels, valid), (used, known) = self.whole.read(window), self.mask.read(window)
        return pixels, combine(valid, combine(known, used[..., 0] != 0))


class Selected(_Over):
    """Some channels of a source that reads them all; those that are not finite anywhere are not valid."""

    def __init__(self, whole: Source, channels: tuple[int, ...]) -> None:
        super().__init__(whole)
        self.channels = channels

    @property
    def shape(self) -> tuple[int, ...]:
        """(*spatial, n_channels)."""
        return (*self.whole.shape[:-1], len(self.channels))

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray | None]:
        """Return pixels and validity of a window."""
        pixels, valid = self.whole.read(window)
        pixels = pixels[..., evenly(self.channels)]
        known = finite(pixels, every=False)
        return pixels, combine(valid, known)
