"""relabel(): classes of a label map or of a model merged, renamed and dropped, from file to file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gmmseg.arrays import Array
from gmmseg.checks import MEMORY
from gmmseg.errors import InputError, OutputError
from gmmseg.export.georeference import colors_in, names_in
from gmmseg.image import Image
from gmmseg.image.windows import Window
from gmmseg.io.classes import Regrouping, default_names, own_names, regroup
from gmmseg.io.contents import Contents
from gmmseg.io.ground import Ground, pixels_of
from gmmseg.io.label_maps import label_windows, open_labels
from gmmseg.io.palette import palette
from gmmseg.io.request import Reading
from gmmseg.io.writing import check_target, write_windows
from gmmseg.labelling.summary import ClassSummary, sizes_of
from gmmseg.model import load_model

__all__ = ["relabel"]

_MOST_CLASSES = 0xFFFF


def relabel(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    merge: Any = (),
    rename: Mapping[Any, str] | None = None,
    drop: Any = (),
    keep_numbers: bool = False,
    memory: int = MEMORY,
    overwrite: bool = False,
) -> tuple[ClassSummary, ...]:
    """Merge, rename and drop classes of a label map or of a model.

    Parameters
    ----------
    source : path-like
        A label map in any format that is read, or a model (.json).
    target : path-like
        The suffix chooses the format; place, resolution, names and colours are kept as far as it can hold them. Of a
        model again a model, which `apply` gives the merged classes of.
    merge : iterable of groups, or one group
        A group is two or more classes by number or name, as in `merge=(3, 4)` or `merge=[(3, 4), ("oak", "pine")]`. It
        keeps the lowest of the numbers, and its colour, and the name of the class that is named first.
    rename : mapping of (int or str) to str, optional
        New names, as in `{1: "water"}`; of a group by any of its classes.
    drop : int, str, or iterable of these
        Classes that become 0, no data.
    keep_numbers : bool
        Whether the classes that stay keep their numbers. Otherwise each number moves down by one for each number below
        it that was merged into another or dropped, whatever the pixels are: maps of the same classes go on agreeing.
    memory : int
        Bytes that may be taken; label maps of more than half of that are read and written window by window.
    overwrite : bool
        Whether an existing file may be replaced.

    Returns
    -------
    tuple of ClassSummary
        The new classes, with their shares of the pixels that have one, or of a model their weights.

    Raises
    ------
    InputError
        The source cannot be read, or holds numbers of objects and not of classes.
    OutputError
        The target exists, or its format cannot hold the result.
    ParameterError
        A class does not exist; the message lists those that do. Or the changes contradict one another.

    Notes
    -----
    The classes of a label map are those that it names and those that it holds. It is read twice.

    Examples
    --------
    >>> import tempfile
    >>> from gmmseg.io import read_labels, write_labels
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     old, new = Path(folder, "old.png"), Path(folder, "new.png")
    ...     write_labels(old, np.array([[0, 1, 2, 3, 4]]))
    ...     classes = relabel(old, new, merge=(2, 3), rename={4: "water"})
    ...     print(read_labels(new), [each.name for each in classes])
    [[0 1 2 2 3]] ['class 1', 'class 2', 'water']
    """
    source, target = Path(source), Path(target)
    if target.exists() and source.exists() and target.samefile(source):
        raise OutputError(f"{target} would be written over itself; choose another name")
    if source.suffix.lower() == ".json":
        return _relabel_model(
            source, target, overwrite=overwrite, merge=merge, rename=rename, drop=drop, keep_numbers=keep_numbers
        )
    check_target(target, overwrite=overwrite)
    image = open_labels(source, Reading(memory=memory // 2, budget=memory))
    named, ground = names_in(source) or (), Ground.of(image)
    counts = _counts(image, ground)
    there = {*range(1, len(named) + 1), *counts} - {0}
    every = default_names(max(there, default=0), named)
    names = {n: every[n - 1] for n in sorted(there)}
    changes = regroup(names, merge=merge, rename=rename, drop=drop, keep_numbers=keep_numbers, where=str(source))
    own = colors_in(source)
    colors, given = _colors(own, changes)
    # What `write_labels` stores as objects stays that; names and colours are of classes.
    stored = image.pixels.dtype
    numbered = stored.kind == "u" and stored.itemsize > 1 and own is None and not own_names(changes.names)
    dtype = str(np.min_scalar_type(max(len(changes.names), 256 if numbered else 0)))
    # Without colours of its own a map has those of the palette, which formats give by themselves.
    options = {"palette": colors} if given and dtype == "uint8" and target.suffix.lower() != ".npy" else {}
    contents = Contents("labels", image.shape, dtype, changes.names, image, options)
    write_windows(target, contents, _changed(image, changes, dtype), overwrite=overwrite)
    return _summaries(changes, counts, ground, colors)


def _relabel_model(source: Path, target: Path, *, overwrite: bool, **changes: Any) -> tuple[ClassSummary, ...]:
    """Relabel a model."""
    if target.suffix.lower() != ".json":
        raise OutputError(f"{target}: models are written as JSON; give it a name that ends in .json")
    model = load_model(source).relabel(**changes)
    model.save(target, overwrite=overwrite)
    shown = palette(model.k)
    return tuple(
        ClassSummary(label, name, float(weight), None, {}, _rgb(shown[label]))
        for label, (name, weight) in enumerate(zip(model.class_names, model.weights, strict=True), 1)
        if weight > 0
    )


def _counts(image: Image, ground: Ground) -> dict[int, Array]:
    """Return how many pixels each number has, and how often they cover the ground's `each`."""
    totals: dict[int, Array] = {}
    for window, labels in label_windows(image):
        low, high = int(labels.min(initial=0)), int(labels.max(initial=0))
        if low < 0 or high > _MOST_CLASSES:
            raise InputError(
                f"{image.name} has numbers from {low} to {high}, but classes are numbered up to {_MOST_CLASSES}; "
                "give a map of classes, not of objects"
            )
        found = np.stack([pixels_of(labels, high + 1), ground.counts(window, labels, high + 1)], axis=1)
        for number in np.flatnonzero(found[:, 0]).tolist():
            totals[number] = totals.get(number, 0) + found[number]
    return totals


