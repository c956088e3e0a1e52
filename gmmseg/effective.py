"""How many independent samples an image is worth: neighbouring pixels are alike, and say the same thing twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmseg.features import Recipe
from gmmseg.image import Image
from gmmseg.mixture.choosing import DEFAULT_CRITERION, Choice, choose
from gmmseg.mixture.parameters import Mixture
from gmmseg.mixture.seeding import seed_mixture
from gmmseg.sampling import sample_pixels

__all__ = ["choose_classes", "correlation_volume", "effective_size", "modes"]

Array = NDArray[Any]

_NOISE_FLOOR = 0.05  # correlations below it are taken for 0: those of a few thousand pairs are known to about 0.02
_SHALLOW = 0.6  # of the lower of two peaks: a valley above it does not part them
_FARTHEST = 8  # pixels: what is alike over more is a gradient or an object, and no noise
_PILOT = 12  # components of the mixture whose residuals are taken
_SAMPLES = 16_384  # of the samples; the criteria see no more than are effective, which is rarely as many


def choose_classes(
    image: Image,
    recipe: Recipe,
    planes: Array,
    center: Array,
    scale: Array,
    rng: np.random.Generator,
    *,
    max_k: int,
    families: Sequence[str],
    criterion: str = DEFAULT_CRITERION,
    n_images: int = 1,
    noise: float = 0.0,
    threads: int = 1,
) -> Choice:
    """Choose how many classes an image has, by its features without position.

    Parameters
    ----------
    image : Image
        The first of the images, whose pixels' likeness counts for all.
    recipe : Recipe
    planes : ndarray, shape (d, n), float32
        Scaled features of a sample of all images; at least one.
    center, scale : ndarray, shape (d,)
    rng, criterion, noise, threads
        As of `gmmseg.mixture.choosing.choose`.
    max_k : int
    families : sequence of str
    n_images : int

    Notes
    -----
    Positions fill the image evenly whatever it shows: how they are spread says how a class lies, not that it is one.
    """
    guides = sum(group >= 0 for group in recipe.groups(image))
    n = planes.shape[1]
    chosen: Any = slice(None) if n <= _SAMPLES else np.sort(rng.choice(n, _SAMPLES, replace=False))
    some = np.ascontiguousarray(planes[:guides, chosen])
    n = some.shape[1]
    pilot = seed_mixture(some, min(_PILOT, n), rng, noise=noise, threads=threads)
    volume = correlation_volume(image, recipe, center[:guides], scale[:guides], pilot, rng)
    n_pixels = image.n_pixels if image.valid is None else int(np.count_nonzero(image.valid))
    effective = n_images * effective_size(volume, n_pixels, max(1, n // n_images))
    ks = range(1, max_k + 1)
    return choose(some, ks, families, rng, effective=effective, criterion=criterion, noise=noise, threads=threads)


def effective_size(volume: float, n_pixels: int, n_samples: int) -> float:
    """Effective number of `n_samples` pixels drawn at random from an image of `n_pixels`.

    Parameters
    ----------
    volume : float
        Sum of the correlations of a pixel with all pixels, itself included.

    Notes
    -----
    The variance of the mean of n samples is (1 + (n - 1) r) / n of one's, where r, the mean correlation of two pixels
    drawn at random, is (volume - 1) / (n_pixels - 1).

    Examples
    --------
    >>> effective_size(50.0, 10_000, 10_000)
    200.0
    """
    alike = max(volume - 1.0, 0.0) / max(n_pixels - 1, 1)
    return n_samples / (1.0 + (n_samples - 1) * min(alike, 1.0))


def correlation_volume(
    image: Image,
    recipe: Recipe,
    center: Array,
    scale: Array,
    pilot: Mixture,
    rng: np.random.Generator,
    *,
    pairs: int = 8192,
) -> float:
    """Sum over all lags of the correlation of two pixels' residuals within classes, from 1 to the number of pixels.

    Parameters
    ----------
    image : Image
    recipe : Recipe
    center, scale : ndarray, shape (d,)
        Of the features, position left out.
    pilot : Mixture
        Of the scaled features; of more components rather than of too few.
    rng : numpy.random.Generator
    pairs : int
        Pixels that are compared with others at each lag.

    Notes
    -----
    The residual of a pixel is its difference from the mean of the mode of the pilot's density that it belongs to,
    whitened: components without a valley between them are one mode, or a pilot of too many components would cut the
    noise itself to pieces and find it white. Correlations are taken along the axes up to where they vanish (after
    Geyer 1992), at lags that grow by halves, and multiplied from axis to axis: exact where the correlation is
    separable, as that of blur by a Gaussian is.
    """
    d = len(center)
    index = sample_pixels(image, pairs, rng)
    mode, means, whiteners = _standards(pilot)

    def residuals(at: tuple[Array, ...]) -> tuple[Array, Array]:
        planes = (recipe.planes_at(image, at)[:d] - center[:, None]) / scale[:, None]
        owner = mode[pilot.classify(np.ascontiguousarray(planes, np.float32))]
        return owner, np.einsum("nij,nj->ni", whiteners[owner], planes.T - means[owner])

    owner, here = residuals(index)
    volume = 1.0
    for axis, n in enumerate(image.shape):

        def correlation(lag: int, axis: int = axis, n: int = n) -> float:
            usable = index[axis] + lag < n
            moved = (*index[:axis], np.minimum(index[axis] + lag, n - 1), *index[axis + 1 :])
            if image.valid is not None:
                usable &= image.valid[moved]
            other, there = residuals(moved)
            usable &= other == owner
            products = [float((a * b)[usable].sum()) for a, b in ((here, there), (here, here), (there, there))]
            return products[0] / np.sqrt(products[1] * products[2]) if products[1] * products[2] > 0 else 0.0

        volume *= _integral(correlation, n)
    return float(np.clip(volume, 1.0, image.n_pixels))


def _integral(correlation: Callable[[int], float], n: int) -> float:
    """1 plus twice the sum of the correlations at lags 1, 2, ..., as far as they are above the noise; at most n."""
    total, lag, before, farthest = 1.0, 0, 1.0, min(n // 2, _FARTHEST)
    while lag < farthest:
        following = max(lag + 1, lag * 3 // 2)
        value = correlation(min(following, farthest))
        if not value > _NOISE_FLOOR:
            break
        step = min(following, farthest) - lag
        # The sum of a straight line from the lag before, which itself is counted already, to this one.
        total += 2.0 * (before * (step - 1) / 2 + value * (step + 1) / 2)
        lag, before = lag + step, value
    return min(total, float(n))


def _standards(pilot: Mixture) -> tuple[Array, Array, Array]:
    """The mode of each component (K,), the modes' means (M, d) and factors (M, d, d) that whiten their residuals."""
    mode = modes(pilot)
    dense = pilot.family.dense(pilot.covariances, pilot.n_components, pilot.n_features)
    means, factors = [], []
    for m in range(mode.max() + 1):
        inside = np.flatnonzero(mode == m)
        share = pilot.weights[inside] / pilot.weights[inside].sum()
        mean = share @ pilot.means[inside]
        off = pilot.means[inside] - mean
        covariance = np.tensordot(share, dense[inside] + off[:, :, None] * off[:, None, :], 1)
        means.append(mean)
        factors.append(np.linalg.inv(np.linalg.cholesky(covariance)))
    return mode, np.stack(means), np.stack(factors)


def modes(mixture: Mixture) -> Array:
    """Return the number (K,), from 0, of the mode of the density to which each component belongs.

    Two components are of one mode where the density on the line between their means stays above a part of the lower
    of its ends, or where a chain of such components joins them (after Hennig 2010, his ridgeline ratio, on the line).
    """
    k = mixture.n_components
    steps = np.linspace(0.0, 1.0, 17)
    mode = np.arange(k)
    for i in range(k):
        for j in range(i):
            line = mixture.means[j][:, None] + (mixture.means[i] - mixture.means[j])[:, None] * steps
            pair = mixture.select([j, i]).log_density(np.ascontiguousarray(line))
            if pair.min() > min(pair[0], pair[-1]) + np.log(_SHALLOW):
                mode[mode == mode[i]] = mode[j]
    return np.unique(mode, return_inverse=True)[1]
