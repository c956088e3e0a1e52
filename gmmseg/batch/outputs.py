"""Which files are written for an image: their names, and whether they could and may be written."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gmmseg.errors import GmmsegError, OutputError, ParameterError
from gmmseg.io.atomic import check_place
from gmmseg.io.formats import FORMATS, choose, identify, side_files, suffix_of
from gmmseg.io.parts import files_of, name_of, stem_of
from gmmseg.labelling.layers import LAYERS, Layer

if TYPE_CHECKING:
    from gmmseg.image import Image

__all__ = [
    "ENDINGS",
    "KINDS",
    "LAYER_OF",
    "PICTURES",
    "check_outputs",
    "check_room",
    "labels_name",
    "option_of",
    "output_name",
    "require_distinct",
    "with_side_files",
]

PICTURES = ("overlay", "contours")
"""What is drawn over the picture in the colours of its classes."""

_DOCUMENTS = ("style", "table", "report", "model")

LAYER_OF = {layer.output: layer for layer in LAYERS}
"""Layers by what they are called as outputs."""

ENDINGS = {
    **{layer.output: layer.ending for layer in LAYERS if layer.ending},
    **dict.fromkeys(PICTURES, ".png"),
    "style": ".qml",
    "table": ".csv",
    "report": ".html",
    "model": ".gmm.json",
}
"""Of the files that are named after their image; the label maps' follow the image, see `labels_name`."""

KINDS = (*LAYER_OF, *PICTURES, *_DOCUMENTS)
"""What can be written for an image, in the order of writing: layers, pictures, documents."""


def labels_name(source: Path, channel_axis: Any = "auto", axes: str | None = None) -> str:
    """Return the name of an image's label map: a PNG, or for what PNG has no room for a file of the image's family.

    Parameters
    ----------
    source : Path
        An image; one that cannot be read is named as a picture, and reported when it is its turn.
    channel_axis : int, None or "auto"
        Tells volumes from pictures.
    axes : str, optional
        Does so too, and time-lapses.
    """
    suffix = ".png"
    with suppress(GmmsegError):
        first = files_of(source)[0]
        suffix = identify(first).suffix_of_labels(first, channel_axis)
    if suffix == ".png" and set("TZ") & set(axes or ""):
        suffix = ".tif"
    return f"{_folder_name(source) if source.is_dir() else name_of(source)}_labels{suffix}"


def _folder_name(source: Path) -> str:
    """Return what results of a folder are called after: its name, without the suffix of a format or of a scene."""
    name = source.resolve().name  # "." and ".." are folders too
    known = name.lower().endswith(".safe") or any(suffix_of(Path(name), each) for each in FORMATS)
    return stem_of(name) if known else name


def output_name(kind: str, labels: str) -> str:
    """Return the name of another output of the image whose label map has this name.

    Examples
    --------
    >>> output_name("soft", "photo_labels.png"), output_name("soft", "cell_labels.ome.tif")
    ('photo_soft.npz', 'cell_soft.ome.tif')
    >>> [output_name(kind, "ct_labels.dcm") for kind in ("bias", "soft")]
    ['ct_bias.nii.gz', 'ct_soft.dcm']
    >>> output_name("style", "land_labels.tif")
    'land_labels.qml'
    """
    if kind == "labels":
        return labels
    stem, _, ending = labels.rpartition("_labels")
    if kind == "style":  # a program that shows the labels finds it by their name
        return f"{stem}_labels{ENDINGS[kind]}"
    return f"{stem}_{kind}{ENDINGS[kind] if kind not in LAYER_OF else _family(LAYER_OF[kind], ending)}"


def _family(layer: Layer, ending: str) -> str:
    """Return the suffix of a layer beside a label map of this suffix: one by which it stays where its image lies."""
    if ending in (".png", ".tif"):  # a picture has no place, and .tif of maps keeps one
        return layer.ending
    with suppress(OutputError):
        choose(Path(f"a{ending}"), kind=layer.kind)
        return ending
    return ".nii.gz" if ending == ".dcm" else layer.ending  # NIfTI has the place of a series


def with_side_files(kind: str, path: Path) -> list[Path]:
    """Return the file of an output, and those that may be written beside it.

    Examples
    --------
    >>> [each.name for each in with_side_files("labels", Path("a_labels.tif"))]
    ['a_labels.tif', 'a_labels.tif.aux.xml']
    """
    if kind not in LAYER_OF:
        return [path]
    layer = LAYER_OF[kind].kind
    return [path, *side_files(path, layer, choose(path, kind=layer))]