def _changed(image: Image, changes: Regrouping, dtype: str) -> Iterator[tuple[Window, Array]]:
    """Go through the new labels."""
    table = np.zeros(max(changes.numbers) + 1, dtype)
    table[[*changes.numbers]] = [*changes.numbers.values()]
    for window, labels in label_windows(image):
        yield window, table[labels]


def _colors(own: Array | None, changes: Regrouping) -> tuple[Array, bool]:
    """Return the colours of the new classes, 0 first: those of the classes that they come from; and if any is not ours.

    A class that the map has no colour for gets that of the palette.
    """
    colors = palette(255)[np.arange(max(256, max(changes.origins) + 1)) % 256]
    if own is not None:
        colors[1 : len(own) + 1] = own[: len(colors) - 1]
    moved = np.concatenate([colors[:1], colors[[*changes.origins]]])
    return moved, not np.array_equal(moved[:256], palette(min(255, len(moved) - 1)))


def _summaries(
    changes: Regrouping, counts: Mapping[int, Array], ground: Ground, colors: Array
) -> tuple[ClassSummary, ...]:
    found = np.zeros((len(changes.names) + 1, 2), np.int64)
    for old, new in changes.numbers.items():
        found[new] += counts.get(old, 0)
    shares = found[:, 0] / max(1, found[1:, 0].sum())
    sizes = [sizes_of(pixels, covered, ground) for pixels, covered in found.tolist()]
    return tuple(
        ClassSummary(new, name, float(shares[new]), None, {}, _rgb(colors[new]), sizes[new])
        for new, (name, old) in enumerate(zip(changes.names, changes.origins, strict=True), 1)
        if old
    )


def _rgb(color: Array) -> tuple[int, int, int]:
    red, green, blue = color.tolist()
    return red, green, blue
