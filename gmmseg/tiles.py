"""Windows over an image, each with the halo that its result depends on, and the worker that computes one."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmseg.guidance import Guidance
from gmmseg.image import Image
from gmmseg.mixture import samples
from gmmseg.mixture.anomaly import p_values
from gmmseg.model import Model
from gmmseg.sampling import contrast
from gmmseg.spatial.smoothing import HALO, Smoothing
from gmmseg.windows import Tile, Window, everything, shape_of, shifted, tile_sides, tiles

__all__ = ["Progress", "halo_of", "visit"]

Array = NDArray[Any]
Progress = Callable[[int, int], None]

TILE_BYTES = 8 << 20  # working memory of one tile: larger ones leave the cache, smaller ones are mostly halo


def visit(
    image: Image,
    model: Model,
    *,
    labels: Array | None = None,
    probabilities: Array | None = None,
    log_density: Array | None = None,
    anomaly: Array | None = None,
    guidance: Guidance | None = None,
    variation: Array | None = None,
    within: Window | None = None,
    threads: int = 1,
    progress: Progress | None = None,
) -> None:
    """Compute the outputs that are given, filled with 0 (densities: NaN) before, tile by tile.

    Either labels and probabilities, or log density, or anomaly, of the shape of the image, which is in memory, or of a
    window `within` it. Labels and probabilities are smoothed as the model says; each output is the same for any tiles
    and threads. `variation` is the contrast of the whole image, where this is a part of it.
    """
    smoothing = None
    single = log_density is not None or anomaly is not None  # each pixel for itself
    halo = 0 if single else halo_of(model)
    if halo:
        smoothing = _smoothing(image, model, contrast(image, model.recipe) if variation is None else variation)
    within = within or everything(image.shape)
    floats = 4 * model.k + len(model.scale) + 3**image.ndim // 2
    sides = tile_sides(shape_of(within), TILE_BYTES // (4 * floats), halo)
    jobs = list(tiles(image.shape, sides, halo, within=within))
    memory, start = _ThreadMemory(), tuple(-s.start for s in within)

    def work(tile: Tile) -> None:
        valid = None if image.valid is None else image.valid[tile.outer]
        if valid is not None and not valid[tile.local].any():
            return
        n = math.prod(tile.shape)
        inner = shifted(tile.inner, start)
        planes = model.recipe.planes(image, tile.outer, out=memory.take("planes", len(model.scale), n))
        if log_density is not None:
            density = np.empty(n, np.float32)
            samples.posterior(planes, partial(model.arguments_of, outliers=True), None, density)
            _write_valid(density, tile, valid, log_density[inner])
        elif anomaly is not None:
            _write_valid(p_values(planes, model.arguments_of), tile, valid, anomaly[inner])
        else:
            label_part = None if labels is None else labels[inner]
            soft_part = None if probabilities is None else probabilities[:, *inner]
            posterior = memory.take("posterior", model.k, n)
            where = shifted(tile.outer, image.origin or (0,) * image.ndim)
            log_prior = None if guidance is None else guidance.log_prior(model.k, where)
            _write_classes(model, smoothing, planes, posterior, log_prior, tile, valid, label_part, soft_part)

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


def halo_of(model: Model) -> int:
    """How many pixels around a window its labels depend on."""
    return HALO if model.strength > 0 and model.k > 1 else 0


def _smoothing(image: Image, model: Model, variation: Array) -> Smoothing:
    total = float((variation / model.scale[: model.n_guides] ** 2).sum())
    sharpness = math.sqrt(0.5 / total) if total > 0 else 0.0
    spacing = image.spacing or (1.0,) * image.ndim
    return Smoothing(model.strength, sharpness / model.scale[: model.n_guides], spacing)


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
    labels: Array | None,
    probabilities: Array | None,
) -> None:
    if smoothing is None and probabilities is None and labels is not None and log_prior is None:
        flat = np.empty(planes.shape[1], np.uint8)
        samples.classify(planes, model.arguments_of, flat, 1)
        labels[...] = flat.reshape(tile.shape)
    else:
        ones = [1] * len(tile.shape)
        samples.posterior(planes, model.arguments_of, posterior, None, log_prior=log_prior)
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
