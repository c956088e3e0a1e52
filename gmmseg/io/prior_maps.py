"""Prior probabilities in files, as they lie over an image: one file of all classes, or one a class."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from gmmseg.errors import InputError
from gmmseg.image import Image
from gmmseg.io.formats import identify
from gmmseg.io.parts import parts_of
from gmmseg.io.reading import as_file
from gmmseg.io.request import Reading
from gmmseg.io.same_place import header_in, turn_of

__all__ = ["prior_of"]


def prior_of(path: str | os.PathLike[str], image: Image) -> np.ndarray:
    """Read prior probabilities of each class at each pixel of an image.

    Parameters
    ----------
    path : path-like
        As of `gmmseg.io.read_probabilities`, or one file a class with "+" between them, in the order of the classes:
        "csf.nii.gz+gm.nii.gz+wm.nii.gz".
    image : Image
        Where it and the file say where they lie, axes in another order or counted from the other end are aligned.

    Returns
    -------
    ndarray, shape (n_classes, *spatial)
        As stored; not yet compared with the shape of the image.

    Raises
    ------
    InputError
        A file cannot be read or lies on another grid, or one of several holds more than one class or another shape.
    """
    parts = parts_of(path)
    maps = [_maps(part, image) for part in parts]
    if len(maps) == 1:
        return maps[0]
    for part, each in zip(parts, maps, strict=True):
        if len(each) != 1:
            raise InputError(f"{part} holds {len(each)} classes; where each class has a file of its own, give one map")
        if each.shape != maps[0].shape:
            raise InputError(
                f"{part} has shape {each.shape[1:]}, but {parts[0]} has {maps[0].shape[1:]}; give maps of one grid"
            )
    return np.concatenate(maps)


def _maps(path: Path, image: Image) -> np.ndarray:
    reading = Reading()
    with as_file(path, reading) as file:
        maps = identify(file).read_probabilities(file, reading)
        turn = turn_of(image, header_in(file))
        return maps if turn is None or turn.stored != maps.shape[1:] else turn.of(maps, leading=1)
