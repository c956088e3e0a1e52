"""What a segmentation says of each class: its share, colour and means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np

from gmmseg.arrays import Array
from gmmseg.image import Image
from gmmseg.image.windows import Window
from gmmseg.io.classes import in_words
from gmmseg.io.ground import Ground
from gmmseg.kernels import add_colors
from gmmseg.records import dataclass, field

__all__ = ["ClassSummary", "Tally", "sizes_of", "without_pixels"]


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
    sizes : mapping of str to int or float
        How large it is: "pixels", and where the image tells how large one is "area_ha", "volume_ml" or the like, as in
        `gmmseg.measuring.class_table`. Nothing where no pixels were counted.
    """

    label: int
    name: str
    share: float
    color: tuple[int, int, int] | None
    means: dict[str, float]
    map_color: tuple[int, int, int]
    sizes: Mapping[str, float] = field(default_factory=dict)


def without_pixels(classes: Sequence[ClassSummary]) -> list[str]:
    """Return in a line, if any, which classes that were fitted to an image have none of its pixels."""
    empty = [each.label for each in classes if each.share == 0]
    if not 0 < len(empty) < len(classes):
        return []
    of = in_words(empty)
    return [f"no pixel is of {of}: fewer than {len(classes)} classes can be told apart; use a smaller k"]


_BITS = 31


class Tally:
    """How many pixels each label has and what they cover, and the mean colour of some 100 000 on an even grid.

    Parameters
    ----------
    k : int
    image : Image
    ground : Ground, optional
        What its pixels cover; measured where it is not given.
    """

    def __init__(self, k: int, image: Image, ground: Ground | None = None) -> None:
        self.counts, self._covered = np.zeros(k + 1, np.int64), np.zeros(k + 1, np.int64)
        self._numbers, self._sums = np.zeros(k + 1, np.int64), np.zeros((3, k + 1))
        self._image, self._given, self._seen = image, ground, 0
        self._step = max(1, int((image.n_pixels / 100_000) ** (1 / image.ndim)))

    @property
    def complete(self) -> bool:
        """Whether every pixel was counted."""
        return self._seen == self._image.n_pixels

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
        on_grid = np.zeros(k + 1, np.int64)
        if sample is not None:
            chosen = np.ascontiguousarray(labels[self._grid(window)]).reshape(-1)
            colors = sample if sample.dtype == np.uint8 else sample.astype(np.float64)
            add_colors(chosen, np.ascontiguousarray(colors), on_grid, self._sums)
            self._numbers += on_grid
        every = sample is not None and self._step == 1
        counts = on_grid if every else _count_labels(labels, k)
        self.counts += counts
        self._seen += labels.size
        self._covered += counts if self._ground.cells is None else self._ground.counts(window, labels, k + 1)

    @cached_property
    def _ground(self) -> Ground:
        return self._given or Ground.of(self._image)

    @property
    def sizes(self) -> list[dict[str, float]]:
        """What is said of the size of each class, see `ClassSummary`."""
        pairs = zip(self.counts[1:].tolist(), self._covered[1:].tolist(), strict=True)
        return [sizes_of(pixels, covered, self._ground) for pixels, covered in pairs]

    @property
    def totals(self) -> Array:
        """What was counted (7, k + 1).

        Pixels of each label, those on the grid, sums of their three channels, and what labels cover: counts of more
        bits than floats hold, in two parts.
        """
        return np.stack([self.counts, self._numbers, *self._sums, self._covered >> _BITS, self._covered % (1 << _BITS)])

    def join(self, totals: Array) -> None:
        """Add what another has counted."""
        self.counts += totals[0].astype(np.int64)
        self._seen = int(self.counts.sum())
        self._numbers += totals[1].astype(np.int64)
        self._sums += totals[2:5]
        self._covered += (totals[5].astype(np.int64) << _BITS) + totals[6].astype(np.int64)

    def _grid(self, window: Window) -> Window:
        return tuple(slice((self._step // 2 - s.start) % self._step, None, self._step) for s in window)

    @property
    def colors(self) -> list[tuple[int, int, int] | None]:
        """Mean red, green and blue of each class; None where no pixel tells."""
        if not self._image.color:
            return [None] * (len(self.counts) - 1)
        dtype = self._image.pixels.dtype
        top = float(np.iinfo(dtype).max) if dtype.kind in "iu" else 1.0
        # One by one: of a few classes that takes a fifth of the time of NumPy's.
        red, green, blue = self._sums[:, 1:].tolist()
        classes = zip(self._numbers[1:].tolist(), red, green, blue, strict=True)
        return [
            None if n == 0 else (_byte(r / n / top), _byte(g / n / top), _byte(b / n / top)) for n, r, g, b in classes
        ]


def _byte(level: float) -> int:
    return round(255 * min(max(0.0, level), 1.0))  # in this order NaN is 0


def sizes_of(pixels: int, covered: int, ground: Ground) -> dict[str, float]:
    """Return what is said of the size of a class; what it covers is counted in the ground's `each`."""
    return {"pixels": pixels} | ({ground.name: covered * ground.each} if ground.known else {})


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
