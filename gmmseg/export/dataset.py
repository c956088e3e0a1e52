"""Data sets of many label maps: one COCO file, a YOLO or Pascal VOC folder, or a folder with a file for each.

Label maps are read one after the other, and what is written goes to disk as it comes: memory is that of one map.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from gmmseg.arrays import Array
from gmmseg.checks import path_of
from gmmseg.errors import InputError, OutputError, ParameterError
from gmmseg.export.choice import Choice
from gmmseg.export.coco import Shapes, coco_annotations, coco_category, coco_head, coco_image
from gmmseg.export.files import Export, write_export, write_json, yolo_names
from gmmseg.export.georeference import ground_in, image_in, names_in, place_in
from gmmseg.export.instances import Instances, find_instances
from gmmseg.export.kinds import DATASETS, FORMATS, NAMED_AS_LABELS, PLACED, WITH_PICTURES, Format, Kind
from gmmseg.export.planes import Plane, find_in_planes, plane_of
from gmmseg.export.polygons import to_yolo
from gmmseg.export.voc import MOST_OBJECTS, voc_annotation, voc_label_map, write_voc_classes, write_voc_objects
from gmmseg.image.sizes import Size, least_pixels
from gmmseg.io.atomic import atomic_file, atomic_folder, check_folder, check_place
from gmmseg.io.label_maps import read_labels
from gmmseg.io.reading import read_info
from gmmseg.io.request import MAX_PIXELS

__all__ = ["Finding", "LabelMap", "Written", "check_dataset", "label_map_in", "require_picture", "write_dataset"]


@dataclass(frozen=True)
class LabelMap:
    """A label map in a data set.

    Parameters
    ----------
    labels : Path
    picture : Path, optional
        What it is of.
    name : str
        What its files are called, without a suffix, perhaps with folders: "scenes/a".

    Examples
    --------
    >>> LabelMap(Path("out/a_labels.png"), Path("scenes/a.png"), "scenes/a").picture.name
    'a.png'
    """

    labels: Path
    picture: Path | None
    name: str


@dataclass(frozen=True)
class Finding:
    """What is listed of every label map.

    Parameters
    ----------
    class_names, instances, choice
        Of `gmmseg.export.find_instances`; names are by default those that come with each label map.
    min_size : int or str
        Of regions: pixels, or an area such as "2.5ha" where the file says how large a pixel is.
    max_pixels : int
        The most pixels that may be decoded.
    frame, plane : int, optional
        Which one of a time-lapse and of a volume, from 1.

    Examples
    --------
    >>> Finding(class_names=("land", "water"), min_size="2.5ha").class_names
    ('land', 'water')
    """

    class_names: tuple[str, ...] | None = None
    instances: Kind | None = None
    min_size: int | str = 1
    choice: Choice = field(default_factory=Choice)
    max_pixels: int = MAX_PIXELS
    frame: int | None = None
    plane: int | None = None

    def of(self, path: Path) -> Instances:
        """Read a label map, or one plane of it, and find its instances; messages name the file."""
        labels, how = self._read(path)
        with _naming(path):
            labels = plane_of(labels, time=_has_frames(path, labels), frame=self.frame, plane=self.plane)
            return find_instances(labels, **how)

    def in_planes(self, path: Path) -> list[Plane]:
        """Read a label map and find the instances of each of its planes."""
        labels, how = self._read(path)
        with _naming(path):
            return find_in_planes(labels, time=_has_frames(path, labels), **how)

    def _read(self, path: Path) -> tuple[Array, dict[str, Any]]:
        """Return a label map, and how its instances are found."""
        labels, names = label_map_in(path, max_pixels=self.max_pixels), self.class_names or names_in(path)
        min_size = self.pixels(path)
        return labels, {
            "class_names": names,
            "instances": self.instances,
            "min_size": min_size,
            "choice": self.choice,
        }

    def pixels(self, path: Path) -> int:
        """Return how many pixels a region of a label map needs to be listed."""
        size = Size.parse(self.min_size)
        if size.ndim is None:
            return int(size.amount)
        image = image_in(path)
        if image is None or image.spacing is None:
            raise ParameterError(
                f"{path}: a minimum size of {size.text} needs the size of a pixel, which is not known; "
                "give a number of pixels, as in 50"
            )
        return least_pixels(size.text, image)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Name the file in messages."""
    try:
        yield
    except ParameterError as error:
        raise ParameterError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from None


