"""Which principal components of many channels stand above the noise, told from pixels and their neighbours.

Channels are scaled to noise of variance 1, which neighbouring pixels tell: half of the mean squared difference (as the
minimum noise fraction of Green, Berman, Switzer and Craig 1988 has it, here channel by channel). A channel of much
noise counts little then, whatever its unit. Of noise alone, the covariance of n pixels with c channels has eigenvalues
up to (1 + sqrt(c / n))^2 (Marchenko and Pastur 1967). Components of more than twice that are kept: they hold more
signal than noise.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from gmmseg.arrays import Array
from gmmseg.errors import ParameterError
from gmmseg.features import Recipe
from gmmseg.features.contrast import NeighbourPairs
from gmmseg.image import Image
from gmmseg.image.pixels import ENOUGH, sample_pixels, take_each
from gmmseg.kernels.blas import one_blas_thread
from gmmseg.records import replace

if TYPE_CHECKING:
    from gmmseg.features.pca import PrincipalComponents

__all__ = ["learned"]

_PIXELS = 4096  # of each image
_MOST = 16  # components: time grows with their square
_ABOVE = 2.0  # times the largest eigenvalue of noise
_LEAST_NOISE = 1e-6  # variance as a part of the channel's: 60 dB, more than sensors have
_LEAST_SHARE = 1e-12  # of the pixels; there are none
_AT_ONCE = 1 << 20  # numbers of channels that are added up together, float64


def learned(recipe: Recipe, images: Iterable[Image]) -> Recipe:
    """Return a recipe that knows the components of images, each of which has an equal say; others as they are.

    Parameters
    ----------
    recipe : Recipe
    images : iterable of Image
        Read once, and only where components are asked for.

    Raises
    ------
    ParameterError
        Images have different numbers of channels.
    """
    if not recipe.unlearned:
        return recipe
    sums = None
    for image in images:
        sums = _Sums(image) if sums is None else sums
        sums.add(image)
    return recipe if sums is None else replace(recipe, pca=sums.components())


class _Sums:
    """Sums over pixels and their neighbours of images.

    Parameters
    ----------
    first : Image
        The others have as many channels.
    """

    def __init__(self, first: Image) -> None:
        c = first.n_channels
        self.first, self.origin = first.without_pixels(), np.zeros(c)
        self.pixels = 0
        self.shares, self.sums, self.products = np.zeros(c), np.zeros(c), np.zeros((c, c))
        self.noise, self.pairs = np.zeros(c), np.zeros(c)

    def add(self, image: Image) -> None:
        """Look at some pixels of an image, at all where they are few."""
        if image.n_channels != self.first.n_channels:
            raise ParameterError(
                f"{image.name} and {self.first.name} are of different kinds; fit one model to each kind"
            )
        values, usable = _neighbours(image)
        here = values[0]
        if not len(here):
            return
        step = max(1, _AT_ONCE // image.n_channels)
        if not self.pixels:  # near the mean, so that nothing cancels
            own = _known(here[:step])
            self.origin = np.nansum(own, axis=0) / np.maximum(np.isfinite(own).sum(axis=0), 1)
        for start in range(0, len(here), step):
            some = slice(start, start + step)
            own = _known(here[some]) - self.origin
            there = np.isfinite(own)
            filled = np.where(there, own, 0)
            self.shares += there.sum(axis=0) / len(here)
            self.sums += filled.sum(axis=0) / len(here)
            with one_blas_thread(image.n_channels):
                self.products += filled.T @ filled / len(here)
            for axis, inside in enumerate(usable, 1):
                change = (_known(values[axis][some]) - self.origin - own)[inside[some]]
                both = np.isfinite(change)
                self.pairs += both.sum(axis=0) / len(here)
                self.noise += (np.where(both, change, 0) ** 2).sum(axis=0) / len(here)
        self.pixels += len(here)

    def components(self) -> PrincipalComponents:
        """Return those that stand above the noise, at least one."""
        from scipy.linalg import eigh  # here, because few images have so many channels

        from gmmseg.features.pca import PrincipalComponents  # as is this

        shares = np.maximum(self.shares, _LEAST_SHARE)
        mean = self.sums / shares
        # Where a channel is missing here and there, it is taken for its mean.
        covariance = (self.products - np.outer(self.sums, mean)) / np.sqrt(np.outer(shares, shares))
        variance = np.diag(covariance).copy()
        counts = variance > 1e-12 * (self.origin + mean) ** 2  # what varies less is constant, but for rounding
        noise = np.where(self.pairs > 0, self.noise / np.maximum(2 * self.pairs, _LEAST_SHARE), variance)
        scale = np.sqrt(np.where(counts, np.maximum(noise, _LEAST_NOISE * variance), 1))
        scaled = np.where(np.outer(counts, counts), covariance / np.outer(scale, scale), 0)
        c = len(scaled)
        with one_blas_thread(c):
            values, vectors = eigh((scaled + scaled.T) / 2, subset_by_index=(max(0, c - _MOST), c - 1))
        edge = _ABOVE * (1 + np.sqrt(np.count_nonzero(counts) / max(1, self.pixels))) ** 2
        number = max(1, np.count_nonzero(values > edge))
        axes = np.where(counts, vectors.T[::-1][:number], 0)
        axes *= np.where(axes.sum(axis=1) < 0, -1, 1)[:, None]  # brighter is more, and the sign no matter of chance
        return PrincipalComponents(self.origin + mean, scale, axes, np.maximum(values[::-1][:number], _LEAST_NOISE))


def _known(values: Array) -> Array:
    """Values as float64, NaN where float32 cannot hold them."""
    found = values.astype(np.float64)
    if values.dtype.kind == "f":
        found[~(np.abs(found) <= np.finfo(np.float32).max)] = np.nan
    return found


def _neighbours(image: Image) -> tuple[Array, Array]:
    """Values (1 + ndim, n, c) of valid pixels and of the next ones along each axis, and which of these are valid."""
    pairs = NeighbourPairs.of(image, _PIXELS)
    (taken,) = take_each(image, [pairs.flat])
    n = pairs.usable.shape[1]
    if taken.valid is not None and np.count_nonzero(taken.valid[:n]) < ENOUGH * n:
        pairs = NeighbourPairs.after(image, sample_pixels(image, _PIXELS, np.random.default_rng(0)).flat)
        (taken,) = take_each(image, [pairs.flat])
        n = pairs.usable.shape[1]
    values, usable = taken.values.reshape(1 + image.ndim, n, image.n_channels), pairs.usable
    if taken.valid is None:
        return values, usable
    first, *others = taken.valid.reshape(1 + image.ndim, n)
    return values[:, first], (usable & np.stack(others))[:, first]
