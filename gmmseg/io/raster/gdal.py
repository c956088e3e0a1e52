"""GDAL through rasterio: opened quietly, with a bounded cache, and with nothing but the file and what belongs to it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from gmmseg.errors import InputError
from gmmseg.extras import require
from gmmseg.io import damage
from gmmseg.io.raster.beside import (
    IMAGINE,
    companions,
    lacks_coordinates,
    require_alone,
    require_inside,
    require_own_parts,
)
from gmmseg.io.raster.classic import require_sound_header
from gmmseg.io.raster.drivers import HDF5, TIFF, Driver, beginning, driver_of, require_known
from gmmseg.io.raster.systems import boxes, require_no_files, require_no_files_in_words
from gmmseg.io.request import Reading, require_bytes
from gmmseg.io.tiff.directories import directories
from gmmseg.io.variables import Variable, variable_of

__all__ = ["dtype_of", "environment", "explained", "library", "open_dataset", "opener", "reason_of", "require_blocks"]

_CACHE_BYTES = 16 << 20
_OF_NUMBERS = frozenset({".ige", ".rrd", ".clr", ".rep", ".sta", ".stx"})  # of what lies beside a raster, no system
_COPIES = 3  # of a text: its bytes, its letters, and those without what XML escapes
_ANY = Reading()
_GDAL = "NC_GLOBAL#GDAL"
"""Attribute of netCDF in which GDAL says that it wrote a file."""
_DESCRIPTION = re.compile(r"'?<VRTDataset.*(</VRTDataset>'?|$)", re.DOTALL)


def library(module: str = "rasterio") -> Any:
    """Import rasterio or a part of it."""
    return require(module, "geo", "this raster needs")


@contextmanager
def environment() -> Iterator[None]:
    """Set GDAL's options in the thread that uses it: a bounded cache, all cores for decoding, no network.

    Notes
    -----
    No driver that is used fetches anything. If one did, the addresses it may have are none, and it gives up at once.
    Folders are not listed: files beside a raster are tried by their names, the same that `beside.companions` checks.
    """
    options = {
        "GDAL_NUM_THREADS": "ALL_CPUS",
        "GDAL_DISABLE_READDIR_ON_OPEN": "TRUE",
        "CPL_VSIL_CURL_ALLOWED_FILENAME": "none",
        "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".none",
        "GDAL_HTTP_CONNECTTIMEOUT": "1",
        "GDAL_HTTP_TIMEOUT": "1",
        "GDAL_HTTP_MAX_RETRY": "0",
        "GDAL_VRT_ENABLE_PYTHON": "NO",
        "GDAL_VRT_ENABLE_RAWRASTERBAND": "NO",
    }
    with library().Env(**options), _CACHE.bounded():
        yield


class _Cache:
    """GDAL's cache of blocks, which a process has once, whoever uses it beside gmmseg.

    Notes
    -----
    An environment of rasterio's within another one, or in another thread, does not give back the size that it found.
    Of a block that several threads could not decode GDAL keeps zeros, and hands them out as read when it is asked
    again: after an error nothing is kept.
    """

    def __init__(self) -> None:
        self._lock, self._users, self._before = Lock(), 0, 0

    @contextmanager
    def bounded(self) -> Iterator[None]:
        """Keep the cache small as long as any thread is in here; the last one out gives back its size."""
        options = library("rasterio.env")
        with self._lock:
            if self._users == 0:
                self._before = options.get_gdal_config("GDAL_CACHEMAX")
                options.set_gdal_config("GDAL_CACHEMAX", min(self._before, _CACHE_BYTES))
            self._users += 1
        try:
            yield
        except BaseException:
            with self._lock:
                options.set_gdal_config("GDAL_CACHEMAX", 0)
                options.set_gdal_config("GDAL_CACHEMAX", min(self._before, _CACHE_BYTES))
            raise
        finally:
            with self._lock:
                self._users -= 1
                if self._users == 0:
                    options.set_gdal_config("GDAL_CACHEMAX", self._before)


_CACHE = _Cache()


class _Placeless:
    """What rasterio's classes do with a file that has no place in the world, which is as ordinary as a photograph.

    Notes
    -----
    rasterio warns of it, unless the file has ground control points or polynomials: that it asks for these means that
    GDAL knows no transform, and what is in its place may be anything. Filters of warnings belong to the process, so
    the answer is that there are some.
    """

    _placed = True

    def _has_gcps_or_rpcs(self) -> bool:
        self._placed = False
        return True

    def read_transform(self) -> list[float]:
        """Return GDAL's transform; that of a picture where there is none."""
        found: list[float] = super().read_transform()  # type: ignore[misc]  # of the class that this one goes before
        return found if self._placed else [0.0, 1.0, 0.0, 0.0, 0.0, 1.0]


@cache
def opener(kind: str) -> Any:
    """Return rasterio's class that opens files without a warning: "DatasetReader" or "DatasetWriter"."""
    return type(kind, (_Placeless, getattr(library("rasterio.io"), kind)), {})


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
    words = _DESCRIPTION.sub("", str(deepest))
    for name in (str(path.resolve()), str(path.absolute()), path.name):
        words = words.replace(name, "")
    return " ".join(words.strip(" :,'").split())[:120] or type(deepest).__name__