def _has_frames(path: Path, labels: Array) -> bool:
    """Whether the first axis of a label map is of frames."""
    image = image_in(path) if labels.ndim > 2 else None
    return labels.ndim > 3 if image is None or image.shape != labels.shape else image.time


@dataclass(frozen=True)
class Written:
    """What a data set has come to.

    Parameters
    ----------
    maps, instances : int
        How many label maps there are, and how many instances in them.
    names : tuple of str
        Of the classes, in the order of their numbers.
    """

    maps: int
    instances: int
    names: tuple[str, ...]


class _Categories:
    """The classes of all label maps, told apart by their names.

    Parameters
    ----------
    first : int
        The least number.
    dense : bool
        Whether they are numbered one after the other as they come; otherwise as in the label maps, as far as no two
        names have one number there.
    """

    def __init__(self, *, first: int, dense: bool) -> None:
        self.first, self.dense = first, dense
        self.number_of: dict[str, int] = {}
        self.met: set[str] = set()
        self.seen: dict[str, None] = {}

    def add(self, instances: Instances, choice: Choice) -> Array:
        """Return the data set's number of each class of a label map, by the number there."""
        self.met |= choice.left_out(None if instances.kind == "object" else instances.names, instances.labels)[1]
        self.seen |= dict.fromkeys(instances.names)
        numbers = np.zeros(len(instances.names) + 1, np.int64)
        for each in instances.classes:
            name = instances.names[each - 1]
            if name not in self.number_of:
                self.number_of[name] = self._free(each)
            numbers[each] = self.number_of[name]
        return numbers

    def _free(self, wanted: int) -> int:
        taken = self.number_of.values()
        if not self.dense and wanted not in taken:
            return wanted
        return max(taken, default=self.first - 1) + 1

    @property
    def items(self) -> list[tuple[int, str]]:
        """Numbers and names, in order of the numbers."""
        return sorted((number, name) for name, number in self.number_of.items())


