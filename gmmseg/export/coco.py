"""COCO: instances as run-length codes, and the panoptic format.

The codes are those of the COCO API (Lin et al. 2014; `maskApi.c`): lengths of the alternate runs of 0 and 1 in column
order, starting with 0; compressed, each is the difference to the second before it, in groups of 5 bits as characters.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from gmmseg import __version__
from gmmseg.arrays import Array
from gmmseg.errors import ParameterError
from gmmseg.export.instances import Instances
from gmmseg.export.rings import bridged_rings

__all__ = [
    "Shapes",
    "boxes_of",
    "coco_annotations",
    "coco_category",
    "coco_head",
    "coco_image",
    "coco_stream",
    "to_coco",
    "to_panoptic",
]

# Five bits a character; seven hold the difference of any two lengths in an image of up to 2^34 pixels.
_MOST_CHARACTERS = 7
_MOST_SEGMENTS = (1 << 24) - 1


@dataclass(frozen=True, eq=False)
class _Runs:
    """Runs of every instance in column order, all of the first instance, then all of the second.

    `start` and `length` in pixels; the runs of instance i (from 0) are first[i] to first[i + 1].
    """

    start: Array
    length: Array
    first: Array

    @property
    def areas(self) -> Array:
        """Pixels of each instance."""
        return np.add.reduceat(self.length, self.first[:-1])

    def boxes(self, rows: int) -> Array:
        """Bounding boxes (n, 4): left, top, width, height in pixels."""
        last = self.start + self.length - 1
        left, right = self.start // rows, last // rows
        one_column = left == right
        top = np.where(one_column, self.start % rows, 0)
        bottom = np.where(one_column, last % rows, rows - 1)
        at = self.first[:-1]
        left, right = np.minimum.reduceat(left, at), np.maximum.reduceat(right, at)
        top, bottom = np.minimum.reduceat(top, at), np.maximum.reduceat(bottom, at)
        return np.stack([left, top, right - left + 1, bottom - top + 1], axis=1)


def to_coco(
    instances: Instances, *, file_name: str, image_id: int = 1, compressed: bool = True, polygons: bool = False
) -> dict[str, Any]:
    """Return a COCO instance data set of one image.

    Parameters
    ----------
    instances : Instances
        Each becomes one annotation; `iscrowd` is 0. Those whose numbers are objects keep them as "attributes".
    file_name : str
        Of the image that was segmented.
    image_id : int
        Its number.
    compressed : bool
        Whether run lengths are a string, as pycocotools writes them, or a list.
    polygons : bool
        Whether outlines take the place of run lengths: a polygon a 4-connected region, holes joined to it by a cut.

    Returns
    -------
    dict
        "info", "licenses", "images", "annotations" (numbered from 1) and "categories" (numbered as the labels), ready
        for JSON.

    Examples
    --------
    >>> from gmmseg.export import find_instances
    >>> data = to_coco(find_instances(np.array([[0, 1], [1, 1]])), file_name="photo.jpg", compressed=False)
    >>> data["annotations"][0]["segmentation"], data["annotations"][0]["bbox"]
    ({'size': [2, 2], 'counts': [1, 3]}, [0, 0, 2, 2])
    """
    shapes = Shapes(compressed, polygons)
    streamed = coco_stream(instances, file_name=file_name, image_id=image_id, shapes=shapes)
    return streamed | {"annotations": list(streamed["annotations"])}


@dataclass(frozen=True)
class Shapes:
    """How COCO annotations say which pixels are theirs: `compressed` and `polygons` as of `to_coco`."""

    compressed: bool = True
    polygons: bool = False


def coco_stream(instances: Instances, *, file_name: str, image_id: int, shapes: Shapes) -> dict[str, Any]:
    """Do what `to_coco` does, but give "annotations" as an iterator."""
    return {
        **coco_head(),
        "images": [coco_image(instances, file_name=file_name, image_id=image_id)],
        "annotations": coco_annotations(instances, shapes, image_id=image_id),
        "categories": _categories(instances),
    }


def coco_head() -> dict[str, Any]:
    """Return "info" and "licenses" of a data set; no date, so that the same labels make the same file."""
    return {"info": {"description": "label maps, exported by gmmseg", "version": __version__}, "licenses": []}


def coco_image(instances: Instances, *, file_name: str, image_id: int) -> dict[str, Any]:
    """Return the entry of an image."""
    rows, columns = instances.shape
    return {"id": image_id, "file_name": file_name, "width": columns, "height": rows}


def coco_annotations(
    instances: Instances, shapes: Shapes, *, image_id: int, first: int = 1, numbers: Array | None = None
) -> Iterator[dict[str, Any]]:
    """Yield the annotations of an image, numbered from `first`; `numbers` are the data set's, by class number."""
    rows, columns = instances.shape
    runs = _runs(instances)
    categories = instances.categories if numbers is None else numbers[instances.categories]
    masks = _outlines(instances) if shapes.polygons else _masks(runs, (rows, columns), shapes.compressed)
    every = zip(categories.tolist(), instances.values.tolist(), masks, *_measures(runs, rows), strict=True)
    for number, (category, value, mask, area, box) in enumerate(every, first):
        annotation = {
            "id": number,
            "image_id": image_id,
            "category_id": category,
            "segmentation": mask,
            "area": area,
            "bbox": box,
            "iscrowd": 0,
        }
        yield annotation | {"attributes": {"object": value}} if instances.kind == "object" else annotation


