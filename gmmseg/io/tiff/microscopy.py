"""What OME-TIFF, ImageJ and Aperio files say of their channels, of the size of their pixels, and of time."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Literal
from xml.etree import ElementTree

from gmmseg.image.place import SECONDS

__all__ = ["Microscopy", "describe_series", "size_attributes"]

# Micrometres in a unit; OME-XML has µm where it says nothing.
_MICROMETRES = {
    "pm": 1e-6,
    "Å": 1e-4,
    "nm": 1e-3,
    "nanometer": 1e-3,
    "µm": 1.0,
    "μm": 1.0,  # the Greek letter, which is not the sign above
    "um": 1.0,
    "\\u00B5m": 1.0,
    "micron": 1.0,
    "microns": 1.0,
    "micrometer": 1.0,
    "mm": 1e3,
    "cm": 1e4,
    "dm": 1e5,
    "m": 1e6,
    "in": 25400.0,
    "inch": 25400.0,
}


_MPP = re.compile(r"\bMPP\s*=\s*([0-9.eE+-]+)")  # Aperio's micrometres in a pixel
# What ImageJ says of its calibration, beside the resolution.
_CALIBRATION = ("unit", "yunit", "zunit", "spacing", "finterval", "fps", "tunit")


@dataclass(frozen=True)
class Microscopy:
    """Facts of one series.

    Parameters
    ----------
    names : tuple of str
        Of the channels, as far as the file names them.
    sizes : dict of str to float
        Of a pixel along "X", "Y" and "Z" in µm, where known.
    interval : tuple of (float, str), optional
        Between frames, as of `Place`.
    imagej : dict
        Calibration as ImageJ writes it, with the "resolution" in pixels a unit across and down.
    family : {"", "ome", "imagej"}
        Whose file it is.
    """

    names: tuple[str, ...] = ()
    sizes: dict[str, float] = field(default_factory=dict)
    interval: tuple[float, str] | None = None
    imagej: dict[str, Any] = field(default_factory=dict)
    family: Literal["", "ome", "imagej"] = ""

    def channel_names(self, n_channels: int) -> tuple[str, ...]:
        """Return one name a channel, or nothing where the file has not one for each."""
        return self.names if len(self.names) == n_channels else ()

    def spacing(self, axes: str) -> tuple[float, ...] | None:
        """Return the size of a pixel along these axes in µm, where all are known."""
        return tuple(self.sizes[axis] for axis in axes) if axes and set(axes) <= set(self.sizes) else None


def size_attributes(sizes: dict[str, float]) -> dict[str, Any]:
    """Return sizes of a pixel in µm, by axis, as attributes of an OME Pixels element."""
    attributes: dict[str, Any] = {}
    for axis, size in sizes.items():
        attributes |= {f"PhysicalSize{axis}": size, f"PhysicalSize{axis}Unit": "µm"}
    return attributes


def describe_series(tiff: Any) -> Microscopy:
    """Return what a tifffile.TiffFile says of its first series."""
    if tiff.is_ome:
        return _of_ome(tiff.ome_metadata)
    if tiff.is_imagej:
        return _of_imagej(tiff.imagej_metadata or {}, tiff.pages[0].tags)
    if tiff.is_svs:
        found = _MPP.search(str(tiff.pages[0].description))
        size = _in_micrometres(found[1] if found else None, "um")
        return Microscopy(sizes={"X": size, "Y": size} if size else {})
    return Microscopy()


def _of_ome(xml: str) -> Microscopy:
    """Read the first image of OME-XML; nothing where it is damaged."""
    try:
        pixels = ElementTree.fromstring(xml).find("{*}Image/{*}Pixels")
    except ElementTree.ParseError:
        return Microscopy()
    if pixels is None:
        return Microscopy()
    sizes = {}
    for axis in "XYZ":
        unit = pixels.get(f"PhysicalSize{axis}Unit", "µm")
        sizes[axis] = _in_micrometres(pixels.get(f"PhysicalSize{axis}"), unit)
    names = tuple(channel.get("Name", "").strip() for channel in pixels.findall("{*}Channel"))
    step, unit = _positive(pixels.get("TimeIncrement")), pixels.get("TimeIncrementUnit", "s")
    interval = (step, unit) if step is not None and unit in SECONDS else None
    found = {axis: size for axis, size in sizes.items() if size}
    return Microscopy(names if all(names) else (), found, interval, family="ome")


def _of_imagej(metadata: dict[str, Any], tags: Any) -> Microscopy:
    """Read the calibration, and the labels of planes where they name channels."""
    unit = str(metadata.get("unit", ""))
    sizes, resolution = {}, []
    for axis, code, own in (("X", 282, unit), ("Y", 283, metadata.get("yunit", unit))):
        pixels, units = tags[code].value if code in tags else (0, 0)
        sizes[axis] = _in_micrometres(units / pixels if pixels else None, str(own))
        resolution.append((pixels, units))
    planes = _count(metadata, "images") // (_count(metadata, "channels") * _count(metadata, "frames"))
    if _count(metadata, "slices", planes) > 1:  # a picture has no depth
        sizes["Z"] = _in_micrometres(metadata.get("spacing", 1.0), str(metadata.get("zunit", unit)))
    step = _positive(metadata.get("finterval"))
    interval = None if step is None else (step, "s")
    kept = {name: metadata[name] for name in _CALIBRATION if name in metadata}
    if all(pixels and units for pixels, units in resolution):
        kept["resolution"] = tuple(resolution)
    found = {axis: size for axis, size in sizes.items() if size}
    return Microscopy(_channels_by_label(metadata), found, interval, kept, "imagej")


def _channels_by_label(metadata: dict[str, Any]) -> tuple[str, ...]:
    """Return names of channels: labels of planes, of which channels count fastest, that are the same in every plane."""
    labels = tuple(str(label).strip() for label in metadata.get("Labels") or ())
    n_channels = _count(metadata, "channels")
    if n_channels < 2 or len(labels) not in (n_channels, metadata.get("images", len(labels))):
        return ()
    names = labels[:n_channels]
    same = all(label == names[number % n_channels] for number, label in enumerate(labels))
    return names if same and all(names) else ()


def _count(metadata: dict[str, Any], name: str, default: int = 1) -> int:
    """Return a number of planes that the description says; the default where it says none."""
    try:
        return max(1, int(metadata.get(name, default)))
    except (TypeError, ValueError, OverflowError):
        return default


def _positive(value: Any) -> float | None:
    """Return a number above 0; None for anything else."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if 0 < number < float("inf") else None


def _in_micrometres(value: Any, unit: str) -> float | None:
    """Return a length in µm; None where it is none, or in no unit of length."""
    number = _positive(value)
    return None if number is None or unit not in _MICROMETRES else _positive(number * _MICROMETRES[unit])
