"""Windows over an image, each with the halo that its result depends on, and the worker that computes one."""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmseg.image import Image
from gmmseg.mixture import samples
from gmmseg.model import Model
from gmmseg.sampling import contrast
from gmmseg.spatial.smoothing import HALO, Smoothing

__all__ = ["Progress", "Tile", "tile_sides", "tiles", "visit"]

Array = NDArray[Any]
Progress = Callable[[int, int], None]
Window = tuple[slice, ...]

TILE_BYTES = 8 << 20  # working memory of one tile: larger ones leave the cache, smaller ones are mostly halo


@dataclass(frozen=True)
class Tile:
    """One window.

    Parameters
    ----------
    outer : tuple of slice
        Pixels to read.
    inner : tuple of slice
        Pixels to write, in the coordinates of the image.
    local : tuple of slice
        The same pixels in the coordinates of `outer`.
    """

    outer: Window
    inner: Window
    local: Window

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the outer window."""
        return tuple(s.stop - s.start for s in self.outer)


def tile_sides(shape: tuple[int, ...], pixels: int, halo: int) -> tuple[int, ...]:
    """Sides of a tile of about so many pixels that is as wide as it is high, and wide compared with its halo."""
    side = max(int(pixels ** (1 / len(shape))), 12 * halo, 1)
    return tuple(min(side, n) for n in shape)


def tiles(shape: tuple[int, ...], sides: tuple[int, ...], halo: int) -> Iterator[Tile]:
    """Cover a shape with tiles of these sides, each with a halo that ends at the image's border.

    Examples
    --------
    >>> [(t.outer[0], t.local[0]) for t in tiles((5,), (3,), 1)]
    [(slice(0, 4, None), slice(0, 3, None)), (slice(2, 5, None), slice(1, 3, None))]
    """
    for starts in itertools.product(*(range(0, n, side) for n, side in zip(shape, sides, strict=True))):
        inner = tuple(slice(a, min(a + side, n)) for a, side, n in zip(starts, sides, shape, strict=True))
        outer = tuple(slice(max(s.start - halo, 0), min(s.stop + halo, n)) for s, n in zip(inner, shape, strict=True))
        local = tuple(slice(i.start - o.start, i.stop - o.start) for i, o in zip(inner, outer, strict=True))
        yield Tile(outer, inner, local)


def visit(
    image: Image,
    model: Model,
    *,
    labels: Array | None = None,
    probabilities: Array | None = None,
    log_density: Array | None = None,
    threads: int = 1,
    progress: Progress | None = None,
) -> None:
    """Compute the outputs that are given, of the image's shape and filled with 0 (log density: NaN), tile by tile.

    Labels and probabilities are smoothed as the model says; each output is the same for any tiles and threads.
    """
    smoothing = None
    if model.strength > 0 and model.k > 1 and log_density is None:
        smoothing = _smoothing(image, model)
    halo = HALO if smoothing else 0
    floats = 4 * model.k + len(model.scale) + 3**image.ndim // 2
    sides = tile_sides(image.shape, TILE_BYTES // (4 * floats), halo)
    jobs = list(tiles(image.shape, sides, halo))
    memory = _ThreadMemory()

    def work(tile: Tile) -> None:
        valid = None if image.valid is None else image.valid[tile.outer]
        if valid is not None and not valid[tile.local].any():
            return
        n = math.prod(tile.shape)
        planes = model.recipe.planes(image, tile.outer, out=memory.take("planes", len(model.scale), n))
        if log_density is not None:
            _write_density(model, planes, tile, valid, log_density[tile.inner])
        else:
            label_part = None if labels is None else labels[tile.inner]
            soft_part = None if probabilities is None else probabilities[:, *tile.inner]
            posterior = memory.take("posterior", model.k, n)
            _write_classes(model, smoothing, planes, posterior, tile, valid, label_part, soft_part)

    with ThreadPoolExecutor(min(threads, len(jobs))) as pool:
        for done, _ in enumerate(pool.map(work, jobs), 1):
            if progress is not None:
                progress(done, len(jobs))


class _ThreadMemory(threading.local):
    """Arrays that a thread keeps from tile to tile: touching fresh memory would cost as much as the densities."""

    def __init__(self) -> None:
        self.flat: dict[str, Array] = {}

    def take(self, name: str, rows: int, columns: int) -> Array:
        """Return an uninitialised float32 array (rows, columns), valid until the name is taken again."""
        if name not in self.flat or self.flat[name].size < rows * columns:
            self.flat[name] = np.empty(rows * columns, np.float32)
        return self.flat[name][: rows * columns].reshape(rows, columns)


def _smoothing(image: Image, model: Model) -> Smoothing:
    variation = contrast(image, model.recipe, model.scale)
    sharpness = math.sqrt(0.5 / variation) if variation > 0 else 0.0
    spacing = image.spacing or (1.0,) * image.ndim
    return Smoothing(model.strength, sharpness / model.scale[: model.n_guides], spacing)


def _write_density(model: Model, planes: Array, tile: Tile, valid: Array | None, out: Array) -> None:
    density = np.empty(planes.shape[1], np.float32)
    samples.posterior(planes, partial(model.arguments_of, outliers=True), None, density)
    inner = density.reshape(tile.shape)[tile.local]
    out[...] = inner if valid is None else np.where(valid[tile.local], inner, np.nan)


def _write_classes(
    model: Model,
    smoothing: Smoothing | None,
    planes: Array,
    posterior: Array,
    tile: Tile,
    valid: Array | None,
    labels: Array | None,
    probabilities: Array | None,
) -> None:
    if smoothing is None and probabilities is None and labels is not None:
        flat = np.empty(planes.shape[1], np.uint8)
        samples.classify(planes, model.arguments_of, flat, 1)
        labels[...] = flat.reshape(tile.shape)
    else:
        ones = [1] * len(tile.shape)
        samples.posterior(planes, model.arguments_of, posterior, None)
        posterior = posterior.reshape(model.k, *tile.shape)
        if smoothing is not None:
            guide = planes[: model.n_guides].reshape(-1, *tile.shape)
            if samples.has_missing(guide):
                guide = np.where(np.isnan(guide), np.float32(model.center[: model.n_guides]).reshape(-1, *ones), guide)
            smoothing.apply(posterior, guide, valid, tile.local, labels=labels, probabilities=probabilities)
        else:
            if probabilities is not None:
                probabilities[...] = posterior
            if labels is not None:
                labels[...] = posterior.argmax(axis=0) + 1
    if valid is not None:
        missing = ~valid[tile.local]
        for part in (labels, probabilities):
            if part is not None:
                part[..., missing] = 0
