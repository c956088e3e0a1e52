"""NIfTI files of results: the place in the world of the source, the names of the classes, the same bytes each time."""

from __future__ import annotations

import gzip
import io
import math
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gmmseg.image.place import Place
from gmmseg.image.windows import Window
from gmmseg.io.array.boxes import make_room
from gmmseg.io.dicom.series import Series
from gmmseg.io.palette import palette

if TYPE_CHECKING:
    from gmmseg.io.contents import Contents

__all__ = ["write"]

_AT_ONCE = 1 << 24  # bytes compressed in one call
_MOST_IN_TABLE = 65535
_MOST_IN_ONE_AXIS = 32767  # of NIfTI-1
_PLACE = (
    *("qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d"),
    *("qoffset_x", "qoffset_y", "qoffset_z", "srow_x", "srow_y", "srow_z"),
)


@dataclass(frozen=True, eq=False)
class NiftiPlace:
    """What a NIfTI file says of where its voxels lie, field by field: its header, as nibabel reads it."""

    header: Any


def write(path: Path, contents: Contents, windows: Iterable[tuple[Window, np.ndarray]]) -> dict[str, bytes]:
    """Write a result as its windows come, in any order.

    Parameters
    ----------
    path : Path
        Ends in .nii or .nii.gz.
    contents : Contents
        Labels are stored in their own dtype, probabilities as one volume a class.
    windows : iterable of (tuple of slice, ndarray)

    Returns
    -------
    dict of str to bytes
        ".txt": the label table of ITK-SNAP; empty for what are no labels, and for labels above 65535, its largest.

    Notes
    -----
    Results of a DICOM series are stored with columns first, then rows, then slices, as other programs convert them.
    What is to be compressed is first collected in an unnamed file of the same folder, because volumes of classes follow
    one another in the file, but come together.
    """
    place = None if contents.image is None else contents.image.place
    transposed = place is not None and isinstance(place.native, Series)
    spatial = contents.shape[::-1] if transposed else contents.shape
    header, buffer = _header(contents, spatial), io.BytesIO()
    header.write_to(buffer)
    start = buffer.getvalue()
    dtype, largest = header.get_data_dtype(), 0
    compressed = path.name.lower().endswith(".gz")
    with tempfile.TemporaryFile(dir=path.parent) if compressed else open(path, "x+b") as file:
        offset = 0 if compressed else file.write(start)
        mapped = _mapped(file, dtype, offset, tuple(header.get_data_shape()))
        numbers = mapped.reshape(*spatial, -1, order="F")
        for window, values in windows:
            if contents.kind == "labels":
                largest = max(largest, int(values.max(initial=0)))
            for number, part in enumerate(values if contents.kind == "soft" else values[None]):
                where: tuple[Any, ...] = (*window[::-1], number) if transposed else (*window, number)
                numbers[where] = _quantized(part.T if transposed else part, dtype)
        if compressed:
            _compress(path, start, mapped)
        del numbers, mapped
    if contents.kind != "labels" or largest > _MOST_IN_TABLE:
        return {}
    return {".txt": _label_table(largest, contents.names, contents.options.get("palette")).encode()}


def _label_table(n_classes: int, names: Sequence[str], given: np.ndarray | None = None) -> str:
    """Return the label description file of ITK-SNAP: number, colour, opacity, visibility and name of each class.

    The colours are those `given`, 0 first, and of further classes those of `gmmseg.io.palette.palette`.

    Examples
    --------
    >>> print(_label_table(1, ["white matter"]).splitlines()[-1])
        1     0  114  178        1  1  1    "white matter"
    """
    colors = palette(255)
    if given is not None:
        colors[: len(given)] = given[:256]
    lines = ["# ITK-SnAP Label Description File", "# IDX   -R-  -G-  -B-  -A-- VIS MSH  LABEL"]
    lines.append('    0     0    0    0        0  0  0    "Clear Label"')
    for number in range(1, max(n_classes, len(names)) + 1):
        red, green, blue = colors[1 + (number - 1) % 255]
        name = _name(number, names).replace('"', "'")
        lines.append(f'{number:5} {red:5} {green:4} {blue:4}        1  1  1    "{name}"')
    return "\n".join(lines) + "\n"


def _name(number: int, names: Sequence[str]) -> str:
    given = " ".join(names[number - 1].split()) if number <= len(names) else ""
    return given or f"class {number}"