def open_dataset(path: Path, reading: Reading = _ANY) -> Any:
    """Open a file within `environment()`.

    Parameters
    ----------
    path : Path
        A link that leads to a file is that file: what belongs to it lies beside it, not beside the link.
    reading : Reading
        Whose budget blocks may take.

    Raises
    ------
    InputError
        Its driver is not used, what it names or has beside it is more than regular files in its folder, or its name is
        none that GDAL can open.
    rasterio.errors.RasterioIOError
        It is damaged.
    """
    variable = variable_of(path)
    file = path if variable is None else variable.file
    driver = driver_of(file)
    if driver is None or (variable is not None and driver.name != "netCDF"):
        require_known(file)
        raise InputError(f"{path} is no raster of a known format; convert it to GeoTIFF")
    real = file.resolve()
    try:
        str(real).encode()
    except UnicodeEncodeError:
        raise InputError(f"{path} has a name, or is in a folder of one, that is not UTF-8; rename it") from None
    if driver.name != "VRT":
        return _opened(real, driver, owner=path, reading=reading, variable=variable)
    from gmmseg.io.raster.virtual import description  # here, because most rasters are files

    if (masked := real.with_name(real.name + ".msk")).exists():
        raise InputError(f"{path} is a virtual raster with a mask beside it ({masked.name}); export it as GeoTIFF")
    return _reader(description(path, partial(_check, owner=path, reading=reading)), driver, path)


def require_blocks(path: Path, dataset: Any, reading: Reading) -> None:
    """Refuse a raster of which a single block takes more than a reader may take: GDAL decodes them whole."""
    bands = dataset.count if dataset.interleaving is not None and dataset.interleaving.name == "pixel" else 1
    sizes = {
        rows * columns * dtype_of(dtype).itemsize
        for (rows, columns), dtype in set(zip(dataset.block_shapes, dataset.dtypes, strict=True))
    }
    require_bytes(path, max(sizes, default=0) * bands, reading, "its blocks")


def dtype_of(name: str) -> np.dtype[Any]:
    """Return the dtype that holds what rasterio calls so: whole complex numbers are read as others."""
    return np.dtype("complex64" if name == "complex_int16" else name)


def _opened(path: Path, driver: Driver, owner: Path, reading: Reading, variable: Variable | None = None) -> Any:
    """Open a file, or a variable in it, when what lies beside it and what it names has been looked at."""
    _require_own_companions(path, owner, reading)
    if driver is TIFF:
        words = b"".join(each.systems for each in islice(directories(path), 1))
        require_no_files_in_words(words, owner)
    elif driver.name == "JP2OpenJPEG":
        for words in boxes(path):
            require_no_files_in_words(words, owner)
    elif driver.starts == (HDF5,):
        require_alone(path, owner, reading)
    elif driver.name == "netCDF":
        require_sound_header(path, owner)
    elif driver.name == "HFA":
        require_own_parts(path, owner)
    dataset = _opened_as_it_lies(path, driver, owner, variable)
    if "OVERVIEW_FILE" in {name.upper() for name in dataset.tags(ns="OVERVIEWS")}:
        dataset.close()
        raise InputError(f"{owner} names overviews in another file ({path.name}); remove them or export it again")
    return dataset


def _opened_as_it_lies(path: Path, driver: Driver, owner: Path, variable: Variable | None) -> Any:
    """Open a file, or a variable in it, with its rows as they lie.

    Notes
    -----
    Where no axis of netCDF has coordinates, as those of a scanner in flight, GDAL turns rows upside down, because its
    own files begin in the south. Of other writers the first row is the first one, as for xarray.
    """

    def opened() -> Any:
        return _reader(path, driver, owner) if variable is None else _variable(path, driver, variable)

    dataset = opened()
    if driver.starts != (HDF5,) or not dataset.count or not dataset.transform.is_identity or _GDAL in dataset.tags():
        return dataset
    if not lacks_coordinates(path, dataset.tags(1).get("NETCDF_VARNAME", "") if variable is None else variable.name):
        return dataset
    dataset.close()
    with library().Env(GDAL_NETCDF_BOTTOMUP="NO"):
        return opened()


def _reader(source: Path | str, driver: Driver, owner: Path) -> Any:
    try:
        return opener("DatasetReader")(source, driver=[driver.name])
    except Exception as error:
        with library().Env() as current:
            if driver.name not in current.drivers():
                raise InputError(
                    f"{owner} needs GDAL's driver {driver.name}, which the GDAL of this rasterio lacks; "
                    "convert it to GeoTIFF elsewhere"
                ) from error
        raise


def _variable(path: Path, driver: Driver, variable: Variable) -> Any:
    """Open one array of a file that was looked at; where it is not there, say which are."""
    try:
        return _reader(f'NETCDF:"{path}":{variable.name}', driver, variable.file)
    except library("rasterio.errors").RasterioIOError:
        with _reader(path, driver, variable.file) as whole:  # raises where the file itself cannot be read
            names = [name.rpartition(":")[2] for name in whole.subdatasets]
        if variable.name in names or not names:
            raise
        raise InputError(
            f"{variable.file} has no variable {variable.name}; name one of {', '.join(names[:8])}"
        ) from None


def _check(path: Path, driver: Driver, owner: Path, reading: Reading) -> None:
    with _opened(path, driver, owner, reading) as dataset:
        require_blocks(owner, dataset, reading)


def _require_own_companions(path: Path, owner: Path, reading: Reading) -> None:
    """Refuse a raster with files beside it that GDAL would open although they are no plain files of their kind."""
    for beside in companions(path):
        if beside.is_dir():
            continue
        require_inside(beside, path.parent, owner)
        start, suffix = beginning(beside), beside.suffix.lower()
        if suffix in (".ovr", ".msk"):
            if not start.startswith(TIFF.starts):
                raise InputError(f"{owner} goes with {beside.name}, which is no TIFF file; remove it or make it again")
            _check(beside, TIFF, owner, reading)
        elif start.startswith(IMAGINE):
            require_own_parts(beside, owner)
        elif suffix not in _OF_NUMBERS:
            require_bytes(owner, _COPIES * beside.stat().st_size, reading, f"the text of {beside.name}")
            require_no_files(beside.read_text("latin-1"), owner, beside.name)
