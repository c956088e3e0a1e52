"""DICOM series: slices in the order in which they lie in the patient, and what speaks against a volume."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gmmseg.errors import InputError
from gmmseg.io.dicom.parsing import explained, one_file, one_series

__all__ = ["Frame", "Series", "frames_of", "open_series"]

_SAME_DIRECTION = 1e-3  # of cosines: a twentieth of a degree
_EVEN = 0.02  # of the step between slices
_ROUNDING = 0.011  # mm, unless slices are that thin
_DRIFT = 0.5  # pixels, over the whole stack


@dataclass(frozen=True)
class Frame:
    """One slice.

    Parameters
    ----------
    path : Path
    index : int
        Of the frame in the file.
    header : Dataset
        Of the file.
    slope, intercept : float
        Values are stored * slope + intercept.
    position : ndarray, shape (3,), optional
        Of the centre of the first pixel in the patient, mm, towards left, back and head.
    orientation : ndarray, shape (6,), optional
        Directions in which columns and rows are counted.
    sides : tuple of float, optional
        Millimetres between rows and between columns.
    """

    path: Path
    index: int
    header: Any
    slope: float = 1.0
    intercept: float = 0.0
    position: np.ndarray | None = None
    orientation: np.ndarray | None = None
    sides: tuple[float, float] | None = None


@dataclass(frozen=True)
class Series:
    """Slices in the order of their positions, which make a picture or a volume.

    Parameters
    ----------
    frames : tuple of Frame
    spacing : tuple of float, optional
        Millimetres along (slices,) rows and columns.
    affine : ndarray, shape (4, 4), optional
        From (column, row, slice) to millimetres towards right, front and head (RAS+), as NIfTI has it.
    """

    frames: tuple[Frame, ...]
    spacing: tuple[float, ...] | None = None
    affine: np.ndarray | None = None

    @property
    def affine_of_indices(self) -> tuple[tuple[float, ...], ...] | None:
        """The affine from (slice, row, column), or (row, column, slice) of a picture: the image's order of axes."""
        if self.affine is None:
            return None
        order = [2, 1, 0, 3] if len(self.shape) == 3 else [1, 0, 2, 3]
        return tuple(tuple(map(float, row)) for row in self.affine[:, order])

    @property
    def header(self) -> Any:
        """That of the first slice."""
        return self.frames[0].header

    @property
    def shape(self) -> tuple[int, ...]:
        """(rows, columns), of several slices (slices, rows, columns)."""
        size = (int(self.header.Rows), int(self.header.Columns))
        return size if len(self.frames) == 1 else (len(self.frames), *size)

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files, each once, in the order of the slices."""
        return tuple(dict.fromkeys(frame.path for frame in self.frames))


def open_series(path: Path) -> Series:
    """Find the slices of a file or a folder, and check that they make a picture or a volume.

    Raises
    ------
    InputError
        There is no image, or slices of several series, or slices that lie in no even stack; the message says which.
    """
    with explained(path):
        headers = one_series(path) if path.is_dir() else one_file(path)
        frames = [frame for file, header in headers for frame in frames_of(file, header)]
        _require_same_kind(frames)
        if len(frames) == 1:
            return _picture(frames[0])
        if any(frame.position is None or frame.orientation is None for frame in frames):
            if len(headers) > 1:
                raise InputError(
                    f"{path}: {len(headers)} files of one series do not say where their slices lie; give one file"
                )
            return Series(tuple(frames))
        return _stack(path, frames)


def frames_of(path: Path, header: Any) -> list[Frame]:
    """Return the frames of a file, as they are stored."""
    count = max(1, int(header.get("NumberOfFrames") or 1))
    groups = list(header.get("PerFrameFunctionalGroupsSequence") or [])
    if groups:
        if len(groups) != count:
            raise InputError(f"{path} has {count} frames, but describes {len(groups)}; export it again")
        shared = [*(header.get("SharedFunctionalGroupsSequence") or [])][:1]
        return [_enhanced(path, header, i, [group, *shared]) for i, group in enumerate(groups)]
    frame = Frame(
        path,
        0,
        header,
        *_scaling(header),
        _vector(header, "ImagePositionPatient", 3),
        _vector(header, "ImageOrientationPatient", 6),
        _sides(header),
    )
    if count == 1:
        return [frame]
    offsets = header.get("GridFrameOffsetVector")
    if offsets is None or frame.position is None or frame.orientation is None or len(offsets) != count:
        return [Frame(path, i, header, frame.slope, frame.intercept, sides=frame.sides) for i in range(count)]
    steps = np.array(offsets, float) - float(offsets[0])
    places = frame.position + steps[:, None] * _normal(frame.orientation)
    slope = float(header.get("DoseGridScaling") or frame.slope)
    return [
        Frame(path, i, header, slope, frame.intercept, place, frame.orientation, frame.sides)
        for i, place in enumerate(places)
    ]


def _enhanced(path: Path, header: Any, index: int, groups: Sequence[Any]) -> Frame:
    """Return a frame of a multi-frame object: what it says of itself goes before what all frames share."""

    def first(name: str) -> Any:
        return next((group[name][0] for group in groups if group.get(name)), {})

    return Frame(
        path,
        index,
        header,
        *_scaling(first("PixelValueTransformationSequence")),
        _vector(first("PlanePositionSequence"), "ImagePositionPatient", 3),
        _vector(first("PlaneOrientationSequence"), "ImageOrientationPatient", 6),
        _sides(first("PixelMeasuresSequence")),
    )


def _scaling(item: Any) -> tuple[float, float]:
    slope, intercept = item.get("RescaleSlope"), item.get("RescaleIntercept")
    return 1.0 if slope is None else float(slope), 0.0 if intercept is None else float(intercept)


def _vector(item: Any, name: str, length: int) -> np.ndarray | None:
    values = item.get(name)
    return np.array(values, float) if values is not None and len(values) == length else None


def _sides(item: Any) -> tuple[float, float] | None:
    for name in ("PixelSpacing", "ImagerPixelSpacing"):
        values = item.get(name)
        if values is not None and len(values) == 2 and all(0 < float(side) < math.inf for side in values):
            return float(values[0]), float(values[1])
    return None


def _normal(orientation: np.ndarray) -> np.ndarray:
    return np.cross(orientation[:3], orientation[3:])


def _require_same_kind(frames: Sequence[Frame]) -> None:
    """Refuse slices of different sizes, colours, orientations or spacings."""
    first = frames[0]
    for other in frames[1:]:
        for what, one, two in (
            ("size", _size(first), _size(other)),
            ("kind of pixels", _kind(first), _kind(other)),
            ("pixel spacing", first.sides, other.sides),
        ):
            if one != two:
                raise InputError(
                    f"{other.path} has {what} {_words(two)}, but {first.path.name} has {_words(one)}; "
                    "give slices of one kind, in a folder of their own"
                )
        a, b = first.orientation, other.orientation
        if a is not None and b is not None and np.abs(a - b).max() > _SAME_DIRECTION:
            raise InputError(
                f"{other.path} has orientation {_words(b)}, but {first.path.name} has {_words(a)}; "
                "give slices of one orientation, without localizers"
            )


def _size(frame: Frame) -> tuple[int, int]:
    return int(frame.header.Rows), int(frame.header.Columns)


def _kind(frame: Frame) -> tuple[Any, ...]:
    names = ("SamplesPerPixel", "BitsAllocated", "PixelRepresentation", "PhotometricInterpretation")
    return tuple(frame.header.get(name) for name in names)


def _words(values: Any) -> str:
    if values is None:
        return "none"
    return " x ".join(f"{value:g}" if isinstance(value, float) else str(value) for value in values)


def _picture(frame: Frame) -> Series:
    """Return a single slice; its thickness stands for the distance to the next."""
    thickness = float(frame.header.get("SliceThickness") or 1)
    step = None if frame.orientation is None else _normal(frame.orientation) * thickness
    return Series((frame,), frame.sides, _affine(frame, step))


def _affine(first: Frame, step: np.ndarray | None) -> np.ndarray | None:
    """Return the matrix from (column, row, slice) to RAS+; DICOM counts towards left and back."""
    if first.position is None or first.orientation is None or first.sides is None or step is None:
        return None
    between_rows, between_columns = first.sides
    affine = np.eye(4)
    affine[:3, 0] = first.orientation[:3] * between_columns
    affine[:3, 1] = first.orientation[3:] * between_rows
    affine[:3, 2] = step
    affine[:3, 3] = first.position
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine


def _stack(path: Path, frames: Sequence[Frame]) -> Series:
    """Sort slices along their normal and check that they follow one another evenly."""
    orientation, sides = frames[0].orientation, frames[0].sides
    assert orientation is not None
    normal = _normal(orientation)
    if not abs(np.linalg.norm(normal) - 1) < _SAME_DIRECTION:
        raise InputError(f"{frames[0].path} has orientation {_words(orientation)}, no right angle; export it again")
    heights = np.array([frame.position for frame in frames]) @ normal
    order = np.argsort(heights, kind="stable")
    ordered = [frames[i] for i in order]
    step = _even_step(path, ordered, heights[order])
    positions = np.array([frame.position for frame in ordered])
    per_slice = (positions[-1] - positions[0]) / (len(ordered) - 1)
    _require_upright(path, ordered, positions, normal)
    spacing = None if sides is None else (step, *sides)
    return Series(tuple(ordered), spacing, _affine(ordered[0], per_slice))


def _even_step(path: Path, frames: Sequence[Frame], heights: np.ndarray) -> float:
    """Return the distance between slices, which has to be the same everywhere."""
    steps = np.diff(heights)
    typical = float(np.sort(steps)[(len(steps) - 1) // 2])  # the lower median: one that occurs
    twin = int(np.argmin(steps))
    if steps[twin] < max(1e-3, _EVEN * typical):
        raise InputError(
            f"{path}: {_place(frames[twin])} and {_place(frames[twin + 1])} lie at the same place "
            f"({heights[twin]:g} mm); keep the slices of one time, echo or diffusion direction"
        )
    gap = int(np.argmax(steps))
    count = round(steps[gap] / typical)
    if count > 1 and abs(steps[gap] - count * typical) <= _EVEN * count * typical:
        missing = "1 slice is" if count == 2 else f"{count - 1} slices are"
        raise InputError(
            f"{path}: {missing} missing between {_place(frames[gap])} and {_place(frames[gap + 1])} "
            f"({heights[gap]:g} and {heights[gap + 1]:g} mm, {typical:g} mm apart elsewhere); add the missing files"
        )
    off = int(np.argmax(np.abs(steps - typical)))
    if abs(steps[off] - typical) > max(_EVEN * typical, min(_ROUNDING, typical / 10)):
        raise InputError(
            f"{path}: slices are {steps[off]:g} mm apart between {_place(frames[off])} and {_place(frames[off + 1])}, "
            f"but {typical:g} mm elsewhere; resample them evenly, or segment slices one by one"
        )
    return float((heights[-1] - heights[0]) / len(steps))


def _require_upright(path: Path, frames: Sequence[Frame], positions: np.ndarray, normal: np.ndarray) -> None:
    """Refuse stacks whose slices shift sideways, as a tilted gantry makes them."""
    steps = positions - positions[0]
    along = steps @ normal
    aside = np.linalg.norm(steps - along[:, None] * normal, axis=1)
    worst = int(np.argmax(aside))
    if aside[worst] > _DRIFT * min(frames[0].sides or (1.0,)):
        angle = math.degrees(math.atan2(aside[worst], along[worst]))
        raise InputError(
            f"{path}: {_place(frames[worst])} lies {aside[worst]:.3g} mm beside the axis of the first slice, "
            f"{angle:.1f} degrees off (gantry tilt); resample the slices upright, or segment them one by one"
        )


def _place(frame: Frame) -> str:
    return frame.path.name if int(frame.header.get("NumberOfFrames") or 1) == 1 else f"frame {frame.index + 1}"
