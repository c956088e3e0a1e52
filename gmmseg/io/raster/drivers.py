"""Which of GDAL's drivers are used, and which files each of them gets: what a file holds and its name have to agree.

A driver that is not named here is never asked. Many of GDAL's open a description of data elsewhere: they fetch from the
network, follow names to any file of the user, and some write beside what they read.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gmmseg.errors import InputError

__all__ = ["DRIVERS", "HDF5", "TIFF", "Driver", "beginning", "driver_of", "is_regular", "require_known", "suffix_for"]

_LOOK = 1024  # bytes, in which every driver recognises its files
_GRID_WORDS = frozenset(
    {b"ncols", b"nrows", b"xllcorner", b"yllcorner", b"xllcenter", b"yllcenter", b"cellsize", b"dx", b"dy"}
    | {b"nodata_value", b"nodata", b"nan", b"-nan", b"inf", b"-inf", b"*"}
)
_NUMBER = re.compile(rb"[-+]?[0-9.]+([eE][-+]?[0-9]*)?")
_TILE_OF_SRTM = re.compile(r"[ns]\d\d[ew]\d{3}", re.ASCII)


def is_regular(path: Path) -> bool:
    """Whether a path leads to a file whose bytes can be read: no folder, pipe, socket or device."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False


def beginning(path: Path) -> bytes:
    """Return the first bytes of a file; none of what cannot be read."""
    if not is_regular(path):
        return b""
    try:
        with open(path, "rb") as file:
            return file.read(_LOOK)
    except OSError:
        return b""


def _is_grid(start: bytes, path: Path) -> bool:
    """Whether a text has nothing in it but the words and numbers of a grid."""
    words = start.lower().split()
    if len(start) == _LOOK:
        words = words[:-1]  # which may be cut
    known = all(word in _GRID_WORDS or _NUMBER.fullmatch(word) for word in words)
    return known and words[:1] in ([b"ncols"], [b"nrows"])


def _is_virtual(start: bytes, path: Path) -> bool:
    return b"<vrtdataset" in start.lower()


def _is_plain_picture(start: bytes, path: Path) -> bool:
    return start[:2] in (b"P5", b"P6") and start[2:3].isspace()


def _is_elevation(start: bytes, path: Path) -> bool:
    return start[:4] in (b"UHL1", b"VOL1", b"HDR1")


def _is_tile_of_srtm(start: bytes, path: Path) -> bool:
    """Whether a file without any header is of a name and size that say all about it: a degree of 1 or 3 seconds."""
    return bool(_TILE_OF_SRTM.match(path.name.lower())) and path.stat().st_size in (2 * 1201**2, 2 * 3601**2)


def _has_header(ends: tuple[str, ...], beginnings: tuple[bytes, ...]) -> Callable[[bytes, Path], bool]:
    """Return whether there is a file of a name that ends so beside another one, which begins with one of some words."""

    def knows(start: bytes, path: Path) -> bool:
        beside = [path.with_suffix(end) for end in ends] if path.suffix else []
        beside += [path.with_name(path.name + end) for end in ends]
        return any(beginning(each).lstrip().lower().startswith(beginnings) for each in beside if each != path)

    return knows


@dataclass(frozen=True)
class Driver:
    """One of GDAL's drivers.

    Parameters
    ----------
    name : str
        As GDAL calls it.
    reason : str
        Who needs it.
    suffixes : tuple of str
        Which a file has to have, in lower case; none where the first bytes say enough.
    starts : tuple of bytes
        One of which a file begins with.
    knows : callable, optional
        Takes the first bytes and the path of a file, and returns whether it is one, where no beginning says it.
    mosaics : bool
        Whether virtual rasters may be made of its files: GDAL opens these with all of its drivers, so no other one may
        take the file for its own.
    """

    name: str
    reason: str
    suffixes: tuple[str, ...]
    starts: tuple[bytes, ...] = ()
    knows: Callable[[bytes, Path], bool] | None = None
    mosaics: bool = False

    def holds(self, start: bytes, path: Path) -> bool:
        """Whether a file is one of this driver by what is in it."""
        return start.startswith(self.starts) if self.knows is None else self.knows(start, path)

    def is_named(self, path: Path) -> bool:
        """Whether a file is one of this driver by its name."""
        return not self.suffixes or path.suffix.lower() in self.suffixes


HDF5 = b"\x89HDF\r\n\x1a\n"
"""How files of HDF5 begin, among them netCDF of version 4."""
TIFF = Driver("GTiff", "what every program of maps writes", (), (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), mosaics=True)
"""That of overviews and masks beside a raster too."""
_OF_ENVI = ("", ".img", ".dat", ".bsq", ".bil", ".bip", ".raw", ".bin", ".envi")
_HDR = (".hdr", ".HDR")

