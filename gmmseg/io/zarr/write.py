"""Writing label maps as Zarr: labels of OME-Zarr 0.5 with colours, names and coarser levels, or a plain array."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from gmmseg.extras import require
from gmmseg.image import Image
from gmmseg.image.windows import Window
from gmmseg.io.blocks import Plan, StoredPart, blocks_of
from gmmseg.io.contents import Contents, refuse_options
from gmmseg.io.palette import palette
from gmmseg.io.tiff.segments import encoded
from gmmseg.io.zarr.metadata import UNITS, UNITS_OF_TIME

__all__ = ["packing", "write"]

_SIDE = 1024  # of a chunk: what a viewer fetches at a time
_VERSION = "0.5"


def write(
    path: Path, contents: Contents, windows: Iterable[tuple[Window, np.ndarray | StoredPart]]
) -> dict[str, bytes]:
    """Write labels to a new folder, as their windows come; one writer alone touches a chunk.

    Parameters
    ----------
    path : Path
        A temporary name.
    contents : Contents
        Of labels. Option "plain" (bool): an array alone, without levels, names and colours.
    windows : iterable of (tuple of slice, ndarray or StoredPart)
        Together all of the shape, each pixel once.

    Notes
    -----
    The library writes what describes the arrays. Chunks are encoded where their pixels are, and written once.
    """
    refuse_options(contents)
    zarr, plan = require("zarr", "zarr", "Zarr files need"), packing(contents)
    plain = contents.options.get("plain")
    places = [path] if plain else [path / str(level) for level in range(plan.n_levels)]
    if not plain:
        zarr.open_group(str(path), mode="w-", zarr_format=3).attrs["ome"] = _facts(contents, plan.n_levels)
    for level, place in enumerate(places):
        zarr.create_array(
            str(place),
            shape=plan.shape_at(level),
            chunks=(*[1] * (len(plan.shape) - 2), *plan.sides),
            dtype=plan.dtype,
            fill_value=0,
            compressors=zarr.codecs.ZstdCodec(level=0),
            zarr_format=3,
        )
    for (level, *index), data in encoded(blocks_of(plan, windows), plan.encode):
        if data:
            file = places[level].joinpath("c", *map(str, index))
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
    return {}


def packing(contents: Contents) -> Plan:
    """Return how labels are stored: in chunks of one plane, down to a resolution that a viewer shows whole."""
    rows, columns = contents.shape[-2:]
    n_levels = 1
    while not contents.options.get("plain") and max(rows, columns) > _SIDE << (n_levels - 1):
        n_levels += 1
    sides = min(_SIDE, rows), min(_SIDE, columns)
    return Plan(contents.shape, np.dtype(contents.dtype), sides, n_levels, codec="zstd")


def _facts(contents: Contents, n_levels: int) -> dict[str, Any]:
    """Return the metadata of a label image: axes, levels, colours and names."""
    image, n = contents.image, len(contents.shape)
    time = image is not None and image.time
    names = ("t",) * time + ("z", "y", "x")[3 - n + time :]
    spacing = (1.0,) * (n - time) if image is None or image.spacing is None else image.spacing
    unit = None if image is None or image.place is None else image.place.unit
    word = next((word for word, known in UNITS.items() if known == unit), None)
    step, word_of_time = _interval(image)
    axes = [
        {"name": "t", "type": "time"} | ({} if word_of_time is None else {"unit": word_of_time})
        if name == "t"
        else {"name": name, "type": "space"} | ({} if word is None else {"unit": word})
        for name in names
    ]
    datasets = []
    for number in range(n_levels):
        steps = [*spacing[:-2], *(side * 2**number for side in spacing[-2:])]
        moved = [0.0] * (n - 2) + [side * (2**number - 1) / 2 for side in spacing[-2:]]
        changes = [{"type": "scale", "scale": [step] * time + steps}]
        changes += [{"type": "translation", "translation": moved}] if number else []
        datasets.append({"path": str(number), "coordinateTransformations": changes})
    colors = palette(len(contents.names)).tolist()
    about = {
        "version": _VERSION,
        "colors": [{"label-value": i, "rgba": [*colors[i], 255 * (i > 0)]} for i in range(len(contents.names) + 1)],
        "properties": [{"label-value": i, "name": name} for i, name in enumerate(contents.names, 1)],
    }
    multiscales = [{"name": "labels", "axes": axes, "datasets": datasets, "type": "mode"}]
    return {"version": _VERSION, "multiscales": multiscales, "image-label": about}


def _interval(image: Image | None) -> tuple[float, str | None]:
    """Return the interval of frames and its unit; 1 of none where it is not known."""
    interval = None if image is None or image.place is None else image.place.interval
    if interval is None:
        return 1.0, None
    step, unit = interval
    return step, next(word for word, known in UNITS_OF_TIME.items() if known == unit)
