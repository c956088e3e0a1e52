"""A layer as a dask array: one task a chunk, which reads its window and computes what a single process would."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gmmseg.checks import whole_number
from gmmseg.errors import ParameterError, warn
from gmmseg.extras import require
from gmmseg.image.sources import ArraySource
from gmmseg.io.contents import Contents
from gmmseg.labelling.chunks import ChunkWork, chunk_sides, chunks_of, label_chunk
from gmmseg.labelling.layers import Layer, layer_named

if TYPE_CHECKING:
    from gmmseg.labelling.result import Segmentation

__all__ = ["labelled_layer", "layer_of", "work_on"]

_MOST_SENT = 64 << 20
"""Bytes that are sent to every worker without a word."""


def layer_of(found: Segmentation, name: str, chunk: int | None = None) -> Any:
    """Return a layer of a segmentation as a dask array, see `Segmentation.to_dask`.

    Raises
    ------
    ParameterError
        The layer, or cleaned labels, are not of single windows.
    """
    layer = layer_named(name)
    if layer.corrects:
        raise ParameterError(f"layer={name!r} is not computed chunk by chunk; use `Segmentation.save`")
    if layer.name == "labels" and found.min_size > 1:
        raise ParameterError(
            f"{found.image.name}: regions of at least {found.min_size} pixels are of the whole image, no chunk tells "
            "them; take the labels before `clean`"
        )
    return _lazy_layer(work_on(found, layer), chunk)


def work_on(found: Segmentation, layer: Layer) -> ChunkWork:
    """Return what is done with each chunk of a segmentation: without what workers have no use for."""
    rule = found.rule if found.image.time else found.rule.measured(found.image)
    return ChunkWork(replace(found.image, metadata={}), replace(rule, blocks=None), layer)


def labelled_layer(found: Segmentation, name: str, chunk: int | None = None) -> Any:
    """Return a layer of a segmentation as an array of xarray, see `Segmentation.to_xarray`."""
    from gmmseg.io.labelled_arrays import labelled  # here, because dask arrays need no xarray

    layer = layer_named(name)
    whole = found.image.in_memory and chunk is None
    values = getattr(found, name) if whole else layer_of(found, name, chunk)
    names = (name,) if layer.kind == "map" else found.model.class_names
    options = {"occupancy": True} if layer.kind == "soft" and found.rule.partial is not None else {}
    contents = Contents(layer.kind, found.image.shape, layer.dtype, names, found.image, options)
    return labelled(values, contents, layer.nodata)


def _lazy_layer(work: ChunkWork, chunk: int | None = None) -> Any:
    """Return a layer as a dask array (*spatial), or (K, *spatial) of probabilities.

    Parameters
    ----------
    work : ChunkWork
    chunk : int, optional
        Side of its chunks, see `gmmseg.labelling.chunks.chunk_sides`.

    Warns
    -----
    DataWarning
        Pixels, masks or prior maps in memory have to be sent to every worker, and are large.

    Notes
    -----
    The graph has a task for each chunk and one for what they have in common, besides that of a dask array that the
    pixels come from. A task depends on those chunks of it which its window touches; of a file it reads the window.
    """
    array = require("dask.array", "dask", "lazy results need")
    if chunk is not None:
        chunk = whole_number("chunk", chunk, 1, None)
    _warn_of_weight(work)
    sides = chunk_sides(work.image, chunk)
    name = f"gmmseg-{work.layer.name}-{uuid.uuid4().hex}"
    common, soft = f"{name}-work", work.layer.kind == "soft"
    tasks: dict[Any, Any] = {common: work}
    spec = require("dask._task_spec", "dask", "lazy results need")  # the tuples of old cost as much again to convert
    shared = spec.TaskRef(common)
    for each, keys in chunks_of(work, sides):
        place = (name, 0, *each.number) if soft else (name, *each.number)
        tasks[place] = spec.Task(place, label_chunk, shared, each, *map(spec.TaskRef, keys))
    graph = require("dask.highlevelgraph", "dask", "lazy results need").HighLevelGraph.from_collections(
        name, tasks, dependencies=[lazy.array for lazy in work.lazy]
    )
    chunks = ((work.rule.model.k,), *sides) if soft else sides
    return array.Array(graph, name, chunks, dtype=np.dtype(work.layer.dtype))


def _warn_of_weight(work: ChunkWork) -> None:
    """Say so where arrays are sent along that are better read by the workers."""
    image, guidance = work.image, work.rule.guidance
    arrays = [image.pixels.array if isinstance(image.pixels, ArraySource) else None, image.valid]
    arrays += [] if guidance is None else [each for each in vars(guidance).values() if isinstance(each, np.ndarray)]
    n_bytes = sum(each.nbytes for each in arrays if each is not None)
    if n_bytes > _MOST_SENT:
        warn(
            f"{image.name}: {n_bytes / 1e6:.0f} MB of arrays in memory are sent to every worker; give the path of a "
            "file, or a dask array, which the workers read themselves"
        )
