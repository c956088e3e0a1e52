"""Bands that a header of ENVI marks as bad, such as those in which water vapour is opaque: its list "bbl"."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from gmmseg.errors import warn

if TYPE_CHECKING:
    from gmmseg.io.raster.bands import RasterBands

__all__ = ["bad_bands", "leaves_out_bands", "spelled", "without_bad"]


def leaves_out_bands(path: Path) -> bool:
    """Whether a raster with a header beside it is read without some of its bands where nobody chooses."""
    headers = (path.with_suffix(".hdr"), path.with_name(path.name + ".hdr")) if path.name else ()
    if not any(each.is_file() for each in headers):
        return False
    from gmmseg.io.raster.drivers import driver_of  # here, because hardly an image has a header beside it
    from gmmseg.io.raster.gdal import environment, open_dataset  # here, because these load what reads rasters

    driver = driver_of(path)
    if driver is None or driver.name != "ENVI":
        return False
    with environment(), open_dataset(path) as dataset:
        return bool(bad_bands(dataset))


def without_bad(path: Path, dataset: Any, bands: RasterBands) -> RasterBands:
    """Return the bands that a header of ENVI does not mark as bad, such as those in which water vapour is opaque."""
    marks = bad_bands(dataset)
    good = tuple(c for c, index in enumerate(bands.indexes) if index not in marks)
    if not good or len(good) == len(bands.indexes):
        return bands
    warn(
        f"{path}: {len(bands.indexes) - len(good)} of its {len(bands.indexes)} bands are marked as bad (bbl: "
        f"{spelled(marks)}) and left out; choose them by channels to read them"
    )
    return bands.select(good)


def bad_bands(dataset: Any) -> tuple[int, ...]:
    """Return the numbers, from 1, of the bands that a header of ENVI marks as bad, by 0 in a list of all.

    Notes
    -----
    The header is text that people write: a list of another length says nothing.
    """
    listed = dataset.tags(ns="ENVI").get("bbl", "") if dataset.driver == "ENVI" else ""
    marks = listed.strip(" {}").split(",")
    if len(marks) != dataset.count:
        return ()
    return tuple(number for number, mark in enumerate(marks, start=1) if mark.strip() in ("0", "0.0"))


def spelled(numbers: tuple[int, ...]) -> str:
    """Return numbers in rising order as channels are asked for.

    Examples
    --------
    >>> spelled((3, 4, 5, 9))
    '3-5,9'
    """
    firsts = [n for n in numbers if n - 1 not in numbers]
    lasts = [n for n in numbers if n + 1 not in numbers]
    return ",".join(f"{a}-{b}" if b > a else f"{a}" for a, b in zip(firsts, lasts, strict=True))
