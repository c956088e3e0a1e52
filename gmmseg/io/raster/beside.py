"""What GDAL opens beside a raster, and what ERDAS Imagine and HDF5 name: regular files of the same folder."""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from gmmseg.errors import InputError
from gmmseg.extras import require
from gmmseg.io.raster.drivers import beginning, is_regular
from gmmseg.io.raster.systems import require_no_files
from gmmseg.io.request import Reading, require_bytes

__all__ = [
    "IMAGINE",
    "companions",
    "lacks_coordinates",
    "open_hdf5",
    "require_alone",
    "require_inside",
    "require_own_parts",
]

IMAGINE = b"EHFA_HEADER_TAG"
"""How files of ERDAS Imagine begin."""

# Added to the name, put in place of its suffix, added to what stands before the suffix; and names of their own.
_ADDED = (".aux.xml", ".ovr", ".msk", ".aux", ".hdr")
_SUFFIXES = ("aux", "imd", "pass", "pvl", "rpb", "rpc", "tab", "txt", "wld", "xml")
_OF_GRIDS = ("clr", "hdr", "ige", "prj", "rep", "rrd", "sgrd", "sta", "stx")
_PICTURES = frozenset({".tif", ".tiff", ".jp2", ".png", ".jpg", ".jpeg"})  # which say themselves what grids have beside
_ENDS = (
    *("_rpc.txt", "_RPC.TXT", "_metadata.txt", "_METADATA.txt", "_METADATA.TXT", "_metadata.xml", "_METADATA.XML"),
    *("_mtl.txt", "_MTL.txt", "_MTL.TXT"),
)
_NAMES = ("metadata.dim", "METADATA.DIM", "summary.txt", "SUMMARY.TXT")

_NAMING = frozenset({"imgexternalraster", "externalrasterdms", "rrdnameslist", "eimg_rrdnameslist"})
_NAMING |= {"dependentfile", "eimg_dependentfile"}
_ENTRY = struct.Struct("<6I64s32s")  # next, previous, parent, child, data, bytes of data, name, type
_OF_AXES = frozenset({"CLASS", "NAME", "DIMENSION_LIST", "REFERENCE_LIST"})  # attributes by which HDF5 joins arrays
_LENGTH = b"This is a netCDF dimension but not a netCDF variable"  # what netCDF-4 calls an axis that has but a length
_MOST_WORDS = 1 << 20  # bytes of a dictionary; those of ERDAS have 4 thousand
_MOST_ENTRIES = 1_000_000


def companions(path: Path) -> Iterator[Path]:
    """Yield the files beside a raster that GDAL would open with it, by their names.

    Notes
    -----
    GDAL tries names in lower and upper case where it may not list folders, see `gmmseg.io.raster.gdal.environment`.
    """
    folder, name = os.path.split(path)
    stem, suffix = os.path.splitext(name)
    ending = suffix[1:].lower()
    world = (ending + "w", ending[:1] + ending[-1:] + "w")
    names = [name + end for added in _ADDED for end in (added, added.upper())]
    for end in (*_SUFFIXES, *world):
        names += [f"{stem}.{end}", f"{stem}.{end.upper()}"]
    if suffix.lower() not in _PICTURES:
        for end in _OF_GRIDS:
            names += [f"{stem}.{end}", f"{stem}.{end.upper()}", f"{stem.upper()}.{end.upper()}"]
    names += [stem + end for end in _ENDS] + list(_NAMES)
    if stem[:3].upper() in ("IMG", "PHR"):  # Pléiades and SPOT: IMG_x.tif has DIM_x.xml and RPC_x.xml
        names += [f"{kind}{stem[3:]}{end}" for kind in ("DIM", "RPC") for end in (".XML", ".xml")]
    for each in names:
        if each != name and os.access(f"{folder}/{each}", os.F_OK):
            yield Path(folder, each)


def require_inside(path: Path, folder: Path, owner: Path) -> Path:
    """Return where a file that another one names really is: a regular file in a folder, or below it.

    Parameters
    ----------
    path : Path
        What is named.
    folder : Path
        The real folder of the file that names it.
    owner : Path
        The file that was opened, for messages.

    Raises
    ------
    InputError
        It is no regular file, or lies outside, maybe as a link that leads there.
    """
    try:
        real = path.resolve()
    except (OSError, ValueError, RuntimeError):  # a circle of links
        real = path
    if not is_regular(real):
        raise InputError(f"{owner} goes with {str(path)[:200]!r}, which is no file here; correct the path or remove it")
    if not real.is_relative_to(folder):
        raise InputError(
            f"{owner} goes with {str(path)[:200]!r}, which lies outside its folder; copy that file beside it"
        )
    return real


