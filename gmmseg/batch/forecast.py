"""What workers will have to do for an image: chunks, bytes, memory and time, told from one task that is computed."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gmmseg.fitting.fit import fit_images
from gmmseg.fitting.options import FitOptions
from gmmseg.image import Image
from gmmseg.image.windows import shape_of
from gmmseg.labelling.chunks import ChunkWork, chunk_sides, chunks_of, joined, label_chunk, tasks_of
from gmmseg.labelling.layers import layer_named
from gmmseg.labelling.tiles import Rule
from gmmseg.model import Model
from gmmseg.platforms import peak_memory

__all__ = ["Forecast", "forecast"]


@dataclass(frozen=True)
class Forecast:
    """What workers will have to do for an image.

    Parameters
    ----------
    image : str
    shape : tuple of int
    chunks : int
    tasks : int
        Fewer than chunks where these are small, of which several are computed together.
    chunk : tuple of int
        Sides of the largest.
    halo : int
        Pixels that are read around each task.
    bytes_read : int
        Decoded, of all tasks together with what lies around them.
    read_twice : float
        By how much that is more than the image itself, as a part of it.
    memory : int, optional
        Bytes that this process took for one task, and so a worker will; None where the system does not tell it.
    core_hours : float
        Of all tasks, at the speed of this machine with this load.
    hours : float
        With so many workers.
    workers : int
    """

    image: str
    shape: tuple[int, ...]
    chunks: int
    tasks: int
    chunk: tuple[int, ...]
    halo: int
    bytes_read: int
    read_twice: float
    memory: int | None
    core_hours: float
    hours: float
    workers: int

    def as_dict(self) -> dict[str, Any]:
        """Return all of it, ready for JSON."""
        return asdict(self) | {"shape": list(self.shape), "chunk": list(self.chunk)}


def forecast(
    image: Image, *, workers: int, side: int | None = None, model: Model | None = None, k: int = 4
) -> Forecast:
    """Tell what workers will have to do for an image; a task in its middle is computed, and nothing written.

    Parameters
    ----------
    image : Image
        In its file.
    workers : int
    side : int, optional
        Of the chunks, in pixels; by default 4096.
    model : Model, optional
        That will be applied; by default one of k classes is fitted to that chunk.
    k : int
    """
    sides = chunk_sides(image, side)
    middle = tuple(
        slice(n // 2 - min(n, max(each)) // 2, n // 2 + -(-min(n, max(each)) // 2))
        for n, each in zip(image.shape, sides, strict=True)
    )
    if model is None:
        model = fit_images([image.frames[0].crop(middle[image.time :])], 1, FitOptions(k=k)).model
    work = ChunkWork(image, Rule(model), layer_named("labels"))
    found = [chunk for chunk, _ in chunks_of(work, sides)]
    tasks = [joined(run) for run in tasks_of(image, found, workers)]
    pixels = [math.prod(shape_of(task.tile.inner)) for task in tasks]
    sample = tasks[max(range(len(tasks)), key=lambda i: (pixels[i], -abs(i - len(tasks) // 2)))]
    start = time.perf_counter()
    label_chunk(work, sample)
    seconds = time.perf_counter() - start
    size = image.pixels.dtype.itemsize * image.n_channels
    read = size * sum(math.prod(shape_of(task.tile.outer)) for task in tasks)
    core_hours = seconds * image.n_pixels / math.prod(shape_of(sample.tile.inner)) / 3600
    at_once = min(workers, len(tasks))
    return Forecast(
        Path(image.name).name,
        image.shape,
        len(found),
        len(tasks),
        tuple(max(each) for each in sides[image.time :]),
        work.halo,
        read,
        read / (size * image.n_pixels) - 1,
        peak_memory(),
        core_hours,
        core_hours / at_once,
        workers,
    )
