"""Texture: how rough an image is around each pixel, and in which direction, as planes of features.

Each window that is averaged over keeps clear of borders between textures.

With s(j) the image smoothed by a triangle of half-width 2^j, made of j steps (1, 2, 1)/4 with holes (the "à trous"
wavelet of Holschneider et al. 1989, and Starck and Murtagh 2006), the planes of an image are, each averaged over a
triangular window:

- its lightness;
- the cube roots of the energies (s(0) - s(1))^2 and (s(1) - s(2))^2, which are nearly Gaussian (Wilson and Hilferty
  1931) where logarithms would need to know what is nothing;
- the structure tensor of s(1) (Bigün and Granlund 1987) without its trace, divided by it: in a plane coherence times
  cosine and sine of twice the angle, which do not wrap.

A window across two textures has an energy between theirs, and a mixture takes what lies along borders for a class of
its own. So each pixel takes the window, its own or one of those shifted towards the corners, whose neighbourhood
changes least (after Kuwahara et al. 1976).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from gmmseg import kernels
from gmmseg.arrays import Array
from gmmseg.features import color
from gmmseg.image import Image
from gmmseg.image.windows import Window
from gmmseg.threads import mapped

__all__ = ["SCALARS", "context", "names", "planes", "planes_of"]

_TILE_PIXELS = 1 << 18  # of which planes of single pixels are computed together

SCALARS = ("local mean", "fine energy", "coarse energy")
"""Names of the planes before those of direction, each with a unit of its own."""

_ENERGIES = slice(1, 3)

_AXES = "xyz"


def names(ndim: int) -> tuple[str, ...]:
    """Names of the planes of images with so many spatial axes: "local mean", "fine energy", ..., "direction xy"."""
    axes = _AXES[:ndim]
    pairs = [f"{axes[a]}{axes[b]}" for b in range(1, ndim) for a in range(b)]
    squares = [f"{axes[:a]}-{axes[a]}" for a in range(1, ndim)]
    return (*SCALARS, *(f"direction {each}" for each in (*squares, *pairs)))


class _Reach(NamedTuple):
    """How far the filters of an image reach along each of its axes, in pixels.

    Parameters
    ----------
    steps : tuple of tuple of int
        For each level of smoothing the distance of a pixel's neighbours along each axis, 0 where it is not smoothed.
    shift : tuple of int
        How far the windows that a pixel may choose from are moved towards the corners.
    spacing : tuple of float
        Size of a pixel, the least being 1.
    """

    steps: tuple[tuple[int, ...], ...]
    shift: tuple[int, ...]
    spacing: tuple[float, ...]

    @property
    def window(self) -> tuple[int, ...]:
        """Half-width of the windows that energies and directions are averaged over."""
        return tuple(map(sum, zip(*self.steps, strict=True)))

    @property
    def margin(self) -> tuple[int, ...]:
        """How many pixels around a window its planes depend on, along each axis."""
        first, second = self.steps[:2]
        return tuple(
            a + max(b, 1) + w + s + s // 2 for a, b, w, s in zip(first, second, self.window, self.shift, strict=True)
        )


def _reach(image: Image) -> _Reach:
    """Reach of the filters of an image: windows of half-width 16 pixels, 8 in volumes, and fewer along coarse axes.

    Along an axis whose pixels are two, four, ... times as long as the shortest, it is a half, a quarter, ... of that.
    """
    levels = 4 if image.ndim < 3 else 3
    spacing = image.spacing or (1.0,) * image.ndim
    relative = tuple(step / min(spacing) for step in spacing)
    coarser = [round(math.log2(step)) for step in relative]
    steps = tuple(tuple((1 << level) >> c for c in coarser) for level in range(levels))
    return _Reach(steps, tuple((1 << levels - 1) >> c for c in coarser), relative)


def context(image: Image) -> int:
    """Number of pixels around a window that its planes depend on, along the axis along which they reach farthest."""
    return max(_reach(image).margin)


def planes(image: Image, window: Window, out: Array) -> None:
    """Write the texture of a window of an image into `out`, shape (number of names, pixels of the window), float32.

    Beyond the border the image is mirrored. Pixels that are not valid, or miss a band, do not count; NaN is where none
    around does. Takes some 30 ns a pixel of a plane.
    """
    reach = _reach(image)
    mirrored = [
        _mirrored(s.start - margin, s.stop + margin, n)
        for s, margin, n in zip(window, reach.margin, image.shape, strict=True)
    ]
    around = image.crop(tuple(slice(int(i.min()), int(i.max()) + 1) for i in mirrored))
    values, known = _lightness(around)
    if any(len(i) != n for i, n in zip(mirrored, around.shape, strict=True)):
        place = np.ix_(*(i - i.min() for i in mirrored))
        values, known = values[place], None if known is None else known[place]
    shape = tuple(s.stop - s.start for s in window)
    inverse = np.array([1 / step for step in reach.spacing], np.float32)
    kernels.texture(values, known, np.array(reach.steps), np.array(reach.shift), inverse, out.reshape(-1, *shape))
    np.cbrt(out[_ENERGIES], out=out[_ENERGIES])
    with np.errstate(over="ignore", invalid="ignore"):
        all_known = np.isfinite(out.sum())
    if not all_known:
        out[~np.isfinite(out)] = np.nan


def planes_of(image: Image, flat: Array, threads: int = 1) -> Array:
    """Return the texture of single pixels, shape (number of names, n), given their flat indices (n,).

    All tiles that hold one are computed, so that time grows with the image where pixels are many; a file is read once.
    """
    out = np.empty((len(names(image.ndim)), len(flat)), np.float32)
    sides = (max(1, int(_TILE_PIXELS ** (1 / image.ndim))),) * image.ndim

    def work(job: tuple[Image, Window, Array, tuple[Array, ...]]) -> None:
        part, window, which, place = job
        shape = tuple(s.stop - s.start for s in window)
        tile = np.empty((len(out), math.prod(shape)), np.float32)
        planes(part, window, tile)
        out[:, which] = tile[:, np.ravel_multi_index(place, shape)]

    for part, jobs in image.around(flat, sides, context(image)):
        list(mapped(work, ((part, *job) for job in jobs), threads))
    return out


def _mirrored(start: int, stop: int, n: int) -> Array:
    """Indices from start to stop along an axis of n pixels, mirrored at its ends: 1, 0, 0, 1 for -2 to 2."""
    place = np.arange(start, stop) % (2 * n)
    return np.minimum(place, 2 * n - 1 - place)


def _lightness(image: Image) -> tuple[Array, Array | None]:
    """L* of colour or the mean of the bands, 0 where unknown, and 1 where it is known (None if everywhere)."""
    values = image.array
    if image.color:
        lab = np.empty((3, image.n_pixels), np.float32)
        color.lab(values.reshape(-1, *values.shape[-2:]), lab)
        light = lab[0].reshape(image.shape)
    else:
        with np.errstate(over="ignore", invalid="ignore"):
            light = values[..., 0].astype(np.float32)
            for band in range(1, image.n_channels):
                light += values[..., band].astype(np.float32)
            light *= np.float32(1 / image.n_channels)
    known = image.valid
    if values.dtype.kind == "f":
        finite = np.isfinite(light)
        known = finite if known is None else known & finite
    if known is None or known.all():
        return light, None
    return np.where(known, light, np.float32(0)), known.astype(np.float32)
