"""Independence: whether pixels of a class vary each by itself, as noise does, and classes that noise has cut.

A hidden Markov random field takes pixels for independent, given their classes. In noise they are, and the strength that
it estimates for their neighbours is right. In photographs what varies within a class is texture and shading, which
neighbours have in common: there it finds them too strong.
"""

from __future__ import annotations

import numpy as np

from gmmseg.arrays import Array
from gmmseg.fitting.scene import Scene
from gmmseg.mixture.memberships import moments
from gmmseg.mixture.parameters import Mixture
from gmmseg.spatial.bias import BiasField

__all__ = ["are_one", "mixing", "without_noise"]

_ENOUGH = 1 << 13  # pixels that are looked at, where there are more
_FEW = 100  # neighbours of two classes, by which nothing is told
# Correlation of neighbours in a class: .05 to .25 on fluorescence of few photons, .38 and more on photographs.
_ALIKE = 0.3
# Neighbours of unlike classes, in parts of the unlike pixels two apart, which are more of them where classes have
# borders: .86 to 1 on fluorescence of few photons, .7 on regions of two pixels, up to .82 on photographs.
_SCATTERED = 0.85
# Of what is expected if two classes lay at random among each other: .85 to 1 where one ground of few photons was cut,
# .7 and less where both are something of their own, but sand or grass.
_AT_RANDOM = 0.8
_LINES = 4  # of so many rows one tells whether classes lie at random, where that is asked of whole pictures


def without_noise(scene: Scene, mixture: Mixture, field: BiasField | None) -> Mixture | None:
    """Return classes whose pixels differ from their neighbours by noise; None where they do by something else.

    That is where pixels of a class are nearly independent of their neighbours, and neighbours are of other classes
    nearly as often as pixels two apart.

    Parameters
    ----------
    scene : Scene
        Of one picture, without a prior.
    mixture : Mixture
        Of one feature.
    field : BiasField, optional
        That is taken out.

    Returns
    -------
    mixture : Mixture or None
        As it was; or of fewer classes, where some are one cut by noise: those next to each other in brightness whose
        pixels lie at random among each other.
    """
    some = scene.in_patches(_ENOUGH)
    planes = some.planes(None if field is None else field.within(some.patches.axes))
    labels = np.where(some.patches.valid, mixture.labels(planes), 0).reshape(some.patches.shape)
    outward = np.argsort(mixture.means[:, 0], kind="stable")
    beside = _beside(_pairs(labels), mixture.n_components)
    apart = [mixing(beside, a, b) < _AT_RANDOM for a, b in zip(outward[:-1] + 1, outward[1:] + 1, strict=True)]
    groups = np.empty(len(outward) + 1, np.intp)
    groups[0], groups[outward + 1] = 0, np.cumsum([1, *apart])
    number = int(groups.max())
    joint = groups[labels]
    if number == 1 or _unlike(joint, 1) < _SCATTERED * _unlike(joint, 2):
        return None
    if _correlation(planes[0].reshape(labels.shape), joint) > _ALIKE:
        return None
    return mixture if number == len(outward) else moments(mixture, groups[1:] == np.arange(1, number + 1)[:, None])


def are_one(labels: Array, one: int, other: int, least: float = _AT_RANDOM) -> bool:
    """Whether two classes lie at random among each other along the rows of pictures (n, rows, columns) of labels.

    That is where neighbours are of both at `least` so often, in parts of what chance expects.
    """
    some = labels[:, ::_LINES]
    most = int(some.max(initial=max(one, other)))  # there need be none of them in these rows
    return mixing(_beside([(some[..., 1:], some[..., :-1])], most), one, other) >= least


def mixing(beside: Array, one: int, other: int) -> float:
    """How many of the neighbours of two classes are of one and the other, in parts of what chance expects.

    `beside` counts pairs of neighbours by their labels (k + 1, k + 1). It is 0 where they are too few to tell.
    """
    unlike, alike = int(beside[one, other] + beside[other, one]), int(beside[one, one] + beside[other, other])
    both = unlike + alike
    share = (beside[one, one] + unlike / 2) / max(1, both)
    expected = 2 * share * (1 - share) * both
    return float(unlike / expected) if expected > _FEW else 0.0


def _pairs(values: Array, apart: int = 1) -> list[tuple[Array, Array]]:
    """Neighbours along rows and columns of pictures (n, rows, columns); or pixels so many steps apart."""
    return [(values[:, apart:], values[:, :-apart]), (values[..., apart:], values[..., :-apart])]


def _beside(pairs: list[tuple[Array, Array]], k: int) -> Array:
    """Number of pairs of neighbours by their labels (k + 1, k + 1)."""
    found = sum(np.bincount((a * np.intp(k + 1) + b).ravel(), minlength=(k + 1) ** 2) for a, b in pairs)
    return np.asarray(found).reshape(k + 1, k + 1)


def _unlike(labels: Array, apart: int) -> float:
    """Share of pixels so many steps apart whose labels are not 0 and differ."""
    known, unlike = 0, 0
    for a, b in _pairs(labels, apart):
        both = (a > 0) & (b > 0)
        known += int(np.count_nonzero(both))
        unlike += int(np.count_nonzero(both & (a != b)))
    return unlike / max(1, known)


def _correlation(values: Array, labels: Array) -> float:
    """Mean correlation of neighbours that have one label, but 0; of what varies."""
    flat, of = values.ravel().astype(np.float64), labels.ravel()
    counts = np.maximum(np.bincount(of), 1)
    flat = flat - (np.bincount(of, flat) / counts)[of]
    variances = np.bincount(of, flat * flat) / counts
    variances[0] = 0
    scales = np.where(variances > 0, np.sqrt(variances, where=variances > 0, out=np.ones_like(variances)), np.inf)
    values = (flat / scales[of]).reshape(values.shape)
    both, own = 0.0, 0.0
    for (a, b), (one, other) in zip(_pairs(values), _pairs(labels), strict=True):
        same = one == other
        both += float((a * b)[same].sum())
        own += float((a * a + b * b)[same].sum()) / 2
    return both / own if own else 1.0
