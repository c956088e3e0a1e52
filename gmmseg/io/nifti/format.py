"""NIfTI-1 and NIfTI-2 volumes: .nii, .nii.gz and pairs of .hdr and .img, headers read by nibabel."""

from __future__ import annotations

import logging
import math
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gmmseg.errors import InputError, warn
from gmmseg.image import Image
from gmmseg.image.place import Place
from gmmseg.io.damage import explained
from gmmseg.io.nifti.extensions import colors_beside, names_in_nifti
from gmmseg.io.nifti.gzip_stream import opened
from gmmseg.io.nifti.stored import StoredVolume, VolumeSource
from gmmseg.io.nifti.write import NiftiPlace, write
from gmmseg.io.request import Reading, chosen, require_axis, require_bytes, require_room
from gmmseg.io.unchanged import Stamp

__all__ = [
    "class_colors",
    "class_names",
    "describe",
    "geometry_of",
    "read",
    "read_labels",
    "read_probabilities",
    "require_real",
    "split_axes",
    "whole_numbers",
    "write",
]

_MILLIMETRES = {"meter": 1000.0, "mm": 1.0, "micron": 0.001}
_MOST_INFLATED = 1032  # bytes that a byte of a gzip file can stand for
_LEVEL = 30  # from which on nibabel logs what is wrong with a header
_ERROR = 40  # from which on it raises
_FLAT = 1e-6  # volume of a parallelepiped with sides of 1 that is taken for flat


@dataclass(frozen=True)
class _Opened:
    """A file of which the header is read: what nibabel makes of it, where its numbers are, voxels in mm and place."""

    header: Any
    volume: StoredVolume
    spacing: tuple[float, ...] | None
    affine: Any


def read(path: Path, reading: Reading) -> Image:
    """Read a volume in the file's own order of axes.

    Parameters
    ----------
    path : Path
        .nii, .nii.gz, or the .hdr of a pair.
    reading : Reading

    Returns
    -------
    Image
        (x, y, z, n_channels) as nibabel numbers the axes; time points and contrasts are channels, in memory each
        stored after the other. Integers that the header does not scale stay integers; scaled ones become float32.
        Its place has the affine.

    Raises
    ------
    InputError
        The file is damaged, cut short, too large, or holds what is no image of real numbers.
    """
    opened = _open(path)
    volume = opened.volume
    memory = reading.memory_unchosen
    n_voxels = math.prod(volume.spatial)
    in_file = memory is not None and (
        volume.n_numbers * volume.dtype.itemsize > memory or n_voxels * volume.voxel_bytes > reading.budget
    )
    pixels: Any
    if in_file:
        require_bytes(path, volume.slice_bytes, reading, "its slices")
        pixels, valid = VolumeSource(volume), None
    else:
        _require_whole(path, volume, reading)
        with _explained(path):
            pixels, valid = volume.decoded(volume.whole())
    if valid is not None:
        n_missing = valid.size - np.count_nonzero(valid)
        warn(f"{path}: {n_missing} voxels are NaN, infinite, transparent or beyond float32; their label is 0")
    image = Image(
        pixels,
        color=volume.color,
        valid=valid,
        spacing=opened.spacing,
        name=str(path),
        place=Place(affine3d=opened.affine, unit="mm", native=NiftiPlace(opened.header)),
    )
    require_axis(image, reading, "NIfTI")
    return chosen(image, reading)


def read_labels(path: Path, reading: Reading) -> np.ndarray:
    """Read a label map or a mask; floats have to be whole numbers, and NaN among them is 0."""
    values = _numbers(path, reading, copies=2)  # to compare them with whole numbers, and to narrow them
    if values.shape[-1] != 1:
        raise InputError(f"{path} has {values.shape[-1]} volumes, but a label map has one; write it as one volume")
    return whole_numbers(path, values[..., 0])


def whole_numbers(path: Path, labels: np.ndarray) -> np.ndarray:
    """Return labels as integers; floats have to be whole numbers, and NaN among them is 0."""
    if labels.dtype.kind != "f":
        return labels
    labels = np.nan_to_num(labels, nan=0.0)
    low, high = float(labels.min()), float(labels.max())
    if not (low >= 0 and high <= 0xFFFFFFFF and np.array_equal(labels, np.rint(labels))):
        raise InputError(
            f"{path} has values from {low:g} to {high:g}, but labels are whole numbers from 0; round or threshold it"
        )
    return np.asarray(labels.astype(np.min_scalar_type(int(high))))


def read_probabilities(path: Path, reading: Reading) -> np.ndarray:
    """Read probability maps (n_classes, *spatial), stored as one volume a class."""
    return np.moveaxis(_numbers(path, reading), -1, 0)


def class_names(path: Path) -> tuple[str, ...] | None:
    """Return the names of classes in the header's extension, or else in the label table beside the file."""
    with _explained(path):
        return names_in_nifti(path)


