"""Tiles: a layer of an image in memory is computed part by part, each with what its result depends on around it."""

from __future__ import annotations

import math
import threading
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from gmmseg.arrays import Array
from gmmseg.effort import Effort
from gmmseg.features.contrast import contrast
from gmmseg.features.feature import spread
from gmmseg.image import Image
from gmmseg.image.windows import Tile, Window, everything, shape_of, shifted, tile_sides, tiles, widened
from gmmseg.labelling.layers import Layer
from gmmseg.mixture import patterns
from gmmseg.mixture.anomaly import p_values
from gmmseg.model import Model
from gmmseg.records import dataclass, replace
from gmmseg.spatial.enlarging import GRAIN
from gmmseg.spatial.grain import Grain, put_together
from gmmseg.spatial.smoothing import Smoothing
from gmmseg.threads import mapped

if TYPE_CHECKING:
    from gmmseg.features.recipe import Recipe
    from gmmseg.spatial.bias import BiasField
    from gmmseg.spatial.guidance import Guidance

__all__ = ["Rule", "empty_layer", "visit"]

# Working memory of one tile. With twice as much a photograph of 12 megapixels would take a tenth more memory, for a
# twentieth of the time of its labels.
TILE_BYTES = 4 << 20
_VOLUMES = 6  # times as much for a tile of a volume, whose halo is wide: 7 to 15 % of the labels of brains
_REGISTER = 32  # the most numbers, of 16 bits, that the kernels take at a time


@dataclass(frozen=True, eq=False)
class Rule:
    """By what the classes of an image's pixels are decided.

    Parameters
    ----------
    model : Model
    guidance : Guidance, optional
        Scribbles and prior maps of the whole image.
    variation : ndarray, shape (c,), optional
        Contrast of the whole image, where the model remembers none and it is known already; see
        `gmmseg.features.contrast.contrast`.
    bias : BiasField, optional
        Taken out of the pixels first.
    partial : Model, optional
        Of pure classes and mixtures of two: probabilities are fractions by it, see `gmmseg.mixture.partial_volume`.
    blocks : tuple of Image, optional
        A whole image and what it was put together to by the model's grain, where that is known already: to find
        it takes as long as all the rest.
    """

    model: Model
    guidance: Guidance | None = None
    variation: Array | None = None
    bias: BiasField | None = None
    partial: Model | None = None
    blocks: tuple[Image, Image] | None = None

    @property
    def contrast(self) -> Array | None:
        """Contrast by which edges are told; None where each image has to be measured first."""
        return self.variation if self.model.contrast is None else self.model.contrast

    def measured(self, image: Image) -> Rule:
        """Return the rule with the contrast of a whole image, which no window of it tells."""
        known = self.contrast is not None
        return self if known else replace(self, variation=contrast(image, self.model.recipe))

    def smoothing(self, image: Image) -> Smoothing:
        """Return how the neighbourhood is heard in this image, or in the image that this is a window of."""
        variation = contrast(image, self.model.recipe) if self.contrast is None else self.variation
        return self.model.smoothing(image.spacing or (1.0,) * image.ndim, variation)


def empty_layer(layer: Layer, model: Model, shape: tuple[int, ...]) -> Array:
    """Return an array for a layer of this shape, filled with what stands for no data."""
    shape = (model.k, *shape) if layer.kind == "soft" else shape
    # Zeros cost nothing until they are written, which is then done by all threads.
    return np.zeros(shape, layer.dtype) if layer.nodata == 0 else np.full(shape, layer.nodata, layer.dtype)


