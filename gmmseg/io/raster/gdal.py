"""GDAL through rasterio: opened quietly, with a bounded cache, and never over a network."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from gmmseg.errors import InputError
from gmmseg.extras import require
from gmmseg.io import damage

__all__ = ["environment", "explained", "is_virtual", "library", "open_dataset", "quiet", "reason_of"]

_CACHE_MEGABYTES = 64
_LOOK = 1024  # bytes, in which a virtual raster says that it is one

# What these open is a description of data elsewhere.
_REMOTE = frozenset(
    {"DAAS", "EEDA", "EEDAI", "GTI", "HTTP", "KMLSUPEROVERLAY", "NGW", "OGCAPI", "PLMOSAIC", "PLSCENES"}
    | {"STACIT", "STACTA", "WCS", "WMS", "WMTS", "Zarr"}
)
_REFERENCES = ("Filename", "Dataset", "DataSource")

# Filters of warnings belong to the process: two threads that restore them out of order would lose some.
_one_at_a_time = threading.RLock()


def library(module: str = "rasterio") -> Any:
    """Import rasterio or a part of it."""
    return require(module, "geo", "this raster needs")


@contextmanager
def environment() -> Iterator[Any]:
    """Set GDAL's options in the thread that uses it: a bounded cache, all cores for decoding, no network."""
    options = {
        "GDAL_CACHEMAX": _CACHE_MEGABYTES,
        "GDAL_NUM_THREADS": "ALL_CPUS",
        "CPL_VSIL_CURL_ALLOWED_FILENAME": "none",
    }
    with library().Env(**options) as current:
        yield current


@contextmanager
def quiet() -> Iterator[None]:
    """Leave out rasterio's warning that a file has no place in the world, which is as ordinary as a photograph."""
    unplaced = library("rasterio.errors").NotGeoreferencedWarning
    with _one_at_a_time, warnings.catch_warnings():
        warnings.simplefilter("ignore", unplaced)
        warnings.filterwarnings("ignore", "Use `@` matmul", PendingDeprecationWarning)
        yield


@contextmanager
def explained(path: Path, where: str = "") -> Iterator[None]:
    """Turn what GDAL and rasterio raise while reading into an InputError of one line."""
    finding = f"damaged or cut short{where}"
    reason = partial(reason_of, path=path)
    with damage.explained(path, "export or download it again", finding=finding, reason=reason):
        yield


def reason_of(error: BaseException, path: Path) -> str:
    """Return what GDAL said first of all, without the name of the file."""
    deepest: BaseException = error
    while (cause := deepest.__cause__ or deepest.__context__) is not None:
        deepest = cause
    words = str(deepest).replace(str(path.absolute()), "").replace(path.name, "").strip(" :,'")
    return " ".join(words.split())[:120] or type(deepest).__name__


def open_dataset(path: Path, current: Any) -> Any:
    """Open a file within `environment()`.

    Raises
    ------
    InputError
        It is a virtual raster of something that is no file here.
    rasterio.errors.RasterioIOError
        No driver can open it.
    """
    _require_local(path, ())
    drivers = sorted(set(current.drivers()) - _REMOTE)
    with quiet():
        return library("rasterio.io").DatasetReader(path.absolute(), driver=drivers)


def is_virtual(path: Path) -> bool:
    """Whether a file describes a raster (VRT) made of other files."""
    return b"<VRTDataset" in _start(path)


def _start(path: Path) -> bytes:
    with open(path, "rb") as file:
        return file.read(_LOOK)


def _require_local(path: Path, above: tuple[Path, ...]) -> None:
    """Refuse a virtual raster, at any depth, that names anything but files: GDAL would take addresses too."""
    if not is_virtual(path):
        if above and _start(path).lstrip()[:1] in (b"<", b"{"):
            raise InputError(f"{above[0]} is a virtual raster of {path}, which describes data elsewhere; download them")
        return
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError as error:
        raise InputError(f"{path} is a damaged virtual raster ({error}); make it again") from None
    for element in root.iter():
        name = (element.text or "").strip()
        if not name or not element.tag.endswith(_REFERENCES):
            continue
        target = path.parent / name if element.get("relativeToVRT") == "1" else Path(name)
        if not _is_file(target):
            raise InputError(f"{path} is a virtual raster of {name[:100]}, which is no file here; correct the path")
        if target not in (*above, path):
            _require_local(target, (*above, path))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
