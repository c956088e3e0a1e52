"""What the attributes of an OME-Zarr image say, of versions 0.4 and 0.5: axes, channels, sides of a pixel."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gmmseg.errors import InputError
from gmmseg.image.place import METRES

__all__ = ["UNITS", "UNITS_OF_TIME", "Multiscale", "multiscale_of"]

UNITS = {
    "nanometer": "nm",
    "micrometer": "um",
    "millimeter": "mm",
    "centimeter": "cm",
    "meter": "m",
    "kilometer": "km",
    "foot": "foot",
}
UNITS_OF_TIME = {
    "nanosecond": "ns",
    "microsecond": "µs",
    "millisecond": "ms",
    "second": "s",
    "minute": "min",
    "hour": "h",
    "day": "d",
}


@dataclass(frozen=True)
class Multiscale:
    """An image of several resolutions, of which the finest is read.

    Parameters
    ----------
    path : str
        Of its array in the group.
    axes : tuple of str
        Their names, as stored.
    kinds : tuple of str
        "space", "channel" or "time".
    scale : tuple of float
        Of each axis.
    unit : str, optional
        Of the axes in space, as `Place` has them.
    channel_names : tuple of str
    unit_of_time : str, optional
        Of the axis of time, as `Place` has them.
    """

    path: str
    axes: tuple[str, ...]
    kinds: tuple[str, ...]
    scale: tuple[float, ...]
    unit: str | None
    channel_names: tuple[str, ...]
    unit_of_time: str | None = None

    @property
    def interval(self) -> tuple[float, str] | None:
        """That of frames, as of `Place`."""
        step = self.scale[0]
        return None if self.unit_of_time is None or not 0 < step < math.inf else (step, self.unit_of_time)

    @property
    def channel_axis(self) -> int | None:
        """The axis of channels."""
        return self.kinds.index("channel") if "channel" in self.kinds else None

    @property
    def spacing(self) -> tuple[float, ...] | None:
        """Along the axes in space; None where it is not known, as where all are 1 of no unit: nobody has said it."""
        steps = tuple(step for step, kind in zip(self.scale, self.kinds, strict=True) if kind == "space")
        said = self.unit is not None or set(steps) != {1.0}
        return steps if said and all(0 < step < math.inf for step in steps) else None


def multiscale_of(attributes: Mapping[str, Any], name: str) -> Multiscale | None:
    """Return the image that attributes of a group describe; None where they describe none.

    Raises
    ------
    InputError
        They are of a plate or a series of images, or contradict themselves.
    """
    facts = attributes.get("ome", attributes)
    found = facts.get("multiscales") if isinstance(facts, Mapping) else None
    if not found:
        _refuse_collections(facts, name)
        return None
    try:
        return _multiscale(found[0], facts.get("omero", {}))
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{name} is damaged: its multiscales say no image ({error!r}); write it again") from error


def _refuse_collections(facts: Any, name: str) -> None:
    if isinstance(facts, Mapping) and "plate" in facts:
        wells = [str(each.get("path")) for each in facts["plate"].get("wells", ())[:3]]
        raise InputError(f"{name} is a plate with wells {', '.join(wells)}, ...; name one field of one, as in A/1/0")
    if isinstance(facts, Mapping) and ("well" in facts or "bioformats2raw.layout" in facts):
        raise InputError(f"{name} holds several images; name the folder of one, as in {name}/0")


def _multiscale(first: Mapping[str, Any], omero: Mapping[str, Any]) -> Multiscale:
    axes = [each if isinstance(each, Mapping) else {"name": each} for each in first["axes"]]
    names = tuple(str(each["name"]) for each in axes)
    usual = {"t": "time", "c": "channel"}
    kinds = tuple(str(each.get("type", usual.get(str(each["name"]).lower(), "space"))) for each in axes)
    if not set(kinds) <= {"space", "channel", "time"} or kinds.count("channel") > 1 or "space" not in kinds:
        raise ValueError(f"axes {', '.join(kinds)}")
    if "time" in kinds[1:]:
        raise ValueError(f"time is axis {kinds.index('time', 1) + 1}, but the first in all that is named so")
    finest = first["datasets"][0]
    scale = [1.0] * len(axes)
    for change in (*finest.get("coordinateTransformations", ()), *first.get("coordinateTransformations", ())):
        if change.get("type") == "scale":
            scale = [a * float(b) for a, b in zip(scale, change["scale"], strict=True)]
    units = [UNITS.get(str(each.get("unit"))) for each in axes]
    spatial = [unit for unit, kind in zip(units, kinds, strict=True) if kind == "space"]
    unit = spatial[-1] if None not in spatial else None
    if unit is not None:  # that of the last axis, to which others are converted
        factors = [1.0 if each is None else METRES[each] / METRES[unit] for each in units]
        scale = [step * factor for step, factor in zip(scale, factors, strict=True)]
    labels = tuple(str(each.get("label", "")) for each in omero.get("channels", ()))
    of_time = UNITS_OF_TIME.get(str(axes[0].get("unit"))) if kinds[0] == "time" else None
    return Multiscale(str(finest["path"]), names, kinds, tuple(scale), unit, labels if all(labels) else (), of_time)
