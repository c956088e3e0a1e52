"""The words by which exports are asked for, without anything heavy: the command line offers them in its help."""

from __future__ import annotations

from typing import Literal

__all__ = ["DATASETS", "FORMATS", "NAMED_AS_LABELS", "PLACED", "SIMPLIFIED", "WITH_PICTURES", "Format", "Kind"]

Kind = Literal["component", "class", "object"]
Format = Literal[
    "coco", "coco-panoptic", "yolo", "labelme", "geojson", "gpkg", "png", "masks", "npz", "roi", "qupath", "qml", "sld"
]

# Format: the end of the default file name.
FORMATS: dict[Format, str] = {
    "coco": "_coco.json",
    "coco-panoptic": "_panoptic.json",
    "yolo": ".txt",
    "labelme": ".json",
    "geojson": ".geojson",
    "gpkg": ".gpkg",
    "png": "_labels.png",
    "masks": "_masks",
    "npz": ".npz",
    "roi": "_rois.zip",
    "qupath": "_qupath.geojson",
    "qml": ".qml",
    "sld": ".sld",
}

# Formats that are called as the label map itself, so that programs find them beside it.
NAMED_AS_LABELS: tuple[Format, ...] = ("qml", "sld")

# Formats that say where in the world a raster lies, and those whose outlines can be simplified.
PLACED: tuple[Format, ...] = ("geojson", "gpkg", "npz")
SIMPLIFIED: tuple[Format, ...] = ("geojson", "gpkg", "labelme")

# Data sets of several label maps, and their default names; of other formats each map has its own file in a folder.
DATASETS: dict[str, str] = {"coco": "coco.json", "yolo": "yolo", "voc": "voc"}

# Data sets that are of no use without the pictures.
WITH_PICTURES = ("yolo", "voc")
