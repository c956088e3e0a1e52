"""Instances: what an export lists one by one, found in a label map."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np

from gmmseg.arrays import Array
from gmmseg.checks import number_within, single
from gmmseg.errors import ParameterError
from gmmseg.export.choice import Choice
from gmmseg.export.kinds import Kind
from gmmseg.io.classes import default_names

__all__ = ["Instances", "class_names_for", "find_instances", "instances_of"]


@dataclass(frozen=True, eq=False)
class Instances:
    """The instances of a label map.

    Parameters
    ----------
    labels : ndarray of uint8, uint16 or uint32, shape (rows, columns)
        The label map; 0 = no data, or in a region that was too small.
    parts : ndarray of int32, shape (rows, columns)
        4-connected regions 1 to n_parts in the order of their first pixels; 0 = none.
    instance_of : ndarray of int32, shape (n_parts + 1,)
        Instance of each region, 1 to n; 0 for region 0.
    categories : ndarray of int64, shape (n,)
        Number of each instance's class, from 1.
    names : tuple of str
        Name of each class, the first of class 1.
    kind : {"component", "class", "object"}
        See `find_instances`.
    values : ndarray of int64, shape (n,)
        Number of each instance in the label map: of its class, or its own where numbers are objects.
    classes : tuple of int
        Numbers of the classes that are listed: all, or those that were chosen.

    Examples
    --------
    >>> found = find_instances(np.array([[1, 0, 1], [2, 2, 1]]))
    >>> len(found), found.categories.tolist(), found.parts.tolist()
    (3, [1, 1, 2], [[1, 0, 2], [3, 3, 2]])
    """

    labels: Array
    parts: Array
    instance_of: Array
    categories: Array
    names: tuple[str, ...]
    kind: Kind
    values: Array
    classes: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        rows, columns = self.labels.shape
        return rows, columns

    def __len__(self) -> int:
        return len(self.categories)

    @property
    def numbers(self) -> Array:
        """Number of the instance of each pixel (rows, columns), int32, from 1; 0 = none."""
        return self.parts if self.kind == "component" else self.instance_of[self.parts]

    def name_of(self, instance: int) -> str:
        """Return the name of the class of an instance, the first of which is 0."""
        return self.names[int(self.categories[instance]) - 1]


def find_instances(
    labels: Array,
    *,
    class_names: Sequence[str] | None = None,
    instances: Kind | None = None,
    min_size: int = 1,
    choice: Choice | None = None,
) -> Instances:
    """Find the instances of a label map.

    Parameters
    ----------
    labels : ndarray of integers from 0, shape (rows, columns)
        0 = no data. A mask of 8 bits, 0 and 255, is one class.
    class_names : sequence of str, optional
        One name a class, at least as many as the largest label; by default "class 1", ... Of objects the one name of
        all, by default "object".
    instances : {"component", "class", "object"}, optional
        What an instance is: a 4-connected region of a class, all pixels of a class, or all pixels of a number, where
        numbers are objects of one class (as regions and cells are). By default the dtype decides, whatever the numbers:
        objects for uint16 and uint32, as gmmseg writes them, components for all others, in which the largest is 255.
    min_size : int
        4-connected regions of fewer pixels are left out.
    choice : Choice, optional
        Which classes are listed; by default all.

    Returns
    -------
    Instances

    Raises
    ------
    ParameterError
        The labels are no whole numbers from 0 or have other axes than rows and columns, there are fewer names than
        classes, nothing says what numbers above 255 are, a chosen class is not there, or another parameter is out of
        range.

    Notes
    -----
    4-connected, so that the outline of a region never touches itself. Takes about 20 bytes a pixel.

    Examples
    --------
    >>> found = find_instances(np.array([[1, 0, 1], [2, 2, 1]]), class_names=["land", "water"])
    >>> found.numbers.tolist(), [found.name_of(i) for i in range(len(found))]
    ([[1, 0, 2], [3, 3, 2]], ['land', 'land', 'water'])
    """
    given = (choice or Choice()).without_ignored(np.asarray(labels))
    if given.ndim != 2 or given.size == 0:
        raise ParameterError(f"labels have shape {given.shape}, expected (rows, columns); export one plane of them")
    (found,) = instances_of(given[None], class_names, instances, min_size, choice or Choice())
    return found


def instances_of(
    given: Array, class_names: Sequence[str] | None, instances: Kind | None, min_size: int, choice: Choice
) -> Iterator[Instances]:
    """Find the instances of planes (n, rows, columns), which are of one kind, as `find_instances` does of one."""
    if single("instances", instances) is not None and instances not in get_args(Kind):
        raise ParameterError(f"instances={instances!r} is not known; use {', '.join(get_args(Kind))}")
    number_within("min_size", min_size, 1, float("inf"), "is not a number of pixels; use at least 1")
    every = _checked(given)
    kind = instances or _kind(given, every)
    largest = 1 if kind == "object" else int(every.max())
    names = class_names_for(class_names, largest, "object" if kind == "object" else None)
    left_out, _ = choice.left_out(None if kind == "object" else names, every)
    if len(left_out):
        every = np.where(np.isin(every, left_out), every.dtype.type(0), every)
    classes = tuple(each for each in range(1, len(names) + 1) if kind == "object" or each not in left_out)
    for numbers in every:
        yield _found(numbers, kind, names, min_size, classes)


def _found(numbers: Array, kind: Kind, names: tuple[str, ...], min_size: int, classes: tuple[int, ...]) -> Instances:
    """Return the instances of one plane, of which nothing but small regions is to be left out."""
    from skimage.measure import label

    parts: Array = label(numbers, background=0, connectivity=1).astype(np.int32)
    if min_size > 1:
        large = np.bincount(parts.ravel()) >= min_size
        large[0] = False
        parts = (np.cumsum(large, dtype=np.int32) * large)[parts]
        numbers = np.where(parts > 0, numbers, numbers.dtype.type(0))
    first = np.zeros(int(parts.max()) + 1, numbers.dtype)
    first[parts] = numbers
    values, instance_of = np.unique(first[1:], return_inverse=True)
    if kind == "component":
        values, instance_of = first[1:], np.arange(len(first) - 1)
    categories = np.ones(len(values), int) if kind == "object" else values
    return Instances(
        labels=numbers,
        parts=parts,
        instance_of=np.concatenate([[0], instance_of + 1]).astype(np.int32),
        categories=categories.astype(np.int64),
        names=names,
        kind=kind,
        values=values.astype(np.int64),
        classes=classes,
    )


def _kind(given: Array, numbers: Array) -> Kind:
    """Return what the numbers of a label map are, as its dtype says it."""
    if given.dtype.kind == "u" and given.dtype.itemsize in (2, 4):
        return "object"
    if numbers.dtype.itemsize > 1:
        raise ParameterError(
            f"labels of dtype {given.dtype} go up to {numbers.max()}, and nothing says whether they are classes or "
            "objects; pass instances=object, or instances=class"
        )
    return "component"


def _checked(labels: Array) -> Array:
    """Return labels of any axes in an unsigned dtype of at most 32 bits."""
    numbers = np.asarray(labels)
    if numbers.dtype.kind not in "bui":
        raise ParameterError(f"labels have dtype {numbers.dtype}, expected whole numbers from 0; convert them to uint8")
    low, high = int(numbers.min()), int(numbers.max())
    if low < 0 or high > 0xFFFFFFFF:
        raise ParameterError(f"labels go from {low} to {high}, expected 0 to 4294967295; renumber them")
    numbers = numbers.astype(np.min_scalar_type(high), copy=False)
    if high == 255 and bool(np.isin(numbers, (0, 255)).all()):
        return (numbers > 0).astype(np.uint8)
    return numbers


def class_names_for(given: Sequence[str] | None, n: int, default: str | None = None) -> tuple[str, ...]:
    """Return the names given for n classes, or the default ones."""
    if given is None:
        return (default,) if default else default_names(n)
    names = tuple(given)
    if len(names) < n:
        given_names = "1 class name was" if len(names) == 1 else f"{len(names)} class names were"
        raise ParameterError(f"{given_names} given, but the largest label is {n}; name every class")
    if len(set(names)) < len(names) or not all(isinstance(name, str) and name.strip() for name in names):
        raise ParameterError(f"class_names={list(names)} has an empty or repeated name; name every class differently")
    return names
