"""Results in NRRD and MetaImage files: the place in the patient of the source, names and colours of the classes."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gmmseg.image.place import Place
from gmmseg.io.contents import assembled, refuse_options, stored_probabilities
from gmmseg.io.dicom.series import Series
from gmmseg.io.nrrd.slicer import MOST_SEGMENTS, lines_of_segments

if TYPE_CHECKING:
    from gmmseg.image.windows import Window
    from gmmseg.io.contents import Contents

__all__ = ["write_metaimage", "write_nrrd"]

_LEVEL = 6
_NRRD = {"u1": "uint8", "u2": "uint16", "u4": "uint32", "f4": "float"}
_METAIMAGE = {"u1": "MET_UCHAR", "u2": "MET_USHORT", "u4": "MET_UINT", "f4": "MET_FLOAT"}


@dataclass(frozen=True, eq=False)
class _Stored:
    """A result as it is stored.

    Parameters
    ----------
    numbers : ndarray
        (x, y, z), the fastest axis first; of several classes (n_classes, x, y, z); of a picture without z.
    n_axes : int
        In space.
    spacing : tuple of float, optional
        Along these, in mm.
    affine : ndarray, shape (4, 4), optional
        From their indices to mm to the left, the back and the top.
    """

    numbers: np.ndarray
    n_axes: int
    spacing: tuple[float, ...] | None
    affine: np.ndarray | None

    @property
    def sizes(self) -> str:
        """Of the axes of space."""
        return " ".join(map(str, self.numbers.shape[-self.n_axes :]))

    @property
    def content(self) -> bytes:
        """All numbers, the first axis fastest, little end first."""
        return self.numbers.astype(self.numbers.dtype.newbyteorder("<"), copy=False).tobytes(order="F")


def write_nrrd(path: Path, contents: Contents, windows: Iterable[tuple[Window, np.ndarray]]) -> dict[str, bytes]:
    """Write a label map, probabilities as a list of a number a class, or a map to a .nrrd file.

    Labels in a file whose name ends in .seg.nrrd are a segmentation of 3D Slicer: a layer that holds all segments.
    """
    stored = _stored(contents, windows)
    lists = stored.numbers.ndim - stored.n_axes
    domains = " ".join(["domain"] * stored.n_axes)
    lines = [
        "NRRD0005",
        f"type: {_NRRD[stored.numbers.dtype.str[1:]]}",
        f"dimension: {stored.numbers.ndim}",
        f"sizes: {' '.join(map(str, stored.numbers.shape))}",
        f"kinds: {'list ' * lists}{domains}",
        "endian: little",
        "encoding: gzip",
    ]
    if contents.kind == "soft":
        lines.append(f"content: gmmseg: {contents.shares}")
    if stored.affine is not None:
        directions = " ".join(_vector(column) for column in stored.affine.T[:3])
        lines += [
            "space: left-posterior-superior",
            f"space directions: {'none ' * lists}{directions}",
            f"space origin: {_vector(stored.affine.T[3])}",
            'space units: "mm" "mm" "mm"',
        ]
    elif stored.spacing is not None:
        units = ['""'] * lists + ['"mm"'] * stored.n_axes
        lines += [f"spacings: {'nan ' * lists}{_row(stored.spacing)}", f"units: {' '.join(units)}"]
    segmented = contents.target.name.lower().endswith(".seg.nrrd") and int(stored.numbers.max()) <= MOST_SEGMENTS
    if segmented:
        volume = stored.numbers.reshape(*stored.numbers.shape, *(1,) * (3 - stored.n_axes))
        lines += lines_of_segments(volume, contents.names, contents.options.get("palette"))
    with open(path, "xb") as file:
        file.write(("\n".join(lines) + "\n\n").encode())
        file.write(gzip.compress(stored.content, _LEVEL, mtime=0))
    return {}


def write_metaimage(path: Path, contents: Contents, windows: Iterable[tuple[Window, np.ndarray]]) -> dict[str, bytes]:
    """Write a label map, probabilities as a vector of a number a class, or a map to a .mha file."""
    stored = _stored(contents, windows)
    content = zlib.compress(stored.content, _LEVEL)
    lines = ["ObjectType = Image", *[f"Comment = gmmseg: {contents.shares}"] * (contents.kind == "soft")]
    lines += [f"NDims = {stored.n_axes}", "BinaryData = True", "BinaryDataByteOrderMSB = False"]
    lines += ["CompressedData = True", f"CompressedDataSize = {len(content)}"]
    spacing = stored.spacing
    if stored.affine is not None:
        columns = stored.affine.T[:3, :3]
        spacing = tuple(map(float, np.linalg.norm(columns, axis=1)))
        lines.append(f"TransformMatrix = {_row((columns / np.array(spacing)[:, None]).ravel())}")
        lines.append(f"Offset = {_row(stored.affine[:3, 3])}")
    if spacing is not None:
        lines.append(f"ElementSpacing = {_row(spacing)}")
    lines.append(f"DimSize = {stored.sizes}")
    if stored.numbers.ndim > stored.n_axes:
        lines.append(f"ElementNumberOfChannels = {len(stored.numbers)}")
    lines += [f"ElementType = {_METAIMAGE[stored.numbers.dtype.str[1:]]}", "ElementDataFile = LOCAL", ""]
    with open(path, "xb") as file:
        file.write("\n".join(lines).encode() + content)
    return {}


def _stored(contents: Contents, windows: Iterable[tuple[Window, np.ndarray]]) -> _Stored:
    """Return a result with its place, in the axes of a file: columns first of pictures and of DICOM series."""
    soft = contents.kind == "soft"
    refuse_options(contents, "dtype" if soft else None, "palette" if contents.kind == "labels" else None)
    values = assembled(contents, windows)
    if soft:
        values = stored_probabilities(values, contents.stored_dtype)
    image, n_axes = contents.image, len(contents.shape)
    place = Place() if image is None or image.place is None else image.place
    spacing = None if image is None or image.spacing is None or place.unit == "degree" else image.spacing
    if spacing is not None:  # what nobody says is taken for millimetres, as readers do
        spacing = tuple(side * 1e3 * (place.metres or 1e-3) for side in spacing)
    affine = None if place.affine3d is None or n_axes != 3 else np.diag([-1.0, -1.0, 1.0, 1.0]) @ place.affine3d
    if n_axes == 2 or isinstance(place.native, Series):
        values = values.transpose(*range(values.ndim - n_axes), *range(values.ndim - n_axes, values.ndim)[::-1])
        spacing = None if spacing is None else spacing[::-1]
        affine = None if affine is None else affine[:, [2, 1, 0, 3]]
    return _Stored(values, n_axes, spacing, affine)


def _vector(numbers: np.ndarray) -> str:
    return f"({','.join(str(float(number)) for number in numbers[:3])})"


def _row(numbers: Iterable[float]) -> str:
    return " ".join(str(float(number)) for number in numbers)
