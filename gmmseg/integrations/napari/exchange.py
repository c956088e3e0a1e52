"""Layers of napari as images, and results as layers, in the same place and of the same size; napari is not imported."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

import gmmseg
from gmmseg.image import Image
from gmmseg.image.spacing import with_spacing
from gmmseg.io.palette import palette
from gmmseg.io.writing import write_labels as write_file
from gmmseg.io.zarr.metadata import UNITS

__all__ = ["applied", "cut_into_regions", "image_of", "segmented", "write_labels"]

LayerData = tuple[Any, dict[str, Any], str]

_PLACE = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")


def image_of(layer: Any) -> Image:
    """Return the image of an Image layer, with the size of its pixels.

    Parameters
    ----------
    layer : napari.layers.Image
        Of colour, or of one channel; of a pyramid its finest level is taken.
    """
    data = np.asarray(layer.data[0] if getattr(layer, "multiscale", False) else layer.data)
    image = Image.from_array(data, channel_axis=-1 if layer.rgb else None, name=layer.name)
    return _sized(image, layer.scale, getattr(layer, "units", ()))


def segmented(
    layer: Any,
    *,
    k: int | Literal["auto"] = 4,
    features: str | None = None,
    smooth: bool = True,
    strokes: Any = None,
    progress: Any = None,
) -> list[LayerData]:
    """Segment a layer, with the numbers of a Labels layer of its shape as strokes where there are any."""
    painted = None if strokes is None or not np.any(strokes.data) else np.asarray(strokes.data)
    found = gmmseg.segment(image_of(layer), k, features=features, smooth=smooth, scribbles=painted, progress=progress)
    return _shown(found, layer)


def applied(layer: Any, *, model: Path, progress: Any = None) -> list[LayerData]:
    """Apply a model file to a layer."""
    return _shown(gmmseg.apply(gmmseg.load_model(model), image_of(layer), progress=progress), layer)


def cut_into_regions(layer: Any, *, detail: float = 0.38, progress: Any = None) -> list[LayerData]:
    """Cut a picture into connected regions."""
    labels = gmmseg.regions(image_of(layer)).labels(detail)
    more = {"name": f"{layer.name} regions", "metadata": {"objects": True}}  # not classes: for who writes the layer
    return [(labels.astype(np.int32), _place(layer) | more, "labels")]


def write_labels(path: str, data: Any, meta: Mapping[str, Any]) -> list[str]:
    """Write a Labels layer as a label map, in .nii files with the size of its pixels.

    It is called by napari, which has asked already whether a file may be replaced.
    """
    labels = np.asarray(data)
    image = _sized(Image.from_array(labels, channel_axis=None), meta.get("scale", ()), meta.get("units", ()))
    known = meta.get("metadata", {})
    names, objects = tuple(known.get("class_names", ())), bool(known.get("objects", False))
    write_file(path, labels, image=image, names=names, objects=objects, overwrite=True)
    return [path]


def _shown(found: gmmseg.Segmentation, layer: Any) -> list[LayerData]:
    """Return the classes, and a Points layer of the pixels that warnings are about, if there are any."""
    placed = [each for each in found.warnings if each.place is not None]
    if not placed:
        return [_classes(found, layer)]
    more = {
        "name": _doubts(layer),
        "features": {"warning": np.array([str(each) for each in placed], object)},
        "size": max(1, max(found.image.shape) // 25),
        "face_color": "transparent",
        "border_color": "orange",
        "border_width": 0.15,
    }
    places = np.array([each.place for each in placed], float)
    return [_classes(found, layer), (places, _place(layer) | more, "points")]


def _classes(found: gmmseg.Segmentation, layer: Any) -> LayerData:
    """Return the classes as a Labels layer: their colours, and their table as its features."""
    table, k = dict(found.table()), found.model.k
    # The first row is that of 0, no data.
    features: dict[str, Any] = {"index": np.concatenate([[0], table.pop("label")])}
    for name, column in table.items():
        missing: Any = "no data" if name == "name" else np.nan
        features[name] = np.concatenate([np.array([missing], column.dtype if column.dtype == object else None), column])
    shown: dict[Any, Any] = {number: color / 255 for number, color in enumerate(palette(k)) if number}
    shown |= {0: np.zeros(4), None: np.zeros(4)}
    more = {
        "name": f"{layer.name} classes",
        "features": features,
        "colormap": shown,
        "metadata": {
            "class_names": found.model.class_names,
            "model": found.model,
            "warnings": [str(each) for each in found.warnings],
            "doubts": _doubts(layer),
        },
    }
    return found.labels, _place(layer) | more, "labels"


def _doubts(layer: Any) -> str:
    """Return the name of the Points layer of what a layer's classes are to be doubted for, if there is one."""
    return f"{layer.name} doubts"


def _place(layer: Any) -> dict[str, Any]:
    """Return where a layer lies, as another one of its axes of space takes it."""
    return {name: getattr(layer, name) for name in _PLACE if hasattr(layer, name)}


def _sized(image: Image, scale: Any, units: Any) -> Image:
    names = {str(each) for each in units or ()}
    # Names of units in napari are those of pint, as in OME-Zarr; where there is none, scale is no size.
    unit = UNITS.get(names.pop()) if len(names) == 1 else None
    if unit is None or len(scale) != image.ndim:
        return image
    return with_spacing(image, tuple(float(abs(step)) for step in scale), unit)
