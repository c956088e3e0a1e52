"""Sources: pixels that stay in their file, and what of them is valid."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Protocol

from gmmseg.errors import DataWarning
from gmmseg.image.channels import evenly
from gmmseg.image.windows import Window

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Masked", "Selected", "Source", "combine", "finite"]


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


def finite(
    pixels: np.ndarray, *, every: bool, name: str | None = None, among: np.ndarray | None = None
) -> np.ndarray | None:
    """Return where any channel, or every channel, is finite; None where that is everywhere.

    A name is what a warning calls the image where it is not, `among` the pixels that the warning is for.
    """
    import numpy as np

    if pixels.dtype.kind != "f":
        return None
    # Features are float32: what does not fit is a fill value, and no data.
    known = np.abs(pixels) <= np.finfo(np.float32).max if pixels.dtype.itemsize > 4 else np.isfinite(pixels)
    valid: np.ndarray = known.all(axis=-1) if every else known.any(axis=-1)
    if valid.all():
        return None
    missing = np.count_nonzero(~valid if among is None else ~valid & among)
    if name is not None and missing:
        warnings.warn(
            f"{name}: {missing} pixels are NaN, infinite or beyond float32; their label is 0", DataWarning, stacklevel=4
        )
    return valid


def combine(valid: np.ndarray | None, also: np.ndarray | None) -> np.ndarray | None:
    """Return the pixels that both allow, or None where that is all of them; None allows all."""
    both = also if valid is None else valid if also is None else valid & also
    return None if both is None or both.all() else both


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
