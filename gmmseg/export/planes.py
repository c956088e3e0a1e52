"""Label maps of volumes and time-lapses: one of their planes, or the instances of each."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gmmseg.arrays import Array
from gmmseg.errors import ParameterError
from gmmseg.export.choice import Choice
from gmmseg.export.instances import Instances, instances_of
from gmmseg.export.kinds import Kind

__all__ = ["Plane", "find_in_planes", "plane_of"]


class Plane(NamedTuple):
    """The instances of one plane of a volume or frame of a time-lapse.

    Parameters
    ----------
    frame, plane : int
        From 1; 0 where there are none.
    instances : Instances

    Examples
    --------
    >>> from gmmseg.export import find_instances
    >>> Plane(frame=3, plane=0, instances=find_instances(np.array([[1, 2]]))).frame
    3
    """

    frame: int
    plane: int
    instances: Instances


def plane_of(labels: Array, *, time: bool, frame: int | None = None, plane: int | None = None) -> Array:
    """Return one plane (rows, columns) of labels, as they are where they have no others.

    Parameters
    ----------
    labels : ndarray, shape ([frames,] [planes,] rows, columns)
    time : bool
        Whether the first axis is of frames.
    frame, plane : int, optional
        From 1; they may be left out where there is one.

    Raises
    ------
    ParameterError
        There is no such one, or there are several of which none was given.

    Examples
    --------
    >>> plane_of(np.array([[[1, 2]], [[3, 4]]]), time=True, frame=2)
    array([[3, 4]])
    """
    _require_axes(labels, time)
    if labels.ndim == 3 + time:
        labels = _one(labels, int(time), "plane", plane)
    elif plane is not None:
        raise ParameterError(f"plane={plane} was given, but the labels have no planes; leave it out")
    if time:
        return _one(labels, 0, "frame", frame)
    if frame is not None:
        raise ParameterError(f"frame={frame} was given, but the labels have no frames; leave it out")
    return labels


def _require_axes(labels: Array, time: bool) -> None:
    if not 0 <= labels.ndim - time - 2 <= 1 or labels.size == 0:
        raise ParameterError(f"labels have shape {labels.shape}, expected ([frames,] [planes,] rows, columns)")


def _one(labels: Array, axis: int, name: str, number: int | None) -> Array:
    n = labels.shape[axis]
    if number is None and n > 1:
        raise ParameterError(
            f"labels have {n} {name}s; pass {name}=1 to {n} for one of them, or export to roi, which holds all"
        )
    number = 1 if number is None else number
    if not 1 <= number <= n:
        raise ParameterError(f"{name}={number} is not there; labels have {name}s 1 to {n}")
    return np.asarray(np.take(labels, number - 1, axis=axis))


def find_in_planes(
    labels: Array,
    *,
    time: bool,
    class_names: Sequence[str] | None = None,
    instances: Kind | None = None,
    min_size: int = 1,
    choice: Choice | None = None,
) -> list[Plane]:
    """Find the instances of each plane of a volume, frame of a time-lapse, or plane of volumes over time.

    Parameters
    ----------
    labels : ndarray of integers from 0, shape ([frames,] [planes,] rows, columns)
    time : bool
        Whether the first axis is of frames.
    class_names, instances, min_size, choice
        Of `gmmseg.export.find_instances`; components are connected within their plane.

    Returns
    -------
    list of Plane
        In the order of the file.

    Raises
    ------
    ParameterError
        As of `find_instances`.

    Examples
    --------
    >>> found = find_in_planes(np.array([[[1, 0]], [[2, 1]]]), time=False)
    >>> [(each.frame, each.plane, each.instances.categories.tolist()) for each in found]
    [(0, 1, [1]), (0, 2, [2, 1])]
    """
    choice = choice or Choice()
    given = choice.without_ignored(np.asarray(labels))
    _require_axes(given, time)
    frames = range(1, len(given) + 1) if time else (0,)
    planes = range(1, given.shape[int(time)] + 1) if given.ndim == 3 + time else (0,)
    found = instances_of(given.reshape(-1, *given.shape[-2:]), class_names, instances, min_size, choice)
    return [Plane(*place, each) for place, each in zip(itertools.product(frames, planes), found, strict=True)]
