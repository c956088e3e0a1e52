"""Cloud-optimised GeoTIFF: directories first, then tiles, the coarsest resolution first, each in the order of its rows.

Who reads some of such a file over a network asks for its beginning, and then for the tiles.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from gmmseg.io.blocks import Key, Plan
from gmmseg.io.geotiff import Tags

__all__ = ["write_cloud_optimised"]

# GDAL reads a tile by its place alone where its size is said before it, and its end after it. The space is for those
# who change the file and write YES.
_LAYOUT = (
    b"LAYOUT=IFDS_BEFORE_DATA\nBLOCK_ORDER=ROW_MAJOR\nBLOCK_LEADER=SIZE_AS_UINT4\n"
    b"BLOCK_TRAILER=LAST_4_BYTES_REPEATED\nKNOWN_INCOMPATIBLE_EDITION=NO\n "
)
_AROUND = 4  # bytes before and after a tile
_GHOST = b"GDAL_STRUCTURAL_METADATA_SIZE=%06d bytes\n%s" % (len(_LAYOUT), _LAYOUT)
_MOST_CLASSIC = (1 << 32) - 1  # the last offset that a file of 32 bits has
_SUBFILE, _WIDTH, _LENGTH, _OFFSETS, _COUNTS = 254, 256, 257, 324, 325
_FIRST_GEO, _NODATA = 33550, 42113  # tags from here on are of the place, and said of the finest resolution alone
_ASCII, _LONG, _LONG8 = 2, 4, 16
_TYPES = {1: "u1", 2: "u1", 3: "<u2", 4: "<u4", 5: "<u4", 7: "u1", 11: "<f4", 12: "<f8", 16: "<u8"}
"""What the types of tags are in NumPy."""


def write_cloud_optimised(
    path: Path, plan: Plan, tags: Tags, blocks: Iterable[tuple[Key, bytes]], spool: BinaryIO
) -> None:
    """Write encoded blocks of all resolutions, whatever the order in which they come.

    Parameters
    ----------
    path : Path
        A new file.
    plan : Plan
        Of two axes.
    tags : dict
        Code to (type, count, value): all that describes the finest resolution but its size and where its tiles are.
    blocks : iterable of (tuple of int, bytes)
        All of them.
    spool : binary file
        Where they wait: how large all of them are is said at the beginning of the file.
    """
    waiting = [np.zeros((2, *plan.grid(level)), np.int64) for level in range(plan.n_levels)]
    end = 0
    for (level, *place), data in blocks:
        spool.write(data)
        row, column = place
        waiting[level][:, row, column] = end, len(data)
        end += len(data)
    end += 2 * _AROUND * sum(starts.size for starts, _ in waiting)
    big = len(_head(plan, tags, waiting, big=False)) + end > _MOST_CLASSIC
    with open(path, "xb") as file:
        file.write(_head(plan, tags, waiting, big=big))
        for starts, sizes in reversed(waiting):
            for start, size in zip(starts.ravel().tolist(), sizes.ravel().tolist(), strict=True):
                spool.seek(start)
                data = spool.read(size)
                file.write(struct.pack("<I", size) + data + data[-_AROUND:])


def _head(plan: Plan, tags: Tags, waiting: list[np.ndarray], *, big: bool) -> bytes:
    """Return all that is before the tiles."""
    start = struct.pack("<2sHHHQ", b"II", 43, 8, 0, 0) if big else struct.pack("<2sHI", b"II", 42, 0)
    before = len(start) + len(_GHOST)
    before += before % 2
    sizes = [each[1].ravel() for each in waiting]
    first = _directories(plan, tags, [each * 0 for each in sizes], sizes, before, big=big)
    at, offsets = before + sum(map(len, first)), list[np.ndarray]()
    for each in reversed(sizes):
        ends = at + np.cumsum(each + 2 * _AROUND)
        offsets.insert(0, ends - each - _AROUND)
        at = int(ends[-1])
    found = _directories(plan, tags, offsets, sizes, before, big=big)
    start = struct.pack("<2sHHHQ", b"II", 43, 8, 0, before) if big else struct.pack("<2sHI", b"II", 42, before)
    return b"".join([(start + _GHOST).ljust(before, b"\0"), *found])


def _directories(
    plan: Plan, tags: Tags, offsets: list[np.ndarray], sizes: list[np.ndarray], at: int, *, big: bool
) -> list[bytes]:
    """Return the directories of all resolutions, the finest first; how long they are does not depend on the offsets."""
    found = []
    for level in range(plan.n_levels):
        rows, columns = plan.shape_at(level)
        own = {code: tag for code, tag in tags.items() if not level or code < _FIRST_GEO or code == _NODATA}
        own |= {
            _SUBFILE: (_LONG, 1, int(level > 0)),
            _WIDTH: (_LONG, 1, columns),
            _LENGTH: (_LONG, 1, rows),
            _OFFSETS: (_LONG8 if big else _LONG, len(sizes[level]), offsets[level]),
            _COUNTS: (_LONG, len(sizes[level]), sizes[level]),
        }
        found.append(_directory(own, at, last=level + 1 == plan.n_levels, big=big))
        at += len(found[-1])
    return found


def _directory(tags: Tags, at: int, *, last: bool, big: bool) -> bytes:
    """Return a directory that lies at an offset, with the values of its tags; the next one follows."""
    count, entry, offset = ("<Q", "<HHQ", "<Q") if big else ("<H", "<HHI", "<I")
    room = struct.calcsize(offset)
    length = struct.calcsize(count) + len(tags) * (struct.calcsize(entry) + room) + room
    lines, beyond = [struct.pack(count, len(tags))], b""
    for code, (kind, number, value) in sorted(tags.items()):
        content = _stored(kind, value)
        lines.append(struct.pack(entry, code, kind, len(content) if kind == _ASCII else number))
        if len(content) > room:
            lines.append(struct.pack(offset, at + length + len(beyond)))
            beyond += content + b"\0" * (len(content) % 2)
        else:
            lines.append(content.ljust(room, b"\0"))
    following = 0 if last else at + length + len(beyond)
    return b"".join([*lines, struct.pack(offset, following), beyond])


def _stored(kind: int, value: Any) -> bytes:
    content = value.encode() + b"\0" if isinstance(value, str) else value
    return content if isinstance(content, bytes) else np.asarray(content).astype(_TYPES[kind]).tobytes()