def class_colors(path: Path) -> np.ndarray | None:
    """Return the colours in the label table beside the file."""
    with _explained(path):
        return colors_beside(path)


def describe(path: Path) -> dict[str, Any]:
    """Return what the header says, ready for JSON."""
    opened = _open(path)
    header, volume = opened.header, opened.volume
    with _explained(path):
        from nibabel.orientations import aff2axcodes

        codes = (None,) * 3 if opened.affine is None else aff2axcodes(opened.affine)
        space, time = _units(header)
        facts: dict[str, Any] = {
            "shape": list(volume.spatial),
            "channels": volume.n_channels,
            "dtype": str(volume.stored.newbyteorder("=")) if not volume.stored.names else "rgb",
            "compression": "gzip" if volume.gzipped else "none",
            "orientation": "".join(code or "?" for code in codes),
            "units": f"{space}, {time}",
            "sform": header.get_value_label("sform_code"),
            "qform": header.get_value_label("qform_code"),
            "intent": header.get_value_label("intent_code"),
        }
    if opened.spacing is not None:
        facts["spacing_mm"] = [round(step, 6) for step in opened.spacing]
    if volume.scaled:
        facts["scaling"] = {"slope": volume.slope, "intercept": volume.intercept}
    description = header["descrip"].item().decode("latin-1").strip()
    if description:
        facts["description"] = description
    return facts


def _numbers(path: Path, reading: Reading, copies: int = 0) -> np.ndarray:
    """Return all numbers of a file, scaled, (*spatial, n_channels), where there is room for so many copies of them."""
    volume = _open(path).volume
    if volume.color:
        raise InputError(f"{path} holds colours, expected one number a voxel; convert it to integers or floats")
    _require_whole(path, volume, reading, copies * volume.n_volumes * volume.dtype.itemsize)
    with _explained(path):
        return volume.decoded(volume.whole())[0]


def _require_whole(path: Path, volume: StoredVolume, reading: Reading, more: int = 0) -> None:
    """Refuse numbers that are too many to be read whole; of each voxel more bytes may be needed later."""
    require_room(path, (*volume.spatial, volume.n_channels), reading)
    require_room(path, volume.spatial, reading, volume.voxel_bytes + more)
    require_bytes(path, volume.offset if volume.gzipped else 0, reading, "the bytes before its numbers")


def _open(path: Path) -> _Opened:
    """Read and check a header, and find the numbers."""
    with _explained(path), np.errstate(all="ignore"):
        header, wrong = _read_header(path)
        shape = tuple(int(length) for length in header.get_data_shape())
        stored = np.dtype(header.get_data_dtype())
        slope, intercept = header.get_slope_inter()
        offset = _offset(path, header)
    require_real(path, stored)
    spatial, n_volumes = split_axes(path, shape, stored)
    numbers = path if header.is_single else _pair(path)
    gzipped, stamp = _kind(numbers)
    volume = StoredVolume(
        numbers,
        gzipped,
        offset,
        spatial,
        n_volumes,
        stored,
        stamp,
        1.0 if slope is None else float(slope),
        0.0 if intercept is None else float(intercept),
    )
    needed = offset + volume.n_numbers * stored.itemsize
    missing = needed - stamp.size * (_MOST_INFLATED if gzipped else 1)
    if missing > 0:
        at_least = "at least " if gzipped else ""
        raise InputError(f"{numbers} is cut short: {at_least}{missing} bytes are missing; copy or download it again")
    with _explained(path), np.errstate(all="ignore"):
        spacing, affine, placed = geometry_of(header, len(spatial))
    if not placed:
        wrong = [*wrong, "it says no orientation that a patient could have; only the sides of its voxels are used"]
    if wrong:
        warn(f"{path}: {'; '.join(wrong)}")
    return _Opened(header, volume, spacing, affine)


def require_real(path: Path | str, stored: np.dtype[Any]) -> None:
    """Refuse numbers that are neither real nor a colour."""
    if stored.kind not in "uif" and stored.names not in (("R", "G", "B"), ("R", "G", "B", "A")):
        raise InputError(f"{path} holds {stored} numbers, expected real ones; save their magnitude as float32")


def split_axes(path: Path | str, shape: tuple[int, ...], stored: np.dtype[Any]) -> tuple[tuple[int, ...], int]:
    """Return the spatial shape and the number of volumes."""
    if not shape or min(shape) < 1:
        raise InputError(f"{path} is {' x '.join(map(str, shape)) or 'no'} voxels in size; it needs at least one voxel")
    further = [length for length in shape[3:] if length > 1]
    if len(further) > 1 or (stored.names and further):
        size = " x ".join(map(str, shape))
        raise InputError(f"{path} is {size} in size: too many axes; save three axes in space and one of volumes")
    return shape[:3], math.prod(further)