def option_of(kind: str) -> str:
    """Return what the command line calls the option that names a file for an output.

    Examples
    --------
    >>> option_of("bias"), option_of("overlay")
    ('--save-bias', '--overlay')
    """
    return LAYER_OF[kind].option if kind in LAYER_OF else f"--{kind}"


def check_outputs(outputs: Mapping[str, Path], *, overwrite: bool) -> None:
    """Refuse outputs that could not be written, before anything is read.

    Parameters
    ----------
    outputs : mapping of str to Path
        Files by what they hold: one or several of `KINDS`.
    overwrite : bool
        Whether existing files may be replaced.

    Raises
    ------
    OutputError
        A suffix, a folder, or a file that exists.
    ParameterError
        An output of no known kind.
    """
    from gmmseg.io.writing import check_target  # here, because help names outputs only

    for kind, path in outputs.items():
        if kind not in KINDS:
            raise ParameterError(f"outputs has {kind!r}, which is nothing to write; use {', '.join(KINDS)}")
        if kind in _DOCUMENTS:
            _check_document(kind, path, overwrite=overwrite)
        else:
            drawn = kind in PICTURES or _is_corrected_picture(kind, path)
            check_target(path, kind="picture" if drawn else LAYER_OF[kind].kind, overwrite=overwrite)


def check_room(source: Path, outputs: Mapping[str, Path], image: Image) -> None:
    """Refuse outputs that have no room for an image; the other parameters are those of `process`.

    Raises
    ------
    OutputError
        A format without room for that many axes, or such numbers.
    """
    from gmmseg.io.writing import check_format, check_picture  # here, because help names outputs only

    for kind, path in outputs.items():
        if kind in PICTURES and (image.time or image.ndim not in (2, 3)):
            what = "an overlay needs" if kind == "overlay" else "contours need"
            frames = "frames in time" if image.time else f"{image.ndim} axes"
            raise OutputError(f"{path}: {what} a picture or a volume, {source} has {frames}; leave it out")
        if _is_corrected_picture(kind, path):
            check_picture(path, image)
        elif kind in LAYER_OF:
            check_format(path, kind=LAYER_OF[kind].kind, ndim=image.ndim, image=image)


def _is_corrected_picture(kind: str, path: Path) -> bool:
    from gmmseg.io.writing import is_picture  # here, because help names outputs only

    return kind == "corrected" and is_picture(path)


def _check_document(kind: str, path: Path, *, overwrite: bool) -> None:
    """Refuse a style, a table, a report or a model that could not be written."""
    if kind == "style":
        from gmmseg.export.styles import check_style  # here, because most runs write none

        check_style(path, overwrite=overwrite)
    elif kind == "table":
        from gmmseg.measuring.table import check_table  # here, because most runs measure nothing

        check_table(path, overwrite=overwrite)
    elif kind == "report":
        from gmmseg.report.page import check_page  # here, because most runs report nothing

        check_page(path, overwrite=overwrite)
    elif path.suffix.lower() != ".json":
        raise OutputError(f"{path}: models are written as JSON; give it a name that ends in .json")
    else:
        check_place(path, overwrite=overwrite)


def require_distinct(targets: Iterable[tuple[Path, Mapping[str, Path]]], inputs: Sequence[Path]) -> None:
    """Refuse to write one file twice, or over anything that is read.

    Parameters
    ----------
    targets : iterable of (Path, mapping of str to Path)
        Images and their outputs.
    inputs : sequence of Path
        Files that are read, the images among them.

    Raises
    ------
    ParameterError
        Names both files and the remedy.
    """
    read = {_identity(path): path for each in reversed(inputs) for path in files_of(each)}
    owners: dict[str, Path] = {}
    for source, outputs in targets:
        for path in outputs.values():
            place = _identity(path)
            if place in read:
                raise ParameterError(
                    f"{path} would be written over {read[place]}, which is an input; choose another name or folder"
                )
            if place in owners:
                raise ParameterError(_clash(owners[place], source, path))
            owners[place] = source


def _clash(first: Path, second: Path, path: Path) -> str:
    if first is second:
        return f"{path} is named for two results; give each its own name"
    if _identity(first) == _identity(second):
        return f"{second} is given twice; name each image once"
    return f"{first} and {second} would both be written to {path}; segment them one at a time, or rename one"


def _identity(path: Path) -> str:
    """Return what tells whether two paths are the same file, also through links and before it exists."""
    with suppress(OSError, ValueError):
        status = path.stat()
        return f"{status.st_dev}:{status.st_ino}"
    return os.path.realpath(path)
