"""Cleaning of label maps: a region of few pixels, a speck or a hole, gets the label that most of its boundary touches.

What GIS programs call a sieve. A region is a connected part of the map with one label. The map is cut into slabs, some
rows of a picture or planes of a volume each, so that it may lie in a file: regions within a slab are found and merged
slab by slab, and those that reach its first or last row, at the seam to the next slab, wait until all slabs are known.
Pixels are taken in runs of one label along the last axis, of which a map has few.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gmmseg.arrays import Array
from gmmseg.threads import mapped

__all__ = ["sieve", "untouched"]

SLAB = 1 << 20  # pixels that are looked at together: larger slabs leave the cache, smaller ones are mostly seams
_FINENESS = 1000  # of the whole numbers that stand for the areas of faces
_UNTOUCHED = 0.1  # of the largest region of a class that a stroke is on; photographs are as good from .03 to .2
_SCATTER = np.uint64(0x9E3779B97F4A7C15)  # odd, near 2^64 over the golden ratio: numbers in a row are spread by it


def sieve(
    labels: Array, min_size: int, *, spacing: Sequence[float] | None = None, threads: int = 1, out: Array | None = None
) -> Array:
    """Remove specks and holes from a label map: regions of fewer than `min_size` pixels get the label of a neighbour.

    Parameters
    ----------
    labels : ndarray of integers from 0, shape (*spatial)
        0 = no data: neither a region nor a neighbour.
    min_size : int
        Number of pixels or voxels; 1 changes nothing.
    spacing : sequence of float, optional
        Size of a pixel along each axis: boundaries are measured in it. By default all faces of a pixel count alike.
    threads : int
        They do not change the result.
    out : ndarray, optional
        Where the result is written: `labels` itself, or a copy of it. By default a new array.

    Returns
    -------
    ndarray
        `out`. A region below the size is left only where it has no neighbour but no data.

    Notes
    -----
    Regions are connected through the faces of pixels (4 neighbours in pictures, 6 in volumes), as in GDAL's and QGIS's
    sieve by default, and as exported polygons are. The smallest region goes first: to the class with which it shares
    the longest boundary (the largest area in volumes); of equals to that whose number is nearest, then to the lower
    one. It joins all regions of that class around it, so that small regions that touch one another end as one that is
    large enough. Regions of one size follow in a fixed, scattered order. So the result depends on the labels alone, and
    sieving by a size and then by a larger one is sieving by the larger one.

    What is smallest among its neighbours does not depend on what else is merged, so all such regions are merged
    together, and the rounds are few; within a slab all but those that the next slabs may have a say in. Takes about 40
    bytes for each pixel of a slab at work and 100 for each region at a seam of two slabs.

    Examples
    --------
    >>> sieve(np.uint8([[1, 1, 1, 2], [1, 3, 1, 2], [1, 1, 2, 2]]), 2).tolist()
    [[1, 1, 1, 2], [1, 1, 1, 2], [1, 1, 2, 2]]
    """
    if out is None:
        out = labels.copy(order="K")
    if min_size <= 1 or labels.size == 0:
        return out
    if not (labels.flags.c_contiguous or labels.flags.f_contiguous):
        labels = np.ascontiguousarray(labels)
    steps = [math.prod(labels.shape[axis + 1 :]) for axis in range(labels.ndim)]  # of numbers of pixels, in C order
    faces = _faces(spacing, labels.ndim)
    if not labels.flags.c_contiguous:
        labels, out_view, steps, faces = labels.T, out.T, steps[::-1], faces[::-1]
    else:
        out_view = out
    thickness = max(1, SLAB // math.prod(labels.shape[1:]))
    rows = range(0, len(labels), thickness)
    workers = min(threads, len(rows))
    parts = list(mapped(lambda row: _part(labels, out_view, row, thickness, min_size, steps, faces), rows, workers))
    graph, halves = _joined(parts, faces[0], min_size)
    roots = _settle(graph, halves, np.zeros(len(graph.labels), bool), min_size)
    ends = np.cumsum([len(part.graph.labels) for part in parts])
    for part, final, row in zip(parts, np.split(graph.labels[roots], ends[:-1]), rows, strict=True):
        part.runs.write(out_view[row : row + thickness], part.graph.labels, final)
    return out


def untouched(labels: Array, strokes: Array, k: int) -> Array | None:
    """Find small regions that no stroke is on, where the strokes are of every class.

    Parameters
    ----------
    labels : ndarray of integers from 0, shape (*spatial)
        0 = no data.
    strokes : ndarray of integers from 0, shape (*spatial)
        The class of some pixels, 0 where a pixel is free.
    k : int
        Number of classes.

    Returns
    -------
    ndarray of uint8, shape (*spatial), or None
        The label of such a region at its pixels, 0 elsewhere; None where there is none.

    Notes
    -----
    Small is what has less than a tenth of the pixels of the largest region of its class that a stroke is on. So other
    objects of the same kind stay, and specks of a colour that object and background share go; not those with no data
    all around, which have nothing to go to.

    Examples
    --------
    >>> row = np.repeat([1, 2, 1, 2], [12, 20, 1, 12])[None]
    >>> np.flatnonzero(untouched(row, np.where(np.isin(np.arange(45), [3, 15]), row, 0), k=2))
    array([32])
    """
    labels = np.ascontiguousarray(labels)
    shape = labels.shape
    steps = [math.prod(shape[axis + 1 :]) for axis in range(labels.ndim)]
    graph, runs, _, _ = _regions(labels, 0, len(labels), labels.size + 1, steps, [1] * labels.ndim)
    if not runs.starts.size:
        return None
    drawn = np.logical_or.reduceat(((strokes == labels) & (labels > 0)).reshape(-1), runs.starts)
    numbers, touched = graph.labels, np.bincount(runs.owners, drawn, len(graph.labels)) > 0
    largest = np.zeros(max(k, int(numbers.max())) + 1)
    np.maximum.at(largest, numbers[touched], graph.sizes[touched])
    beside = np.bincount(graph.pairs.ravel(), minlength=len(numbers)) > 0
    small = (numbers > 0) & ~touched & beside & (graph.sizes < _UNTOUCHED * largest[numbers])
    if not largest[1 : k + 1].all() or not small.any():
        return None
    out = np.zeros(shape, np.uint8)
    runs.write(out, np.zeros(len(numbers)), np.where(small, numbers, 0))
    return out


def _faces(spacing: Sequence[float] | None, ndim: int) -> list[int]:
    """Area of a pixel's face across each axis, in proportion: [200, 1000] for a spacing of (5, 1).

    They are whole numbers, whose sums are exact in any order.
    """
    if spacing is None:
        return [1] * ndim
    least, unit = min(spacing), 1.0 if max(spacing) < 1e300 else 2.0**-20  # a power of 2 changes no digit
    return [max(1, round(_FINENESS * (least * unit) / (step * unit))) for step in spacing]


@dataclass(eq=False)
class _Graph:
    """The n regions of a slab or of a map, and the boundaries of the small ones; changed as regions merge.

    Parameters
    ----------
    labels : ndarray of int64, shape (n,)
        The label of each region.
    sizes : ndarray of int64, shape (n,)
        Its number of pixels.
    firsts : ndarray of int64, shape (n,)
        The number, in C order, of its first pixel, where it is small.
    pairs : ndarray of int, shape (2, m)
        Neighbouring regions of different labels, both with data and one of them small; may be repeated.
    weights : ndarray of int64, shape (m,)
        Length of the boundary of each pair.
    """

    labels: Array
    sizes: Array
    firsts: Array
    pairs: Array
    weights: Array


@dataclass(frozen=True, eq=False)
class _Runs:
    """Where the small regions of a slab lie: runs of pixels of one region, so that other labels can be written there.

    Parameters
    ----------
    starts, lengths, owners : ndarray, shape (r,)
        Of each run the first pixel in the flattened slab, the number of pixels, and the region.
    """

    starts: Array
    lengths: Array
    owners: Array

    def write(self, slab: Array, before: Array, after: Array) -> None:
        """Write into a slab the runs of the regions whose label after merging (n,) is not that before (n,)."""
        changed = after[self.owners] != before[self.owners]
        starts, lengths = self.starts[changed], self.lengths[changed]
        where = np.repeat(starts - np.cumsum(lengths) + lengths, lengths) + np.arange(lengths.sum())
        np.put(slab, where, np.repeat(after[self.owners[changed]].astype(slab.dtype), lengths))


@dataclass(frozen=True, eq=False)
class _Part:
    """What is kept of a slab until all slabs are known: the regions that others may touch or that are still small.

    Parameters
    ----------
    graph : _Graph
        Those regions.
    runs : _Runs
        Where the small ones lie.
    top, bottom : ndarray, shape (pixels of a row or plane,)
        Region of each pixel of the slab's first and of its last row (plane, in volumes).
    """

    graph: _Graph
    runs: _Runs
    top: Array
    bottom: Array


def _part(
    labels: Array, out: Array, begin: int, thickness: int, min_size: int, steps: Sequence[int], faces: Sequence[int]
) -> _Part:
    """Find the regions of a slab, and merge the small ones whose fate does not depend on other slabs.

    A region at a seam may be larger than it looks, so that it comes later than it would: it waits, and so does what
    comes after it.
    """
    graph, runs, top, bottom = _regions(labels, begin, begin + thickness, min_size, steps, faces)
    n, before = len(graph.labels), graph.labels.copy()
    waiting = np.zeros(n, bool)
    if begin > 0:
        waiting[top] = True
    if begin + thickness < len(labels):
        waiting[bottom] = True
    roots = _settle(graph, np.zeros((2, 0), int), waiting, min_size)
    runs.write(out[begin : begin + thickness], before, graph.labels[roots])
    owners, top, bottom = roots[runs.owners], roots[top], roots[bottom]
    small = graph.sizes[owners] < min_size
    needed = np.zeros(n, bool)
    for each in (owners[small], top, bottom, graph.pairs):
        needed[each] = True
    place = np.cumsum(needed) - 1
    kept = _Graph(graph.labels[needed], graph.sizes[needed], graph.firsts[needed], place[graph.pairs], graph.weights)
    left = _Runs(runs.starts[small], runs.lengths[small], place[owners[small]])
    return _Part(kept, left, place[top], place[bottom])


def _regions(
    labels: Array, begin: int, end: int, min_size: int, steps: Sequence[int], faces: Sequence[int]
) -> tuple[_Graph, _Runs, Array, Array]:
    """Find the regions of a slab, the runs of the small ones, and the region of each pixel of its first and last row.

    In volumes these are its first and last plane.
    """
    slab = labels[begin:end]
    flat, plane, width = slab.reshape(-1), math.prod(slab.shape[1:]), slab.shape[-1]
    change = np.empty(flat.size, bool)
    np.not_equal(flat[1:], flat[:-1], out=change[1:])
    change.reshape(-1, width)[:, 0] = True
    starts = np.flatnonzero(change)
    values = flat[starts]
    run_of: Array = np.cumsum(change, dtype=np.int32 if flat.size < 1 << 31 else np.int64)
    run_of -= 1
    inner = np.flatnonzero(starts[1:] % width)
    touching = [(inner, inner + 1, np.full(len(inner), faces[-1]))]
    for axis in range(slab.ndim - 1):
        touching.append(_across(change, run_of, slab.shape, axis, faces[axis]))
    one, other, weights = (np.concatenate(column) for column in zip(*touching, strict=True))
    same = values[one] == values[other]
    owners = _components(len(starts), one[same], other[same])
    lengths = np.diff(starts, append=flat.size)
    sizes = np.bincount(owners, lengths).astype(np.int64)
    numbers = np.empty(len(sizes), np.int64)
    numbers[owners] = values
    small = (sizes < min_size) & (numbers > 0)
    kept = np.flatnonzero(small[owners])
    firsts = np.full(len(sizes), np.iinfo(np.int64).max)
    np.minimum.at(firsts, owners[kept], _pixel_numbers(starts[kept] + begin * plane, labels.shape, steps))
    differ = ~same & (values[one] > 0) & (values[other] > 0)
    pairs, weights = owners[np.stack([one[differ], other[differ]])], weights[differ]
    near = small[pairs].any(axis=0)
    graph = _Graph(numbers, sizes, firsts, pairs[:, near], weights[near])
    runs = _Runs(starts[kept], lengths[kept], owners[kept])
    return graph, runs, owners[run_of[:plane]], owners[run_of[-plane:]]


def _across(change: Array, run_of: Array, shape: tuple[int, ...], axis: int, face: int) -> tuple[Array, Array, Array]:
    """Return pairs of runs that touch across an axis, as from one row to the next, and the area of each contact.

    A contact begins where one of the two runs begins, and ends where the next one does.
    """
    n, step = shape[axis], math.prod(shape[axis + 1 :])
    lines = change.reshape(-1, n, step)
    begins = np.flatnonzero(lines[:, :-1] | lines[:, 1:])
    lengths = np.diff(begins, append=change.size // n * (n - 1))
    if axis > 0 and n > 1:
        begins = begins + begins // ((n - 1) * step) * step
    return run_of[begins], run_of[begins + step], face * lengths


def _components(n: int, one: Array, other: Array) -> Array:
    """Number the connected components of n nodes, of which `one[i]` is linked to `other[i]`; return each node's (n,).

    Each root is hung below the lowest one that it is linked to, and paths are made short: at least half of the roots
    that are linked go in a round. As fast as SciPy's, which takes longer to load than a picture to clean.
    """
    parents = np.arange(n)
    while one.size:
        np.minimum.at(parents, np.maximum(one, other), np.minimum(one, other))
        parents = _shortened(parents)
        one, other = parents[one], parents[other]
        apart = one != other
        one, other = one[apart], other[apart]
    return np.asarray((np.cumsum(parents == np.arange(n)) - 1)[parents])


def _shortened(parents: Array) -> Array:
    """Return the root of each node (n,), given the parent of each; a root is its own parent."""
    while ((above := parents[parents]) != parents).any():
        parents = above
    return parents


def _pixel_numbers(positions: Array, shape: tuple[int, ...], steps: Sequence[int]) -> Array:
    """Numbers of pixels in the C order of the caller's array, given their positions in one that may be its transpose.

    `shape` is that of the latter, and `steps` by how much the number changes along each of its axes.
    """
    numbers = np.zeros(len(positions), np.int64)
    for n, step in zip(reversed(shape), reversed(steps), strict=True):
        positions, index = np.divmod(positions, n)
        numbers += index * step
    return numbers


def _joined(parts: Sequence[_Part], face: int, min_size: int) -> tuple[_Graph, Array]:
    """Make one graph of the graphs of all slabs, and list the pairs of regions (2, s) that are one, cut by a seam."""
    offsets = np.cumsum([0, *(len(part.graph.labels) for part in parts)])
    labels, sizes, firsts, weights = (
        np.concatenate([getattr(part.graph, name) for part in parts])
        for name in ("labels", "sizes", "firsts", "weights")
    )
    shifted = list(zip(parts, offsets[:-1], strict=True))
    pairs = np.concatenate([part.graph.pairs + offset for part, offset in shifted], axis=1)
    above = [part.bottom + offset for part, offset in shifted[:-1]]
    below = [part.top + offset for part, offset in shifted[1:]]
    seams = np.array([above, below], np.int64).reshape(2, -1)
    seams = seams[:, (labels[seams] > 0).all(axis=0)]
    same = labels[seams[0]] == labels[seams[1]]
    edges = seams[:, ~same & (sizes[seams] < min_size).any(axis=0)]
    pairs = np.concatenate([pairs, edges], axis=1)
    weights = np.concatenate([weights, np.full(edges.shape[1], face)])
    return _Graph(labels, sizes, firsts, pairs, weights), seams[:, same]


def _settle(graph: _Graph, joining: Array, waiting: Array, min_size: int) -> Array:
    """Merge small regions, the smallest first, until only waiting ones are left with a neighbour.

    Parameters
    ----------
    graph : _Graph
        Changed: of merged regions the entries of the one they are part of are true. Boundaries that cannot matter any
        more are left out.
    joining : ndarray, shape (2, m)
        Pairs of regions that are one to begin with.
    waiting : ndarray of bool, shape (n,)
        Regions that must not be merged yet, as another slab may hold more of them; small neighbours whose turn comes
        after theirs wait with them.
    min_size : int

    Returns
    -------
    ndarray of int, shape (n,)
        The region that each is part of now.
    """
    labels, sizes, firsts, waiting = graph.labels, graph.sizes, graph.firsts, waiting.copy()
    parents = np.arange(len(labels))
    while True:
        _merge(parents, sizes, firsts, waiting, joining)
        pairs, small = parents[graph.pairs], sizes < min_size
        kept = (pairs[0] != pairs[1]) & small[pairs].any(axis=0)
        graph.pairs, graph.weights = pairs, weights = pairs[:, kept], graph.weights[kept]
        source, target = np.concatenate([pairs, pairs[::-1]], axis=1)
        ready = np.zeros(len(labels), bool)
        ready[source] = small[source]
        ranks = _ranks(np.flatnonzero(ready), sizes, firsts)
        ready[source[ranks[target] < ranks[source]]] = False
        ready &= ~waiting
        if not ready.any():
            break
        chosen = ready[source]
        source, target = source[chosen], target[chosen]
        best = _longest(source, labels[target], labels, np.concatenate([weights, weights])[chosen])
        joining = np.stack([source, target])[:, labels[target] == best[source]]
        labels[source] = best[source]
    return _shortened(parents)


def _merge(parents: Array, sizes: Array, firsts: Array, waiting: Array, links: Array) -> None:
    """Join regions that are linked, in pairs (2, m), into the one of the lowest number, whose entries are changed."""
    involved = np.zeros(len(parents), bool)
    involved[links] = True
    nodes = np.flatnonzero(involved)
    place = np.cumsum(involved) - 1
    groups = _components(len(nodes), *place[links])
    roots = np.empty(len(nodes), np.int64)
    roots[groups[::-1]] = nodes[::-1]
    totals = np.bincount(groups, sizes[nodes])
    np.minimum.at(firsts, roots[groups], firsts[nodes])
    np.logical_or.at(waiting, roots[groups], waiting[nodes])
    sizes[roots[: len(totals)]] = totals
    parents[nodes] = roots[groups]


def _ranks(small: Array, sizes: Array, firsts: Array) -> Array:
    """Number small regions in the order in which they go: by size, and those of one size by their scattered place."""
    scattered = firsts[small].astype(np.uint64) * _SCATTER
    ranks = np.full(len(sizes), len(sizes))
    ranks[small[np.lexsort((scattered, sizes[small]))]] = np.arange(len(small))
    return ranks


def _longest(source: Array, around: Array, labels: Array, weights: Array) -> Array:
    """Return for each region (n,) the label with which it shares its longest boundary; its own where it has none.

    Boundary i, of length `weights[i]`, is between region `source[i]` and a neighbour of label `around[i]`.
    """
    order = np.lexsort((around, source))
    source, around, weights = source[order], around[order], weights[order]
    first = np.flatnonzero(np.append(True, (source[1:] != source[:-1]) | (around[1:] != around[:-1])))
    lengths = np.add.reduceat(weights, first)
    source, around = source[first], around[first]
    order = np.lexsort((around, np.abs(around - labels[source]), -lengths, source))[::-1]
    best = labels.copy()
    best[source[order]] = around[order]  # the last that is written is the first in order
    return best
