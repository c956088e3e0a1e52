"""DICOM series: slices in the order in which they lie in the patient, and what speaks against a volume."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gmmseg.errors import InputError, warn
from gmmseg.io.dicom.dicom_file import explained, phrase
from gmmseg.io.dicom.films import is_film
from gmmseg.io.dicom.frames import Frame, frames_of, normal_of
from gmmseg.io.dicom.parsing import one_file, one_series
from gmmseg.io.dicom.volumes import one_volume
from gmmseg.io.request import Reading

__all__ = ["Series", "affine_of", "open_series"]

_SAME_DIRECTION = 1e-3  # of cosines: a twentieth of a degree
_EVEN = 0.02  # of the step between slices
# mm: positions to a tenth of one are up to half of that off, and the line through them as much again. A fifth of the
# step is less than a missing slice makes of it, wherever it is.
_ROUNDING = 0.1
_DRIFT = 0.5  # pixels, over the whole stack


@dataclass(frozen=True)
class Series:
    """Slices in the order of their positions, which make a picture or a volume, or the frames of a film.

    Parameters
    ----------
    frames : tuple of Frame
    spacing : tuple of float, optional
        Millimetres along (slices,) rows and columns.
    film : bool
        Whether frames follow one another in time.
    affine : ndarray, shape (4, 4), optional
        From (column, row, slice) to millimetres towards right, front and head (RAS+), as NIfTI has it.
    """

    frames: tuple[Frame, ...]
    spacing: tuple[float, ...] | None = None
    affine: np.ndarray | None = None
    film: bool = False

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
        """(rows, columns), of several slices or frames (slices, rows, columns)."""
        size = (int(self.header.Rows), int(self.header.Columns))
        return size if len(self.frames) == 1 else (len(self.frames), *size)

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files, each once, in the order of the slices."""
        return tuple(dict.fromkeys(frame.path for frame in self.frames))


def open_series(path: Path, reading: Reading) -> Series:
    """Find the slices of a file or a folder, and check that they make a picture or a volume.

    Raises
    ------
    InputError
        There is no image, or slices of several series, or slices that lie in no even stack; the message says which.
    """
    with explained(path), np.errstate(all="ignore"):
        listed = path.name.upper() == "DICOMDIR" and path.is_file()  # the files that it lists lie in its folder
        folder = path.parent if listed else path
        files = one_series(folder, reading) if folder.is_dir() else [one_file(path, reading)]
        frames = [frame for file in files for frame in frames_of(file, reading)]
        frames = one_volume(path, frames, reading.series)
        _require_same_kind(frames)
        if len(frames) == 1:
            return _picture(frames[0])
        if any(frame.position is None or frame.orientation is None for frame in frames):
            if len(files) > 1:
                raise InputError(
                    f"{path}: {len(files)} files of one series do not say where they lie, so they make no volume; give "
                    "them one by one, or the folder to gmmseg batch"
                )
            film = is_film(frames[0].header)
            return Series(tuple(frames), spacing=frames[0].sides if film else None, film=film)
        return _stack(path, frames)


def _require_same_kind(frames: Sequence[Frame]) -> None:
    """Refuse slices of different sizes, colours, orientations or spacings."""
    first = frames[0]
    for other in frames[1:]:
        for what, one, two in (
            *_of_files(first, other),
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


def _of_files(first: Frame, other: Frame) -> tuple[tuple[str, Any, Any], ...]:
    """Return what two frames have from their headers, which those of one file share."""
    if other.header is first.header:
        return ()
    return ("size", _size(first), _size(other)), ("kind of pixels", _kind(first), _kind(other))


def _size(frame: Frame) -> tuple[int, int]:
    return int(frame.header.Rows), int(frame.header.Columns)


def _kind(frame: Frame) -> tuple[Any, ...]:
    names = ("SamplesPerPixel", "BitsAllocated", "PixelRepresentation", "PhotometricInterpretation")
    return tuple(frame.header.get(name) for name in names)


def _words(values: Any) -> str:
    if values is None:
        return "none"
    return " x ".join(f"{value:g}" if isinstance(value, float) else phrase(value) for value in values)


def _picture(frame: Frame) -> Series:
    """Return a single slice; its thickness stands for the distance to the next."""
    thickness = float(frame.header.get("SliceThickness") or 1)
    step = None
    if frame.orientation is not None:
        step = normal_of(frame.orientation) * (thickness if 0 < thickness < math.inf else 1)
        if not _is_upright(frame.orientation):
            warn(f"{frame.path} has orientation {_words(frame.orientation)}, no right angle; where it lies is left out")
            step = None
    return Series((frame,), frame.sides, affine_of(frame, step))


def _is_upright(orientation: np.ndarray) -> bool:
    """Whether rows and columns are at right angles to one another, and their directions of length 1."""
    return bool(abs(np.linalg.norm(normal_of(orientation)) - 1) < _SAME_DIRECTION)


def affine_of(first: Frame, step: np.ndarray | None) -> np.ndarray | None:
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
    normal = normal_of(orientation)
    if not _is_upright(orientation):
        raise InputError(f"{frames[0].path} has orientation {_words(orientation)}, no right angle; export it again")
    heights = np.array([frame.position for frame in frames]) @ normal
    order = np.argsort(heights, kind="stable")
    ordered = [frames[i] for i in order]
    step = _even_step(path, ordered, heights[order])
    positions = np.array([frame.position for frame in ordered])
    per_slice = (positions[-1] - positions[0]) / (len(ordered) - 1)
    _require_upright(path, ordered, positions, normal)
    spacing = None if sides is None else (step, *sides)
    return Series(tuple(ordered), spacing, affine_of(ordered[0], per_slice))


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
    step = float((heights[-1] - heights[0]) / len(steps))
    if _beside_grid(heights) <= max(_EVEN * step, min(_ROUNDING, step / 5)):
        return step
    gap = int(np.argmax(steps))
    count = round(steps[gap] / typical)
    if count > 1 and abs(steps[gap] - count * typical) <= _EVEN * count * typical + 2 * _ROUNDING:
        missing = "1 slice is" if count == 2 else f"{count - 1} slices are"
        raise InputError(
            f"{path}: {missing} missing between {_place(frames[gap])} and {_place(frames[gap + 1])} "
            f"({heights[gap]:g} and {heights[gap + 1]:g} mm, {typical:g} mm apart elsewhere); add the missing files"
        )
    off = int(np.argmax(np.abs(steps - typical)))
    raise InputError(
        f"{path}: slices are {steps[off]:g} mm apart between {_place(frames[off])} and {_place(frames[off + 1])}, "
        f"but {typical:g} mm elsewhere; resample them evenly, or segment slices one by one"
    )


def _beside_grid(heights: np.ndarray) -> float:
    """Return how far positions are from the even grid that fits them best: steps of rounded ones differ by far more."""
    numbers = np.arange(len(heights))
    return float(np.abs(heights - np.polyval(np.polyfit(numbers, heights, 1), numbers)).max())


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