def _quantized(values: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """Return values as stored: probabilities in integers by their share of the largest one."""
    return np.rint(values * np.iinfo(dtype).max) if values.dtype.kind == "f" and dtype.kind == "u" else values


def _mapped(file: Any, dtype: np.dtype[Any], offset: int, shape: tuple[int, ...]) -> np.memmap[Any, Any]:
    """Map what will be written; its room is taken now, because writing to a full disk through a map is fatal."""
    make_room(file, offset + math.prod(shape) * dtype.itemsize)
    return np.memmap(file, dtype, "r+", offset, shape, "F")


def _compress(path: Path, start: bytes, numbers: np.ndarray) -> None:
    """Write a .gz file without name or time in it."""
    # Level 6 leaves 0.4 of the bytes of level 1 of a label map in 1.4 times its time; 0.9 of probabilities in 1.9.
    level = 6 if numbers.dtype.kind == "u" else 1
    flat = numbers.reshape(-1, order="F").view(np.uint8)
    with open(path, "xb") as file, gzip.GzipFile("", "wb", level, file, mtime=0) as packed:
        packed.write(start)
        for begin in range(0, flat.size, _AT_ONCE):
            packed.write(flat[begin : begin + _AT_ONCE].data)


def _header(contents: Contents, spatial: tuple[int, ...]) -> Any:
    """Return a header with the shape and the meaning of a result, and the place of what was segmented."""
    from nibabel.nifti1 import Nifti1Extension

    soft = contents.kind == "soft"
    # The fourth axis is that of volumes; pictures have one slice.
    shape = (*spatial, *(1,) * (3 - len(spatial)), len(contents.names)) if soft else spatial
    header = _located(contents, spatial, max(shape))
    header.set_data_shape(shape)
    header.set_data_dtype(np.dtype(contents.options.get("dtype", contents.dtype)).newbyteorder("<"))
    header["vox_offset"] = header["cal_min"] = header["cal_max"] = 0
    stored = header.get_data_dtype()
    header.set_slope_inter(1 / np.iinfo(stored).max if soft and stored.kind == "u" else 1, 0)
    header.set_intent(
        "label" if contents.kind == "labels" else "none", name=contents.names[0][:15] if _is_map(contents) else ""
    )
    if soft:
        header["pixdim"][4] = 1
        header["xyzt_units"] &= np.uint8(7)  # without the unit of time
    header["descrip"] = f"gmmseg: {contents.shares if soft else contents.kind}"
    header["aux_file"] = b""
    if contents.names and not _is_map(contents):
        text = "".join(f"{number} {_name(number, contents.names)}\n" for number in range(1, len(contents.names) + 1))
        header.extensions.append(Nifti1Extension("comment", text.encode()))
    return header


def _is_map(contents: Contents) -> bool:
    return contents.kind == "map"


def _located(contents: Contents, spatial: tuple[int, ...], longest: int) -> Any:
    """Return a header that says where the voxels lie, as far as that is known of the image."""
    from nibabel.nifti1 import Nifti1Header
    from nibabel.nifti2 import Nifti2Header

    image = contents.image
    place = Place() if image is None or image.place is None else image.place
    source = place.native.header if isinstance(place.native, NiftiPlace) else None
    second = longest > _MOST_IN_ONE_AXIS or isinstance(source, Nifti2Header)
    header = (Nifti2Header if second else Nifti1Header)(endianness="<")
    if source is not None:
        # Field by field, so that not a bit of the affine changes; version 2 only has wider fields.
        for name in ("dim_info", "pixdim", "xyzt_units", *_PLACE):
            header[name] = source[name]
    elif place.affine3d is not None:
        affine, n_axes = np.array(place.affine3d), len(spatial)
        if isinstance(place.native, Series):  # of which columns are stored first
            affine = affine[:, [*range(n_axes)[::-1], *range(n_axes, 4)]]
        header.set_data_shape(spatial)
        header.set_sform(affine, code="scanner")
        header.set_qform(affine, code="scanner")
        header.set_xyzt_units("mm")
    elif image is not None and image.spacing is not None:
        millimetres = 1e3 * (place.metres or 1e-3)  # what nobody says is taken for millimetres, as readers do
        header["pixdim"][1 : 1 + image.ndim] = [side * millimetres for side in image.spacing]
        header.set_xyzt_units("mm")
    return header
