"""The numbers of a NIfTI file: where they lie, what they mean, and how to read them window by window."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from gmmseg.image.sources import WindowSource
from gmmseg.image.windows import Window
from gmmseg.io.damage import explained

__all__ = ["GzipStream", "StoredVolume", "VolumeSource"]

_READ = 1 << 18  # compressed bytes at a time


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
    slope, intercept : float
        The values are stored * slope + intercept.
    """

    path: Path
    gzipped: bool
    offset: int
    spatial: tuple[int, ...]
    n_volumes: int
    stored: np.dtype[Any]
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

    def decoded(self, raw: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Return pixels (*window, n_channels) of stored numbers (*window, n_volumes), and where they are valid."""
        if self.color:
            bytes_last = np.stack([raw[..., 0][name] for name in self.stored.names or ()], axis=-1)
            opaque = bytes_last[..., 3] != 0 if bytes_last.shape[-1] == 4 else None
            return bytes_last[..., :3], None if opaque is None or opaque.all() else opaque
        if self.scaled:
            raw = raw.astype(np.float32 if raw.dtype.itemsize <= 2 else np.float64)
            np.multiply(raw, self.slope, out=raw)
            np.add(raw, self.intercept, out=raw)
        with np.errstate(over="ignore"):
            pixels = raw.astype(self.dtype, copy=False)
        return pixels, _valid(pixels)


def _valid(pixels: np.ndarray) -> np.ndarray | None:
    """Return where any channel is a number that fits into float32; None where that is everywhere."""
    if pixels.dtype.kind != "f":
        return None
    known = np.abs(pixels) <= np.finfo(np.float32).max if pixels.dtype.itemsize > 4 else np.isfinite(pixels)
    valid: np.ndarray = known.any(axis=-1)
    return None if valid.all() else valid


@dataclass
class GzipStream:
    """A place in a gzip file, from which reading goes on; it can be forked.

    Parameters
    ----------
    position : int
        In the compressed file: what was handed to the decoder.
    done : int
        Bytes decompressed so far.
    """

    position: int = 0
    done: int = 0
    decoder: Any = field(default_factory=lambda: zlib.decompressobj(wbits=31))

    def fork(self) -> GzipStream:
        """Return another stream at the same place."""
        return GzipStream(self.position, self.done, self.decoder.copy())

    def read(self, file: BinaryIO, n: int) -> bytearray:
        """Decompress the next n bytes.

        Raises
        ------
        EOFError
            There are fewer.
        """
        out = bytearray(n)
        filled = 0
        file.seek(self.position)
        while filled < n:
            part = self._next(file, n - filled)
            out[filled : filled + len(part)] = part
            filled += len(part)
        return out

    def skip(self, file: BinaryIO, n: int) -> None:
        """Decompress n bytes and forget them."""
        while n:
            step = min(n, 1 << 24)
            self.read(file, step)
            n -= step

    def finish(self, file: BinaryIO) -> None:
        """Read to the end of the compressed part, so that its checksum is compared."""
        file.seek(self.position)
        while not self.decoder.eof:
            self._next(file, 1 << 16)

    def _next(self, file: BinaryIO, most: int) -> bytes:
        if self.decoder.eof:  # files may be several gzip parts in a row
            rest = self.decoder.unused_data or self._more(file)
            if rest[:1] != b"\x1f":
                raise EOFError
            self.decoder = zlib.decompressobj(wbits=31)
        else:
            rest = self.decoder.unconsumed_tail or self._more(file)
        part: bytes = self.decoder.decompress(rest, most)
        if not rest and not part:
            raise EOFError
        self.done += len(part)
        return part

    def _more(self, file: BinaryIO) -> bytes:
        data = file.read(_READ)
        self.position += len(data)
        return data


@dataclass(frozen=True)
class VolumeSource(WindowSource):
    """The pixels of a NIfTI file that stay in it.

    Parameters
    ----------
    volume : StoredVolume

    Notes
    -----
    A plain file is mapped for each window. A gzip file has one decoder a volume, each of which goes on where the last
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
        if not volume.gzipped:
            shape = (*volume.spatial, volume.n_volumes)
            mapped = np.memmap(volume.path, volume.stored, "r", volume.offset, shape, "F")
            return volume.decoded(np.array(mapped[window], order="K"))
        with explained(volume.path, "copy or download it again"), open(volume.path, "rb") as file:
            slabs = [self._slab(file, number, window[-1]) for number in range(volume.n_volumes)]
        return volume.decoded(np.stack([slab[(*window[:-1], slice(None))] for slab in slabs], axis=-1))

    def _slab(self, file: BinaryIO, number: int, along: slice) -> np.ndarray:
        """Return slices of one volume, all of those between `along`."""
        size = math.prod(self.volume.spatial[:-1]) * self.volume.stored.itemsize
        before = self._slabs.get(number)
        if before is None or along.start * size < before.start:
            before = _Slab(0, b"", self._start(file, number).fork())
        slab = self._slabs[number] = before.moved(file, along.start * size, along.stop * size)
        shape = (*self.volume.spatial[:-1], along.stop - along.start)
        return np.frombuffer(slab.content, self.volume.stored, math.prod(shape)).reshape(shape, order="F")

    def _start(self, file: BinaryIO, number: int) -> GzipStream:
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

    def moved(self, file: BinaryIO, start: int, stop: int) -> _Slab:
        """Return the bytes from start to at least stop; start is not before that of this slab."""
        end = self.start + len(self.content)
        if start >= end:
            self.stream.skip(file, start - end)
            return _Slab(start, self.stream.read(file, stop - start), self.stream)
        kept = self.content[start - self.start :]
        return _Slab(start, kept + self.stream.read(file, max(0, stop - end)), self.stream)
