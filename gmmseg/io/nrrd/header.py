"""What the header of an NRRD file says: text, a field a line, as far as an image needs it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from gmmseg.errors import InputError

__all__ = ["MOST_HEADER", "REMEDY", "Header", "quoted", "read_header"]

REMEDY = "save it again with gzip or raw encoding"
"""What to do about a file that cannot be read."""

MOST_HEADER = 1 << 20
"""Bytes."""
_MOST_AXES = 16
_TYPES = {
    **dict.fromkeys(("signed char", "int8", "int8_t"), "i1"),
    **dict.fromkeys(("uchar", "unsigned char", "uint8", "uint8_t"), "u1"),
    **dict.fromkeys(("short", "short int", "signed short", "signed short int", "int16", "int16_t"), "i2"),
    **dict.fromkeys(("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"), "u2"),
    **dict.fromkeys(("int", "signed int", "int32", "int32_t"), "i4"),
    **dict.fromkeys(("uint", "unsigned int", "uint32", "uint32_t"), "u4"),
    **dict.fromkeys(("longlong", "long long", "long long int", "signed long long", "int64", "int64_t"), "i8"),
    **dict.fromkeys(("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"), "u8"),
    "float": "f4",
    "double": "f8",
}
_SPATIAL = frozenset({"domain", "space"})
# Signs that turn a space's axes into those to the right, the front and the top.
_SPACES = {
    **dict.fromkeys(("right-anterior-superior", "ras"), (1, 1, 1)),
    **dict.fromkeys(("left-anterior-superior", "las"), (-1, 1, 1)),
    **dict.fromkeys(("left-posterior-superior", "lps"), (-1, -1, 1)),
}
_MILLIMETRES = {"mm": 1.0, "millimeter": 1.0, "um": 1e-3, "micron": 1e-3, "microns": 1e-3, "cm": 10.0, "m": 1000.0}
_OTHER_NAMES = {"datafile": "data file", "byteskip": "byte skip", "lineskip": "line skip"}
_LINE = re.compile(r"([^:]*):([= ])(.*)", re.DOTALL)
_VECTOR = re.compile(r"none|\([^)]*\)", re.IGNORECASE)


@dataclass(frozen=True)
class Header:
    """A file before its numbers are read.

    Parameters
    ----------
    sizes : tuple of int
        Of the axes, the fastest first.
    stored : numpy.dtype
    channel_axis : int, optional
        The axis of channels, by its place among the sizes.
    kind : str
        What the channels are: "RGB-color", "vector", ...; empty where there are none.
    encoding : {"raw", "gzip", "zlib"}
    offset : int
        Of what is stored, -1 where it is all at the end of the file.
    lines : int
        That come before it there.
    file : str
        Of the numbers, where it is another one.
    spacing : tuple of float, optional
        Along the spatial axes, in mm.
    affine : tuple of 4 tuples of 4 float, optional
        Of three spatial axes: from indices to mm to the right, the front and the top.
    keys : dict of str to str
        What else it says, which is of other programs.
    """

    sizes: tuple[int, ...]
    stored: np.dtype[Any]
    channel_axis: int | None
    kind: str
    encoding: str
    offset: int
    lines: int
    file: str
    spacing: tuple[float, ...] | None
    affine: tuple[tuple[float, ...], ...] | None
    keys: dict[str, str] = field(default_factory=dict)

    @property
    def spatial(self) -> tuple[int, ...]:
        """Sizes of the spatial axes."""
        return tuple(size for axis, size in enumerate(self.sizes) if axis != self.channel_axis)

    @property
    def n_channels(self) -> int:
        """Numbers of a pixel."""
        return 1 if self.channel_axis is None else self.sizes[self.channel_axis]

    @property
    def n_bytes(self) -> int:
        """Of all numbers."""
        return math.prod(self.sizes) * self.stored.itemsize


def read_header(path: Path, file: BinaryIO) -> Header:
    """Read the header of an open file, which then stands behind it.

    Raises
    ------
    InputError
        It contradicts itself, or says something that is not read.
    ValueError
        A field is no number where it has to be one.
    """
    fields, keys = _fields(path, file)
    sizes = tuple(map(int, _needed(path, fields, "sizes").split()))
    if not sizes or len(sizes) > _MOST_AXES or min(sizes) < 1:
        raise InputError(f"{path} has sizes {' '.join(map(str, sizes))}, which are of no image; {REMEDY}")
    dtype = _TYPES.get(" ".join(_needed(path, fields, "type").lower().split()))
    if dtype is None:
        raise InputError(f"{path} holds numbers of type {quoted(fields['type'])}, which is not read; {REMEDY}")
    encoding = {"gz": "gzip"}.get(word := _needed(path, fields, "encoding").lower(), word)
    if encoding not in ("raw", "gzip"):
        raise InputError(f"{path} has encoding {quoted(encoding)}, which is not read; {REMEDY}")
    axis, kind = _channels(path, fields, len(sizes))
    vectors = _directions(fields)
    steps = _steps(fields, vectors, len(sizes))
    order = ">" if fields.get("endian", "little").lower() == "big" else "<"
    return Header(
        sizes,
        np.dtype(order + dtype),
        axis,
        kind,
        encoding,
        int(fields.get("byte skip", 0)),
        int(fields.get("line skip", 0)),
        fields.get("data file", ""),
        _spacing(steps, axis),
        _affine(fields, vectors, axis, len(sizes)),
        keys,
    )


def _fields(path: Path, file: BinaryIO) -> tuple[dict[str, str], dict[str, str]]:
    """Return fields by their names as the format spells them, and keys of other programs; comments are left out."""
    file.readline(MOST_HEADER)
    fields: dict[str, str] = {}
    keys: dict[str, str] = {}
    while (line := file.readline(MOST_HEADER)).strip():
        found = _LINE.match(line.decode("utf-8", "replace"))
        if found and found[2] == "=":
            keys[found[1]] = found[3].strip()
        elif found and not line.startswith(b"#"):
            name = " ".join(found[1].lower().split())
            fields[_OTHER_NAMES.get(name, name)] = found[3].strip()
        if file.tell() > MOST_HEADER:
            raise InputError(f"{path} has a header of more than {MOST_HEADER >> 20} MiB; {REMEDY}")
    return fields, keys


def quoted(word: str) -> str:
    """Return a word of a header for a message: on one line, and not long."""
    return repr(word[:40])


def _needed(path: Path, fields: dict[str, str], name: str) -> str:
    if name not in fields:
        raise InputError(f"{path} is damaged: its header says no {name}; {REMEDY}")
    return fields[name]


def _channels(path: Path, fields: dict[str, str], n_axes: int) -> tuple[int | None, str]:
    """Return the axis of channels and what it holds; it is one that is no axis of space."""
    kinds = fields.get("kinds", "").split()
    if len(kinds) == n_axes:
        others = [axis for axis, kind in enumerate(kinds) if kind.lower() not in (*_SPATIAL, "???", "none")]
    else:
        kinds = [""] * n_axes
        others = [axis for axis, vector in enumerate(_directions(fields)) if vector is None]
    if len(others) > 1 or n_axes - len(others) > 3:
        raise InputError(
            f"{path} has {n_axes} axes, of which {n_axes - len(others)} are in space by its kinds; give it three such "
            "axes and one of kind list"
        )
    return (others[0], kinds[others[0]]) if others else (None, "")


def _directions(fields: dict[str, str]) -> list[tuple[float, ...] | None]:
    """Return the vector of each axis in space; None of those that lie elsewhere."""
    return [
        None if word.lower() == "none" else tuple(float(number) for number in word.strip("()").split(","))
        for word in _VECTOR.findall(fields.get("space directions", ""))
    ]


def _steps(fields: dict[str, str], vectors: list[tuple[float, ...] | None], n_axes: int) -> list[float]:
    """Return the length of a step along each axis in mm; NaN where it is not known."""
    units = re.findall(r'"([^"]*)"', fields.get("space units", "" if vectors else fields.get("units", "")))
    factors = [_MILLIMETRES.get(unit.strip().lower(), 1.0) for unit in units]
    if vectors:
        factor = factors[0] if factors else 1.0
        return [math.nan if vector is None else factor * math.hypot(*vector) for vector in vectors]
    steps = [abs(float(word)) for word in fields.get("spacings", "").split()]
    return [step * factor for step, factor in zip(steps, factors or [1.0] * n_axes, strict=False)]


def _spacing(steps: list[float], channel_axis: int | None) -> tuple[float, ...] | None:
    spatial = tuple(step for axis, step in enumerate(steps) if axis != channel_axis)
    return spatial if spatial and all(0 < step < math.inf for step in spatial) else None


def _affine(
    fields: dict[str, str], vectors: list[tuple[float, ...] | None], channel_axis: int | None, n_axes: int
) -> tuple[tuple[float, ...], ...] | None:
    """Return where voxels lie in a patient; None where the file does not say it."""
    signs = _SPACES.get(fields.get("space", "").lower())
    spatial = [vector for axis, vector in enumerate(vectors) if axis != channel_axis]
    origin = _VECTOR.findall(fields.get("space origin", "(0,0,0)"))[:1]
    if signs is None or len(vectors) != n_axes or len(spatial) != 3 or not origin:
        return None
    point = tuple(float(number) for number in origin[0].strip("()").split(","))
    if len(point) != 3 or any(vector is None or len(vector) != 3 for vector in spatial):
        return None
    matrix = np.eye(4)
    matrix[:3] = np.column_stack([*[np.array(vector) for vector in spatial], point]) * np.array(signs)[:, None]
    turns = np.isfinite(matrix).all() and abs(np.linalg.det(matrix)) > 0
    return tuple(map(tuple, matrix.tolist())) if turns else None
