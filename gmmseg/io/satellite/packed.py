"""Satellite scenes as they are downloaded: a .zip of a .SAFE folder, or the .tar of Landsat, unpacked to be read."""

from __future__ import annotations

import re
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from gmmseg.errors import InputError
from gmmseg.io.archives import REMEDY, member_of_zip
from gmmseg.io.damage import explained
from gmmseg.io.request import Reading
from gmmseg.io.satellite.band_files import SAFE, band_file, is_metadata
from gmmseg.io.spool import Copy, chunks_of

__all__ = ["is_packed", "unpack_scene"]

_MOST_MEMBERS = 10_000  # of an archive that is looked through: that of a scene has some hundreds
_OF_LANDSAT = re.compile(r"L[COTE]0[4-9]_L[12][A-Z]{2}_\d{6}_\d{8}_\d{8}_02_(?:T1|T2|RT)", re.IGNORECASE)
_GROWTH = 2  # what is compressed already hardly grows: more than twice the archive is no scene


def is_packed(path: Path) -> bool:
    """Whether a file is an archive (.zip, or .tar that is not compressed) of the bands of a scene, by their names.

    One that cannot be opened, as when its download was cut short, is a scene where its own name says so.
    """
    if path.suffix.lower() not in (".zip", ".tar") or not path.is_file():
        return False
    try:
        with _opened(path) as archive:
            return any(_is_certain(name) for name in _names(archive))
    except (OSError, zipfile.BadZipFile, tarfile.TarError, ValueError, NotImplementedError):
        return any(known.fullmatch(path.stem) for known in (SAFE, _OF_LANDSAT))


def unpack_scene(path: Path, reading: Reading) -> Copy:
    """Copy the band files of a scene and its metadata out of an archive: of each band the file that will be read.

    Parameters
    ----------
    path : Path
        See `is_packed`.
    reading : Reading
        With the resolution that is asked for. The copy may be as large as its budget, or twice the archive.

    Returns
    -------
    Copy
        Whose path is a folder of all files, which is the scene.

    Raises
    ------
    InputError
        The archive is damaged, or what is in it is larger.
    """
    copy = Copy(str(path), max(reading.budget, _GROWTH * path.stat().st_size))
    copy.path = copy.folder
    with explained(path, REMEDY), _opened(path) as archive:
        for name in _needed(_names(archive), reading.resolution):
            if isinstance(archive, zipfile.ZipFile):
                with member_of_zip(archive, archive.getinfo(name), copy) as file:
                    copy.add(PurePosixPath(name).name, chunks_of(file))
            elif (packed := archive.extractfile(name)) is not None:
                with packed:
                    copy.add(PurePosixPath(name).name, chunks_of(packed))
    return copy


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile | tarfile.TarFile]:
    if path.suffix.lower() == ".zip":
        with zipfile.ZipFile(path) as archive:
            yield archive
    else:
        with tarfile.open(path, "r:") as packed:
            yield packed


def _names(archive: zipfile.ZipFile | tarfile.TarFile) -> Iterator[str]:
    """Return the names of files in an archive, as it lists them."""
    if isinstance(archive, zipfile.ZipFile):
        found = (each.filename for each in archive.infolist() if not each.is_dir())
    else:
        found = (each.name for each in archive if each.isfile())
    return (name for name, _ in zip(found, range(_MOST_MEMBERS), strict=False))


def _is_certain(name: str) -> bool:
    found = band_file(Path(PurePosixPath(name).name))
    return found is not None and found.common is not None and found.certain


def _needed(names: Iterable[str], resolution: float | None) -> list[str]:
    """Return the members that are read: metadata, and of each band the resolution that is asked for, or the finest."""
    kept: dict[object, tuple[tuple[bool, int], str]] = {}
    for name in names:
        path = Path(PurePosixPath(name).name)
        found = band_file(path)
        if found is None:
            if is_metadata(path):
                kept.setdefault(path.name, ((False, 0), name))
            continue
        rank = (found.metres != resolution, found.resolution)
        key = (found.scene, found.band)
        if key not in kept or rank < kept[key][0]:
            kept[key] = (rank, name)
    files = [PurePosixPath(name).name for _, name in kept.values()]
    twice = next((file for number, file in enumerate(files) if file in files[:number]), None)
    if twice is not None:
        raise InputError(f"{twice} is in the archive twice; unpack it, and give the folder of one scene")
    return [name for _, name in kept.values()]