DRIVERS = (
    TIFF,
    Driver("VRT", "mosaics of tiles and stacks of bands", (".vrt",), knows=_is_virtual),
    Driver(
        "JP2OpenJPEG",
        "scenes of Sentinel-2",
        (".jp2", ".j2k", ".jpx"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"),
        mosaics=True,
    ),
    Driver("PNG", "tiles of mosaics", (".png",), (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",), mosaics=True),
    Driver("JPEG", "tiles of mosaics", (".jpg", ".jpeg"), (b"\xff\xd8\xff",), mosaics=True),
    Driver("HFA", "ERDAS Imagine", (".img",), (b"EHFA_HEADER_TAG\0",), mosaics=True),
    Driver("AAIGrid", "elevation as Esri's text", (".asc",), knows=_is_grid, mosaics=True),
    Driver("DTED", "elevation of the military", (".dt0", ".dt1", ".dt2"), knows=_is_elevation, mosaics=True),
    Driver("SRTMHGT", "elevation of the space shuttle", (".hgt",), knows=_is_tile_of_srtm),
    Driver(
        "ENVI",
        "bands of spectrometers",
        _OF_ENVI,
        knows=_has_header(_HDR, (b"envi",)),
    ),
    Driver(
        "EHdr",
        "elevation and climate as Esri's numbers",
        (".bil", ".bip", ".bsq", ".flt"),
        knows=_has_header(_HDR, (b"nrows", b"ncols", b"byteorder", b"layout", b"nbands", b"nbits")),
    ),
    Driver("SAGA", "grids of SAGA and QGIS", (".sdat",), knows=_has_header((".sgrd",), (b"name", b"description"))),
    Driver("netCDF", "climate, of version 3", (".nc", ".cdf"), (b"CDF\1", b"CDF\2", b"CDF\5")),
    Driver("netCDF", "climate, of version 4", (".nc", ".nc4", ".cdf"), (HDF5,)),
    Driver("PNM", "pictures of microscopes and of Netpbm", (".pgm", ".ppm", ".pnm"), knows=_is_plain_picture),
)
"""All that are used, each for somebody."""

# What else people have, by its beginning or its suffix.
_FOREIGN_STARTS = (
    (b"<mrf_meta", "MRF"),
    (b"<gdal_wms", "WMS"),
    (b"<gdal_wmts", "WMTS"),
    (b"<gdaltileindexdataset", "GTI"),
    (b"<dimap_document", "DIMAP"),
    (b"pcidsk", "PCIDSK"),
    (b"nitf", "NITF"),
    (b"nsif", "NITF"),
    (b"grib", "GRIB"),
    (b"\x0e\x03\x13\x01", "HDF4"),
    (b"simple  =", "FITS"),
    (b"sqlite format 3\0", "GPKG"),
    (b"dsaa", "GSAG"),
    (b"dsbb", "GSBG"),
    (b"dsrb", "GS7BG"),
    (b"pds_version_id", "PDS"),
)
_FOREIGN_SUFFIXES = {
    ".bag": "BAG",
    ".ecw": "ECW",
    ".ers": "ERS",
    ".gti": "GTI",
    ".mbtiles": "MBTiles",
    ".mrf": "MRF",
    ".pix": "PCIDSK",
    ".sid": "MrSID",
    ".til": "TIL",
}
_ELSEWHERE = frozenset({"WMS", "WMTS", "GTI", "MRF"})


def driver_of(path: Path) -> Driver | None:
    """Return the driver that reads a file: by what it holds and by its name; None where these do not agree on one."""
    start = beginning(path)
    return next((each for each in DRIVERS if each.is_named(path) and start and each.holds(start, path)), None)


def suffix_for(path: Path) -> str:
    """Return a suffix under which a driver reads a file that has no name of its own; none where it needs none.

    Only what a file holds decides: neither drivers that go by what lies beside it, nor descriptions of other files.
    """
    start = beginning(path)
    known = (each for each in DRIVERS if each.suffixes and each.mosaics and each.holds(start, path))
    return next((each.suffixes[0] for each in known), ".pgm" if _is_plain_picture(start, path) else "")


def require_known(path: Path) -> None:
    """Refuse a file that GDAL knows, but that is not read: with the driver it is of, and what to do.

    Raises
    ------
    InputError
        It is one; not where nobody knows it.
    """
    start = beginning(path)
    misnamed = next((each for each in DRIVERS if each.suffixes and each.starts and start.startswith(each.starts)), None)
    if misnamed is not None:
        raise InputError(
            f"{path} is a {misnamed.name} raster by its content, but is not named so; rename it to "
            f"{path.stem}{misnamed.suffixes[0]}"
        )
    if path.suffix.lower() == ".hdr" and start.lstrip()[:4].upper() == b"ENVI":
        names = [path.with_suffix(each) for each in _OF_ENVI]
        there = next((f", {each.name}" for each in names if each != path and is_regular(each)), "")
        raise InputError(f"{path} is the header of an ENVI raster; name the file of its pixels{there}")
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    text = text.partition(b"?>")[2].lstrip() if text.startswith(b"<?xml") else text
    foreign, word = next((name for sign, name in _FOREIGN_STARTS if text.startswith(sign)), None), "is"
    if foreign is None:
        foreign, word = _FOREIGN_SUFFIXES.get(path.suffix.lower()), "is named as"
    if foreign in _ELSEWHERE:
        raise InputError(
            f"{path} describes data elsewhere (GDAL's driver {foreign}) and is not followed; give them as GeoTIFF"
        )
    if foreign is not None:
        raise InputError(
            f"{path} {word} a raster of GDAL's driver {foreign}, which is not read; convert it: "
            f"gdal_translate {path.name} {path.stem}.tif"
        )
