"""The numbers of a NIfTI file: where they lie, what they mean, and how to read them window by window."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from gmmseg.image.sources import WindowSource
from gmmseg.image.windows import Window, everything
from gmmseg.io.array.boxes import read_box
from gmmseg.io.damage import explained
from gmmseg.io.nifti.gzip_stream import GzipStream
from gmmseg.io.unchanged import Stamp, unchanged

__all__ = ["StoredVolume", "VolumeSource"]

_DECODER = 300 << 10  # bytes that a decoder holds: its window of zlib, and what it has read ahead


@dataclass(frozen=True)
class StoredVolume:
    """Numbers in a file: volumes one after the other, each with its first axis fastest.

    Parameters
    ----------
    path : Path
    gzipped : bool
    offset : int
        Of the first number, in what is uncompressed.
    spatial : tuple of int
        Up to three axes.
    n_volumes : int
    stored : numpy.dtype
        Of one voxel as stored; of three or four fields R, G, B, A for colour.
    stamp : Stamp
        Of the file when its header was read; what has changed since is refused.
    slope, intercept : float
        The values are stored * slope + intercept.
    """

    path: Path
    gzipped: bool
    offset: int
    spatial: tuple[int, ...]
    n_volumes: int
    stored: np.dtype[Any]
    stamp: Stamp
    slope: float = 1.0
    intercept: float = 0.0

    @property
    def color(self) -> bool:
        """Whether a voxel is a colour."""
        return self.stored.names is not None

    @property
    def scaled(self) -> bool:
        """Whether values are something else than the stored numbers."""
        return not self.color and (self.slope, self.intercept) != (1.0, 0.0)

    @property
    def n_numbers(self) -> int:
        """Stored voxels of all volumes."""
        return math.prod(self.spatial) * self.n_volumes

    @property
    def n_channels(self) -> int:
        """Of the image."""
        return 3 if self.color else self.n_volumes

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the image's pixels."""
        if self.color:
            return np.dtype(np.uint8)
        if self.scaled:
            return np.dtype(np.float32)
        wide = self.stored.kind == "f" and self.stored.itemsize > 8
        return np.dtype(np.float64) if wide else self.stored.newbyteorder("=")

    @property
    def voxel_bytes(self) -> int:
        """What a voxel takes, all channels together, while it is read whole: as stored, as scaled, whether valid."""
        each = self.stored.itemsize
        if self.color:
            return 2 * each + 1
        floats = self.dtype.kind == "f"
        if self.scaled:
            each += 4 if each <= 2 else 12  # four bytes of eight come after the others
        elif self.stored != self.dtype:
            each += self.dtype.itemsize
        return self.n_volumes * (each + 2 * floats) + floats

    @property
    def slice_bytes(self) -> int:
        """What a slice along the last axis takes, of all volumes, and the decoders of a gzip file that go on there."""
        n_numbers = math.prod(self.spatial[:-1]) * self.n_volumes
        stored = n_numbers * self.stored.itemsize
        return 3 * stored + self.n_volumes * _DECODER if self.gzipped else stored

    def whole(self) -> np.ndarray:
        """Return all numbers as they are stored, (*spatial, n_volumes)."""
        if not self.gzipped:
            return self.part(everything(self.spatial))
        with unchanged(self.stamp) as file:
            stream = GzipStream()
            stream.skip(file, self.offset)
            content = stream.read(file, self.n_numbers * self.stored.itemsize)
            stream.finish(file)
        return np.frombuffer(content, self.stored).reshape((*self.spatial, self.n_volumes), order="F")

    def part(self, window: Window) -> np.ndarray:
        """Return a window's numbers of a plain file, (*window, n_volumes); whole rows of it are read."""
        first, n_along = window[0], self.spatial[0]
        box = (slice(0, n_along), *window[1:], slice(0, self.n_volumes))
        self.stamp.check()
        numbers = read_box(self.path, self.offset, (*self.spatial, self.n_volumes), self.stored, "F", box)
        self.stamp.check()
        return numbers if first.stop - first.start == n_along else np.array(numbers[first], order="K")

    def decoded(self, raw: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Return pixels (*window, n_channels) of stored numbers (*window, n_volumes), and where they are valid."""
        if self.color:
            bytes_last = np.stack([raw[..., 0][name] for name in self.stored.names or ()], axis=-1)
            opaque = bytes_last[..., 3] != 0 if bytes_last.shape[-1] == 4 else None
            return bytes_last[..., :3], None if opaque is None or opaque.all() else opaque
        with np.errstate(all="ignore"):  # what becomes too large, or no number, is not valid
            if self.scaled:
                raw = raw.astype(np.float32 if raw.dtype.itemsize <= 2 else np.float64)
                np.multiply(raw, self.slope, out=raw)
                np.add(raw, self.intercept, out=raw)
            pixels = raw.astype(self.dtype, copy=False)
        return pixels, _valid(pixels)


def _valid(pixels: np.ndarray) -> np.ndarray | None:
    """Return where any channel is a number that fits into float32; None where that is everywhere."""
    if pixels.dtype.kind != "f":
        return None
    known: Any = np.isfinite(pixels)
    if pixels.dtype.itemsize > 4:
        known &= pixels <= np.finfo(np.float32).max
        known &= pixels >= np.finfo(np.float32).min
    valid: np.ndarray = known.any(axis=-1)
    return None if valid.all() else valid


@dataclass(frozen=True)
class VolumeSource(WindowSource):
    """The pixels of a NIfTI file that stay in it.

    Parameters
    ----------
    volume : StoredVolume

    Notes
    -----
    Of a plain file the rows of a window are read: mapped ones would be other numbers when the file changes, or the end
    of the program when it is cut. A gzip file has one decoder a volume, each of which goes on where the last
    window ended and keeps the slices of that window: a sweep along the last axis decompresses the file once, the first
    one twice, and only steps backwards start from the beginning of a volume.
    """

    volume: StoredVolume
    _slabs: dict[int, _Slab] = field(default_factory=dict, repr=False)
    _starts: dict[int, GzipStream] = field(default_factory=dict, repr=False)

    @property
    def shape(self) -> tuple[int, ...]:
        """(*spatial, n_channels)."""
        return (*self.volume.spatial, self.volume.n_channels)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the pixels."""
        return self.volume.dtype

    @property
    def blocks(self) -> tuple[int, ...]:
        """Slices."""
        return (*self.volume.spatial[:-1], 1)

    @property
    def sweep(self) -> int:
        """The last axis."""
        return len(self.volume.spatial) - 1

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray | None]:
        """Return a window's pixels, and where they are valid."""
        volume = self.volume
        with explained(volume.path, "copy or download it again"):
            if not volume.gzipped:
                return volume.decoded(volume.part(window))
            with unchanged(volume.stamp) as file:
                slabs = [self._slab(file, number, window[-1]) for number in range(volume.n_volumes)]
        return volume.decoded(np.stack([slab[(*window[:-1], slice(None))] for slab in slabs], axis=-1))

    def _slab(self, file: IO[bytes], number: int, along: slice) -> np.ndarray:
        """Return slices of one volume, all of those between `along`."""
        size = math.prod(self.volume.spatial[:-1]) * self.volume.stored.itemsize
        before = self._slabs.get(number)
        if before is None or along.start * size < before.start:
            before = _Slab(0, b"", self._start(file, number).fork())
        slab = self._slabs[number] = before.moved(file, along.start * size, along.stop * size)
        shape = (*self.volume.spatial[:-1], along.stop - along.start)
        return np.frombuffer(slab.content, self.volume.stored, math.prod(shape)).reshape(shape, order="F")

    def _start(self, file: IO[bytes], number: int) -> GzipStream:
        """Return a stream at the first number of a volume."""
        if number not in self._starts:
            place = self.volume.offset + number * math.prod(self.volume.spatial) * self.volume.stored.itemsize
            stream = self._starts[number - 1].fork() if number else GzipStream()
            stream.skip(file, place - stream.done)
            self._starts[number] = stream
        return self._starts[number]


@dataclass(frozen=True)
class _Slab:
    """Bytes of one volume from `start` on, and the stream that stands at their end."""

    start: int
    content: bytes | bytearray
    stream: GzipStream

    def moved(self, file: IO[bytes], start: int, stop: int) -> _Slab:
        """Return the bytes from start to at least stop; start is not before that of this slab."""
        end = self.start + len(self.content)
        if start >= end:
            self.stream.skip(file, start - end)
            return _Slab(start, self.stream.read(file, stop - start), self.stream)
        kept = self.content[start - self.start :]
        return _Slab(start, kept + self.stream.read(file, max(0, stop - end)), self.stream)
