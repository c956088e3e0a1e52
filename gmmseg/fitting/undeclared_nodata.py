"""Numbers that stand for no data, but that the file does not declare: margins of them would become a class."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmseg.errors import InputError, warn
from gmmseg.image import Image
from gmmseg.io.nodata import as_read

__all__ = ["require_squares", "warn_of_margins"]

_LARGEST = 1e15  # number whose squares float32 can still add up for any number of pixels
_FILLS = (0, -9999, -32768)  # that programs write around scenes
_LEAST_SHARE = 0.05  # of the pixels: fewer hardly move a class
_PLACES = 17  # along a side
_MOST = 0.5  # of the voxels of a scan: air around a head, which was measured, has more values than one
_AIR = -1024  # Hounsfield units: no CT measures less; what lies outside of its field of view often is


def warn_of_margins(image: Image, values: NDArray[Any]) -> None:
    """Say so where many pixels of a map are 0 or -9999 in every band, and some of its corners too.

    Or in one band alone, and all of its corners or a whole side: dark water is 0 in single bands, too. Of a scan where
    most voxels are one number in every channel, and all of its corners: a stripped brain in zeros; of numbers below
    those of air a twentieth will do: a CT is round within its square.

    Parameters
    ----------
    image : Image
    values : ndarray, shape (n, n_channels)
        Of pixels that hold data, as far as the file says it.

    Notes
    -----
    Only maps and scans are looked at: 0 around a cell is what was measured. Corners are read where values are suspect.
    """
    if image.place is None or not len(values):
        return
    if image.is_scan and image.ndim == 3 and not image.time:
        _warn_of_surroundings(image, values)
    if image.ndim != 2 or image.place.crs is None:
        return
    for fill in _FILLS:
        share = float((values == as_read(image, fill)).all(axis=1).mean())
        if share >= _LEAST_SHARE and (corners := _corners_of(image, fill)):
            warn(
                f"{image.name}: {100 * share:.0f} % of its pixels are {fill} in every band, {corners} of its 4 corners "
                f"too, and the file does not declare it; where that is no data, use --nodata {fill}, "
                f"or read it with nodata {fill}"
            )
            return
    if not image.color and image.n_channels > 1:
        _warn_of_single_bands(image, values)


def _warn_of_single_bands(image: Image, values: NDArray[Any]) -> None:
    for fill in _FILLS:
        shares = (values == as_read(image, fill)).mean(axis=0)
        found = [int(band) for band in np.flatnonzero(shares >= _LEAST_SHARE)]
        found = found and [band for band in found if _is_margin(image, band, fill)]
        if found:
            names = image.channel_names or tuple(map(str, range(1, image.n_channels + 1)))
            listed = "; ".join(f"{100 * shares[band]:.0f} % of band {names[band]}" for band in found)
            nodata = ",".join(str(fill) if band in found else "none" for band in range(image.n_channels))
            warn(
                f"{image.name}: {listed} are {fill}, its corners or a side too, and the file does not declare it; "
                f"where that is no data, use --nodata {nodata}, or read it with nodata {nodata}"
            )
            return


def _is_margin(image: Image, band: int, fill: int) -> bool:
    """Whether a band has a number in all of its corners, or at even places along a whole side."""
    last_row, last_column = (n - 1 for n in image.shape)

    def here(row: int, column: int) -> bool:
        part = image.crop((slice(row, row + 1), slice(column, column + 1)))
        return bool((part.array[..., band] == as_read(image, fill)[band]).all())

    corners = {(row, column): here(row, column) for row in (0, last_row) for column in (0, last_column)}
    if all(corners.values()):
        return True
    rows, columns = (np.linspace(0, n - 1, _PLACES).round().astype(int).tolist() for n in image.shape)
    sides = [[(end, column) for column in columns] for end in (0, last_row)]
    sides += [[(row, end) for row in rows] for end in (0, last_column)]
    return any(corners[side[0]] and corners[side[-1]] and all(here(*place) for place in side) for side in sides)


def _warn_of_surroundings(image: Image, values: NDArray[Any]) -> None:
    fill = image.crop(tuple(slice(0, 1) for _ in image.shape)).array.ravel()
    share = float((values == fill).all(axis=1).mean())
    least = _LEAST_SHARE if fill[0] < _AIR else _MOST
    if not least <= share < 1 or (fill != fill[0]).any():
        return
    corners = itertools.product(*({0, n - 1} for n in image.shape))
    parts = (image.crop(tuple(slice(place, place + 1) for place in corner)) for corner in corners)
    if all((part.array == fill).all() and part.valid is None for part in parts):
        value = np.format_float_positional(fill[0], trim="-")  # all digits: what is nearly the value stands for none
        warn(
            f"{image.name}: {100 * share:.0f} % of its voxels are {value}, its corners too, and become a class; "
            f"where that is background, use --nodata {value} (nodata={value}), or give a mask"
        )


def _corners_of(image: Image, fill: int) -> int:
    """Return how many of the corners hold a number in every band."""
    found = 0
    for row in {0, image.shape[0] - 1}:
        for column in {0, image.shape[1] - 1}:
            part = image.crop((slice(row, row + 1), slice(column, column + 1)))
            found += bool((part.array == as_read(image, fill)).all()) and part.valid is None
    return found


def require_squares(image: Image, planes: NDArray[Any]) -> None:
    """Refuse an image with numbers that stand for missing data, as -3.4e38 does in many a raster, but do not say so."""
    if planes.size and max(planes.max(), -planes.min()) <= _LARGEST:  # a third of the time; not so of NaN
        return
    with np.errstate(invalid="ignore"):
        far = sum(np.count_nonzero(np.abs(plane) > _LARGEST) for plane in planes)
    if far:
        raise InputError(
            f"{image.name}: {far} of {planes.size} sampled values lie more than {_LARGEST:g} spreads from the others; "
            "declare what stands for missing data as nodata, write NaN, or give a mask"
        )
