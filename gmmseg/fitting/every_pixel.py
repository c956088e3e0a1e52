"""Every pixel of an image that is not in memory: sums over small windows, added in one order, whoever took them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gmmseg.arrays import Array
from gmmseg.features import Recipe
from gmmseg.fitting.one_pass import each_window
from gmmseg.fitting.undeclared_nodata import require_squares
from gmmseg.image import Image
from gmmseg.image.windows import Window, shifted, widened, windows_across
from gmmseg.mixture.parameters import Mixture
from gmmseg.mixture.statistics import Statistics, measure

__all__ = ["EveryPixel"]

_PIXELS = 20  # of a unit, as a power of 2: the same for every image, so that sums are the same for any chunks
_READ_AT_ONCE = 64 << 20  # bytes of pixels


@dataclass(frozen=True, eq=False)
class EveryPixel:
    """The pixels of an image as samples, centred and scaled, of which `measured` takes the sums where they lie.

    Parameters
    ----------
    image : Image
    recipe : Recipe
    center, scale : ndarray, shape (d,)
    """

    image: Image
    recipe: Recipe
    center: Array
    scale: Array

    dtype = np.dtype(np.float32)
    least = 1.0

    @property
    def n_features(self) -> int:
        """Number of planes."""
        return len(self.scale)

    def measured(self, mixture: Mixture, noise: Array | None, threads: int) -> Statistics:
        """Return the statistics of all pixels under a mixture, see `gmmseg.mixture.statistics.measure`.

        The image is read once. The result is the same for any chunks of it, any threads and any workers.
        """
        sums, around = _Sums(self, mixture, noise, threads), self.recipe.context(self.image)
        each = each_window(self.image, sums, self._windows(), around=around)
        return _added([one for some in each for one in some])

    def _windows(self) -> list[Window]:
        """Cover the image with rows of units: as many side by side as are read at once."""
        shape, unit = self.image.shape, 1 << _PIXELS // self.image.ndim
        n_bytes = self.image.pixels.dtype.itemsize * self.image.n_channels * math.prod(min(unit, n) for n in shape)
        wide = unit * max(1, _READ_AT_ONCE // n_bytes)
        return list(windows_across([_cut(n, unit) for n in shape[:-1]] + [_cut(shape[-1], wide)]))


@dataclass(frozen=True, eq=False)
class _Sums:
    """What is done with each window: sums for each of its units."""

    pixels: EveryPixel
    mixture: Mixture
    noise: Array | None
    threads: int

    def __call__(self, window: Window) -> list[Statistics]:
        image, recipe = self.pixels.image, self.pixels.recipe
        outer = widened(window, recipe.context(image), image.shape)
        crop, unit = image.crop(outer), 1 << _PIXELS // image.ndim
        found = []
        for part in windows_across([_cut(s.stop - s.start, unit) for s in window]):
            own = shifted(part, tuple(s.start - o.start for s, o in zip(window, outer, strict=True)))
            planes = recipe.planes(crop, own)
            if crop.valid is not None:
                planes = planes[:, crop.valid[own].reshape(-1)]
            with np.errstate(over="ignore", under="ignore", invalid="ignore"):  # of what is refused in the next line
                planes -= self.pixels.center.astype(np.float32)[:, None]
                planes /= self.pixels.scale.astype(np.float32)[:, None]
            require_squares(image, planes)
            found.append(measure(planes, self.mixture, noise=self.noise, threads=self.threads))
        return found


def _cut(n: int, side: int) -> tuple[int, ...]:
    return (side,) * (n // side) + ((n % side,) if n % side else ())


def _added(parts: Sequence[Statistics]) -> Statistics:
    """Add statistics in pairs, and these in pairs: rounding grows with the height of the tree, not with their number.

    Parameters
    ----------
    parts : sequence of Statistics
        Of the units, in the order of the image.
    """
    while len(parts) > 1:
        pairs = [a + b for a, b in zip(parts[::2], parts[1::2], strict=False)]
        parts = [*pairs, parts[-1]] if len(parts) % 2 else pairs
    return parts[0]
