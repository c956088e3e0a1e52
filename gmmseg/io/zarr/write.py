"""Writing label maps as Zarr: labels of OME-Zarr 0.5 with colours, names and coarser levels, or a plain array."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from gmmseg.extras import require
from gmmseg.image.windows import Window
from gmmseg.io.contents import Contents, refuse_options
from gmmseg.io.palette import palette
from gmmseg.io.zarr.metadata import UNITS

__all__ = ["most_frequent", "write"]

_SIDE = 1024  # of a chunk: what a viewer fetches at a time
_AT_ONCE = 4096  # pixels along each axis that are made coarser at a time; whole chunks of both levels
_VERSION = "0.5"


def write(path: Path, contents: Contents, windows: Iterable[tuple[Window, np.ndarray]]) -> dict[str, bytes]:
    """Write labels to a new folder, as their windows come; one writer alone touches a chunk.

    Parameters
    ----------
    path : Path
        A temporary name.
    contents : Contents
        Of labels. Option "plain" (bool): an array alone, without levels, names and colours.
    windows : iterable of (tuple of slice, ndarray)
        Together all of the shape, each pixel once.
    """
    refuse_options(contents)
    zarr = require("zarr", "zarr", "Zarr files need")
    if contents.options.get("plain"):
        _filled(zarr.create_array(str(path), **_stored(contents.shape, contents.dtype)), windows)
        return {}
    group = zarr.open_group(str(path), mode="w-", zarr_format=3)
    level = group.create_array("0", **_stored(contents.shape, contents.dtype))
    _filled(level, windows)
    count = 1
    while max(level.shape[-2:]) > _SIDE:
        shape = (*level.shape[:-2], *(-(-n // 2) for n in level.shape[-2:]))
        coarser = group.create_array(str(count), **_stored(shape, contents.dtype))
        for fine, coarse in _blocks(shape, level.shape):
            coarser[coarse] = most_frequent(level[fine])
        level, count = coarser, count + 1
    group.attrs["ome"] = _facts(contents, count)
    return {}


def _stored(shape: tuple[int, ...], dtype: str) -> dict[str, Any]:
    chunks = (*[1] * (len(shape) - 2), *(min(_SIDE, n) for n in shape[-2:]))
    return {"shape": shape, "dtype": dtype, "chunks": chunks, "fill_value": 0}


def _filled(array: Any, windows: Iterable[tuple[Window, np.ndarray]]) -> None:
    for window, values in windows:
        array[window] = values


def _blocks(shape: tuple[int, ...], finer: tuple[int, ...]) -> Iterator[tuple[Window, Window]]:
    """Yield parts of a level and of the finer one below it."""
    for plane in np.ndindex(shape[:-2]):
        deep = tuple(slice(number, number + 1) for number in plane)
        for row in range(0, shape[-2], _AT_ONCE // 2):
            for column in range(0, shape[-1], _AT_ONCE // 2):
                starts = list(zip((row, column), shape[-2:], finer[-2:], strict=True))
                coarse = tuple(slice(start, min(start + _AT_ONCE // 2, n)) for start, n, _ in starts)
                fine = tuple(slice(2 * start, min(2 * start + _AT_ONCE, n)) for start, _, n in starts)
                yield (*deep, *fine), (*deep, *coarse)


def most_frequent(labels: np.ndarray) -> np.ndarray:
    """Return labels at half the resolution of the last two axes: the most frequent of four, 0 where all are.

    Of labels that are equally frequent the upper left one is taken.

    Examples
    --------
    >>> most_frequent(np.uint8([[1, 2, 3], [2, 0, 0]]))
    array([[2, 3]], dtype=uint8)
    """
    rows, columns = labels.shape[-2:]
    room = [(0, 0)] * (labels.ndim - 2) + [(0, rows % 2), (0, columns % 2)]
    even = np.pad(labels, room)
    four = [even[..., i::2, j::2] for i in (0, 1) for j in (0, 1)]
    best, votes = np.zeros_like(four[0]), np.zeros(four[0].shape, np.int8)
    for each in four:
        own = sum((each == other).astype(np.int8) for other in four) * (each != 0)
        better = own > votes
        best[better], votes[better] = each[better], own[better]
    return best


def _facts(contents: Contents, n_levels: int) -> dict[str, Any]:
    """Return the metadata of a label image: axes, levels, colours and names."""
    image, n = contents.image, len(contents.shape)
    time = image is not None and image.time
    names = ("t",) * time + ("z", "y", "x")[3 - n + time :]
    spacing = (1.0,) * (n - time) if image is None or image.spacing is None else image.spacing
    unit = None if image is None or image.place is None else image.place.unit
    word = next((word for word, known in UNITS.items() if known == unit), None)
    axes = [
        {"name": "t", "type": "time"}
        if name == "t"
        else {"name": name, "type": "space"} | ({} if word is None else {"unit": word})
        for name in names
    ]
    datasets = []
    for number in range(n_levels):
        steps = [*spacing[:-2], *(step * 2**number for step in spacing[-2:])]
        moved = [0.0] * (n - 2) + [step * (2**number - 1) / 2 for step in spacing[-2:]]
        changes = [{"type": "scale", "scale": [1.0] * time + steps}]
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