def _masks(runs: _Runs, shape: tuple[int, int], compressed: bool) -> Iterator[dict[str, Any]]:
    """Yield the run lengths of each instance."""
    lengths, first = _alternate(runs, shape[0] * shape[1])
    counts: list[Any] = _characters(lengths, first) if compressed else _split(lengths, first)
    for code in counts:
        yield {"size": list(shape), "counts": code if compressed else code.tolist()}


def _outlines(instances: Instances) -> Iterator[list[list[float]]]:
    """Yield the polygons of each instance, each as x, y, x, y, ... without its first point again."""
    rings = bridged_rings(instances)
    whole = np.array_equal(rings.points, np.rint(rings.points))
    points = rings.points.astype(np.int64) if whole else rings.points
    starts = rings.rings.tolist()
    for begin, end in pairwise(rings.instances.tolist()):
        yield [points[starts[ring] : starts[ring + 1] - 1].ravel().tolist() for ring in range(begin, end)]


def to_panoptic(
    instances: Instances, *, file_name: str, segments_file: str, image_id: int = 1
) -> tuple[dict[str, Any], Array]:
    """Return a COCO panoptic data set of one image.

    Parameters
    ----------
    instances : Instances
        Each becomes one segment; classes are "things" unless an instance is a whole class.
    file_name : str
        Of the image that was segmented.
    segments_file : str
        Name of the PNG file that the picture will be written to.
    image_id : int
        The image's number.

    Returns
    -------
    dict
        "info", "licenses", "images", "annotations" with their "segments_info", and "categories", ready for JSON.
    ndarray of uint8, shape (rows, columns, 3)
        The number of each pixel's segment, red + 256 green + 65536 blue; 0 = none.

    Raises
    ------
    ParameterError
        There are more segments than a colour can number.

    Examples
    --------
    >>> from gmmseg.export import find_instances
    >>> data, segments = to_panoptic(find_instances(np.array([[1, 2]])), file_name="a.jpg", segments_file="a.png")
    >>> [each["category_id"] for each in data["annotations"][0]["segments_info"]], segments[0].tolist()
    ([1, 2], [[1, 0, 0], [2, 0, 0]])
    """
    if len(instances) > _MOST_SEGMENTS:
        raise ParameterError(
            f"there are {len(instances)} regions, panoptic files hold {_MOST_SEGMENTS}; leave out the small ones"
        )
    rows, columns = instances.shape
    runs = _runs(instances)
    segments = [
        {"id": number, "category_id": category, "area": area, "bbox": box, "iscrowd": 0}
        for number, (category, area, box) in enumerate(
            zip(instances.categories.tolist(), *_measures(runs, rows), strict=True), 1
        )
    ]
    is_thing = int(instances.kind != "class")
    data = {
        **coco_head(),
        "images": [coco_image(instances, file_name=file_name, image_id=image_id)],
        "annotations": [{"image_id": image_id, "file_name": segments_file, "segments_info": segments}],
        "categories": [each | {"isthing": is_thing} for each in _categories(instances)],
    }
    numbers = np.ascontiguousarray(instances.numbers, "<u4")
    return data, np.ascontiguousarray(numbers.view(np.uint8).reshape(rows, columns, 4)[..., :3])


