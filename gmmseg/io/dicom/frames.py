"""DICOM frames: the slices that a file holds, with their scales and places in the patient."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gmmseg.errors import InputError
from gmmseg.io.dicom.dicom_file import DicomFile, is_deflated
from gmmseg.io.dicom.films import sides_of_ultrasound
from gmmseg.io.request import Reading, require_bytes

__all__ = ["Frame", "frames_of", "normal_of"]

_LEAST_FRAGMENT = 8  # bytes of a compressed frame, if it were empty
_MOST_INFLATED = 1032  # bytes that a deflated byte can stand for
_FRAME_BYTES = 4096  # of a frame without its pixels: what is known of it, and its part of the header


@dataclass(frozen=True, slots=True)
class Frame:
    """One slice.

    Parameters
    ----------
    file : DicomFile
    index : int
        Of the frame in the file.
    slope, intercept : float
        Values are stored * slope + intercept.
    position : ndarray, shape (3,), optional
        Of the centre of the first pixel in the patient, mm, towards left, back and head.
    orientation : ndarray, shape (6,), optional
        Directions in which columns and rows are counted.
    sides : tuple of float, optional
        Millimetres between rows and between columns.
    between : float, optional
        Millimetres between slices, as the file says it.
    """

    file: DicomFile
    index: int
    slope: float = 1.0
    intercept: float = 0.0
    position: np.ndarray | None = None
    orientation: np.ndarray | None = None
    sides: tuple[float, float] | None = None
    between: float | None = None

    @property
    def path(self) -> Path:
        """Of the file."""
        return self.file.path

    @property
    def header(self) -> Any:
        """Of the file: a pydicom dataset."""
        return self.file.header


def frames_of(file: DicomFile, reading: Reading) -> list[Frame]:
    """Return the frames of a file, as they are stored.

    Raises
    ------
    InputError
        It says that it holds more than its bytes could be.
    """
    header = file.header
    count = max(1, int(header.get("NumberOfFrames") or 1))
    _require_frames(file, count, reading)
    groups = list(header.get("PerFrameFunctionalGroupsSequence") or [])
    if groups:
        if len(groups) != count:
            raise InputError(f"{file.path} has {count} frames, but describes {len(groups)}; export it again")
        shared = [*(header.get("SharedFunctionalGroupsSequence") or [])][:1]
        return [_enhanced(file, i, [group, *shared]) for i, group in enumerate(groups)]
    frame = Frame(
        file,
        0,
        *_scaling(header),
        _vector(header, "ImagePositionPatient", 3),
        _vector(header, "ImageOrientationPatient", 6),
        _sides(header),
    )
    if count == 1:
        return [frame]
    offsets = header.get("GridFrameOffsetVector")
    if offsets is None or frame.position is None or frame.orientation is None or len(offsets) != count:
        return [Frame(file, i, frame.slope, frame.intercept, sides=frame.sides) for i in range(count)]
    steps = np.array(offsets, float) - float(offsets[0])
    places = frame.position + steps[:, None] * normal_of(frame.orientation)
    slope = float(header.get("DoseGridScaling") or frame.slope)
    return [
        Frame(file, i, slope, frame.intercept, place, frame.orientation, frame.sides) for i, place in enumerate(places)
    ]


def _require_frames(file: DicomFile, count: int, reading: Reading) -> None:
    """Refuse more frames than there can be, before anything is made for each."""
    if count == 1:
        return
    header, size = file.header, file.stamp.size
    if header.file_meta.TransferSyntaxUID.is_encapsulated:
        least = float(_LEAST_FRAGMENT)
    else:
        numbers = int(header.Rows) * int(header.Columns) * int(header.get("SamplesPerPixel") or 1)
        least = numbers * int(header.BitsAllocated) / 8
        least *= 2 / 3 if "422" in str(header.get("PhotometricInterpretation")) else 1
        least /= _MOST_INFLATED if is_deflated(header) else 1
    if count * least > size:
        raise InputError(
            f"{file.path} says that it holds {count} frames, more than fit into its {size} bytes; "
            "export or download it again"
        )
    require_bytes(file.path, count * _FRAME_BYTES, reading, f"its {count} frames, without pixels,")


def _enhanced(file: DicomFile, index: int, groups: Sequence[Any]) -> Frame:
    """Return a frame of a multi-frame object: what it says of itself goes before what all frames share."""

    def first(name: str) -> Any:
        return next((group[name][0] for group in groups if group.get(name)), {})

    return Frame(
        file,
        index,
        *_scaling(first("PixelValueTransformationSequence")),
        _vector(first("PlanePositionSequence"), "ImagePositionPatient", 3),
        _vector(first("PlaneOrientationSequence"), "ImageOrientationPatient", 6),
        _sides(first("PixelMeasuresSequence")),
        _between_slices(first("PixelMeasuresSequence")),
    )


def _scaling(item: Any) -> tuple[float, float]:
    slope, intercept = item.get("RescaleSlope"), item.get("RescaleIntercept")
    return 1.0 if slope is None else float(slope), 0.0 if intercept is None else float(intercept)


def _vector(item: Any, name: str, length: int) -> np.ndarray | None:
    values = item.get(name)
    vector = np.array(values, float) if values is not None and len(values) == length else None
    return vector if vector is not None and np.isfinite(vector).all() else None


def _sides(item: Any) -> tuple[float, float] | None:
    for name in ("PixelSpacing", "ImagerPixelSpacing"):
        values = item.get(name)
        if values is not None and len(values) == 2 and all(0 < float(side) < math.inf for side in values):
            return float(values[0]), float(values[1])
    return sides_of_ultrasound(item)


def _between_slices(item: Any) -> float | None:
    value = item.get("SpacingBetweenSlices")
    length = float(value) if value is not None else math.nan
    return length if 0 < length < math.inf else None


def normal_of(orientation: np.ndarray) -> np.ndarray:
    """Return the direction in which slices follow one another."""
    return np.cross(orientation[:3], orientation[3:])
