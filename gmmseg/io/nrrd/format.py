"""NRRD and MetaImage: a header of text, and the numbers behind it or in another file, raw or compressed."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from gmmseg.errors import InputError
from gmmseg.image import Image
from gmmseg.image.place import Place
from gmmseg.image.sources import ArraySource
from gmmseg.io.array.in_file import array_in_file
from gmmseg.io.damage import explained
from gmmseg.io.meaning import InterpretedSource, Meaning, RawSource, settle_color
from gmmseg.io.nrrd.header import REMEDY, Header, quoted, read_header
from gmmseg.io.nrrd.metaimage import read_metaimage
from gmmseg.io.nrrd.slicer import names_of_segments
from gmmseg.io.nrrd.write import write_metaimage, write_nrrd
from gmmseg.io.request import Reading, kept, require_axis, require_bytes, require_room

if TYPE_CHECKING:
    from gmmseg.image.windows import Window
    from gmmseg.io.contents import Contents

__all__ = ["METAIMAGE", "NRRD"]

_COLORS = {"rgb-color": 3, "rgba-color": 4, "3-color": 3, "4-color": 4}


@dataclass(frozen=True)
class _Volumes:
    """One of the two formats.

    Parameters
    ----------
    name : str
    header_of : callable
        From a path and its open file, which then stands behind the header, to what that says.
    write : callable
        As `write` of `gmmseg.io.file_format.FileFormat`.
    labels : str
        Suffix of the label map of a volume.
    """

    name: str
    header_of: Callable[[Path, BinaryIO], Header]
    write: Callable[[Path, Contents, Iterable[tuple[Window, np.ndarray]]], dict[str, bytes]]
    labels: str

    def read(self, path: Path, reading: Reading) -> Image:
        """Read a volume in the file's own order of axes, or a picture by rows and columns.

        Parameters
        ----------
        path : Path
        reading : Reading
            What is not compressed stays in the file where it takes more than `memory`.

        Returns
        -------
        Image
            (x, y, z, n_channels), or (rows, columns, n_channels) of two axes; an axis of another kind than space is
            that of channels. Colour where the file says so. Its place has the affine of a space in a patient.

        Raises
        ------
        InputError
            The file is damaged, cut short, too large, or in an encoding that is not read.
        """
        header = self._header(path)
        bytes_of_color = header.kind.lower() == "vector" and header.n_channels in (3, 4) and header.stored.itemsize == 1
        color = _COLORS.get(header.kind.lower()) == header.n_channels or bytes_of_color  # ITK has no other word
        return self._image(path, header, Meaning(color=color, alpha=color and header.n_channels == 4), reading)

    def _image(self, path: Path, header: Header, meaning: Meaning, reading: Reading) -> Image:
        """Return the image that a header promises."""
        planar = len(header.spatial) == 2
        turned = replace(header, sizes=header.sizes[::-1], channel_axis=_turned(header)) if planar else header
        spacing = header.spacing if header.spacing is None or not planar else header.spacing[::-1]
        image = Image(
            InterpretedSource(_raw(path, turned, "C" if planar else "F", reading), meaning),
            name=str(path),
            spacing=spacing,
            place=None if header.affine is None and spacing is None else Place(affine3d=header.affine, unit="mm"),
        )
        image = settle_color(image)
        require_axis(image, reading, self.name)
        return kept(image if reading.channels is None else image.select(reading.channels), reading)

    def read_labels(self, path: Path, reading: Reading) -> np.ndarray:
        """Read the numbers of a label map."""
        image = self.read(path, replace(reading, memory=None, channels=None, channel_axis="auto"))
        if image.n_channels != 1:
            raise InputError(f"{path} has {image.n_channels} channels, so it is not a label map; give one of integers")
        return image.array[..., 0]

    def read_probabilities(self, path: Path, reading: Reading) -> np.ndarray:
        """Read probability maps (n_classes, *spatial): a channel a class, whatever colours it may look like."""
        image = self._image(path, self._header(path), Meaning(), replace(reading, memory=None))
        return np.moveaxis(image.array, -1, 0)

    def describe(self, path: Path) -> dict[str, Any]:
        """Return what the header says."""
        header = self._header(path)
        facts: dict[str, Any] = {
            "shape": list(header.spatial),
            "channels": header.n_channels,
            "dtype": str(header.stored.newbyteorder("=")),
            "compression": "none" if header.encoding == "raw" else header.encoding,
        }
        return facts if header.spacing is None else facts | {"spacing_mm": [round(step, 6) for step in header.spacing]}

    def suffix_of_labels(self, path: Path, channel_axis: Any) -> str:
        """Return what holds the label map of a volume, or of a picture."""
        return self.labels if len(self._header(path).spatial) == 3 else ".png"

    def class_names(self, path: Path) -> tuple[str, ...] | None:
        """Return the names of the segments of 3D Slicer, class 1 first."""
        with _explained(path), open(path, "rb") as file:
            return names_of_segments(self.header_of(path, file).keys)

    def _header(self, path: Path) -> Header:
        with _explained(path), open(path, "rb") as file:
            header = self.header_of(path, file)
            return header if header.file else replace(header, offset=_offset(file, header))


def _turned(header: Header) -> int | None:
    """Return the axis of channels counted from the slowest one."""
    return None if header.channel_axis is None else len(header.sizes) - 1 - header.channel_axis


def _explained(path: Path) -> AbstractContextManager[None]:
    return explained(path, "copy or download it again")


def _offset(file: Any, header: Header) -> int:
    """Return where what is stored begins, of a file that stands where lines and bytes to skip begin."""
    for _ in range(header.lines):
        file.readline()
    return -1 if header.offset < 0 else file.tell() + (header.offset if header.encoding == "raw" else 0)


def _raw(path: Path, header: Header, order: Any, reading: Reading) -> RawSource:
    """Return the numbers: in their file where they are not compressed."""
    file = path if not header.file else _beside(path, header.file)
    with _explained(file):
        if header.file:
            with open(file, "rb") as stream:
                header = replace(header, offset=_offset(stream, header))
        if header.encoding != "raw":
            return _inflated(path, file, header, order, reading)
        size = file.stat().st_size
        offset = size - header.n_bytes if header.offset < 0 else header.offset
        if offset < 0 or size - offset < header.n_bytes:
            missing = header.n_bytes - max(0, size - max(0, offset))
            raise InputError(f"{file} is cut short: {missing} bytes are missing; copy or download it again")
    return array_in_file(file, offset, header.sizes, header.stored, header.channel_axis, order)


def _inflated(path: Path, file: Path, header: Header, order: Any, reading: Reading) -> ArraySource:
    require_room(path, header.spatial, reading)
    require_bytes(path, 2 * header.n_bytes, reading, "its numbers, which are compressed,")
    with open(file, "rb") as stored:
        stored.seek(max(0, header.offset))
        if header.encoding == "zlib":
            bound = header.n_bytes + header.n_bytes // 1000 + 1024  # what does not compress grows by less
            content = zlib.decompressobj().decompress(stored.read(bound), header.n_bytes)
        else:
            with gzip.GzipFile(fileobj=stored) as stream:
                content = stream.read(header.n_bytes)
    if len(content) < header.n_bytes:
        raise EOFError
    numbers = np.frombuffer(content, header.stored).reshape(header.sizes, order=order)
    numbers = numbers.astype(header.stored.newbyteorder("="), copy=False)
    return ArraySource(
        numbers[..., None] if header.channel_axis is None else np.moveaxis(numbers, header.channel_axis, -1)
    )


def _beside(path: Path, name: str) -> Path:
    """Return the file of the numbers, which lies beside its header."""
    if "\0" in name or name.upper().startswith("LIST") or "%" in name:
        raise InputError(f"{path} has its numbers in several files, which is not read; {REMEDY}")
    file = path.parent / name
    if file.resolve().parent != path.parent.resolve():
        raise InputError(f"{path} has its numbers in another folder ({quoted(name)}); copy them beside it")
    if not file.is_file():
        raise InputError(f"{path} has its numbers in {quoted(name)}, which is not beside it; put both in one folder")
    return file


NRRD = _Volumes("NRRD", read_header, write_nrrd, ".seg.nrrd")
METAIMAGE = _Volumes("MetaImage", read_metaimage, write_metaimage, ".mha")
