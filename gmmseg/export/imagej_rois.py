"""ImageJ: each instance a region of interest (ROI), in the .zip file of the ROI Manager.

The format is that of ImageJ's `RoiDecoder`: big-endian, a header, coordinates, a second header, and the name. What is
one region without holes is a traced polygon; other instances are paths of several rings, which ImageJ calls composite.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import BinaryIO

import numpy as np

from gmmseg.arrays import Array
from gmmseg.errors import ParameterError
from gmmseg.export.instances import Instances
from gmmseg.export.planes import Plane
from gmmseg.export.rings import pixel_rings
from gmmseg.io.palette import palette

__all__ = ["write_rois"]

_VERSION = 227
_RECTANGLE, _TRACED = 1, 8  # kinds of ROI; paths are rectangles with a shape
_MOVE, _LINE, _CLOSE = 0.0, 1.0, 4.0  # segments of paths
_LARGEST = (1 << 15) - 1  # coordinates are signed, of 16 bits
_MOST_CORNERS = (1 << 16) - 1
_HEADER = 64  # bytes of each of the two
_FIRST_DATE = (1980, 1, 1, 0, 0, 0)  # of a .zip file: the same instances make the same bytes


def write_rois(file: BinaryIO, instances: Instances | Sequence[Plane]) -> None:
    """Write an ROI for each instance, in the colour of its class, which is its group, too.

    Parameters
    ----------
    file : BinaryIO
        Open for writing and seeking.
    instances : Instances or sequence of Plane
        ROIs are called by their numbers and classes: "0001-water", of objects by the numbers of these; of a volume or
        a time-lapse by their frames and planes before: "t02-z05-0001-water". These are their position in ImageJ, too.

    Raises
    ------
    ParameterError
        The picture has more rows or columns than ROIs can count.
    """
    planes = [Plane(0, 0, instances)] if isinstance(instances, Instances) else instances
    rows, columns = planes[0].instances.shape
    if max(rows, columns) > _LARGEST:
        raise ParameterError(
            f"the label map is {columns} x {rows} pixels, ImageJ's ROIs count to {_LARGEST}; "
            "cut it into tiles, or use geojson"
        )
    counts = np.cumsum([0, *(len(each.instances) for each in planes)]).tolist()
    largest = max(int(each.instances.values.max(initial=0)) for each in planes)
    width = max(4, len(str(max(counts[-1], largest))))
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for index, (each, before) in enumerate(zip(planes, counts[:-1], strict=True), 1):
            letters = (("t", each.frame, planes[-1].frame), ("z", each.plane, planes[-1].plane))
            prefix = "".join(f"{letter}{number:0{len(str(last))}}-" for letter, number, last in letters if number)
            position = (index if prefix else 0, each.plane, each.frame)
            for name, roi in _rois(each.instances, position, prefix, width, before):
                entry = zipfile.ZipInfo(f"{name}.roi", _FIRST_DATE)
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, roi)


def _rois(
    instances: Instances, position: tuple[int, int, int], prefix: str, width: int, before: int
) -> Iterator[tuple[str, bytes]]:
    """Names and bytes of the ROIs of a plane, given their number of digits and how many ROIs were before."""
    rings = pixel_rings(instances)
    colors = palette(255)
    every = [rings.points[start:stop] for start, stop in pairwise(rings.rings.tolist())]
    first_rings = rings.polygons[rings.instances].tolist()
    for index, (first, last) in enumerate(pairwise(first_rings)):
        number = int(instances.values[index]) if instances.kind == "object" else before + index + 1
        # Names of files in an archive may not lead elsewhere.
        name = f"{prefix}{number:0{width}}-{instances.name_of(index)}".replace("/", "_").replace("\\", "_")
        label = int(instances.categories[index])
        color = colors[label if label < len(colors) else 0]
        yield name, _roi(every[first:last], name, label, color, position)


def _roi(rings: list[Array], name: str, label: int, color: Array, position: tuple[int, int, int]) -> bytes:
    """Return an ROI; its position is the index in a plain stack, the plane and the frame, each from 1."""
    corners, (index, plane, frame) = np.concatenate(rings), position
    left, top = corners.min(axis=0).tolist()
    right, bottom = corners.max(axis=0).tolist()
    if len(rings) == 1 and len(rings[0]) - 1 <= _MOST_CORNERS:
        kind, n_corners, n_path = _TRACED, len(rings[0]) - 1, 0
        content = (rings[0][:-1] - (left, top)).astype(">i2").tobytes(order="F")
    else:
        path = np.concatenate([_path(ring) for ring in rings])
        kind, n_corners, n_path = _RECTANGLE, 0, len(path)
        content = path.astype(">f4").tobytes()
    stroke = bytes([255, *color.tolist()])
    header = struct.pack(">4sHBxhhhhH16x", b"Iout", _VERSION, kind, top, left, bottom, right, n_corners)
    header += struct.pack(">hi4s4shhBBhii", 0, n_path, stroke, bytes(4), 0, 0, 0, 0, 0, index, _HEADER + len(content))
    text = name.encode("utf-16-be")
    place = 2 * _HEADER + len(content)
    group = label if label <= 255 else 0
    second = struct.pack(
        ">4x3i2i4shBBifiii12x", 0, plane, frame, place, len(text) // 2, bytes(4), 0, group, 0, 0, 0, 0, 0, 0
    )
    return b"".join([header, content, second, text])


def _path(ring: Array) -> Array:
    """Return a closed ring as segments: to its first corner, lines to the others, and the end."""
    steps = np.full((len(ring) - 1, 3), _LINE)
    steps[0, 0] = _MOVE
    steps[:, 1:] = ring[:-1]
    return np.append(steps.ravel(), _CLOSE)
