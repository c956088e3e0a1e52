"""Chunks that workers compute as bytes: for the way to the driver, and for the disk until all of them are there."""

from __future__ import annotations

import io
import zlib
from functools import lru_cache
from typing import Any

import numpy as np

from gmmseg.errors import GmmsegError, described
from gmmseg.extras import require
from gmmseg.io.blocks import StoredPart
from gmmseg.labelling.chunks import Chunk, ChunkWork, Returned, compute_chunk, joined

__all__ = ["packed_chunks", "reason_of", "unpacked", "wire"]


def wire() -> Any:
    """Return how Dask itself sends objects from a driver to its workers; nothing on a disk is read so."""
    return require("distributed.protocol.pickle", "dask", "workers need")


@lru_cache(maxsize=4)
def _work_of(content: bytes) -> ChunkWork:
    """Return what is done with chunks, made once in a process: it takes as long as a small one."""
    work: ChunkWork = wire().loads(content)
    return work


def packed_chunks(content: bytes, run: list[Chunk]) -> list[tuple[list[Chunk], bytes | str]]:
    """Compute chunks together and pack them for the way and the disk, or say why they cannot be; in a worker."""
    try:
        work = _work_of(content)
        found = compute_chunk(work, joined(run))
    # One that cannot be read, whatever the reason, leaves the others as they are.
    except Exception as error:
        if len(run) == 1:
            return [(run, reason_of(error))]
        return [each for one in run for each in packed_chunks(content, [one])]
    values, none = found.values, np.zeros((0, 0))
    arrays = [none if each is None else each for each in (found.sampled, found.totals, *(found.heard or (None,) * 3))]
    arrays += [values] if work.packing is None else _arrays_of(work.packing.pack(found.window, values))
    buffer = io.BytesIO()
    for each in arrays:
        np.save(buffer, each, allow_pickle=False)
    # Probabilities are noise, which takes its time and stays as large, as do blocks.
    level = 1 if work.packing is None and values.dtype == np.uint8 else 0
    return [(run, zlib.compress(buffer.getbuffer(), level))]


def unpacked(chunk: Chunk, content: bytes) -> Returned:
    """Return what a chunk, or a run of them as one, was packed of."""
    buffer = io.BytesIO(zlib.decompress(content))
    arrays = []
    while buffer.tell() < len(buffer.getbuffer()):
        arrays.append(np.load(buffer, allow_pickle=False))
    sampled, totals = (each if each.size else None for each in arrays[:2])
    values = arrays[5] if len(arrays) == 6 else _stored_part(*arrays[5:])
    here, some, valid = arrays[2:5]
    return Returned(chunk.inner, values, sampled, totals, (here, some, valid) if here.size else None)


def _arrays_of(part: StoredPart) -> list[np.ndarray]:
    """Return keys and sizes of blocks, their bytes, places of shared pixels, their dtype, and those, compressed."""
    sizes = np.array([(*key, len(data)) for key, data in part.blocks], np.int64)
    data = np.frombuffer(b"".join(data for _, data in part.blocks), np.uint8)
    places = [(*key, r.start, r.stop, c.start, c.stop, pixels.shape[2]) for key, (r, c), pixels in part.shared]
    shared = [pixels.ravel() for *_, pixels in part.shared]
    pixels = np.concatenate(shared) if shared else np.zeros(0, np.uint8)
    stored = np.frombuffer(zlib.compress(pixels.data, 1), np.uint8)
    return [sizes, data, np.array(places, np.int64), pixels[:0], stored]


def _stored_part(
    sizes: np.ndarray, data: np.ndarray, places: np.ndarray, kind: np.ndarray, stored: np.ndarray
) -> StoredPart:
    found, content, start = StoredPart([], []), data.tobytes(), 0
    for *key, size in sizes.tolist():
        found.blocks.append((tuple(key), content[start : start + size]))
        start += size
    pixels, start = np.frombuffer(zlib.decompress(stored.data), kind.dtype), 0
    for *key, top, bottom, left, right, n_bands in places.tolist():
        shape = (bottom - top, right - left, n_bands)
        end = start + shape[0] * shape[1] * n_bands
        window = (slice(top, bottom), slice(left, right))
        found.shared.append((tuple(key), window, pixels[start:end].reshape(shape)))
        start = end
    return found


def reason_of(error: BaseException) -> str:
    """Return what to say of an error."""
    return str(error) if isinstance(error, GmmsegError) else described(error, "")
