"""Principal components of many channels, those that stand above the noise, as planes."""

from __future__ import annotations

import numpy as np

from gmmseg.arrays import Array
from gmmseg.features.feature import Feature, Pixels
from gmmseg.image import Image
from gmmseg.kernels.blas import product
from gmmseg.records import dataclass

__all__ = ["PrincipalComponents"]

_AT_ONCE = 1 << 18  # numbers of channels that are in the works at once, float64


@dataclass(frozen=True, eq=False)
class PrincipalComponents(Feature):
    """Linear combinations of channels, as they were found for the images of a fit.

    Parameters
    ----------
    center, scale : ndarray, shape (c,)
        Mean of each channel, and the deviation of its noise.
    axes : ndarray, shape (m, c)
        Orthogonal unit vectors in the space of channels that are centred and scaled; 0 for channels that do not count.
    variance : ndarray, shape (m,)
        Of the components, in units of the noise.
    """

    center: Array
    scale: Array
    axes: Array
    variance: Array

    name = "pca"

    def __post_init__(self) -> None:
        """Refuse what no fit has found."""
        (m, c), n = self.axes.shape, len(self.variance)
        if not (len(self.center) == len(self.scale) == c and m == n > 0):
            raise ValueError("the components are not of as many channels as they have centres and scales")

    def missing(self, image: Image) -> str:
        """Tell where an image has another number of channels."""
        c = len(self.center)
        return "" if image.n_channels == c else f"{c} channel{'' if c == 1 else 's'}"

    def names(self, image: Image) -> tuple[str, ...]:
        """Return "component 1", the one of the largest variance, and so on."""
        return tuple(f"component {i + 1}" for i in range(len(self.axes)))

    def groups(self, image: Image) -> tuple[int, ...]:
        """Each has a scale of its own."""
        return tuple(range(len(self.axes)))

    def planes(self, pixels: Pixels, weight: float, out: Array) -> None:
        """Write the components of pixels, some of these at a time."""
        stored = pixels.stored
        rows, columns, c = stored.shape
        width = max(1, min(columns, _AT_ONCE // c))
        height = max(1, _AT_ONCE // (c * width))
        planes = out.reshape(len(out), rows, columns)
        for top in range(0, rows, height):
            for left in range(0, columns, width):
                part = slice(top, top + height), slice(left, left + width)
                values = stored[part]
                planes[:, *part] = self._of(values.reshape(-1, c)).reshape(-1, *values.shape[:2])

    def channels(self, components: Array) -> Array:
        """Return the channels (n, c) that some components (n, m) stand for; NaN where a channel does not count."""
        found = self.center + self.scale * np.einsum("nm,mc->nc", components, self.axes)
        return np.where(self.axes.any(axis=0), found, np.nan)

    def _of(self, values: Array) -> Array:
        """Components (m, n) of pixels (n, c); NaN where a pixel has none of the channels.

        In float64: what is rounded to float32 then is the same however pixels are put together for the product.

        Notes
        -----
        Where some channels are missing, the components are those expected of the others (Tipping and Bishop 1999,
        probabilistic principal components, whose noise has variance 1 here).
        """
        scaled = (values.astype(np.float64) - self.center) / self.scale
        counts = self.axes.any(axis=0)
        scaled[:, ~counts] = 0
        known = np.isfinite(scaled)
        partly = ~known.all(axis=1)
        scaled[~known] = 0
        found = product(scaled, self.axes)
        if partly.any():
            seen = known[partly]
            there = seen.astype(np.float64)
            gram = np.stack([product(there, axis * self.axes) for axis in self.axes]).transpose(2, 0, 1)
            gram += np.diag(1 / self.variance)
            found[:, partly] = np.linalg.solve(gram, found[:, partly].T[..., None])[..., 0].T
            nothing = ~(seen & counts).any(axis=1)
            found[:, np.flatnonzero(partly)[nothing]] = np.nan
        return found
