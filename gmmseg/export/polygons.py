"""Polygons as Python objects, and as the text of YOLO and the JSON of LabelMe, which know no holes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from gmmseg.arrays import Array
from gmmseg.errors import warn
from gmmseg.export.instances import Instances
from gmmseg.export.rings import Rings, bridged_rings, pixel_rings

__all__ = ["Polygon", "labelme_stream", "outlines", "to_labelme", "to_polygons", "to_yolo"]


@dataclass(frozen=True, eq=False)
class Polygon:
    """The outline of one 4-connected region, in pixels: x to the right, y down, from the image's upper left corner.

    Parameters
    ----------
    label : int
        Number of its class, from 1.
    name : str
        Name of its class.
    exterior : ndarray, shape (n, 2)
        x and y, closed (the last point is the first), counter-clockwise as numbers.
    holes : tuple of ndarray, each of shape (n, 2)
        Closed, clockwise as numbers.

    Examples
    --------
    >>> from gmmseg.export import find_instances
    >>> outline = to_polygons(find_instances(np.array([[1, 1]]), class_names=["land"]))[0]
    >>> outline.label, outline.name, outline.exterior.tolist(), outline.holes
    (1, 'land', [[0, 0], [2, 0], [2, 1], [0, 1], [0, 0]], ())
    """

    label: int
    name: str
    exterior: Array
    holes: tuple[Array, ...] = ()


def outlines(instances: Instances, simplify: float | None, *, nodes: bool = False) -> Rings:
    """Return the exact outlines in pixels, or simplified ones; `nodes` as of `pixel_rings`."""
    rings = pixel_rings(instances, nodes=nodes or simplify is not None)
    return rings if simplify is None else rings.simplified(simplify)


def to_polygons(instances: Instances, *, simplify: float | None = None) -> list[Polygon]:
    """Return the outlines of all regions.

    Parameters
    ----------
    instances : Instances
    simplify : float, optional
        Tolerance in pixels: about the square root of the area of the triangles that are cut off. Edges that two
        polygons share stay shared. Needs Shapely 2.1 (the extra `geo`). By default outlines follow the pixels' edges.

    Returns
    -------
    list of Polygon
        Those of the first instance first.

    Raises
    ------
    ParameterError
        `simplify` is no number of pixels above 0.

    Examples
    --------
    >>> from gmmseg.export import find_instances
    >>> to_polygons(find_instances(np.array([[1, 1]]), class_names=["land"]))[0].exterior.tolist()
    [[0, 0], [2, 0], [2, 1], [0, 1], [0, 0]]
    """
    rings = outlines(instances, simplify)
    parts = np.repeat(np.arange(len(instances)), np.diff(rings.instances)).tolist()
    every = [rings.points[start:stop] for start, stop in pairwise(rings.rings.tolist())]
    return [
        Polygon(
            label=int(instances.categories[instance]),
            name=instances.name_of(instance),
            exterior=every[first],
            holes=tuple(every[first + 1 : last]),
        )
        for instance, (first, last) in zip(parts, pairwise(rings.polygons.tolist()), strict=True)
    ]


def to_yolo(instances: Instances, *, numbers: Sequence[int] | None = None) -> Iterator[str]:
    """Yield the lines of a YOLO segmentation file, one a 4-connected region.

    Parameters
    ----------
    instances : Instances
    numbers : sequence of int, optional
        Of the classes in a data set, from 0, by their numbers here; the first is of no data.

    Yields
    ------
    str
        Class, counted from 0 among those that are listed, then x and y of each corner from 0 to 1 as shares of width
        and height. Holes are joined to the outline by a cut, an edge there and back.

    Examples
    --------
    >>> from gmmseg.export import find_instances
    >>> list(to_yolo(find_instances(np.array([[0, 2]]))))
    ['1 0.5 0 1 0 1 1 0.5 1']
    """
    rows, columns = instances.shape
    rings = bridged_rings(instances)
    # Coordinates are multiples of a quarter of a pixel: few numbers, each written many times.
    quarters = np.rint(4 * rings.points).astype(np.int64)
    texts = np.stack([_shares(columns)[quarters[:, 0]], _shares(rows)[quarters[:, 1]]], axis=1)
    given = np.searchsorted(instances.classes, np.arange(len(instances.names) + 1)) if numbers is None else numbers
    place = np.asarray(given, np.int64)[instances.categories]
    classes = np.repeat(place, np.diff(rings.instances)).tolist()
    for number, (start, stop) in zip(classes, pairwise(rings.rings.tolist()), strict=True):
        yield f"{number} {' '.join(texts[start : stop - 1].ravel().tolist())}"


def _shares(length: int) -> Array:
    """Return the texts of 0, 1/4, 1/2, ... pixels as shares of a length, to a hundredth of a pixel or better."""
    decimals = max(6, len(str(length)) + 3)
    texts = [f"{quarter / (4 * length):.{decimals}f}".rstrip("0").rstrip(".") for quarter in range(4 * length + 1)]
    return np.array(texts, object)


def to_labelme(instances: Instances, *, image_path: str, simplify: float | None = None) -> dict[str, Any]:
    """Return a LabelMe annotation.

    Parameters
    ----------
    instances : Instances
    image_path : str
        Of the image that was segmented, as seen from the annotation's folder.
    simplify : float, optional
        See `to_polygons`.

    Returns
    -------
    dict
        Ready for JSON; one polygon a 4-connected region, those of the same instance with the same group_id where an
        instance is more than a region. Large shapes come first: who paints them in order paints what lies in a hole
        over it.

    Warns
    -----
    DataWarning
        There are holes, which LabelMe cannot say.

    Raises
    ------
    ParameterError
        `simplify` is no number of pixels above 0.

    Examples
    --------
    >>> from gmmseg.export import find_instances
    >>> to_labelme(find_instances(np.array([[1]])), image_path="photo.jpg")["shapes"][0]["points"]
    [[0, 0], [1, 0], [1, 1], [0, 1]]
    """
    streamed = labelme_stream(instances, image_path=image_path, simplify=simplify)
    return streamed | {"shapes": list(streamed["shapes"])}


def labelme_stream(instances: Instances, *, image_path: str, simplify: float | None = None) -> dict[str, Any]:
    """Do what `to_labelme` does, but give "shapes" as an iterator."""
    rings = outlines(instances, simplify)
    if rings.n_holes:
        warn(
            f"{image_path}: LabelMe polygons have no holes: {rings.n_holes} are filled, and shapes are sorted from "
            "large to small, so that what lies in a hole comes after it; use coco or geojson to keep them"
        )
    rows, columns = instances.shape
    return {
        "version": "5.5.0",
        "flags": {},
        "shapes": _shapes(instances, rings),
        "imagePath": image_path,
        "imageData": None,
        "imageHeight": rows,
        "imageWidth": columns,
    }


def _shapes(instances: Instances, rings: Rings) -> Iterator[dict[str, Any]]:
    """Yield the exterior of each region as a shape, large ones first."""
    instance_of = np.repeat(np.arange(len(instances)), np.diff(rings.instances))
    exteriors = rings.polygons[:-1]
    for part in np.argsort(-rings.areas()[exteriors], kind="stable").tolist():
        ring, instance = int(exteriors[part]), int(instance_of[part])
        yield {
            "label": instances.name_of(instance),
            "points": rings.points[rings.rings[ring] : rings.rings[ring + 1] - 1].tolist(),
            "group_id": None if instances.kind == "component" else int(instances.values[instance]),
            "description": "",
            "shape_type": "polygon",
            "flags": {},
            "mask": None,
        }