def geometry_of(header: Any, n_axes: int) -> tuple[tuple[float, ...] | None, Any, bool]:
    """Return the sides of a voxel in mm, the affine, and whether the header says one that is a place."""
    affine = _affine(header)
    placed = affine is not None
    return _spacing(header, n_axes), affine if placed else _affine_of_steps(header), placed


def _read_header(path: Path) -> tuple[Any, list[str]]:
    """Read the header that the magic bytes name, whatever the file is called; and say what was wrong with it.

    What follows the header, as long as it says that is, is nothing that pixels depend on: it is not read.
    """
    from nibabel.nifti1 import Nifti1Header, Nifti1PairHeader
    from nibabel.nifti2 import Nifti2Header, Nifti2PairHeader

    kinds = {b"n+1": Nifti1Header, b"ni1": Nifti1PairHeader, b"n+2": Nifti2Header, b"ni2": Nifti2PairHeader}
    with opened(path) as file:
        start = file.read(348)
        kind = kinds.get(start[4:7]) or kinds[start[344:347]]
        start += file.read(kind.sizeof_hdr - len(start))
    if len(start) < kind.sizeof_hdr:
        raise EOFError
    header = kind(start, check=False)
    found = _Findings()
    header.check_fix(found, _ERROR)
    return header, found.lines


class _Findings(logging.Logger):
    """A logger of its own, so that the one of nibabel stays as it is, that keeps what is said."""

    def __init__(self) -> None:
        super().__init__("nibabel", _LEVEL)
        self.lines: list[str] = []

    def handle(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self.lines.append(" ".join(record.getMessage().split()))


def _offset(path: Path, header: Any) -> int:
    """Return where the numbers begin."""
    offset = float(header["vox_offset"])
    if not 0 <= offset < 1 << 62:
        raise InputError(f"{path} says that its numbers begin at byte {offset:g}; copy or download it again")
    return int(header.get_data_offset())


def _spacing(header: Any, ndim: int) -> tuple[float, ...] | None:
    """Return the sides of a voxel in mm; lengths without a unit are taken for millimetres, as everybody does."""
    factor = _MILLIMETRES.get(_units(header)[0], 1.0)
    steps = tuple(abs(float(step)) * factor for step in header.get_zooms()[:ndim])
    return steps if all(0 < step < math.inf for step in steps) else None


def _units(header: Any) -> tuple[str, str]:
    """Return the units of lengths and of time; "unknown" where they have none of the standard's numbers."""
    try:
        space, time = header.get_xyzt_units()
    except KeyError:
        return "unknown", "unknown"
    return str(space), str(time)


def _affine(header: Any) -> np.ndarray | None:
    """Return where voxels lie; None where that is no place, because numbers are zero or not finite."""
    from nibabel.spatialimages import HeaderDataError

    try:
        with np.errstate(all="ignore"):
            affine = np.asarray(header.get_best_affine(), float)
    except (HeaderDataError, ValueError):  # of quaternions that are none
        return None
    return affine if _turns(affine) else None


def _affine_of_steps(header: Any) -> np.ndarray | None:
    """Return where voxels lie as far as only their sides are known; None where these are no lengths either."""
    with np.errstate(all="ignore"):
        affine = np.asarray(header.get_base_affine(), float)
    return affine if _turns(affine) else None


def _turns(affine: np.ndarray) -> bool:
    """Whether different voxels lie at different places."""
    if not np.isfinite(affine).all():
        return False
    with np.errstate(over="ignore"):
        lengths = np.sqrt((affine[:3, :3] ** 2).sum(axis=0))
    return bool(0 < lengths.min() <= lengths.max() < np.inf and abs(np.linalg.det(affine[:3, :3] / lengths)) > _FLAT)


def _pair(header: Path) -> Path:
    """Return the file of numbers that belongs to a header: the one of its name in its folder."""
    stem = header.name.removesuffix(".gz").removesuffix(".hdr").removesuffix(".HDR")
    for suffix in (".img", ".img.gz", ".IMG"):
        numbers = header.with_name(stem + suffix)
        if numbers.is_file():
            if numbers.resolve().parent != header.parent.resolve():
                raise InputError(
                    f"{numbers} is a link to a file in another folder; copy that file beside {header.name}"
                )
            return numbers
    raise InputError(f"{header} is the header of a pair, but {stem}.img is not beside it; put both in one folder")


def _kind(path: Path) -> tuple[bool, Stamp]:
    """Return whether a file of numbers is a gzip file, and what tells it from later ones of its name."""
    with open(path, "rb") as file:
        return file.read(2) == b"\x1f\x8b", Stamp.of(path)


def _explained(path: Path) -> AbstractContextManager[None]:
    """Turn what nibabel, zlib and NumPy raise into one line."""
    return explained(path, "copy or download it again", finding="damaged", smaller="cut it into parts")