def require_own_parts(path: Path, owner: Path) -> None:
    """Refuse a raster of ERDAS Imagine of which parts lie outside its folder.

    Notes
    -----
    Large rasters keep their numbers (.ige) and overviews (.rrd) in files that they name. Whether a name is one that
    GDAL would open is not told from its bytes alone, so all that is in the folder and no file of it is taken for meant.
    """
    waiting, seen = [path], {path}
    while waiting:
        current = waiting.pop()
        named = b"\0".join(_naming_parts(current, owner))
        if not named:
            continue
        if b"/" in named:
            raise InputError(f"{owner} names parts of it by paths ({current.name}); export it as GeoTIFF")
        with os.scandir(current.parent) as entries:
            parts = [Path(each.path) for each in entries if os.fsencode(each.name) in named and not each.is_dir()]
        for part in parts:
            require_inside(part, current.parent, owner)
            if part not in seen and beginning(part).startswith(IMAGINE):
                waiting.append(part)
            seen.add(part)


def _naming_parts(path: Path, owner: Path) -> Iterator[bytes]:
    """Yield what the entries of a file of ERDAS Imagine hold that name other files."""
    with open(path, "rb") as file:
        try:
            file.seek(16)
            (header,) = struct.unpack("<I", file.read(4))
            file.seek(header + 8)
            root, words = struct.unpack("<I2xI", file.read(10))
            file.seek(words)
            text, end, _ = file.read(_MOST_WORDS).partition(b"\0")
            # rasterio would print that it cannot decode GDAL's complaint.
            if not text.isascii() or not (end or len(text) < _MOST_WORDS):
                raise InputError(f"{owner} is damaged ({path.name}: its dictionary is no text); export it again")
            waiting, seen = [root], {0}
            while waiting:
                place = waiting.pop()
                if place in seen:
                    continue
                seen.add(place)
                if len(seen) > _MOST_ENTRIES:
                    raise InputError(f"{owner} has more than {_MOST_ENTRIES} entries; export it as GeoTIFF")
                file.seek(place)
                following, _, _, child, data, size, *names = _ENTRY.unpack(file.read(_ENTRY.size))
                waiting += [following, child]
                file.seek(data)
                content = file.read(min(size, _MOST_WORDS))
                require_no_files(content.decode("latin-1"), owner, path.name)
                if _NAMING & {name.partition(b"\0")[0].decode("latin-1").strip().lower() for name in names}:
                    yield content
        except struct.error:
            return  # cut short: GDAL says so


def require_alone(path: Path, owner: Path, reading: Reading) -> None:
    """Refuse a file of HDF5, such as netCDF of version 4, that takes numbers from other files, or of too large blocks.

    Raises
    ------
    InputError
        It has external links, external storage or virtual datasets.
    GmmsegError
        h5py, which tells, is not installed.
    """
    h5py = require("h5py", "geo", "netCDF-4 and HDF5 files need")
    with open_hdf5(path) as file:
        waiting: list[Any] = [file]
        seen = {h5py.h5o.get_info(file.id).addr}
        while waiting:
            group = waiting.pop()
            for name in group:
                link = group.get(name, getlink=True)
                if isinstance(link, h5py.ExternalLink):
                    raise _elsewhere(owner, f"{group.name}/{name}")
                if not isinstance(link, h5py.HardLink):
                    continue
                item = group[name]
                _require_no_files(item, owner)
                address = h5py.h5o.get_info(item.id).addr
                if address in seen:
                    continue
                seen.add(address)
                if isinstance(item, h5py.Group):
                    waiting.append(item)
                elif isinstance(item, h5py.Dataset):
                    if item.external or item.is_virtual:
                        raise _elsewhere(owner, item.name)
                    n_bytes = math.prod(item.chunks or ()) * item.dtype.itemsize
                    require_bytes(owner, n_bytes, reading, "its blocks")


def open_hdf5(path: Path) -> Any:
    """Open a file of HDF5 without a lock, or as the caller has it open.

    Raises
    ------
    GmmsegError
        h5py is not installed.
    """
    h5py = require("h5py", "geo", "netCDF-4 and HDF5 files need")
    try:
        return h5py.File(path, "r", locking=False)
    except OSError as error:
        if "locking flag" not in str(error):
            raise
        return h5py.File(path, "r")  # a process cannot open a file in both ways


def lacks_coordinates(path: Path, name: str) -> bool:
    """Whether no axis of an array in a file of netCDF-4 has coordinates, but lengths alone."""
    with open_hdf5(path) as file:
        array = file.get(name or "/")
        scales = [scale for axis in getattr(array, "dims", ()) for scale in axis.values()]
        return array is not None and all(bytes(scale.attrs.get("NAME", b"")).startswith(_LENGTH) for scale in scales)


def _require_no_files(item: Any, owner: Path) -> None:
    """Refuse what has an attribute with a coordinate system that names a file."""
    for name in item.attrs:
        if name in _OF_AXES:
            continue
        value: Any = b""
        with suppress(OSError, TypeError, ValueError):  # of a type that h5py does not know, and no text
            value = item.attrs[name]
        for each in [value] if isinstance(value, bytes | str) else getattr(value, "flat", ()):
            if isinstance(each, bytes | str):
                require_no_files(each if isinstance(each, str) else each.decode("latin-1"), owner, name[:40])


def _elsewhere(owner: Path, name: str) -> InputError:
    return InputError(f"{owner} takes {name[:200]!r} from another file; copy all into one file, as h5repack does")
