"""Scenes of Landsat Collection 2, level 1 and 2: a folder of band files and their metadata, *_MTL.txt.

Level 2 is stored with one scale for all scenes (Landsat 8-9 Collection 2 Level 2 Science Product Guide, LSDS-1619);
that of level 1 is in the metadata of each. Reflectance of level 1 is not divided by the sine of the sun's elevation,
which is the same for a whole scene. 0 is no data.
"""

from __future__ import annotations

import re
from pathlib import Path

from gmmseg.errors import InputError
from gmmseg.io.satellite.band_files import BandFile, band_file, files_in
from gmmseg.io.satellite.product import Band, Product, finite_number, metadata_text, of_one_scene

__all__ = ["landsat_product", "metadata_groups"]

_SURFACE = frozenset({"coastal", "blue", "green", "red", "nir", "swir1", "swir2"})
_OF_REFLECTANCE, _OF_TEMPERATURE = (2.75e-5, -0.2), (0.00341802, 149.0)  # level 2
_LINE = re.compile(r"\s*(\w+)\s*=\s*(.*?)\s*")
_NUMBERED = re.compile(r"(\d+)")

Groups = dict[str, dict[str, str]]


def landsat_product(folder: Path) -> Product:
    """Return what is in the folder of a scene of Landsat.

    Raises
    ------
    InputError
        There is no band, bands of several scenes, metadata are damaged, or of level 1 missing.
    """
    files = [each for each in files_in(folder) if each.sensor != "sentinel"]
    of_one_scene(folder, files)
    path = next((each for each in folder.iterdir() if each.name.upper() == f"{files[0].scene}_MTL.TXT"), None)
    groups = {} if path is None else metadata_groups(path)
    of_light = sorted((each for each in files if each.common is not None), key=_number)
    bands = []
    for each in of_light:
        scale, offset = _meaning(each, folder, path, groups)
        bands.append(Band(each.name, (each,), scale, offset, each.common in _SURFACE))
    masks = {each.band: each for each in files if each.common is None}
    level = files[0].scene[5:7]
    # Which satellite is in the product's name.
    facts = {"date": files[0].date, "scale": bands[0].scale, "offset": bands[0].offset}
    return Product(
        folder, f"Landsat {int(files[0].scene[2:4])} {level}", tuple(bands), masks, _missing(groups, files), facts
    )


def _number(file: BandFile) -> tuple[int, str]:
    found = _NUMBERED.search(file.short)
    return (int(found[1]) if found else 0), file.band


def _meaning(file: BandFile, folder: Path, path: Path | None, groups: Groups) -> tuple[float, float]:
    """Return scale and offset of what a band stores."""
    if file.scene[5:7] == "L2":
        return _OF_TEMPERATURE if file.band.startswith("ST_") else _OF_REFLECTANCE
    if path is None:
        raise InputError(
            f"{folder} lacks {file.scene}_MTL.txt, in which the scale of level 1 is; put it there, or join its bands "
            "with + to take numbers as they are stored"
        )
    number = file.short.removeprefix("B")
    own = groups.get("LEVEL1_RADIOMETRIC_RESCALING", {})
    for kind in ("REFLECTANCE", "RADIANCE"):  # thermal light has no reflectance
        texts = [own.get(f"{kind}_{word}_BAND_{number}") for word in ("MULT", "ADD")]
        if None not in texts:
            scale, offset = (finite_number(path, each, f"scale or offset of band {number}") for each in texts)
            return scale, offset
    raise InputError(f"{path} says no scale of band {file.band}; download the scene again, or leave the band out")


def metadata_groups(path: Path) -> Groups:
    """Return what *_MTL.txt says, group by group: level 2 repeats the keys of level 1 with other numbers.

    Raises
    ------
    InputError
        It is no such text.
    """
    groups: Groups = {}
    current: list[str] = []
    for line in metadata_text(path).splitlines():
        found = _LINE.fullmatch(line)
        if found is None:
            continue
        key, value = found[1], found[2].strip('"')
        if key == "GROUP":
            current.append(value)
        elif key == "END_GROUP":
            if not current or current.pop() != value:
                raise InputError(f"{path} is damaged (group {value[:40]} ends before it begins); download it again")
        elif current:
            groups.setdefault(current[-1], {})[key] = value
    if not groups:
        raise InputError(f"{path} has no group of metadata in it; download it again")
    return groups


def _missing(groups: Groups, files: list[BandFile]) -> dict[str, str]:
    """Return the bands of the surface that the metadata list, but that are not there."""
    there = {each.name for each in files}
    missing = {}
    for key, value in groups.get("PRODUCT_CONTENTS", {}).items():
        listed = band_file(Path(value)) if key.startswith("FILE_NAME_BAND") else None
        if listed is not None and listed.common in _SURFACE and listed.name not in there:
            missing[listed.name] = listed.path.name
    return missing
