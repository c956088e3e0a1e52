"""Exports as files: what each format consists of, and writing it whole or not at all."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from gmmseg.checks import path_of
from gmmseg.errors import OutputError, ParameterError
from gmmseg.export.coco import Shapes, coco_stream, to_panoptic
from gmmseg.export.georeference import Place
from gmmseg.export.imagej_rois import write_rois
from gmmseg.export.instances import Instances
from gmmseg.export.kinds import FORMATS, Format
from gmmseg.export.planes import Plane
from gmmseg.export.polygons import labelme_stream, to_yolo
from gmmseg.export.qupath import qupath_stream
from gmmseg.export.styles import classes_of, qml_style, sld_style
from gmmseg.export.vector import geojson_stream, write_geopackage
from gmmseg.io.atomic import atomic_file, check_place
from gmmseg.io.ground import Ground
from gmmseg.io.palette import palette
from gmmseg.io.picture.png import write_png

__all__ = ["Export", "check_export", "companions", "write_export", "write_json", "yolo_names"]

# A file, and what writes its content.
_Files = dict[Path, Callable[[BinaryIO], Any]]


@dataclass(frozen=True)
class Export:
    """What to write besides the instances themselves.

    Parameters
    ----------
    image : Path, optional
        What was segmented, to be named in the files; by default a file of the export's own name.
    place : Place, optional
        Where on a map the raster lies, for GeoJSON, GeoPackage and .npz; without an affine as if it were not given.
    keep_crs : bool
        See `gmmseg.export.to_geojson`.
    simplify : float, optional
        See `gmmseg.export.to_polygons`; for GeoJSON, GeoPackage and LabelMe.
    compressed, polygons : bool
        See `gmmseg.export.to_coco`.
    ground : Ground, optional
        What pixels cover, for QuPath.

    Examples
    --------
    >>> Export(Path("photo.jpg"), simplify=1.5).simplify  # outlines may be off by a pixel and a half
    1.5
    """

    image: Path | None = None
    place: Place | None = None
    keep_crs: bool = False
    simplify: float | None = None
    compressed: bool = True
    polygons: bool = False
    ground: Ground | None = None


def check_export(path: Path, to: Format, *, overwrite: bool = False) -> None:
    """Refuse a target that could not be written, before anything is computed.

    Parameters
    ----------
    path : Path
        The file, or for "masks" the folder.
    to : str
        A format of `write_export`.
    overwrite : bool
        Whether existing files may be replaced.

    Raises
    ------
    OutputError
        The suffix does not suit the format, the folder is missing or not writable, or the file exists.

    Examples
    --------
    >>> check_export(Path("labels.txt"), "coco")
    Traceback (most recent call last):
    gmmseg.errors.OutputError: labels.txt: coco is written to .json files; give it a name that ends so
    """
    if to == "masks":
        if path.exists() and not path.is_dir():
            raise OutputError(f"{path} is a file, but masks are written to a folder; choose another name")
        return check_place(path, overwrite=overwrite) if not path.exists() else None
    usual = Path(f"name{FORMATS[to]}").suffix
    usable = (usual, ".json") if to in ("geojson", "qupath") else (usual,)
    if path.suffix.lower() not in usable:
        raise OutputError(f"{path}: {to} is written to {' or '.join(usable)} files; give it a name that ends so")
    for each in [path, *companions(path, to)]:
        check_place(each, overwrite=overwrite)
    return None


def write_export(
    path: str | os.PathLike[str],
    instances: Instances | Sequence[Plane],
    to: Format,
    *,
    options: Export | None = None,
    overwrite: bool = False,
) -> list[Path]:
    """Write instances in an exchange format.

    Parameters
    ----------
    path : path-like
        The file, or for "masks" the folder, which is made where it is missing.
    instances : Instances or sequence of Plane
        Those of the planes of a volume or time-lapse for "roi" alone.
    to : str
        "coco" or "coco-panoptic" (.json, the latter with a PNG file of the same name beside it), "yolo" (.txt, and the
        class names in a .yaml file of the same name), "labelme" (.json), "geojson", "gpkg", "png" (the label map with
        a palette), "masks" (for each class a PNG file of 0 and 255), "npz" (arrays "labels" and "class_names", and of
        a georeferenced raster "transform" and "crs"), "roi" (.zip, of ImageJ), "qupath" (GeoJSON in pixels), or a style
        for the label map: "qml" (of QGIS) or "sld".
    options : Export, optional
    overwrite : bool
        Whether existing files may be replaced.

    Returns
    -------
    list of Path
        The files written, the main one first.

    Raises
    ------
    OutputError
        See `check_export`.
    ParameterError
        Instances of several planes are for another format than "roi", or there is no plane.

    Examples
    --------
    >>> import tempfile
    >>> from gmmseg.export import find_instances
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     written = write_export(f"{folder}/photo.txt", find_instances(np.array([[1, 2]])), "yolo")
    >>> [each.name for each in written]
    ['photo.txt', 'photo.yaml']
    """
    path = path_of(path)
    check_export(path, to, overwrite=overwrite)
    if not isinstance(instances, Instances) and not instances:
        raise ParameterError("instances are of no plane; give those of at least one")
    if to == "roi":
        files: _Files = {path: partial(write_rois, instances=instances)}
    elif isinstance(instances, Instances):
        files = _WRITERS[to](path, instances, options or Export())
    else:
        raise ParameterError(f"{to} has one plane; give the instances of one, or export to roi, which holds several")
    for each in files:
        if each.parent.is_dir():
            check_place(each, overwrite=overwrite)
    if to == "masks":
        path.mkdir(exist_ok=True)
    for each, fill in files.items():
        with atomic_file(each, overwrite=overwrite) as file:
            fill(file)
    return list(files)


def companions(path: Path, to: str) -> list[Path]:
    """Return the files that are written beside a main one."""
    suffix = {"coco-panoptic": ".png", "yolo": ".yaml"}.get(to)
    return [] if suffix is None else [path.with_suffix(suffix)]


def _image_name(path: Path, options: Export) -> str:
    return path.stem if options.image is None else options.image.name


def _coco(path: Path, instances: Instances, options: Export) -> _Files:
    shapes = Shapes(options.compressed, options.polygons)
    data = coco_stream(instances, file_name=_image_name(path, options), image_id=1, shapes=shapes)
    return {path: partial(write_json, data=data)}


def _panoptic(path: Path, instances: Instances, options: Export) -> _Files:
    (picture,) = companions(path, "coco-panoptic")
    data, pixels = to_panoptic(instances, file_name=_image_name(path, options), segments_file=picture.name)
    return {path: partial(write_json, data=data), picture: partial(write_png, pixels=pixels)}


def _yolo(path: Path, instances: Instances, options: Export) -> _Files:
    (names,) = companions(path, "yolo")
    text = yolo_names([instances.names[number - 1] for number in instances.classes])
    return {
        path: lambda file: file.writelines(f"{line}\n".encode() for line in to_yolo(instances)),
        names: lambda file: file.write(text.encode()),
    }


def yolo_names(names: Sequence[str]) -> str:
    """Return the part of a YAML file that names classes, the first of which is 0."""
    # A JSON string is a YAML string too, whatever the name.
    return "names:\n" + "".join(f"  {i}: {json.dumps(name)}\n" for i, name in enumerate(names))


def _labelme(path: Path, instances: Instances, options: Export) -> _Files:
    image = options.image or path.with_suffix(".png")
    seen_from_here = Path(os.path.relpath(image, path.parent)).as_posix()
    return {
        path: lambda file: write_json(
            file, labelme_stream(instances, image_path=seen_from_here, simplify=options.simplify)
        )
    }


def _geojson(path: Path, instances: Instances, options: Export) -> _Files:
    data = geojson_stream(instances, place=options.place, keep_crs=options.keep_crs, simplify=options.simplify)
    return {path: partial(write_json, data=data)}


def _gpkg(path: Path, instances: Instances, options: Export) -> _Files:
    return {
        path: partial(
            write_geopackage, instances=instances, layer=path.stem, place=options.place, simplify=options.simplify
        )
    }


def _png(path: Path, instances: Instances, options: Export) -> _Files:
    labels = instances.labels
    if labels.dtype.itemsize > 2:
        raise OutputError(f"{path}: PNG holds labels up to 65535, the largest is {labels.max()}; use npz")
    colors = palette(max(1, int(labels.max()))) if labels.dtype.itemsize == 1 else None
    return {path: partial(write_png, pixels=labels, palette=colors)}


def _masks(path: Path, instances: Instances, options: Export) -> _Files:
    def write_mask(file: BinaryIO, label: int) -> None:
        inside = instances.labels == label if instances.kind != "object" else instances.labels > 0
        write_png(file, inside.astype(np.uint8) * np.uint8(255))

    width = len(str(len(instances.names)))
    # Whatever a name holds, its file stays in the folder.
    safe = {number: re.sub(r"[^\w-]+", "_", instances.names[number - 1])[:80] for number in instances.classes}
    return {path / f"{label:0{width}}_{name}.png": partial(write_mask, label=label) for label, name in safe.items()}


def _npz(path: Path, instances: Instances, options: Export) -> _Files:
    arrays: dict[str, Any] = {"labels": instances.labels, "class_names": np.array(instances.names)}
    if options.place is not None and options.place.affine is not None:
        arrays |= {"transform": np.array(options.place.affine), "crs": np.array(options.place.crs or "")}
    return {path: lambda file: np.savez_compressed(file, **arrays)}


def _qupath(path: Path, instances: Instances, options: Export) -> _Files:
    data = qupath_stream(instances, image_name=_image_name(path, options), ground=options.ground)
    return {path: partial(write_json, data=data)}


def _qml(path: Path, instances: Instances, options: Export) -> _Files:
    style = qml_style(classes_of(instances))
    return {path: lambda file: file.write(style)}


def _sld(path: Path, instances: Instances, options: Export) -> _Files:
    style = sld_style(classes_of(instances), layer=path.stem)
    return {path: lambda file: file.write(style)}


_WRITERS: dict[Format, Callable[[Path, Instances, Export], _Files]] = {
    "coco": _coco,
    "coco-panoptic": _panoptic,
    "yolo": _yolo,
    "labelme": _labelme,
    "geojson": _geojson,
    "gpkg": _gpkg,
    "png": _png,
    "masks": _masks,
    "npz": _npz,
    "qupath": _qupath,
    "qml": _qml,
    "sld": _sld,
}


def write_json(file: BinaryIO, data: dict[str, Any]) -> None:
    """Write an object, with a line for each item of its lists, which may be iterators: they are never held whole.

    In ASCII: pycocotools reads files in the encoding of the system.
    """
    encode = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode
    for number, (key, value) in enumerate(data.items()):
        file.write(f"{',' if number else '{'}\n{encode(key)}:".encode())
        if isinstance(value, list | Iterator):
            file.write(b"[")
            for index, item in enumerate(value):
                file.write(f"{',' if index else ''}\n{encode(item)}".encode())
            file.write(b"]")
        else:
            file.write(encode(value).encode())
    file.write(b"\n}\n")
