"""Label maps in folders, by patterns, in lists and by name, and the pictures that they are of."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from gmmseg.batch.inputs import Found, find_images
from gmmseg.batch.manifest import Manifest
from gmmseg.errors import GmmsegError, InputError
from gmmseg.export.dataset import LabelMap
from gmmseg.io.formats import identify
from gmmseg.io.parts import stem_of

__all__ = ["done_maps", "find_label_maps"]

_ENDING = "_labels"
_INEXACT = (".jpg", ".jpeg", ".webp")  # in which no numbers are kept


def find_label_maps(
    sources: Sequence[str | os.PathLike[str]], *, pictures: Path | None = None, without: Path
) -> list[LabelMap]:
    """Find label maps and their pictures.

    Parameters
    ----------
    sources : sequence of path-like
        As of `gmmseg.batch.inputs.find_images`. Of a folder in which files are called NAME_labels.* these are the label
        maps, otherwise all images.
    pictures : Path, optional
        A folder with the pictures, or one picture for one map. By default what is called NAME.* beside NAME_labels.*,
        and else what the manifest of a batch names.
    without : Path
        What will be written; it is left out of folders.

    Returns
    -------
    list of LabelMap
        Named by the places of the maps below their sources, without suffix and "_labels".

    Raises
    ------
    InputError
        There is no label map, or what `find_images` refuses.
    """
    found = _label_maps(find_images(sources, without=without))
    if not found:
        raise InputError(
            f"{', '.join(map(str, sources))}: there is no label map; name files, or a folder that has some"
        )
    places = None if pictures is None or not pictures.is_dir() else _by_name(pictures)
    manifests: dict[Path, dict[Path, Path]] = {}
    maps = []
    for each in found:
        name = Path(each.place).with_name(_name(each.path)).as_posix()
        if places is not None:
            picture = places.get(name) or places.get(Path(name).name)
        elif pictures is not None:
            picture = pictures
        else:
            if each.base not in manifests:
                manifests[each.base] = _inputs(each.base)
            picture = _beside(each.path) or manifests[each.base].get(_real(each.path))
        maps.append(LabelMap(each.path, picture, name))
    return maps


def done_maps(folder: Path, lines: Iterable[dict[str, Any]]) -> list[LabelMap]:
    """Return the label maps that a batch has written, by the lines of its manifest, in the order of their names."""
    maps = []
    for line in lines:
        if "error" not in line:
            file, source = Path(line["outputs"]["labels"]["file"]), Path(line["input"])
            picture = source if source.is_file() else None
            maps.append(LabelMap(folder / file, picture, (file.parent / _name(file)).as_posix()))
    return sorted(maps, key=lambda each: each.name)


def _label_maps(found: Sequence[Found]) -> list[Found]:
    """Return the label maps among images; what was named itself is one."""
    images = [each for each in found if not each.reason]
    called = {each.base for each in images if _is_called(each.path)}
    return [
        each
        for each in images
        if (each.base in called and _is_called(each.path))
        or (each.base not in called and each.path.suffix.lower() not in _INEXACT)
    ]


def _is_called(path: Path) -> bool:
    return path.name.partition(".")[0].endswith(_ENDING)


def _name(path: Path) -> str:
    """Return the name of what a label map is of: "scene" for scene_labels.nii.gz."""
    return stem_of(path.name).removesuffix(_ENDING)


def _by_name(folder: Path) -> dict[str, Path]:
    """Return the pictures in a folder by their places without suffix, and by their names where only one has it."""
    places: dict[str, Path] = {}
    names: dict[str, list[Path]] = {}
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        for file in sorted(files):
            path = Path(parent, file)
            if not file.startswith(".") and not _is_called(path) and _is_picture(path):
                stem = stem_of(path.name)
                places.setdefault(path.relative_to(folder).with_name(stem).as_posix(), path)
                names.setdefault(stem, []).append(path)
    alone = {name: paths[0] for name, paths in names.items() if len(paths) == 1}
    return alone | places


def _beside(labels: Path) -> Path | None:
    name = _name(labels)
    for path in sorted(labels.parent.glob(f"{glob.escape(name)}.*")):
        if path != labels and stem_of(path.name) == name and _is_picture(path):
            return path
    return None


def _is_picture(path: Path) -> bool:
    if path.suffix.lower() in (".json", ".txt", ".xml", ".yaml"):
        return False
    with suppress(GmmsegError, OSError):
        identify(path)
        return True
    return False


def _inputs(folder: Path) -> dict[Path, Path]:
    """Return what the label maps in a folder were made from, as far as the manifest of a batch says it."""
    with suppress(GmmsegError):
        lines = Manifest.read(folder).lines
        named = {_real(folder / file): Path(str(line.get("input"))) for file, line in lines.items()}
        return {labels: picture for labels, picture in named.items() if picture.exists()}
    return {}


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))
