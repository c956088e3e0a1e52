"""Scenes of Sentinel-2, level 1C and 2A: a .SAFE folder, or a folder of its band files.

Stored numbers are reflectances times a quantification value, and from processing baseline 04.00 on plus 1000; the
metadata say both (Sentinel-2 Products Specification Document, S2-PDGS-TAS-DI-PSD, 14.9 and later). 0 is no data.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from xml.etree.ElementTree import Element

from gmmseg.errors import InputError
from gmmseg.io.satellite.band_files import BandFile, band_file, files_in
from gmmseg.io.satellite.product import Band, Product, finite_number, of_one_scene, parsed

__all__ = ["sentinel_product"]

_BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")  # by band_id
_OF_THE_AIR = frozenset({"B01", "B09", "B10"})  # of 60 m: aerosol, water vapour, thin clouds
_QUANTIFICATION = 10_000.0


class _Numbers(NamedTuple):
    """What stored numbers mean."""

    quantification: float
    offsets: Mapping[str, float]  # by band


def sentinel_product(folder: Path) -> Product:
    """Return what is in the folder of a scene of Sentinel-2.

    Raises
    ------
    InputError
        There is no band, bands of several scenes, or metadata are damaged.
    """
    files = [each for each in files_in(folder) if each.sensor == "sentinel"]
    of_one_scene(folder, [each for each in files if each.common is not None or each.scene])
    metadata = sorted(folder.glob("MTD_MSIL[12][AC].xml"))
    root = parsed(metadata[0]) if metadata else None
    numbers = _Numbers(_QUANTIFICATION, {}) if root is None else _numbers(metadata[0], root)
    bands = tuple(
        Band(
            name,
            tuple(own),
            1 / numbers.quantification,
            numbers.offsets.get(band, 0.0) / numbers.quantification,
            band not in _OF_THE_AIR,
        )
        for band in _BANDS
        for name, own in [_files_of(files, band)]
        if own
    )
    masks = {each.band: each for each in sorted(files, key=lambda f: -f.resolution) if each.common is None}
    remark = ""
    if root is None:
        remark = (
            "its offset is not known without MTD_MSIL2A.xml or MTD_MSIL1C.xml, and taken as 0 (it is -0.1 from "
            "processing baseline 04.00 on); give the .SAFE folder"
        )
    level = "" if not metadata else f" L{metadata[0].stem[-2:]}"
    facts = {} if root is None else _facts(root, numbers)
    return Product(folder, f"Sentinel-2{level}", bands, masks, _missing(root, bands), facts, remark)


def _files_of(files: list[BandFile], band: str) -> tuple[str, list[BandFile]]:
    own = sorted((each for each in files if each.band == band), key=lambda each: each.resolution)
    return (own[0].name if own else band), own


def _numbers(path: Path, root: Element) -> _Numbers:
    """Return what the metadata say of stored numbers."""
    tags = {each.tag.rsplit("}", 1)[-1]: each for each in root.iter()}
    stored = tags.get("BOA_QUANTIFICATION_VALUE", tags.get("QUANTIFICATION_VALUE"))
    offsets = {}
    for each in root.iter():
        if each.tag.rsplit("}", 1)[-1] in ("BOA_ADD_OFFSET", "RADIO_ADD_OFFSET"):
            number = finite_number(path, each.get("band_id"), "the band_id of an offset")
            if number not in range(len(_BANDS)):
                raise InputError(f"{path} has an offset of band_id {number:g}, beyond 12; download the scene again")
            offsets[_BANDS[int(number)]] = finite_number(path, each.text, "an offset")
    if stored is None:
        raise InputError(f"{path} has no QUANTIFICATION_VALUE, so its numbers mean nothing; download the scene again")
    quantification = finite_number(path, stored.text, "the quantification value")
    if quantification <= 0:
        raise InputError(f"{path} has a quantification value of {quantification:g}; download the scene again")
    return _Numbers(quantification, offsets)


def _facts(root: Element, numbers: _Numbers) -> dict[str, object]:
    texts = {each.tag.rsplit("}", 1)[-1]: (each.text or "").strip() for each in root.iter()}
    facts: dict[str, object] = {
        key: texts[tag]
        for key, tag in (("date", "DATATAKE_SENSING_START"), ("baseline", "PROCESSING_BASELINE"))
        if texts.get(tag)
    }
    return facts | {"scale": 1 / numbers.quantification, "offset": _offset(numbers)}


def _offset(numbers: _Numbers) -> object:
    each = {value / numbers.quantification for value in numbers.offsets.values()} or {0.0}
    return each.pop() if len(each) == 1 else {b: v / numbers.quantification for b, v in numbers.offsets.items()}


def _missing(root: Element | None, bands: tuple[Band, ...]) -> dict[str, str]:
    """Return the bands that the metadata list, but of which no file is there."""
    there = {band.name for band in bands}
    missing: dict[str, str] = {}
    for each in () if root is None else root.iter():
        if each.tag.rsplit("}", 1)[-1] in ("IMAGE_FILE", "IMAGE_ID"):
            listed = band_file(Path((each.text or "").strip() + ".jp2"))
            if listed is not None and listed.common is not None and listed.name not in there:
                missing.setdefault(listed.name, listed.path.name)
    return missing
