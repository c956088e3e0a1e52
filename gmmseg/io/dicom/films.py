"""DICOM films: files whose frames follow one another in time, as of ultrasound and angiography, not in space."""

from __future__ import annotations

import math
from typing import Any

__all__ = ["interval_of", "is_film", "sides_of_ultrasound"]

_CENTIMETRES, _TISSUE = 3, 1  # codes of a region (PS3.3 C.8.5.5.1): the unit of its axes, and that it shows a section


def is_film(header: Any) -> bool:
    """Whether a file has several frames and says when each of them was taken (the Cine module, PS3.3 C.7.6.5)."""
    return int(header.get("NumberOfFrames") or 1) > 1 and ("FrameTime" in header or "FrameTimeVector" in header)


def interval_of(header: Any) -> tuple[float, str] | None:
    """Return the interval of a film's frames, as of `Place`, the mean where they differ; None where it is not known."""
    steps = header.get("FrameTimeVector")
    if steps is not None and not isinstance(steps, str) and hasattr(steps, "__len__"):
        between = [float(step) for step in steps][1:]  # the first is that of the first frame
        milliseconds = sum(between) / len(between) if between else 0.0
    else:
        milliseconds = float(header.get("FrameTime") or 0)
    return (milliseconds, "ms") if 0 < milliseconds < math.inf else None


def sides_of_ultrasound(header: Any) -> tuple[float, float] | None:
    """Return the millimetres between rows and columns; None where sections of tissue differ in them or do not say."""
    regions = header.get("SequenceOfUltrasoundRegions") or []
    sections = [each for each in regions if each.get("RegionSpatialFormat") == _TISSUE]
    found = {_sides(each) for each in sections}
    return found.pop() if len(found) == 1 else None


def _sides(region: Any) -> tuple[float, float] | None:
    units = region.get("PhysicalUnitsYDirection"), region.get("PhysicalUnitsXDirection")
    rows, columns = (10 * abs(float(region.get(f"PhysicalDelta{axis}") or 0)) for axis in "YX")
    known = units == (_CENTIMETRES, _CENTIMETRES) and 0 < rows < math.inf and 0 < columns < math.inf
    return (round(rows, 9), round(columns, 9)) if known else None
