"""Outlines of label maps that are larger than memory, strip by strip, as GeoJSON and GeoPackage.

Each strip of rows is traced by itself. A connected region that reaches into the next strip waits for its other pieces,
and is joined with them when no pixel of it is left: along whole pixels, so that the outlines are those of the whole map
and neighbours share their edges. Simplified outlines keep to whole pixels where strips meet. In memory are two strips,
and the outlines of the regions that are not complete.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np

from gmmseg.arrays import Array
from gmmseg.errors import GmmsegError
from gmmseg.export.choice import Choice
from gmmseg.export.files import write_json
from gmmseg.export.instances import Instances, class_names_for
from gmmseg.export.rings import Rings, pixel_rings
from gmmseg.export.vector import STRAIGHT, Target, features, write_layer
from gmmseg.image import Image
from gmmseg.image.place import Place
from gmmseg.io.ground import Ground

__all__ = ["BYTES_A_PIXEL", "WindowedExport", "write_by_windows"]

BYTES_A_PIXEL = 29
"""That tracing takes at its peak."""

_VALUES = 256


@dataclass(frozen=True)
class WindowedExport:
    """What is listed of a label map, and where it lies.

    Parameters
    ----------
    class_names, min_size, choice
        Of `gmmseg.export.find_instances`.
    place, keep_crs, simplify
        Of `gmmseg.export.to_geojson`.
    layer : str, optional
        Of a GeoPackage, which is written then; otherwise GeoJSON.
    memory : int
        Bytes that a strip may take.
    """

    class_names: tuple[str, ...] | None = None
    min_size: int = 1
    choice: Choice = field(default_factory=Choice)
    place: Place | None = None
    keep_crs: bool = False
    simplify: float | None = None
    layer: str | None = None
    memory: int = 1 << 29


@dataclass(eq=False)
class _Region:
    """A connected region as far as it is known."""

    label: int
    pixels: int = 0
    covers: int = 0
    pieces: list[Any] = field(default_factory=list)

    def add(self, piece: Any, pixels: int, covers: int) -> None:
        self.pieces.append(piece)
        self.pixels += pixels
        self.covers += covers

    def join(self, other: _Region) -> None:
        self.pieces += other.pieces
        self.pixels += other.pixels
        self.covers += other.covers


def write_by_windows(file: BinaryIO, labels: Image, options: WindowedExport) -> tuple[int, tuple[str, ...]]:
    """Write the outlines of the connected regions of a label map of 8 bits.

    Parameters
    ----------
    file : BinaryIO
        Open for writing.
    labels : Image
        Of one channel of uint8, which may stay in its file.
    options : WindowedExport

    Returns
    -------
    int
        How many regions there are.
    tuple of str
        Names of the classes that are listed.

    Raises
    ------
    GmmsegError
        Shapely is not installed, or of a GeoPackage pyogrio.
    OutputError
        GDAL could not write a GeoPackage.
    ParameterError
        See `gmmseg.export.find_instances` and `gmmseg.export.to_geojson`.

    Notes
    -----
    The file is read twice: what its numbers are has to be known first. Regions come in the order in which they are
    complete.
    """
    try:
        import shapely  # noqa: F401  # what is joined
    except ImportError:
        raise GmmsegError(
            "label maps larger than memory need Shapely for their outlines; pip install 'gmmseg[geo]'"
        ) from None
    rows, columns = labels.shape
    height = max(STRAIGHT, options.memory // (BYTES_A_PIXEL * columns) // STRAIGHT * STRAIGHT)
    strips = [(top, min(top + height, rows)) for top in range(0, rows, height)]
    there = np.zeros(_VALUES, bool)
    for top, bottom in strips:
        there |= np.bincount(_strip(labels, top, bottom).ravel(), minlength=_VALUES) > 0
    numbers, names, listed = _meaning(there, options)
    place = options.place
    target = Target.of(place, keep_crs=options.keep_crs) if options.layer is None else Target.kept(place)
    ground = Ground.at(place, labels.shape)
    tracing = _Tracing(target.converts, ground, options.simplify)
    n_regions = 0

    def batches() -> Iterator[tuple[Rings, dict[str, list[Any]]]]:
        nonlocal n_regions
        after = numbers[_strip(labels, *strips[0])]
        for number, (top, bottom) in enumerate(strips, 1):
            here, after = after, numbers[_strip(labels, *strips[number])] if bottom < rows else after[:0]
            found = tracing.complete(here, top, after[:1])
            regions = [each for each in found if each.pixels >= options.min_size]
            rings = _rings([each.pieces[0] for each in regions], keep_all=tracing.shares_points)
            yield target.placed(rings), _columns(regions, names, ground)
            n_regions += len(regions)

    def every() -> Iterator[dict[str, Any]]:
        for rings, columns in batches():
            yield from features(rings, columns, wgs84=target.wgs84, first=n_regions + 1)

    if options.layer is None:
        write_json(file, target.collection | {"features": every()})
    else:
        write_layer(file, batches(), layer=options.layer, crs=target.crs, single=True)
    return n_regions, listed


def _strip(labels: Image, top: int, bottom: int) -> Array:
    pixels, valid = labels.pixels.read((slice(top, bottom), slice(0, labels.shape[1])))
    numbers = pixels[..., 0]
    return numbers if valid is None else np.where(valid, numbers, numbers.dtype.type(0))


def _meaning(there: Array, options: WindowedExport) -> tuple[Array, tuple[str, ...], tuple[str, ...]]:
    """Return the label of each stored number, the names of all classes, and of those that are listed."""
    numbers = np.arange(_VALUES, dtype=np.uint8)
    found = options.choice.without_ignored(np.flatnonzero(there))
    numbers = options.choice.without_ignored(numbers)
    if found.max() == _VALUES - 1 and np.isin(found, (0, _VALUES - 1)).all():  # a mask
        numbers, found = (numbers > 0).astype(np.uint8), np.minimum(found, 1)
    names = class_names_for(options.class_names, int(found.max()))
    left_out, _ = options.choice.left_out(names, found)
    numbers[np.isin(numbers, left_out)] = 0
    return numbers, names, tuple(name for label, name in enumerate(names, 1) if label not in left_out)


def _columns(regions: list[_Region], names: tuple[str, ...], ground: Ground) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {
        "label": [each.label for each in regions],
        "class": [names[each.label - 1] for each in regions],
        "pixels": [each.pixels for each in regions],
    }
    return columns | {ground.name: [each.covers * ground.each for each in regions]} if ground.known else columns


class _Tracing:
    """Going down the map.

    Parameters
    ----------
    nodes : bool
        Whether points where regions meet, and those on straight edges now and then, are wanted.
    ground : Ground
        What pixels cover.
    simplify : float, optional
        By how many pixels outlines are smoothed.
    """

    def __init__(self, nodes: bool, ground: Ground, simplify: float | None) -> None:
        self.nodes, self.ground, self.simplify = nodes, ground, simplify
        self.open: dict[int, _Region] = {}
        self.parent: dict[int, int] = {}
        # Of the row above: its labels, and the open region of each pixel.
        self.above: tuple[Array, Array] | None = None

    @property
    def shares_points(self) -> bool:
        """Whether neighbours have every point of their common edges, straight as these may be."""
        return self.nodes or self.simplify is not None

    def complete(self, labels: Array, top: int, after: Array) -> list[_Region]:
        """Trace the next strip, and return the regions that end in it, each of one piece; `after` is the row below."""
        import shapely

        found = _connected(labels)
        shapes = self._shapes(found, top, after)
        pixels = np.bincount(found.parts.ravel(), minlength=len(found) + 1)[1:].tolist()
        window = (slice(top, top + len(labels)), slice(0, labels.shape[1]))
        covers = self.ground.counts(window, found.parts, len(found) + 1)[1:].tolist()
        region_of = self._joined_with_above(found)
        below = np.unique(found.parts[-1]) if len(after) else np.zeros(0, int)
        for part in below[below > 0].tolist():
            if region_of[part] < 0:
                region_of[part] = self._new(int(found.categories[part - 1]))
        done = []
        for part in range(1, len(found) + 1):
            region = _Region(int(found.categories[part - 1]))
            if region_of[part] >= 0:
                region = self.open[self._root(int(region_of[part]))]
            else:
                done.append(region)
            region.add(shapes[part - 1], pixels[part - 1], covers[part - 1])
        roots = np.array([self._root(each) if each >= 0 else -1 for each in region_of.tolist()])
        self.above = labels[-1].copy(), roots[found.parts[-1]]
        alive = set(roots[below].tolist())
        for ended in [each for each in self.open if each not in alive]:
            region = self.open.pop(ended)
            region.pieces = [shapely.union_all(region.pieces)]
            done.append(region)
        self.parent = {each: each for each in self.open}
        return done

    def _shapes(self, found: Instances, top: int, after: Array) -> list[Any]:
        from shapely import GeometryType, from_ragged_array

        if not len(found):
            return []
        if self.simplify is not None:
            # With what is listed nowhere the strip has no edges of its own inside, but those where strips meet.
            found = _connected(found.labels.astype(np.int16) + 1)
        rings = pixel_rings(found, nodes=self.shares_points)
        if self.simplify is not None:
            rings = rings.simplified(self.simplify, boundary=False)
        if self.shares_points:
            if self.above is not None:
                rings = rings.divided_at(0, _changes(self.above[0]))
            if len(after):
                rings = rings.divided_at(found.shape[0], _changes(after[0]))
        rings = rings.moved(rings.points + np.array([0, top]))
        if self.nodes and self.simplify is None:
            rings = rings.divided(STRAIGHT)
        polygons = from_ragged_array(GeometryType.POLYGON, rings.points.astype(float), (rings.rings, rings.polygons))
        return list(polygons if self.simplify is None else polygons[found.categories > 1])

    def _joined_with_above(self, found: Instances) -> Array:
        """Return the open region of each part of the strip, -1 where it has none; regions that meet become one."""
        region_of = np.full(len(found) + 1, -1)
        if self.above is None:
            return region_of
        labels, regions = self.above
        same = (labels == found.labels[0]) & (labels > 0)
        for region, part in np.unique(np.stack([regions[same], found.parts[0][same]]), axis=1).T.tolist():
            root = self._root(region)
            if region_of[part] < 0:
                region_of[part] = root
                continue
            other = self._root(int(region_of[part]))
            if other != root:
                self.open[other].join(self.open.pop(root))
                self.parent[root] = other
        return region_of

    def _root(self, region: int) -> int:
        while self.parent[region] != region:
            region = self.parent[region]
        return region

    def _new(self, label: int) -> int:
        number = max(self.parent, default=-1) + 1
        self.parent[number], self.open[number] = number, _Region(label)
        return number


def _changes(row: Array) -> Array:
    """Where in a row regions meet."""
    return np.flatnonzero(row[1:] != row[:-1]) + 1


def _connected(labels: Array) -> Instances:
    """Return the connected regions of a strip."""
    from skimage.measure import label

    parts: Array = label(labels, background=0, connectivity=1).astype(np.int32)
    n = int(parts.max())
    first = np.zeros(n + 1, np.int64)
    first[parts] = labels
    order = np.arange(n + 1, dtype=np.int32)
    return Instances(labels, parts, order, first[1:], ("",) * _VALUES, "component", first[1:], ())


def _rings(shapes: list[Any], *, keep_all: bool) -> Rings:
    """Return the outlines of polygons; those that were joined have corners only, unless all points are kept."""
    from shapely import orient_polygons, to_ragged_array

    if not shapes:
        return Rings(np.zeros((0, 2), np.int64), *[np.zeros(1, np.int64)] * 3)
    _, points, (rings, polygons) = to_ragged_array(orient_polygons(np.array(shapes, object)))
    found = Rings(points.astype(np.int64), rings, polygons, np.arange(len(shapes) + 1))
    return found if keep_all else found.corners()
