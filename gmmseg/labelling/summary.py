"""What a segmentation says of each class: its share, colour and means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmseg.image import Image
from gmmseg.image.windows import Window

__all__ = ["ClassSummary", "Tally"]

Array = NDArray[Any]


@dataclass(frozen=True)
class ClassSummary:
    """One class of a segmentation.

    Parameters
    ----------
    label : int
        Its number in the label map.
    name : str
    share : float
        Of the valid pixels, 0 to 1.
    color : tuple of int or None
        Mean red, green and blue, 0 to 255; None for images that are not colour and for classes of hardly any pixel.
    means : dict of str to float
        Mean of each feature under the model, in its own unit.
    map_color : tuple of int
        Red, green and blue that label maps, overlays and figures show the class in.
    """

    label: int
    name: str
    share: float
    color: tuple[int, int, int] | None
    means: dict[str, float]
    map_color: tuple[int, int, int]


class Tally:
    """How many pixels each label has, and the mean colour of those on an even grid of about 100 000.

    Parameters
    ----------
    k : int
    image : Image
    """

    def __init__(self, k: int, image: Image) -> None:
        self.counts = np.zeros(k + 1, np.int64)
        self._numbers, self._sums = np.zeros(k + 1, np.int64), np.zeros((3, k + 1))
        self._image = image
        self._step = max(1, int((image.n_pixels / 100_000) ** (1 / image.ndim)))

    @property
    def complete(self) -> bool:
        """Whether every pixel was counted."""
        return bool(self.counts.sum() == self._image.n_pixels)

    def sample(self, window: Window, pixels: Array) -> Array | None:
        """Return the pixels of a window that lie on the grid (n, 3); None where they are no colours."""
        found = self.on_grid(window, pixels)
        return None if found is None else found.reshape(-1, 3)

    def on_grid(self, window: Window, pixels: Array) -> Array | None:
        """Return these pixels as they lie beside each other (*grid, 3), so that parts of a window can be joined."""
        if not self._image.color:
            return None
        return np.array(pixels[self._grid(window)])  # a view would keep the whole window in memory

    def add(self, window: Window, labels: Array, sample: Array | None) -> None:
        """Count the labels of a window."""
        k = len(self.counts) - 1
        self.counts += _count_labels(labels, k)
        if sample is not None:
            chosen = labels[self._grid(window)].ravel()
            self._numbers += np.bincount(chosen, minlength=k + 1)
            for total, channel in zip(self._sums, sample.T, strict=True):
                total += np.bincount(chosen, channel, minlength=k + 1)

    @property
    def totals(self) -> Array:
        """What was counted (5, k + 1): pixels of each label, those on the grid, and sums of their three channels."""
        return np.stack([self.counts, self._numbers, *self._sums])

    def join(self, totals: Array) -> None:
        """Add what another has counted."""
        self.counts += totals[0].astype(np.int64)
        self._numbers += totals[1].astype(np.int64)
        self._sums += totals[2:]

    def _grid(self, window: Window) -> Window:
        return tuple(slice((self._step // 2 - s.start) % self._step, None, self._step) for s in window)

    @property
    def colors(self) -> list[tuple[int, int, int] | None]:
        """Mean red, green and blue of each class; None where no pixel tells."""
        if not self._image.color:
            return [None] * (len(self.counts) - 1)
        dtype = self._image.pixels.dtype
        top = np.iinfo(dtype).max if dtype.kind in "iu" else 1
        sums, numbers = self._sums[:, 1:], self._numbers[1:]
        means = np.rint(np.clip(sums / np.maximum(numbers, 1) / top, 0, 1) * 255).astype(int).T
        return [(int(r), int(g), int(b)) if n else None for (r, g, b), n in zip(means, numbers, strict=True)]


def _count_labels(labels: Array, k: int) -> Array:
    """Pixels of each label 0 to k."""
    flat = labels.reshape(-1)
    counts = np.zeros(k + 1, np.int64)
    for part in (flat[i : i + (1 << 17)] for i in range(0, flat.size, 1 << 17)):
        if k <= 8:  # comparisons within the cache, where bincount would convert to 64 bits first
            counts[1:] += [np.count_nonzero(part == label) for label in range(1, k + 1)]
        else:
            counts += np.bincount(part, minlength=k + 1)
    counts[0] = flat.size - counts[1:].sum()
    return counts
