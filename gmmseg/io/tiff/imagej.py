"""Writing results as ImageJ does: a stack that is stored as it is, in the order TZCYX, and its calibration."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gmmseg.io.array.boxes import make_room, write_box
from gmmseg.io.tiff.stacks import Stack, class_list, native_of, sizes_of
from gmmseg.io.tiff.write import orientation_of

if TYPE_CHECKING:
    from gmmseg.image import Image
    from gmmseg.io.contents import Contents
    from gmmseg.io.tiff.stacks import Windows

__all__ = ["write_imagej"]


def write_imagej(path: Path, contents: Contents, windows: Windows) -> None:
    """Write a result while its windows come.

    Parameters
    ----------
    path : Path
        A temporary file.
    contents : Contents
        Labels, probabilities, whose classes are channels named by the labels of their planes, or a map.
    windows : iterable of (tuple of slice, ndarray)
        Together all of the shape.

    Notes
    -----
    Without compression, as ImageJ writes its stacks: so that it can open them as virtual ones. Labels of 8 bits have a
    colour each in a look-up table, which leaves the numbers as they are; the names of classes are the image's info.
    """
    import tifffile

    stack = Stack.of(contents, "TZCYX")
    options, metadata = _calibration(contents.image)
    metadata["axes"] = stack.axes
    if contents.kind == "labels" and contents.names:
        metadata["Info"] = class_list(contents)
    if contents.kind == "labels" and stack.dtype == "uint8" and not contents.options.get("plain"):
        from gmmseg.io.palette import palette  # here, because only labels have colours

        metadata |= {"LUTs": [np.ascontiguousarray(palette(255).T)], "min": 0.0, "max": 255.0}
    elif contents.kind == "soft":
        planes = math.prod(length for axis, length in zip(stack.axes, stack.shape, strict=True) if axis in "TZ")
        metadata |= {"Labels": list(contents.names) * planes, "Info": f"gmmseg: {contents.shares}"}
    with tifffile.TiffWriter(path, imagej=True) as tiff:
        tiff.write(
            shape=stack.shape,
            dtype=stack.dtype,
            photometric="minisblack",
            metadata=metadata,
            software="gmmseg",
            extratags=orientation_of(contents.image),
            **options,
        )
    with tifffile.TiffFile(path) as tiff:
        offset = tiff.pages.first.dataoffsets[0]
    with open(path, "r+b") as file:
        make_room(file, max(path.stat().st_size, offset + stack.n_bytes))
        for box, values in stack.boxes(windows):
            # ImageJ's files are of the order of bytes in which tifffile writes them, that of the machine.
            write_box(file, offset, stack.shape, box, values)


def _calibration(image: Image | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return arguments of tifffile, and items of the description: as they were, where the sizes still are."""
    native, sizes = native_of(image), sizes_of(image)
    known = {axis: native.ome[f"PhysicalSize{axis}"] for axis in sizes if f"PhysicalSize{axis}" in native.ome}
    if native.imagej and known.keys() == sizes.keys() and all(math.isclose(known[a], sizes[a]) for a in sizes):
        items = {name: _in_ascii(value) for name, value in native.imagej.items() if name != "resolution"}
        resolution = native.imagej.get("resolution")
    else:
        items = {"unit": "um"} if sizes else {}
        items |= {"spacing": sizes["Z"]} if "Z" in sizes else {}
        seconds = None if image is None or image.place is None else image.place.seconds
        items |= {} if seconds is None else {"finterval": seconds}
        resolution = (1 / sizes["X"], 1 / sizes["Y"]) if {"X", "Y"} <= sizes.keys() else None
    return ({} if resolution is None else {"resolution": resolution, "resolutionunit": 1}), items


def _in_ascii(value: Any) -> Any:
    """Return text as ImageJ writes it, other letters escaped."""
    if not isinstance(value, str):
        return value
    return "".join(each if each.isascii() else f"\\u{ord(each):04X}" for each in value)