def _categories(instances: Instances) -> list[dict[str, Any]]:
    return [coco_category(number, instances.names[number - 1]) for number in instances.classes]


def coco_category(number: int, name: str) -> dict[str, Any]:
    """Return the entry of a class."""
    return {"id": number, "name": name, "supercategory": ""}


def _measures(runs: _Runs, rows: int) -> tuple[list[int], list[list[int]]]:
    """Area and bounding box of each instance."""
    return (runs.areas.tolist(), runs.boxes(rows).tolist()) if len(runs.start) else ([], [])


def boxes_of(instances: Instances) -> list[list[int]]:
    """Return the bounding box of each instance: left, top, width, height in pixels."""
    return _measures(_runs(instances), instances.shape[0])[1]


def _runs(instances: Instances) -> _Runs:
    """Cut the whole map into runs once, and sort them by instance."""
    flat = np.ascontiguousarray(instances.numbers.T).reshape(-1)
    start = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    number = flat[start]
    length = np.diff(start, append=flat.size)
    order = np.argsort(number, kind="stable")
    order = order[np.searchsorted(number[order], 1) :]
    first = np.concatenate([[0], np.cumsum(np.bincount(number[order], minlength=len(instances) + 1)[1:])])
    return _Runs(start[order], length[order], first)


def _alternate(runs: _Runs, n_pixels: int) -> tuple[Array, Array]:
    """Lengths of the alternate runs of 0 and 1, and where each instance's begin; a last run of no 0 is left out."""
    ends = runs.start + runs.length
    before = np.concatenate([[0], ends[:-1]])
    before[runs.first[:-1]] = 0
    n_runs = np.diff(runs.first)
    rest = n_pixels - ends[runs.first[1:] - 1]
    first = np.concatenate([[0], np.cumsum(2 * n_runs + (rest > 0))])
    lengths = np.empty(first[-1], np.int64)
    ones = np.arange(len(ends)) * 2 + 1 + np.repeat(first[:-1] - 2 * runs.first[:-1], n_runs)
    lengths[ones - 1] = runs.start - before
    lengths[ones] = runs.length
    lengths[first[1:][rest > 0] - 1] = rest[rest > 0]
    return lengths, first


def _characters(lengths: Array, first: Array) -> list[str]:
    """Compress the lengths of each instance to a string."""
    place = np.arange(len(lengths)) - np.repeat(first[:-1], np.diff(first))
    rest = lengths.copy()
    later = np.flatnonzero(place > 2)
    rest[later] -= lengths[later - 2]
    characters = np.zeros((len(rest), _MOST_CHARACTERS), np.uint8)
    going_on = np.ones(len(rest), bool)
    for column in characters.T:
        group = rest & 31
        rest >>= 5
        # The 5th bit is the sign of what is left: it says nothing new where that is all 0 or all 1.
        more = rest != np.where(group & 16, -1, 0)
        column[going_on] = (group + 32 * more + 48)[going_on]
        going_on &= more
        if not going_on.any():
            break
    used = characters != 0
    text = characters[used].tobytes().decode("ascii")
    ends = np.concatenate([[0], np.cumsum(used.sum(axis=1))])
    return _split(text, ends[first])


def _split(sequence: Any, first: Array) -> list[Any]:
    bounds = first.tolist()
    return [sequence[start:stop] for start, stop in pairwise(bounds)]
