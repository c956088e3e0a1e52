"""Names of the files of satellite scenes: of which scene a file is, and which band. Nothing is opened.

Sentinel-2 names its files T32TQM_20230605T101559_B02_10m.jp2 (level 2A), T32TQM_20230605T101559_B02.jp2 (level 1C), and
services that unpack them B02.jp2; Landsat Collection 2 names them LC08_L2SP_195028_20230605_20230613_02_T1_SR_B4.TIF.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gmmseg.errors import ParameterError

__all__ = ["SAFE", "BandFile", "band_file", "files_in", "is_metadata", "is_scene", "require_whole_scenes"]

SAFE = re.compile(r"S2[A-Z]_(MSIL1C|MSIL2A)_(\d{8}T\d{6})_.*", re.IGNORECASE)
"""How folders of Sentinel-2 are named."""

_OF_SENTINEL = re.compile(
    r"(?:(?:L2A_)?(?P<scene>T\d\d[A-Z]{3}_(?P<date>\d{8})T\d{6})_|MSK_)?"
    r"(?P<band>B0\d|B1[0-2]|B8A|SCL|AOT|WVP|CLDPRB|SNWPRB)(?:_(?P<metres>[126]0)m)?\.(?:jp2|tiff?)",
    re.IGNORECASE,
)
_OF_LANDSAT = re.compile(
    r"(?P<scene>(?P<sensor>L[COTE]0[4-9])_L[12][A-Z]{2}_\d{6}_(?P<date>\d{8})_\d{8}_02_(?:T1|T2|RT))_"
    r"(?P<band>(?:SR_|ST_)?B\d+(?:_VCID_\d)?|QA_PIXEL|QA_RADSAT|SR_QA_AEROSOL|SR_CLOUD_QA|SR_ATMOS_OPACITY|ST_QA)"
    r"\.tiff?",
    re.IGNORECASE,
)
_METADATA = re.compile(r"MTD_(?:MSIL1C|MSIL2A|TL)\.xml|L[COTE]0[4-9]_.*_MTL\.(?:txt|xml|json)", re.IGNORECASE)
_PLACES = ("", "R10m", "R20m", "R60m")  # of band files in a folder of images
_GRANULES = ("GRANULE/*/IMG_DATA", "GRANULE/*/IMG_DATA/R*m", "GRANULE/*/QI_DATA", "IMG_DATA", "IMG_DATA/R*m")
_MOST_FILES = 10_000  # in a folder that is looked through for a scene: one has some hundreds
_COMMON = {
    "sentinel": {
        "B01": "coastal",
        "B02": "blue",
        "B03": "green",
        "B04": "red",
        "B05": "rededge1",
        "B06": "rededge2",
        "B07": "rededge3",
        "B08": "nir",
        "B8A": "nir08",
        "B09": "nir09",
        "B10": "cirrus",
        "B11": "swir1",
        "B12": "swir2",
    },
    "oli": {
        "B1": "coastal",
        "B2": "blue",
        "B3": "green",
        "B4": "red",
        "B5": "nir",
        "B6": "swir1",
        "B7": "swir2",
        "B8": "pan",
        "B9": "cirrus",
        "B10": "thermal",
        "B11": "thermal2",
    },
    "tm": {
        "B1": "blue",
        "B2": "green",
        "B3": "red",
        "B4": "nir",
        "B5": "swir1",
        "B6": "thermal",
        "B7": "swir2",
        "B6_VCID_1": "thermal",
        "B6_VCID_2": "thermal2",
        "B8": "pan",
    },
}


@dataclass(frozen=True)
class BandFile:
    """What the name of a file of a scene says.

    Parameters
    ----------
    path : Path
    scene : str
        What the names of all files of a scene have in common, in upper case; empty where they say no more than the
        band.
    date : str
        Of the picture, such as "20230605"; empty where the name does not say it.
    band : str
        In upper case: "B02", "SR_B4", "SCL".
    sensor : {"sentinel", "oli", "tm"}
        Whose bands are called so: Landsat 4 to 7 (tm) and 8 to 9 (oli) mean other light by the same numbers.
    metres : int, optional
        Size of a pixel, where the name says it.
    """

    path: Path
    scene: str
    date: str
    band: str
    sensor: str
    metres: int | None = None

    @property
    def short(self) -> str:
        """The band without what says how it was processed: "B4" of "SR_B4"."""
        return self.band.removeprefix("SR_").removeprefix("ST_")

    @property
    def common(self) -> str | None:
        """What kind of light it is of, such as "nir"; None of a mask."""
        return _COMMON[self.sensor].get(self.short)

    @property
    def name(self) -> str:
        """What its channel is called: "B08/nir"; either part alone means it too."""
        return self.band if self.common is None else f"{self.band}/{self.common}"

    @property
    def certain(self) -> bool:
        """Whether nothing else is called so: B02.tif may well be a well of a plate under a microscope."""
        return bool(self.scene or self.metres or self.path.suffix.lower() == ".jp2" or self.band == "B8A")

    @property
    def resolution(self) -> int:
        """Metres that sort files of one band: where the name does not say them, all are alike."""
        return self.metres or 0


def band_file(path: Path) -> BandFile | None:
    """Return what a file's name says of its band; None of a file that is not named as one of a scene.

    Examples
    --------
    >>> band_file(Path("T32TQM_20230605T101559_B08_10m.jp2")).name
    'B08/nir'
    >>> band_file(Path("LC08_L2SP_195028_20230605_20230613_02_T1_SR_B4.TIF")).name
    'SR_B4/red'
    """
    found = _OF_SENTINEL.fullmatch(path.name)
    if found is not None:
        metres = None if found["metres"] is None else int(found["metres"])
        return BandFile(path, _upper(found["scene"]), found["date"] or "", found["band"].upper(), "sentinel", metres)
    found = _OF_LANDSAT.fullmatch(path.name)
    if found is None:
        return None
    sensor = "oli" if found["sensor"][2:] in ("08", "09") else "tm"
    return BandFile(path, _upper(found["scene"]), found["date"], found["band"].upper(), sensor)


def _upper(text: str | None) -> str:
    return (text or "").upper()


def is_metadata(path: Path) -> bool:
    """Whether a file is named as the metadata of a scene, which is its folder."""
    return _METADATA.fullmatch(path.name) is not None


def is_scene(folder: Path) -> bool:
    """Whether a folder is a scene by its name, or by those of the files in it."""
    if SAFE.fullmatch(folder.name) or any(folder.glob("MTD_MSIL[12][AC].xml")):
        return True
    return any(each.common is not None and each.certain for each in files_in(folder))


def files_in(folder: Path) -> list[BandFile]:
    """Return the files of bands and masks in the folder of a scene, in the order of their names."""
    found: list[BandFile] = []
    for place in (*_PLACES, *_GRANULES):
        for each in sorted(folder.glob(place)) if "*" in place else [folder / place]:
            if each.is_dir():
                names = [file for file, _ in zip(each.iterdir(), range(_MOST_FILES), strict=False)]
                found += filter(None, map(band_file, sorted(names)))
    return found


def require_whole_scenes(images: Iterable[Path]) -> None:
    """Refuse bands of one scene that are given as images of their own.

    Raises
    ------
    ParameterError
        Names two of them, and how they are one image.
    """
    seen: dict[tuple[str, Path], BandFile] = {}
    for image in images:
        found = None if image.is_dir() else band_file(image)
        if found is None or found.common is None or not found.certain:
            continue
        key = (found.scene, Path() if found.scene else found.path.parent)
        first = seen.setdefault(key, found)
        if first.band != found.band:
            raise ParameterError(
                f"{first.path.name} and {image.name} are bands of one scene, not images of their own; give its folder "
                f"({_folder_of(image)}), or join them with +, as in {first.path.name}+{image.name}"
            )


def _folder_of(image: Path) -> Path:
    """Return the folder that is the scene of a file: the .SAFE above it, or its own."""
    return next((each for each in image.absolute().parents if SAFE.fullmatch(each.name)), image.parent)
