"""What results look like in other programs: overlays, exchange formats.

A label map becomes `Instances`, and these become what a format wants: objects by `to_coco`, `to_panoptic`,
`to_polygons`, `to_yolo`, `to_labelme` and `to_geojson`, files by `write_export`, data sets of many by `write_dataset`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gmmseg.extras import lazily

if TYPE_CHECKING:
    from gmmseg.export.choice import Choice as Choice
    from gmmseg.export.coco import to_coco as to_coco
    from gmmseg.export.coco import to_panoptic as to_panoptic
    from gmmseg.export.dataset import Finding as Finding
    from gmmseg.export.dataset import LabelMap as LabelMap
    from gmmseg.export.dataset import write_dataset as write_dataset
    from gmmseg.export.files import Export as Export
    from gmmseg.export.files import check_export as check_export
    from gmmseg.export.files import write_export as write_export
    from gmmseg.export.georeference import Place as Place
    from gmmseg.export.georeference import colors_in as colors_in
    from gmmseg.export.georeference import names_in as names_in
    from gmmseg.export.georeference import place_in as place_in
    from gmmseg.export.georeference import place_of as place_of
    from gmmseg.export.instances import Instances as Instances
    from gmmseg.export.instances import find_instances as find_instances
    from gmmseg.export.planes import Plane as Plane
    from gmmseg.export.planes import find_in_planes as find_in_planes
    from gmmseg.export.polygons import Polygon as Polygon
    from gmmseg.export.polygons import to_labelme as to_labelme
    from gmmseg.export.polygons import to_polygons as to_polygons
    from gmmseg.export.polygons import to_yolo as to_yolo
    from gmmseg.export.vector import to_geojson as to_geojson

_HOMES = {
    "Choice": "gmmseg.export.choice",
    "Export": "gmmseg.export.files",
    "Finding": "gmmseg.export.dataset",
    "Instances": "gmmseg.export.instances",
    "LabelMap": "gmmseg.export.dataset",
    "Place": "gmmseg.export.georeference",
    "Plane": "gmmseg.export.planes",
    "Polygon": "gmmseg.export.polygons",
    "check_export": "gmmseg.export.files",
    "colors_in": "gmmseg.export.georeference",
    "find_in_planes": "gmmseg.export.planes",
    "find_instances": "gmmseg.export.instances",
    "names_in": "gmmseg.export.georeference",
    "place_in": "gmmseg.export.georeference",
    "place_of": "gmmseg.export.georeference",
    "to_coco": "gmmseg.export.coco",
    "to_geojson": "gmmseg.export.vector",
    "to_labelme": "gmmseg.export.polygons",
    "to_panoptic": "gmmseg.export.coco",
    "to_polygons": "gmmseg.export.polygons",
    "to_yolo": "gmmseg.export.polygons",
    "write_dataset": "gmmseg.export.dataset",
    "write_export": "gmmseg.export.files",
}

__all__ = [*_HOMES]

__getattr__, __dir__ = lazily(__name__, _HOMES)
