"""What OME-TIFF and ImageJ files say of their channels and of the size of their pixels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

__all__ = ["Microscopy", "describe_series"]

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


@dataclass(frozen=True)
class Microscopy:
    """Facts of one series.

    Parameters
    ----------
    names : tuple of str
        Of the channels, as far as the file names them.
    sizes : dict of str to float
        Of a pixel along "X", "Y" and "Z" in µm, where known.
    """

    names: tuple[str, ...] = ()
    sizes: dict[str, float] = field(default_factory=dict)

    def channel_names(self, n_channels: int) -> tuple[str, ...]:
        """Return one name a channel, or nothing where the file has not one for each."""
        return self.names if len(self.names) == n_channels else ()

    def spacing(self, axes: str) -> tuple[float, ...] | None:
        """Return the size of a pixel along these axes in µm, where all are known."""
        return tuple(self.sizes[axis] for axis in axes) if axes and set(axes) <= set(self.sizes) else None

    @property
    def physical_sizes(self) -> dict[str, Any]:
        """The sizes as attributes of an OME Pixels element."""
        attributes: dict[str, Any] = {}
        for axis, size in self.sizes.items():
            attributes |= {f"PhysicalSize{axis}": size, f"PhysicalSize{axis}Unit": "µm"}
        return attributes


def describe_series(tiff: Any) -> Microscopy:
    """Return what a tifffile.TiffFile says of its first series."""
    if tiff.is_ome:
        return _of_ome(tiff.ome_metadata)
    if tiff.is_imagej:
        return _of_imagej(tiff.imagej_metadata or {}, tiff.pages[0].tags)
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
    return Microscopy(names if all(names) else (), {axis: size for axis, size in sizes.items() if size})


def _of_imagej(metadata: dict[str, Any], tags: Any) -> Microscopy:
    """Read the calibration, and the labels of planes where each is a channel."""
    unit = str(metadata.get("unit", ""))
    sizes = {}
    for axis, code in (("X", 282), ("Y", 283)):
        pixels, units = tags[code].value if code in tags else (0, 0)
        sizes[axis] = _in_micrometres(units / pixels if pixels else None, unit)
    sizes["Z"] = _in_micrometres(metadata.get("spacing", 1.0), unit)
    labels = metadata.get("Labels") or ()
    planes = metadata.get("images", len(labels))
    names = tuple(map(str, labels)) if len(labels) == metadata.get("channels") == planes else ()
    return Microscopy(names, {axis: size for axis, size in sizes.items() if size})


def _in_micrometres(value: Any, unit: str) -> float | None:
    """Return a length in µm; None where it is none, or in no unit of length."""
    try:
        length = float(value) * _MICROMETRES[unit]
    except (TypeError, ValueError, KeyError):
        return None
    return length if 0 < length < float("inf") else None
