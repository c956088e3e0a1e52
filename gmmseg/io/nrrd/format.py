"""NRRD: .nrrd, and .nhdr with its numbers in another file, raw or compressed with gzip."""

from __future__ import annotations

import gzip
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gmmseg.errors import InputError
from gmmseg.image import Image
from gmmseg.image.place import Place
from gmmseg.image.sources import ArraySource
from gmmseg.io.array.in_file import ArrayInFile
from gmmseg.io.damage import explained
from gmmseg.io.file_format import not_probabilities
from gmmseg.io.meaning import InterpretedSource, Meaning, RawSource, settle_color
from gmmseg.io.nrrd.header import REMEDY, Header, quoted, read_header
from gmmseg.io.request import Reading, kept, require_axis, require_bytes, require_room

__all__ = ["describe", "read", "read_labels", "read_probabilities", "suffix_of_labels"]

_COLORS = {"rgb-color": 3, "rgba-color": 4, "3-color": 3, "4-color": 4}


def read(path: Path, reading: Reading) -> Image:
    """Read a volume in the file's own order of axes, or a picture by rows and columns.

    Parameters
    ----------
    path : Path
    reading : Reading
        What is not compressed stays in the file where it takes more than `memory`.

    Returns
    -------
    Image
        (x, y, z, n_channels), or (rows, columns, n_channels) of two axes; an axis of another kind than space is that of
        channels. Colour where the file says so. Its place has the affine of a space in a patient.

    Raises
    ------
    InputError
        The file is damaged, cut short, too large, or in an encoding that is not read.
    """
    header = _header(path)
    planar = len(header.spatial) == 2
    turned = replace(header, sizes=header.sizes[::-1], channel_axis=_turned(header)) if planar else header
    spacing = header.spacing if header.spacing is None or not planar else header.spacing[::-1]
    bytes_of_color = header.kind.lower() == "vector" and header.n_channels in (3, 4) and header.stored.itemsize == 1
    color = _COLORS.get(header.kind.lower()) == header.n_channels or bytes_of_color  # ITK has no other word for these
    meaning = Meaning(color=color, alpha=color and header.n_channels == 4)
    image = Image(
        InterpretedSource(_raw(path, turned, "C" if planar else "F", reading), meaning),
        name=str(path),
        spacing=spacing,
        place=None if header.affine is None and spacing is None else Place(affine3d=header.affine, unit="mm"),
    )
    image = settle_color(image)
    require_axis(image, reading, "NRRD")
    return kept(image if reading.channels is None else image.select(reading.channels), reading)


def _turned(header: Header) -> int | None:
    """Return the axis of channels counted from the slowest one."""
    return None if header.channel_axis is None else len(header.sizes) - 1 - header.channel_axis


def read_labels(path: Path, reading: Reading) -> np.ndarray:
    """Read the numbers of a label map."""
    image = read(path, replace(reading, memory=None, channels=None, channel_axis="auto"))
    if image.n_channels != 1:
        raise InputError(f"{path} has {image.n_channels} channels, so it is not a label map; give one of integers")
    return image.array[..., 0]


def read_probabilities(path: Path, reading: Reading) -> np.ndarray:
    """Refuse: probabilities are written in other formats."""
    raise not_probabilities(path, "NRRD")


def describe(path: Path) -> dict[str, Any]:
    """Return what the header says."""
    header = _header(path)
    facts: dict[str, Any] = {
        "shape": list(header.spatial),
        "channels": header.n_channels,
        "dtype": str(header.stored.newbyteorder("=")),
        "compression": "none" if header.encoding == "raw" else header.encoding,
    }
    return facts if header.spacing is None else facts | {"spacing_mm": [round(step, 6) for step in header.spacing]}


def suffix_of_labels(path: Path, channel_axis: Any) -> str:
    """Return what holds the label map of a volume, or of a picture."""
    return ".nii.gz" if len(_header(path).spatial) == 3 else ".png"


def _explained(path: Path) -> AbstractContextManager[None]:
    return explained(path, "copy or download it again")


def _header(path: Path) -> Header:
    with _explained(path), open(path, "rb") as file:
        header = read_header(path, file)
        return header if header.file else replace(header, offset=_offset(file, header))


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
        if header.encoding == "gzip":
            return _inflated(path, file, header, order, reading)
        size = file.stat().st_size
        offset = size - header.n_bytes if header.offset < 0 else header.offset
        if offset < 0 or size - offset < header.n_bytes:
            missing = header.n_bytes - max(0, size - max(0, offset))
            raise InputError(f"{file} is cut short: {missing} bytes are missing; copy or download it again")
    return ArrayInFile(file, offset, header.sizes, header.stored, header.channel_axis, order)


def _inflated(path: Path, file: Path, header: Header, order: Any, reading: Reading) -> ArraySource:
    require_room(path, header.spatial, reading)
    require_bytes(path, 2 * header.n_bytes, reading, "its numbers, which are compressed,")
    with open(file, "rb") as stored:
        stored.seek(max(0, header.offset))
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
