"""Place: where the pixels of an image lie in the world and in time, and in which units."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from gmmseg.errors import ParameterError
from gmmseg.records import dataclass, field

if TYPE_CHECKING:
    import numpy as np

__all__ = ["METRES", "SECONDS", "Place"]

METRES = {
    "nm": 1e-9,
    "um": 1e-6,
    "mm": 1e-3,
    "cm": 1e-2,
    "m": 1.0,
    "km": 1e3,
    "foot": 0.3048,
    "US survey foot": 1200 / 3937,
}
"""Metres in each unit of length; the one unit that is no length is "degree"."""

SECONDS = {"ns": 1e-9, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
"""Seconds in each unit of time."""


@dataclass(frozen=True)
class Place:
    """Where pixels lie: on a map, in a patient, under a microscope.

    Parameters
    ----------
    affine : tuple of float, optional
        (a, b, c, d, e, f) of a picture on a map: the upper left corner of pixel (row, column) lies at
        x = a column + b row + c, y = d column + e row + f; an Affine of the package affine (rasterio's) will do.
    crs : str, optional
        Its coordinate reference system, "EPSG:32633" or WKT.
    affine3d : tuple of 4 tuples of 4 float, optional
        Of a scan: from the index of a voxel along each axis of the image (0 for axes that it lacks) and 1 to the
        voxel's centre, in millimetres to the right, the front and the top of the patient (RAS+).
    unit : str, optional
        Of the image's spacing: one of `METRES`, or "degree".
    interval : tuple of (float, str), optional
        From one frame of a time-lapse to the next, and its unit, one of `SECONDS`: (5.0, "min").
    native : object, optional
        What only the formats that read the image need to write a file of the same family as it was: the header of a
        NIfTI file, the tags of a TIFF file. Nobody else looks into it.

    Raises
    ------
    ParameterError
        A matrix of another size, both matrices, a system that is no text, a unit that is not known, or an interval
        that is not above 0.

    Notes
    -----
    Places are equal where pixels lie at the same places, whatever units are known and whatever a format keeps.

    Examples
    --------
    >>> place = Place((30.0, 0.0, 500000.0, 0.0, -20.0, 9000000.0), "EPSG:32625", unit="m")
    >>> place.matrix(2) @ [1, 2, 1]
    array([ 500060., 8999980.])
    """

    affine: tuple[float, float, float, float, float, float] | None = None
    crs: str | None = None
    affine3d: tuple[tuple[float, ...], ...] | None = None
    unit: str | None = field(default=None, compare=False)
    interval: tuple[float, str] | None = field(default=None, compare=False)
    native: object | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Take matrices of any kind of numbers, and refuse what says no place."""
        if self.affine is not None:
            numbers = [float(number) for number in self.affine]
            if len(numbers) not in (6, 9):  # the third row of an Affine is always 0, 0, 1
                raise ParameterError(f"affine has {len(numbers)} numbers; give six, (a, b, c, d, e, f)")
            a, b, c, d, e, f = numbers[:6]
            object.__setattr__(self, "affine", (a, b, c, d, e, f))
        if self.affine3d is not None:
            rows = tuple(tuple(float(number) for number in row) for row in self.affine3d)
            if [len(row) for row in rows] != [4] * 4:
                raise ParameterError(f"affine3d has rows of {[len(row) for row in rows]} numbers; give 4 rows of 4")
            object.__setattr__(self, "affine3d", rows)
        if self.affine is not None and self.affine3d is not None:
            raise ParameterError("affine and affine3d are both given; give affine on a map, affine3d of a scan")
        if self.crs is not None and not isinstance(self.crs, str):
            raise ParameterError(f"crs={self.crs!r} is no text; give 'EPSG:' and its code, or WKT")
        if self.unit not in (None, "degree", *METRES):
            raise ParameterError(f"unit={self.unit!r} is not known; use one of {', '.join(METRES)} or degree")
        if self.interval is not None:
            object.__setattr__(self, "interval", _checked(self.interval))

    @property
    def seconds(self) -> float | None:
        """Seconds from one frame of a time-lapse to the next; None where they are not known."""
        return None if self.interval is None else round(self.interval[0] * SECONDS[self.interval[1]], 9)

    @property
    def metres(self) -> float | None:
        """Metres in one unit of the spacing; None where that is no length, or not known."""
        return None if self.unit is None else METRES.get(self.unit)

    def matrix(self, ndim: int) -> np.ndarray | None:
        """Return the matrix from (*index, 1) of an image with so many axes to the world; None where there is none."""
        import numpy as np

        if self.affine3d is not None:
            return np.delete(np.asarray(self.affine3d, float)[:3], range(ndim, 3), axis=1)
        if self.affine is None or ndim != 2:
            return None
        a, b, c, d, e, f = self.affine
        return np.array([[b, a, c], [e, d, f]], float)  # rows come before columns


def _checked(interval: Any) -> tuple[float, str]:
    """Return an interval as a number and its unit; ParameterError where it is none."""
    try:
        step, unit = interval
        step = float(step)
    except (TypeError, ValueError):
        step, unit = math.nan, None
    if not isinstance(unit, str) or unit not in SECONDS or not 0 < step < math.inf:
        units = ", ".join(SECONDS)
        raise ParameterError(f"interval={interval!r} is not usable; give a number above 0 and one of {units}")
    return step, unit
