"""Product: what the names and the metadata of a scene say, before any pixel is read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from gmmseg.errors import InputError
from gmmseg.image.channels import Channels, matching, positions
from gmmseg.io.raster.beside import require_inside
from gmmseg.io.satellite.band_files import BandFile

__all__ = ["Band", "Product", "finite_number", "metadata_text", "of_one_scene", "parsed"]

_MOST_BYTES = 16 << 20  # of metadata: those of Sentinel-2 have 100 KB


@dataclass(frozen=True)
class Band:
    """One band of a scene.

    Parameters
    ----------
    name : str
        "B08/nir".
    files : tuple of BandFile
        Of this band, the finest first.
    scale, offset : float
        What is measured is `scale * stored + offset`: reflectance, or kelvin for thermal light.
    surface : bool
        Whether it is among those that are read where nobody chooses: light that tells what the ground is, in the
        pixels of the others.
    """

    name: str
    files: tuple[BandFile, ...]
    scale: float = 1.0
    offset: float = 0.0
    surface: bool = True


@dataclass(frozen=True)
class Product:
    """A scene.

    Parameters
    ----------
    folder : Path
    kind : str
        Such as "Sentinel-2 L2A".
    bands : tuple of Band
        Those of the surface first: numbers of channels count them so.
    masks : mapping of str to BandFile
        Files that say something of pixels, such as "SCL" and "QA_PIXEL"; the finest of each.
    missing : mapping of str to str
        Bands that the metadata name, but that are not there, with the names of their files.
    facts : dict
        What else the metadata say, ready for JSON.
    remark : str
        What should be known of the numbers; empty where all is known.
    """

    folder: Path
    kind: str
    bands: tuple[Band, ...]
    masks: Mapping[str, BandFile]
    missing: Mapping[str, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    remark: str = ""

    def __post_init__(self) -> None:
        """Put the bands of the surface first."""
        object.__setattr__(self, "bands", tuple(sorted(self.bands, key=lambda band: not band.surface)))

    @property
    def names(self) -> tuple[str, ...]:
        """Of all bands."""
        return tuple(band.name for band in self.bands)

    def chosen(self, channels: Channels | None) -> tuple[Band, ...]:
        """Return the bands that are asked for, or those of the surface.

        Raises
        ------
        InputError
            One of these is missing.
        ParameterError
            There is no such band.
        """
        if channels is None:
            gone = next(iter(self.missing.items()), None)
            if gone is not None:
                raise InputError(
                    f"{self.folder} lacks {gone[1]}, the band {gone[0]} that its metadata name; download it again, or "
                    f"choose others by channels, as in {','.join(each.name.split('/')[0] for each in self.bands[:3])}"
                )
            return tuple(band for band in self.bands if band.surface) or self.bands
        if isinstance(channels, tuple) and _are_names(channels):
            same = matching([str(each) for each in channels], self.names)
            if isinstance(same, str):
                raise InputError(
                    f"{self.folder} has no band {same}; it has {', '.join(self.names)}: choose among these, or give a "
                    "scene that has it"
                )
            return tuple(self.bands[i] for i in same)
        listed = channels.split(",") if isinstance(channels, str) else channels
        wanted = [self._full(each) for each in (listed if isinstance(listed, Sequence) else [listed])]
        return tuple(self.bands[i] for i in positions(wanted, len(self.bands), self.names, image=str(self.folder)))

    def _full(self, channel: int | str) -> int | str:
        """Return the name of a band that is called by a short one, such as "B4" for "SR_B4/red" and "B04/red"."""
        word = str(channel).strip()
        for name, file in self.missing.items():
            if word.lower() in (name.lower(), *name.lower().split("/")):
                raise InputError(f"{self.folder} lacks {file}, its band {name}; download it again, or leave {word} out")
        for band in self.bands:
            short = band.files[0].short
            if word.upper() in (short, short.replace("B0", "B", 1)):
                return band.name
        return channel

    def mask(self, name: str) -> BandFile | None:
        """Return the file of a mask by its name; None where it has none of that name."""
        return self.masks.get(name.upper())


def _are_names(channels: tuple[int | str, ...]) -> bool:
    """Whether these are all names of two parts, as another scene or a model has them."""
    return all(isinstance(each, str) and "/" in each for each in channels)


def of_one_scene(folder: Path, files: Sequence[BandFile]) -> None:
    """Refuse files of several scenes in one folder.

    Raises
    ------
    InputError
        There is no band, or bands of other dates or tiles are there.
    """
    if not any(each.common is not None for each in files):
        raise InputError(f"{folder} has no band of a scene in it; download it again, with its GRANULE folder")
    first = files[0]
    other = next((each for each in files if each.scene != first.scene), None)
    if other is not None:
        what = "dates" if other.date != first.date else "scenes"
        raise InputError(
            f"{folder} holds bands of two {what} ({first.path.name} and {other.path.name}); "
            "give each scene a folder of its own"
        )


def metadata_text(path: Path) -> str:
    """Return the text of a file of metadata.

    Raises
    ------
    InputError
        It is too large, no text, or no regular file of its folder.
    """
    require_inside(path, path.parent.resolve(), path.parent)
    with open(path, "rb") as file:
        content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise InputError(f"{path} has more than {_MOST_BYTES >> 20} MiB, more than metadata of a scene; remove it")
    try:
        return content.decode("utf-8-sig").rstrip("\0")
    except UnicodeDecodeError:
        raise InputError(f"{path} is no text, but metadata are; download the scene again") from None


def parsed(path: Path) -> ElementTree.Element:
    """Return the root of XML metadata.

    Raises
    ------
    InputError
        It is no XML, or has a document type.
    """
    text = metadata_text(path)
    try:
        if "<!DOCTYPE" in text.upper():
            raise ValueError("it has a document type")
        return ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError) as error:
        raise InputError(f"{path} is damaged ({error}); download the scene again") from None


def finite_number(path: Path, text: str | None, what: str) -> float:
    """Return a number that metadata say.

    Raises
    ------
    InputError
        It is none, or not finite.
    """
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{path} has {text!r} as {what}; download the scene again")
    return value
