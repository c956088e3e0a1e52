"""What the header of a MetaImage file says (.mha, .mhd): text, a key a line, the last of which names the numbers."""

from __future__ import annotations

import math
from pathlib import Path
from typing import BinaryIO

import numpy as np

from gmmseg.errors import InputError
from gmmseg.io.nrrd.header import MOST_HEADER, Header, quoted

__all__ = ["read_metaimage"]

_REMEDY = "save it again as .mha or .nii.gz"
_TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "i4",  # whatever a machine's are
    "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
_OTHER_NAMES = {
    **dict.fromkeys(("Rotation", "Orientation"), "TransformMatrix"),
    **dict.fromkeys(("Position", "Origin"), "Offset"),
    "ElementByteOrderMSB": "BinaryDataByteOrderMSB",
}


def read_metaimage(path: Path, file: BinaryIO) -> Header:
    """Read the header of an open file, which then stands behind it.

    Raises
    ------
    InputError
        It contradicts itself, or says something that is not read.
    ValueError
        A key has no number where it has to have one.

    Notes
    -----
    Axes are to the left, the back and the top, as of ITK, whatever AnatomicalOrientation says, which it does not read
    either. The fourth axis, of time, is that of channels.
    """
    fields = _fields(path, file)
    sizes = tuple(map(int, _needed(path, fields, "DimSize").split()))
    n_axes, n_parts = int(_needed(path, fields, "NDims")), int(fields.get("ElementNumberOfChannels", 1))
    if len(sizes) != n_axes or min(*sizes, n_parts) < 1:
        raise InputError(f"{path} has DimSize {' '.join(map(str, sizes[:8]))} of {n_axes} axes; {_REMEDY}")
    if not 2 <= n_axes <= 4 or (n_axes == 4 and n_parts > 1):
        raise InputError(f"{path} has {n_axes} axes of {n_parts} numbers; save one volume or picture at a time")
    dtype = _TYPES.get(word := _needed(path, fields, "ElementType"))
    if dtype is None:
        raise InputError(f"{path} holds numbers of type {quoted(word)}, which is not read; {_REMEDY}")
    if not _is_true(fields, "BinaryData", "True"):
        raise InputError(f"{path} has its numbers as text (BinaryData = False), which is not read; {_REMEDY}")
    name = _needed(path, fields, "ElementDataFile")
    spacing = tuple(map(float, fields.get("ElementSpacing", fields.get("ElementSize", "")).split()))
    return Header(
        sizes=(n_parts, *sizes) if n_parts > 1 else sizes,
        stored=np.dtype((">" if _is_true(fields, "BinaryDataByteOrderMSB") else "<") + dtype),
        channel_axis=0 if n_parts > 1 else 3 if n_axes == 4 else None,
        kind="vector" if n_parts > 1 else "",
        encoding="zlib" if _is_true(fields, "CompressedData") else "raw",
        offset=int(fields.get("HeaderSize", 0)),
        lines=0,
        file="" if name.upper() == "LOCAL" else name,
        spacing=spacing[:3] if len(spacing) == n_axes and all(0 < step < math.inf for step in spacing[:3]) else None,
        affine=_affine(fields, spacing, n_axes),
    )


def _fields(path: Path, file: BinaryIO) -> dict[str, str]:
    """Return keys by their names as ITK writes them, up to the one of the numbers."""
    fields: dict[str, str] = {}
    while "ElementDataFile" not in fields and (line := file.readline(MOST_HEADER)):
        name, _, value = line.decode("utf-8", "replace").partition("=")
        fields[_OTHER_NAMES.get(name.strip(), name.strip())] = value.strip()
        if file.tell() > MOST_HEADER:
            raise InputError(f"{path} has a header of more than {MOST_HEADER >> 20} MiB; {_REMEDY}")
    return fields


def _needed(path: Path, fields: dict[str, str], name: str) -> str:
    if not fields.get(name):
        raise InputError(f"{path} is damaged: its header says no {name}; {_REMEDY}")
    return fields[name]


def _is_true(fields: dict[str, str], name: str, unsaid: str = "False") -> bool:
    return fields.get(name, unsaid)[:1].upper() in ("T", "1")


def _affine(fields: dict[str, str], spacing: tuple[float, ...], n_axes: int) -> tuple[tuple[float, ...], ...] | None:
    """Return where voxels lie in a patient; None where the file does not say it."""
    directions = [float(word) for word in fields.get("TransformMatrix", "").split()]
    point = [float(word) for word in fields.get("Offset", "").split()]
    if n_axes == 2 or len(directions) != n_axes**2 or len(point) != n_axes or len(spacing) != n_axes:
        return None
    rows = np.reshape(directions, (n_axes, n_axes))[:3, :3]  # the direction of each axis
    matrix = np.eye(4)
    matrix[:3] = np.column_stack([*(rows * np.array(spacing[:3])[:, None]), point[:3]]) * [[-1], [-1], [1]]
    turns = np.isfinite(matrix).all() and abs(np.linalg.det(matrix)) > 0
    return tuple(map(tuple, matrix.tolist())) if turns else None