def visit(
    image: Image, rule: Rule, layer: Layer, out: Array, *, within: Window | None = None, effort: Effort | None = None
) -> None:
    """Compute a layer of an image in memory, tile by tile.

    Parameters
    ----------
    image : Image
    rule : Rule
        Layers that depend on the neighbourhood are smoothed as its model says.
    layer : Layer
        One that is not of the bias field.
    out : ndarray
        Of `empty_layer`, of the image's shape or that of the window `within` it. The same for any tiles and threads.
    within : tuple of slice, optional
    effort : Effort, optional
        Its progress is called with the number of tiles done and of all tiles.
    """
    effort = effort or Effort()
    within = within or everything(image.shape)
    if rule.model.grain is not None:
        # What is drawn is of single pixels.
        if layer.smoothed and rule.guidance is None and rule.bias is None and image.ndim == 2:
            _visit_blocks(image, rule, rule.model.grain, layer, out, within, effort)
            return
        rule = replace(rule, model=replace(rule.model, grain=None))
    halo = _computed_around(rule.model, layer, image)
    # Parts and messages of the classes are few where only labels of pixels are wanted: most are beyond doubt. Smoothed
    # ones take position along its axes.
    of_each = 2.0 if layer.kind != "soft" and image.ndim == 2 else 4.0
    planes = len(rule.model.scale)
    if halo and layer.name == "labels" and image.ndim == 2:
        of_each, planes = 1.5, rule.model.recipe.n_guides(image)
    floats = of_each * rule.model.k + planes + 3**image.ndim // 8
    numbers = int(TILE_BYTES * (_VOLUMES if image.ndim == 3 else 1) / (4 * floats))
    sides = tile_sides(shape_of(within), numbers, halo // 2)  # smoothing computes half of a halo
    sides = (*sides[:-1], _in_registers(sides[-1], halo, within[-1].stop - within[-1].start))
    jobs = list(tiles(image.shape, sides, halo, within=within))
    work, start = _Work(image, rule, layer, smoothed=halo > 0), tuple(-s.start for s in within)

    def compute(whole: Tile) -> None:
        tile = _with_data(whole, image, halo)
        if tile is None:
            return
        inner: tuple[Any, ...] = (..., *shifted(tile.inner, start))
        work.compute(tile, out[inner])

    for done, _ in enumerate(mapped(compute, jobs, min(effort.workers, len(jobs))), 1):
        if effort.progress is not None:
            effort.progress(done, len(jobs))


def _in_registers(side: int, halo: int, n: int) -> int:
    """Make the rows of a tile, with the halo, whole registers: of all but those at the border of the image."""
    whole = (side + 2 * halo) // _REGISTER * _REGISTER - 2 * halo
    if side >= n or whole <= 6 * halo:
        return side
    narrow = 0 < n % whole < whole // 4  # the last one, which has as wide a halo as any
    return whole + _REGISTER * narrow


def _visit_blocks(
    image: Image, rule: Rule, grain: Grain, layer: Layer, out: Array, within: Window, effort: Effort
) -> None:
    """Compute a layer of blocks of pixels, each of which has what its block has."""
    whole, together = rule.blocks or (None, None)
    together = together if together is not None and whole is image else put_together(image, grain)
    rule = replace(rule, model=replace(rule.model, grain=None), blocks=None)
    window = shifted(shifted(within, tuple(s.start for s in image.window)), grain.begin)
    blocks = tuple(slice(s.start // GRAIN, -(-s.stop // GRAIN)) for s in window)
    found = empty_layer(layer, rule.model, shape_of(blocks))
    visit(together, rule, layer, found, within=shifted(blocks, tuple(-s.start for s in together.window)), effort=effort)
    for corner in np.ndindex(GRAIN, GRAIN):
        first = [s.start + (c - s.start) % GRAIN for s, c in zip(window, corner, strict=True)]
        pixels: Any = tuple(slice(f - s.start, None, GRAIN) for f, s in zip(first, window, strict=True))
        theirs: Any = tuple(
            slice(f // GRAIN - b.start, (s.stop - 1 - f) // GRAIN + f // GRAIN + 1 - b.start)
            for f, s, b in zip(first, window, blocks, strict=True)
        )
        out[..., *pixels] = found[..., *theirs]
    if image.valid is not None:
        out[..., ~image.valid[within]] = layer.nodata


def _with_data(tile: Tile, image: Image, halo: int) -> Tile | None:
    """Return a tile that ends where data do; None where there are none. It saves a third of the time for a brain."""
    if image.valid is None:
        return tile
    valid = image.valid[tile.inner]
    inner = []
    for axis, along in enumerate(tile.inner):
        found = np.flatnonzero(valid.any(axis=tuple(other for other in range(valid.ndim) if other != axis)))
        if not len(found):
            return None
        inner.append(slice(along.start + int(found[0]), along.start + int(found[-1]) + 1))
    return Tile(widened(tuple(inner), halo, image.shape), tuple(inner))


def _computed_around(model: Model, layer: Layer, image: Image) -> int:
    """How many pixels around a window are computed for the layer there; those that only features need are not."""
    return model.halo(image, smoothed=layer.smoothed) - model.recipe.context(image)


class _ThreadMemory(threading.local):
    """Arrays that a thread keeps from tile to tile: touching fresh memory would cost as much as the densities."""

    def __init__(self) -> None:
        self.flat: dict[str, Array] = {}

    def take(self, name: str, rows: int, columns: int) -> Array:
        """Return an uninitialised float32 array (rows, columns), valid until the name is taken again."""
        if name not in self.flat or self.flat[name].size < rows * columns:
            self.flat[name] = np.empty(rows * columns, np.float32)
        return self.flat[name][: rows * columns].reshape(rows, columns)


class _Features:
    """Features of a window, whose position is written as planes only where these are asked for."""

    def __init__(self, recipe: Recipe, image: Image, window: Window, memory: Array) -> None:
        self.own, self.places = recipe.parts(image, window, memory)
        self._shape, self._memory = shape_of(window), memory

    @cached_property
    def planes(self) -> Array:
        """All planes (n_features, n)."""
        spread(self.places, self._shape, self._memory[len(self.own) :])
        return self._memory


class _Work:
    """What is done with each tile of one visit."""

    def __init__(self, image: Image, rule: Rule, layer: Layer, *, smoothed: bool) -> None:
        self.image, self.rule, self.layer, self.memory = image, rule, layer, _ThreadMemory()
        self.smoothing = rule.smoothing(image) if smoothed else None
        decides = rule.model.complete
        self.model = decides if self.smoothing is None else decides.among_neighbours

    def compute(self, tile: Tile, out: Array) -> None:
        """Compute the layer in the inner part of a tile, into `out`; where there is no data it stays as it is."""
        image, model = self.image, self.model
        valid = None if image.valid is None else image.valid[tile.outer]
        n = math.prod(tile.shape)
        window, source = tile.outer, image
        if self.rule.bias is not None:
            window, source = everything(tile.shape), self.rule.bias.correct(image.crop(tile.outer))
        features = _Features(model.recipe, source, window, self.memory.take("planes", len(model.scale), n))
        if self.layer.name == "log_density":
            out[...] = model.log_density(features.planes).reshape(tile.shape)[tile.local]
        elif self.layer.name == "anomaly":
            out[...] = p_values(features.planes, model.arguments_of).reshape(tile.shape)[tile.local]
        elif self.layer.name == "uncertainty":
            posterior = np.empty((self.rule.model.k, *shape_of(tile.inner)), np.float32)
            self._classes(features, tile, valid, "probabilities", posterior)
            largest = posterior.max(axis=0)
            out[...] = np.where(largest > 0, 1 - largest, self.layer.nodata)
        else:
            self._classes(features, tile, valid, self.layer.name, out)
        if valid is not None:
            np.copyto(out, self.layer.nodata, where=~valid[tile.local])

    def _classes(self, features: _Features, tile: Tile, valid: Array | None, name: str, out: Array) -> None:
        """Write the labels or the probabilities of a tile, those of pixels without data too; what is dropped is 0."""
        k = self.rule.model.k
        if self.model.k == k:
            self._decide(features, tile, valid, name, out)
        elif name == "labels":
            self._decide(features, tile, valid, name, out)
            out[out > k] = 0
        else:
            every = np.empty((k + 1, *out.shape[1:]), np.float32)
            self._decide(features, tile, valid, name, every)
            out[...] = every[:k] * (every.argmax(axis=0) < k)

    def _decide(self, features: _Features, tile: Tile, valid: Array | None, name: str, out: Array) -> None:
        """Write the labels or the probabilities of all classes."""
        model, guidance = self.model, self.rule.guidance
        where = shifted(tile.outer, self.image.origin or (0,) * self.image.ndim)
        log_prior = None if guidance is None else guidance.log_prior(model.k, where)
        decided = name == "labels" and log_prior is None and model.has_whole_components
        if decided and self.smoothing is None:
            flat = np.empty(math.prod(tile.shape), np.uint8)
            patterns.classify(features.planes, model.classes_of, flat, 1)
            out[...] = flat.reshape(tile.shape)
            return
        if self.rule.partial is not None and self.layer.name == "probabilities":
            from gmmseg.model.fractions import fractions_of  # here, because most runs take pixels for pure

            shape = (1,) * (3 - len(tile.shape)) + tile.shape
            there = np.ones(tile.shape, bool) if valid is None else valid
            heard = None if self.smoothing is None else self.smoothing.neighbours
            found = fractions_of(self.rule.partial, features.planes, there.reshape(shape), heard, log_prior)
            out[...] = found.reshape(-1, *tile.shape)[(slice(None), *tile.local)]
            return
        if decided and self.smoothing is not None:
            own = features.own.reshape(-1, *tile.shape)
            if self.smoothing.classify(own, features.places, model.classes_of(None), valid, tile.local, out):
                return
        planes = features.planes
        posterior = self.memory.take("posterior", model.k, planes.shape[1])
        known = model.posterior(planes, posterior, log_prior)
        posterior = posterior.reshape(model.k, *tile.shape)
        if self.smoothing is not None:
            guide = planes[: len(self.smoothing.sharpness)].reshape(-1, *tile.shape)
            if not known and patterns.has_missing(guide):
                center = np.float32(model.center[: len(guide)]).reshape(-1, *[1] * len(tile.shape))
                guide = np.where(np.isnan(guide), center, guide)
            self.smoothing.apply(posterior, guide, valid, tile.local, **{name: out})
        elif name == "labels":
            out[...] = posterior.argmax(axis=0) + 1
        else:
            out[...] = posterior
