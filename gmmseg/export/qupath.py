"""QuPath: instances as annotations or detections, in the GeoJSON that QuPath imports."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import numpy as np

from gmmseg.export.instances import Instances
from gmmseg.export.rings import pixel_rings
from gmmseg.image.windows import everything
from gmmseg.io.ground import Ground
from gmmseg.io.palette import palette
from gmmseg.io.parts import as_text

__all__ = ["qupath_stream"]

_SPACE = uuid.UUID("6f1d2f0c-6b7e-5a43-9a7e-3c9e0d3f2b51")  # of the names from which identities are made


def qupath_stream(instances: Instances, *, image_name: str, ground: Ground | None) -> dict[str, Any]:
    """Return a feature collection, its features as an iterator.

    Parameters
    ----------
    instances : Instances
        Objects become detections, others annotations, which a person may change.
    image_name : str
        Of what was segmented: the same instance of the same image has the same identity.
    ground : Ground or None
        What pixels cover.

    Returns
    -------
    dict
        Coordinates are pixels. Each feature has "objectType", "classification" (name and colour), "name",
        "measurements" and an "id" that QuPath takes for the object's own.
    """
    return {"type": "FeatureCollection", "features": _features(instances, image_name, ground)}


def _features(instances: Instances, image_name: str, ground: Ground | None) -> Iterator[dict[str, Any]]:
    colors = palette(255).tolist()
    numbers, n = instances.numbers, len(instances) + 1
    pixels = np.bincount(numbers.ravel(), minlength=n)[1:].astype(float).tolist()
    covered = (
        None if ground is None or not ground.known else ground.sums(everything(ground.shape), numbers, n)[1:].tolist()
    )
    kind = "detection" if instances.kind == "object" else "annotation"
    for index, parts in enumerate(pixel_rings(instances).coordinates()):
        label, value = int(instances.categories[index]), int(instances.values[index])
        number = value if instances.kind == "object" else index + 1
        measures = {"Area px^2": pixels[index]}
        if ground is not None and covered is not None:
            measures[f"Area {ground.unit.replace('2', '^2')}"] = covered[index]
        yield {
            "type": "Feature",
            "id": str(uuid.uuid5(_SPACE, as_text(f"{image_name}/{instances.kind}/{number}"))),
            "geometry": {
                "type": "Polygon" if len(parts) == 1 else "MultiPolygon",
                "coordinates": parts[0] if len(parts) == 1 else parts,
            },
            "properties": {
                "objectType": kind,
                "name": f"{instances.name_of(index)} {number}",
                "classification": {
                    "name": instances.name_of(index),
                    "color": colors[label if label < len(colors) else 0],
                },
                "measurements": measures,
            },
        }
