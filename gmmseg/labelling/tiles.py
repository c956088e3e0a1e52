"""Windows over an image, each with the halo that its result depends on, and the worker that computes one."""

from __future__ import annotations

import math
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gmmseg.features.contrast import contrast
from gmmseg.image import Image
from gmmseg.image.windows import Tile, Window, everything, shape_of, shifted, tile_sides, tiles
from gmmseg.labelling.layers import Layer, Progress, smoothing_halo
from gmmseg.mixture import patterns
from gmmseg.mixture.anomaly import p_values
from gmmseg.model import Model
from gmmseg.spatial.guidance import Guidance
from gmmseg.spatial.smoothing import Smoothing

if TYPE_CHECKING:
    from gmmseg.spatial.bias import BiasField

__all__ = ["visit"]

Array = NDArray[Any]

TILE_BYTES = 8 << 20  # working memory of one tile: larger ones leave the cache, smaller ones are mostly halo


def visit(
    image: Image,
    model: Model,
    layer: Layer,
    out: Array,
    *,
    guidance: Guidance | None = None,
    variation: Array | None = None,
    bias: BiasField | None = None,
    within: Window | None = None,
    threads: int = 1,
    progress: Progress | None = None,
) -> None:
    """Compute a layer of an image in memory, tile by tile.

    Parameters
    ----------
    image : Image
    model : Model
    layer : str
        Labels and probabilities are smoothed as the model says.
    out : ndarray
        Of `empty_layer`, of the image's shape or that of the window `within` it. The same for any tiles and threads.
    guidance : Guidance, optional
    variation : ndarray, optional
        Contrast of the whole image, where this is a part of it.
    bias : BiasField, optional
        Taken out of the pixels before they are classified.
    within : tuple of slice, optional
    threads : int
    progress : callable, optional
        Called with the number of tiles done and of all tiles.
    """
    smoothing, halo = None, smoothing_halo(model, layer)
    if halo:
        variation = contrast(image, model.recipe) if variation is None else variation
        spacing = image.spacing or (1.0,) * image.ndim
        smoothing = Smoothing.of(model.strength, variation, model.scale[: len(variation)], spacing)
        model = model.among_neighbours
    within = within or everything(image.shape)
    floats = 4 * model.k + len(model.scale) + 3**image.ndim // 8
    sides = tile_sides(shape_of(within), TILE_BYTES // (4 * floats), halo // 2)  # smoothing computes half of a halo
    jobs = list(tiles(image.shape, sides, halo, within=within))
    memory, start = _ThreadMemory(), tuple(-s.start for s in within)

    def work(tile: Tile) -> None:
        valid = None if image.valid is None else image.valid[tile.outer]
        if valid is not None and not valid[tile.local].any():
            return
        n = math.prod(tile.shape)
        window, source = tile.outer, image
        if bias is not None:
            window, source = everything(tile.shape), bias.correct(image.crop(tile.outer))
        planes = model.recipe.planes(source, window, out=memory.take("planes", len(model.scale), n))
        inner: tuple[Any, ...] = (..., *shifted(tile.inner, start))
        part = out[inner]
        if layer == "log_density":
            density = np.empty(n, np.float32)
            patterns.posterior(planes, partial(model.arguments_of, outliers=True), None, density)
            _write_valid(density, tile, valid, part)
        elif layer == "anomaly":
            _write_valid(p_values(planes, model.arguments_of), tile, valid, part)
        else:
            posterior = memory.take("posterior", model.k, n)
            where = shifted(tile.outer, image.origin or (0,) * image.ndim)
            log_prior = None if guidance is None else guidance.log_prior(model.k, where)
            _write_classes(model, smoothing, planes, posterior, log_prior, tile, valid, layer, part)

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


def _write_valid(values: Array, tile: Tile, valid: Array | None, out: Array) -> None:
    inner = values.reshape(tile.shape)[tile.local]
    out[...] = inner if valid is None else np.where(valid[tile.local], inner, np.nan)


def _write_classes(
    model: Model,
    smoothing: Smoothing | None,
    planes: Array,
    posterior: Array,
    log_prior: Array | None,
    tile: Tile,
    valid: Array | None,
    layer: Layer,
    out: Array,
) -> None:
    if smoothing is None and layer == "labels" and log_prior is None:
        flat = np.empty(planes.shape[1], np.uint8)
        patterns.classify(planes, model.arguments_of, flat, 1)
        out[...] = flat.reshape(tile.shape)
    else:
        patterns.posterior(planes, model.arguments_of, posterior, None, log_prior=log_prior)
        posterior = posterior.reshape(model.k, *tile.shape)
        if smoothing is not None:
            guide = planes[: len(smoothing.sharpness)].reshape(-1, *tile.shape)
            if patterns.has_missing(guide):
                center = np.float32(model.center[: len(guide)]).reshape(-1, *[1] * len(tile.shape))
                guide = np.where(np.isnan(guide), center, guide)
            smoothing.apply(posterior, guide, valid, tile.local, **{layer: out})
        elif layer == "labels":
            out[...] = posterior.argmax(axis=0) + 1
        else:
            out[...] = posterior
    if valid is not None:
        out[..., ~valid[tile.local]] = 0
