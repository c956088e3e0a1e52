"""Whether two images lie at the same place, and how values that come with an image lie over it."""

from __future__ import annotations

import itertools
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gmmseg.errors import GmmsegError, InputError
from gmmseg.image import Image
from gmmseg.image.sources import ArraySource
from gmmseg.image.turning import Turn, Turned, place_over, turn_onto
from gmmseg.io.formats import has_rasterio, identify
from gmmseg.io.request import Reading
from gmmseg.records import replace

if TYPE_CHECKING:
    import numpy as np

__all__ = ["header_in", "require_same_place", "turn_of", "turned_over"]

_TOLERANCE = 0.1  # pixels by which corners of files of one grid may lie apart: headers are rounded to float32
_NOWHERE: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def header_in(path: Path) -> Image | None:
    """Return a file of labels, a mask or probabilities as an image, for what it says beside its numbers.

    None of formats that say nothing, and of files that are no images.
    """
    if identify(path).planar:
        return None
    with suppress(GmmsegError):  # it may well be read as what it is, and otherwise that is refused
        return identify(path).read(path, Reading(memory=0, indices=True))
    return None


def turn_of(image: Image, other: Image | None) -> Turn | None:
    """Return how values of another file lie over an image; None where not both say where they lie.

    Parameters
    ----------
    image : Image
    other : Image or None
        As of `header_in`.

    Raises
    ------
    InputError
        They are of another grid: no order of axes, and no end to count them from, brings pixels to pixels.
    """
    if other is None or _lies_nowhere(image) or _lies_nowhere(other):
        return None
    turn = turn_onto(image, other)
    if turn is None:
        return None
    if not turn.fits:
        size, whole = (" x ".join(map(str, each)) for each in (turn.turned, turn.whole))
        raise InputError(
            f"{other.name} is of another grid than {image.name}: {size} pixels along its axes, not {whole}; "
            "resample it to that grid"
        )
    there = Image(image.pixels, name=other.name, place=place_over(turn, other))
    require_same_place(image, there)
    return turn


def turned_over(image: Image, other: Image) -> Image:
    """Return another image with its axes as those of an image, where that brings pixels to pixels; else as it is."""
    turn = None
    with suppress(InputError):  # of another grid, which is for the caller to refuse
        turn = turn_of(image, other)
    if turn is None or turn.is_nothing or not turn.complete:
        return other
    pixels = ArraySource(turn.of(other.array)) if other.in_memory else Turned(other.pixels, turn)
    valid = None if other.valid is None else turn.of(other.valid)
    return replace(other, pixels=pixels, valid=valid, spacing=image.spacing, place=place_over(turn, other))


def _lies_nowhere(image: Image) -> bool:
    """Whether an image says of its place that its pixels are its coordinates, as programs write for none."""
    place = image.place
    return place is not None and place.crs is None and place.affine == _NOWHERE


def require_same_place(first: Image, other: Image) -> bool:
    """Refuse images of one shape whose corners lie apart by a tenth of a pixel, or in other systems.

    Returns
    -------
    bool
        False where one of them does not say where it lies.
    """
    _require_same_crs(first, other)
    here, there = (None if image.place is None else image.place.matrix(image.ndim) for image in (first, other))
    if here is None or there is None or here.shape != there.shape:
        return False
    import numpy as np

    corners = np.array(list(itertools.product(*((0, n - 1) for n in first.shape))))
    with np.errstate(all="ignore"):  # of places that no number can hold nothing is known
        a, b = ((matrix[:, :-1] @ corners.T).T + matrix[:, -1] for matrix in (here, there))
        apart = np.nan_to_num(np.linalg.norm(a - b, axis=1))
        pixel_size = np.linalg.norm(here[:, :-1], axis=0).min()
    worst = int(apart.argmax())
    if apart[worst] > _TOLERANCE * pixel_size:
        pixel = tuple(map(int, corners[worst]))
        raise InputError(
            f"{other.name} lies elsewhere than {first.name}: pixel {pixel} is at {_point(b[worst])}, "
            f"not at {_point(a[worst])}; resample it to that grid"
        )
    return True


def _point(values: np.ndarray) -> str:
    return f"({', '.join(f'{value:.10g}' for value in values)})"


def _require_same_crs(first: Image, other: Image) -> None:
    here, there = (None if image.place is None else image.place.crs for image in (first, other))
    if here and there and here != there and not _equivalent(here, there):
        names = " and ".join(" ".join(str(crs).split())[:60] for crs in (there, here))
        raise InputError(
            f"{other.name} has another coordinate system than {first.name} ({names}); reproject it to that grid"
        )


def _equivalent(here: Any, there: Any) -> bool:
    """Whether two descriptions are of one coordinate system; not where one is none that GDAL knows."""
    if not has_rasterio():
        return False
    read = import_module("rasterio.crs").CRS.from_user_input
    with import_module("rasterio").Env(), suppress(ValueError):  # in it GDAL does not print what it raises
        return bool(read(here) == read(there))
    return False
