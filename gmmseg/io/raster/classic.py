"""The header of netCDF of version 3, looked through before a library reads it that crashes on false lengths."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

from gmmseg.errors import InputError
from gmmseg.io.raster.systems import require_no_files

__all__ = ["require_sound_header"]

_DIMENSIONS, _VARIABLES, _ATTRIBUTES = 10, 11, 12
_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 4, 6: 8, 7: 1, 8: 2, 9: 4, 10: 8, 11: 8}
_MOST_DIMENSIONS = 1024  # of a variable, as the library has it


def require_sound_header(path: Path, owner: Path) -> None:
    """Refuse a file whose header says of its own parts what cannot be.

    Raises
    ------
    InputError
        Lengths lead out of the file, or numbers of dimensions to none that there is; or a coordinate system names a
        file.

    Notes
    -----
    NetCDF classic format specification: versions 1, 2 (offsets of 64 bits) and 5 (all numbers of 64 bits).
    """
    with open(path, "rb") as file:
        try:
            _Header(file, path.stat().st_size).check()
            end = file.tell()
            file.seek(0)
            require_no_files(file.read(end).decode("latin-1"), owner, "its header")
        except (ValueError, struct.error) as error:
            raise InputError(f"{owner} is damaged or cut short (its header: {error}); download it again") from None


class _Header:
    """A header that is read from its beginning to its end."""

    def __init__(self, file: BinaryIO, n_bytes: int) -> None:
        self._file, self._left = file, n_bytes - 4
        version = file.read(4)[3]
        self._number = ">Q" if version == 5 else ">I"
        self._offset = ">I" if version == 1 else ">Q"

    def check(self) -> None:
        self._take(self._number)  # of records
        dimensions = self._list(_DIMENSIONS)
        for _ in range(dimensions):
            self._skip_name()
            self._take(self._number)
        self._skip_attributes()
        for _ in range(self._list(_VARIABLES)):
            self._skip_name()
            rank = self._take(self._number)
            if rank > _MOST_DIMENSIONS or any(self._take(self._number) >= dimensions for _ in range(rank)):
                raise ValueError("a variable has dimensions that are not there")
            self._skip_attributes()
            self._type_bytes()
            self._take(self._number)  # of bytes
            self._take(self._offset)

    def _take(self, form: str) -> int:
        content = self._file.read(struct.calcsize(form))
        self._left -= len(content)
        value: int = struct.unpack(form, content)[0]
        return value

    def _list(self, wanted: int) -> int:
        """Return how many elements a list of one kind has."""
        kind, n = self._take(">I"), self._take(self._number)
        if kind not in (0, wanted) or (kind == 0 and n):
            raise ValueError(f"a list of kind {kind} where {wanted} belongs")
        if n > self._left:
            raise ValueError(f"{n} elements in {self._left} bytes")
        return n

    def _skip(self, n_bytes: int) -> None:
        padded = n_bytes + -n_bytes % 4
        if padded > self._left:
            raise ValueError(f"{n_bytes} bytes where {self._left} are left")
        self._file.seek(padded, 1)
        self._left -= padded

    def _skip_name(self) -> None:
        n_bytes, place = self._take(self._number), self._file.tell()
        self._skip(n_bytes)
        after = self._file.tell()
        self._file.seek(place)
        self._file.read(n_bytes).decode()  # names are UTF-8
        self._file.seek(after)

    def _type_bytes(self) -> int:
        kind = self._take(">I")
        if kind not in _TYPE_BYTES:
            raise ValueError(f"numbers of kind {kind}")
        return _TYPE_BYTES[kind]

    def _skip_attributes(self) -> None:
        for _ in range(self._list(_ATTRIBUTES)):
            self._skip_name()
            size = self._type_bytes()
            self._skip(size * self._take(self._number))
