"""NIfTI-1 and NIfTI-2 volumes: .nii, .nii.gz and pairs of .hdr and .img, headers read by nibabel."""

from __future__ import annotations

import gzip
import logging
import math
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from gmmseg.errors import DataWarning, InputError
from gmmseg.image import Image
from gmmseg.image.place import Place
from gmmseg.io.damage import explained
from gmmseg.io.nifti.stored import GzipStream, StoredVolume, VolumeSource
from gmmseg.io.nifti.write import NiftiPlace, write
from gmmseg.io.request import Reading, chosen, require_axis, require_room

__all__ = ["describe", "read", "read_labels", "read_probabilities", "write"]

_MILLIMETRES = {"meter": 1000.0, "mm": 1.0, "micron": 0.001}


@dataclass(frozen=True)
class _Opened:
    """A file of which the header is read: what nibabel makes of it, where its numbers are, and voxels in mm."""

    header: Any
    volume: StoredVolume
    spacing: tuple[float, ...] | None


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
    in_file = memory is not None and volume.n_numbers * volume.dtype.itemsize > memory
    pixels: Any
    if in_file:
        pixels, valid = VolumeSource(volume), None
    else:
        require_room(path, (*volume.spatial, volume.n_channels), reading)
        with _explained(path):
            pixels, valid = volume.decoded(_stored(volume))
    if valid is not None:
        n_missing = valid.size - np.count_nonzero(valid)
        warnings.warn(
            f"{path}: {n_missing} voxels are NaN, infinite, transparent or beyond float32; their label is 0",
            DataWarning,
            stacklevel=5,
        )
    image = Image(
        pixels,
        color=volume.color,
        valid=valid,
        spacing=opened.spacing,
        name=str(path),
        place=Place(affine3d=opened.header.get_best_affine(), unit="mm", native=NiftiPlace(opened.header)),
    )
    require_axis(image, reading, "NIfTI")
    return chosen(image, reading)


def read_labels(path: Path, reading: Reading) -> np.ndarray:
    """Read a label map or a mask; floats have to be whole numbers, and NaN among them is 0."""
    values = _numbers(path, reading)
    if values.shape[-1] != 1:
        raise InputError(f"{path} has {values.shape[-1]} volumes, but a label map has one; write it as one volume")
    labels = values[..., 0]
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


def describe(path: Path) -> dict[str, Any]:
    """Return what the header says, ready for JSON."""
    opened = _open(path)
    header, volume = opened.header, opened.volume
    with _explained(path):
        from nibabel.orientations import aff2axcodes

        codes = aff2axcodes(header.get_best_affine())
        space, time = header.get_xyzt_units()
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


def _numbers(path: Path, reading: Reading) -> np.ndarray:
    """Return all numbers of a file, scaled, (*spatial, n_channels)."""
    volume = _open(path).volume
    require_room(path, (*volume.spatial, volume.n_channels), reading)
    if volume.color:
        raise InputError(f"{path} holds colours, expected one number a voxel; convert it to integers or floats")
    with _explained(path):
        return volume.decoded(_stored(volume))[0]


def _stored(volume: StoredVolume) -> np.ndarray:
    """Return the numbers of a file as they are stored: of a plain file a read-only view of the file on disk."""
    shape = (*volume.spatial, volume.n_volumes)
    if not volume.gzipped:
        return np.memmap(volume.path, volume.stored, "r", volume.offset, shape, "F")
    stream = GzipStream()
    with open(volume.path, "rb") as file:
        stream.skip(file, volume.offset)
        content = stream.read(file, volume.n_numbers * volume.stored.itemsize)
        stream.finish(file)
    return np.frombuffer(content, volume.stored).reshape(shape, order="F")


def _open(path: Path) -> _Opened:
    """Read and check a header, and find the numbers."""
    with _explained(path):
        header = _read_header(path)
        shape = tuple(int(length) for length in header.get_data_shape())
        stored = np.dtype(header.get_data_dtype())
        slope, intercept = header.get_slope_inter()
        offset = int(header.get_data_offset())
        spacing = _spacing(header, len(shape[:3]))
    if not shape or min(shape) < 1:
        raise InputError(f"{path} is {' x '.join(map(str, shape)) or 'no'} voxels in size; it needs at least one voxel")
    if stored.kind not in "uif" and stored.names not in (("R", "G", "B"), ("R", "G", "B", "A")):
        raise InputError(f"{path} holds {stored} numbers, expected real ones; save their magnitude as float32")
    spatial, further = shape[:3], [length for length in shape[3:] if length > 1]
    if len(further) > 1 or (stored.names and further):
        size = " x ".join(map(str, shape))
        raise InputError(f"{path} is {size} in size: too many axes; save three axes in space and one of volumes")
    numbers = path if header.is_single else _pair(path)
    with open(numbers, "rb") as file:
        gzipped = file.read(2) == b"\x1f\x8b"
    volume = StoredVolume(
        numbers,
        gzipped,
        offset,
        spatial,
        math.prod(further),
        stored,
        1.0 if slope is None else float(slope),
        0.0 if intercept is None else float(intercept),
    )
    missing = offset + volume.n_numbers * stored.itemsize - numbers.stat().st_size
    if not gzipped and missing > 0:
        raise InputError(f"{numbers} is cut short: {missing} bytes are missing; copy or download it again")
    return _Opened(header, volume, spacing)


def _read_header(path: Path) -> Any:
    """Read the header that the magic bytes name, whatever the file is called."""
    from nibabel.nifti1 import Nifti1Header, Nifti1PairHeader
    from nibabel.nifti2 import Nifti2Header, Nifti2PairHeader

    with ExitStack() as stack:
        file: BinaryIO = stack.enter_context(open(path, "rb"))
        if file.read(2) == b"\x1f\x8b":
            file.seek(0)
            file = stack.enter_context(gzip.GzipFile(fileobj=file))  # type: ignore[assignment]  # reads bytes as well
        file.seek(0)
        start = file.read(348)
        file.seek(0)
        kinds = {b"n+1": Nifti1Header, b"ni1": Nifti1PairHeader, b"n+2": Nifti2Header, b"ni2": Nifti2PairHeader}
        return (kinds.get(start[4:7]) or kinds[start[344:347]]).from_fileobj(file)


def _spacing(header: Any, ndim: int) -> tuple[float, ...] | None:
    """Return the sides of a voxel in mm; lengths without a unit are taken for millimetres, as everybody does."""
    factor = _MILLIMETRES.get(header.get_xyzt_units()[0], 1.0)
    steps = tuple(abs(float(step)) * factor for step in header.get_zooms()[:ndim])
    return steps if all(0 < step < math.inf for step in steps) else None


def _pair(header: Path) -> Path:
    """Return the file of numbers that belongs to a header."""
    stem = header.name.removesuffix(".gz").removesuffix(".hdr").removesuffix(".HDR")
    for suffix in (".img", ".img.gz", ".IMG"):
        numbers = header.with_name(stem + suffix)
        if numbers.is_file():
            return numbers
    raise InputError(f"{header} is the header of a pair, but {stem}.img is not beside it; put both in one folder")


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what nibabel, zlib and NumPy raise into one line, and keep what they warn of and log to themselves."""
    log = logging.getLogger("nibabel.global")
    disabled, log.disabled = log.disabled, True
    try:
        with (
            explained(path, "copy or download it again", finding="damaged", smaller="cut it into parts"),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        log.disabled = disabled