def write_dataset(
    path: str | os.PathLike[str],
    maps: Sequence[LabelMap],
    to: str,
    *,
    finding: Finding | None = None,
    options: Export | None = None,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Written:
    """Write many label maps as one data set.

    Parameters
    ----------
    path : path-like
        For "coco" a .json file, otherwise a folder.
    maps : sequence of LabelMap
    to : str
        "coco": one file. "yolo": images/, labels/ and data.yaml. "voc": JPEGImages/, Annotations/, SegmentationClass/,
        SegmentationObject/, ImageSets/ and labelmap.txt. Any other format of `write_export`: a file for each map.
    finding : Finding, optional
    options : Export, optional
        All but its image and its place, which are each map's own.
    overwrite : bool
        Whether existing files may be replaced; others in the folder stay.
    progress : callable, optional
        Called with the number of maps that are done, and of all.

    Returns
    -------
    Written

    Raises
    ------
    InputError
        A label map cannot be read, has no picture where the format needs it, or one of another size.
    OutputError
        The target is refused, see `gmmseg.io.atomic`.
    ParameterError
        Two maps have one name, or what `find_instances` refuses.

    Notes
    -----
    Nothing is written unless all is: one bad map leaves no data set. Memory is that of the largest map.

    Examples
    --------
    >>> import tempfile
    >>> from gmmseg import io
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     labels, picture = Path(folder, "a_labels.png"), Path(folder, "a.png")
    ...     io.write_labels(labels, np.array([[1, 2], [1, 1]]), names=["land", "water"])
    ...     io.write_rgb(picture, np.zeros((2, 2, 3), np.uint8))
    ...     write_dataset(f"{folder}/set.json", [LabelMap(labels, picture, "a")], "coco")
    Written(maps=1, instances=2, names=('land', 'water'))
    """
    path, finding, options = path_of(path), finding or Finding(), options or Export()
    check_dataset(path, to, overwrite=overwrite)
    _check_maps(maps, to)
    finding = replace(finding, choice=replace(finding.choice, somewhere=True))
    categories = _Categories(first=0 if to == "yolo" else 1, dense=to == "yolo")
    work = _Work(maps, finding, categories, progress)
    if to == "coco":
        with atomic_file(path, overwrite=overwrite) as file:
            write_json(file, _coco(work, Shapes(options.compressed, options.polygons)))
            work.require_classes()
    else:
        with atomic_folder(path, overwrite=overwrite) as folder:
            if to == "yolo":
                _write_yolo(folder, work)
            elif to == "voc":
                _write_voc(folder, work)
            else:
                _write_each(folder, path, work, _format(to), options)
            work.require_classes()
            _require_apart(folder, path, maps)
    return Written(len(maps), work.n_instances, tuple(name for _, name in categories.items))


def check_dataset(path: Path, to: str, *, overwrite: bool) -> None:
    """Refuse a target that could not be written, before anything is computed."""
    if to != "coco":
        return check_folder(path, overwrite=overwrite)
    if path.suffix.lower() != ".json":
        raise OutputError(f"{path}: coco is written to .json files; give it a name that ends so")
    return check_place(path, overwrite=overwrite)


def label_map_in(path: Path, *, max_pixels: int = MAX_PIXELS) -> Array:
    """Read a label map, in a dtype that says whether its numbers are objects as far as the stored one does."""
    labels = read_labels(path, max_pixels=max_pixels)
    if labels.dtype.itemsize > 1:
        facts = read_info(path)
        stored = str(facts.get("dtype") or next(iter(facts.get("arrays", {"": {}}).values())).get("dtype"))
        if stored.startswith(("int", "float")) or stored.endswith("64"):
            return labels.astype(np.int64)
    return labels


def require_picture(picture: Path, labels: Path, shape: tuple[int, ...]) -> None:
    """Refuse a picture of another size than its label map; turned by 90 degrees (EXIF) is the same size."""
    size = read_info(picture).get("size")
    if size is not None and sorted(size) != sorted(shape):
        across = " x ".join(map(str, reversed(shape)))
        raise InputError(
            f"--image {picture} is {size[0]} x {size[1]} pixels, but {labels} is {across}; give the photo that it is of"
        )


def _check_maps(maps: Sequence[LabelMap], to: str) -> None:
    if not maps:
        raise ParameterError("no label map is given; name at least one")
    names: dict[str, Path] = {}
    for each in maps:
        if each.name in names:
            raise ParameterError(
                f"{names[each.name]} and {each.labels} would both be called {each.name}; export them one at a time, or "
                "rename one"
            )
        names[each.name] = each.labels
        if to in WITH_PICTURES and each.picture is None:
            raise InputError(f"{to} needs the pictures, and {each.labels} has none beside it; give --image FOLDER")


def _require_apart(folder: Path, target: Path, maps: Sequence[LabelMap]) -> None:
    """Refuse a data set, written to a temporary folder, of which a file would replace what it was made of."""
    read = {os.path.realpath(file) for each in maps for file in (each.labels, each.picture) if file is not None}
    for file in folder.rglob("*"):
        place = target / file.relative_to(folder)
        if os.path.realpath(place) in read:
            raise OutputError(f"{place} would be written over, and is an input; choose another folder")


@dataclass(eq=False)
class _Work:
    """Going through the label maps, once."""

    maps: Sequence[LabelMap]
    finding: Finding
    categories: _Categories
    progress: Callable[[int, int], None] | None
    n_instances: int = 0

    def each(self) -> Iterator[tuple[LabelMap, Instances, Array]]:
        """Yield the maps, their instances, and the data set's number of each of their classes."""
        for done, each in enumerate(self.maps, 1):
            found = self.finding.of(each.labels)
            if each.picture is not None:
                require_picture(each.picture, each.labels, found.shape)
            yield each, found, self.categories.add(found, self.finding.choice)
            self.n_instances += len(found)
            if self.progress is not None:
                self.progress(done, len(self.maps))

    def require_classes(self) -> None:
        """Refuse a chosen class that no map has."""
        self.finding.choice.require(frozenset(self.categories.met), list(self.categories.seen))


def _coco(work: _Work, shapes: Shapes) -> dict[str, Any]:
    """Return the object; its lists come as the file is written, the images when all annotations are known."""
    images: list[dict[str, Any]] = []

    def annotations() -> Iterator[dict[str, Any]]:
        for number, (each, found, numbers) in enumerate(work.each(), 1):
            images.append(coco_image(found, file_name=_picture_name(each), image_id=number))
            yield from coco_annotations(found, shapes, image_id=number, first=work.n_instances + 1, numbers=numbers)

    def categories() -> Iterator[dict[str, Any]]:
        for number, name in work.categories.items:
            yield coco_category(number, name)

    return {**coco_head(), "annotations": annotations(), "images": iter(images), "categories": categories()}


def _picture_name(each: LabelMap) -> str:
    return f"{each.name}{(each.picture or each.labels).suffix}"


def _write_yolo(folder: Path, work: _Work) -> None:
    for each, found, numbers in work.each():
        _copy(each, folder / "images" / "train")
        with _new(folder / "labels" / "train" / f"{each.name}.txt") as file:
            file.writelines(f"{line}\n".encode() for line in to_yolo(found, numbers=numbers.tolist()))
    text = "train: images/train\nval: images/train\n"
    (folder / "data.yaml").write_text(text + yolo_names([name for _, name in work.categories.items]), "utf-8")


def _write_voc(folder: Path, work: _Work) -> None:
    names = []
    for each, found, numbers in work.each():
        if len(found) > MOST_OBJECTS:
            raise ParameterError(
                f"{each.labels} has {len(found)} regions, Pascal VOC holds {MOST_OBJECTS} a picture; leave out the "
                "small ones with --min-size, or use coco"
            )
        _copy(each, folder / "JPEGImages")
        picture = _picture_name(each)
        with _new(folder / "Annotations" / f"{each.name}.xml") as file:
            file.write(voc_annotation(found, file_name=picture))
        with _new(folder / "SegmentationClass" / f"{each.name}.png") as file:
            write_voc_classes(file, found, numbers)
        with _new(folder / "SegmentationObject" / f"{each.name}.png") as file:
            write_voc_objects(file, found)
        names.append(each.name)
    for task in ("Main", "Segmentation"):
        with _new(folder / "ImageSets" / task / "train.txt") as file:
            file.writelines(f"{name}\n".encode("utf-8", "surrogateescape") for name in names)
    (folder / "labelmap.txt").write_text(voc_label_map(work.categories.items), "utf-8")


def _write_each(folder: Path, target: Path, work: _Work, to: Format, options: Export) -> None:
    for each, found, _ in work.each():
        place = place_in(each.labels) if to in PLACED else None
        ground = ground_in(each.labels) if to == "qupath" else options.ground
        image = Path(os.path.abspath(each.picture or each.labels))
        end = _label_stem(each) if to in NAMED_AS_LABELS else ""
        path = folder / f"{each.name}{end}{FORMATS[to]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        # A LabelMe file names its picture as seen from where it will lie.
        seen = folder / Path(os.path.relpath(image, os.path.abspath(target)))
        write_export(path, found, to, options=replace(options, image=seen, place=place, ground=ground))


def _label_stem(each: LabelMap) -> str:
    """Return what a label map is called beyond its name in the data set."""
    return each.labels.stem.removeprefix(Path(each.name).name)


def _format(to: str) -> Format:
    for known in FORMATS:
        if known == to:
            return known
    raise ParameterError(f"to={to!r} is not known; use {', '.join(dict.fromkeys([*FORMATS, *DATASETS]))}")


def _copy(each: LabelMap, folder: Path) -> None:
    """Copy the picture of a label map, as it is."""
    assert each.picture is not None
    target = folder / _picture_name(each)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(each.picture, target)


def _new(path: Path) -> Any:
    """Open a new file in the temporary folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return open(path, "xb")
