"""Smoothing: mean-field inference of a contrast-sensitive Potts prior on the posteriors.

Neighbours tend to have the same class, the more so the less their features differ (Boykov and Jolly 2001). Mean field
(Zhang 1992) gives each pixel q(k), proportional to its posterior times exp(sum over neighbours of weight times q(k)).
"""

from __future__ import annotations

import itertools
import math
from functools import cached_property, lru_cache

import numpy as np

from gmmseg import kernels
from gmmseg.arrays import Array
from gmmseg.records import dataclass, replace

__all__ = ["HALO", "TYPICAL", "Smoothing", "share_power"]

HALO = 8
"""Sweeps, and so the number of pixels that a tile needs around it to give what the whole gives.

The first two settle pixels that no neighbours can talk out of their class, the others are of mean field. 0.06 to 1 % of
the labels of photographs (strengths of 0.3 to 1) differ from those after sixteen sweeps without settling."""

TYPICAL = 0.5
"""Strength that suits most images, where there is nothing to estimate it from."""

_STRONGEST = 24.0  # nats that agreeing neighbours give together, at smooth=1; exp of it is far from overflow
_SHARPEST = 1e30  # which float32 still holds; no image but one of next to no contrast has it
_ENOUGH = 4.0  # nats of neighbours that say so much that shares are hardly heard
_APART = 0.02  # expected error of classes of which neighbours need not tell how frequent they are
_NEWTON_STEPS = 8
_SETTLED = 0.05  # nats
_LEAST_STEP = 1e-100  # of the size of a pixel along one axis to that along another


def share_power(strength: float, error: float) -> float:
    """Power of the classes' shares in what a pixel's class is before its features are seen.

    Without neighbours it is 1. Neighbours say more of how usual a class is at a place, and shares on top of that would
    let large classes swallow small ones; the Potts prior of Zhang, Brady and Smith (2001) has none. It is 1, too, where
    features alone tell the classes apart: what they leave in doubt then is not noise, which neighbours outvote, but
    borders whose pixels hold something of both sides, and without shares the wider class would take these.

    Parameters
    ----------
    strength : float, 0 to 1
        Of the smoothing.
    error : float, 0 to 1
        Of the classes without neighbours, see `Mixture.expected_error`.
    """
    unheard = math.exp(-((_STRONGEST * strength**2 / _ENOUGH) ** 2))
    certain = math.exp(-((error / _APART) ** 2))
    return 1 - (1 - unheard) * (1 - certain)


@dataclass(frozen=True, eq=False)
class Smoothing:
    """How to smooth the tiles of one image.

    Parameters
    ----------
    strength : float, 0 to 1
        The neighbours' say grows with its square; 0.5 suits photographs.
    sharpness : ndarray, shape (c,)
        Edges weigh 0.2 + 0.8 (1 - D/8)^8, which is about exp(-D), and 0.2 from D = 8 on, in whole steps; D is the sum
        of (sharpness * difference of the guides)^2.
    spacing : tuple of float
        Physical size of a pixel along each axis; nearer neighbours count for more.
    """

    strength: float
    sharpness: Array
    spacing: tuple[float, ...]

    @classmethod
    def of(cls, strength: float, variation: Array, scale: Array, spacing: tuple[float, ...]) -> Smoothing:
        """Return the smoothing for guides of this contrast, which are given in units of `scale`."""
        total = float((variation / scale**2).sum())
        sharpness = (math.sqrt(0.25 / total) if total > 0 else 0.0) / scale
        return cls(strength, np.minimum(sharpness, _SHARPEST), spacing)

    @cached_property
    def neighbours(self) -> tuple[Array, Array]:
        """Offsets (m, 3), one of each opposite pair, and their weights (m,), which sum to half the whole strength."""
        table, shares = _neighbours(self.spacing)
        return table, (shares * _STRONGEST * self.strength**2 / 2).astype(np.float32)

    def apply(
        self,
        posterior: Array,
        guide: Array,
        valid: Array | None,
        inner: tuple[slice, ...],
        *,
        labels: Array | None = None,
        probabilities: Array | None = None,
    ) -> None:
        """Smooth one tile and write the inner part of the result.

        Parameters
        ----------
        posterior : ndarray, shape (K, *tile), float32
            A tile may have three axes where the image has less: then it is a stack of tiles.
        guide : ndarray, shape (c, *tile), float32
        valid : ndarray of bool, shape (*tile), optional
        inner : tuple of slice
            The part of the tile to write.
        labels : ndarray, shape of the inner part, uint8, optional
            Written: classes from 1.
        probabilities : ndarray, shape (K, inner part), float32, optional
            Written.
        """
        flat = (None,) * (4 - posterior.ndim)
        deep = (slice(None), *flat)
        kernels.smooth(
            posterior[deep],
            guide[deep],
            _mask(valid),
            self._heard,
            _first(inner),
            None if labels is None else labels[flat],
            None if probabilities is None else probabilities[deep],
        )

    def classify(
        self,
        planes: Array,
        places: tuple[Array, ...],
        densities: kernels.Densities,
        valid: Array | None,
        inner: tuple[slice, ...],
        labels: Array,
    ) -> bool:
        """Write the labels that `apply` gives for the posteriors of a mixture, which are not kept.

        Parameters
        ----------
        planes : ndarray, shape (d, *tile), float32
            Contiguous. The first are the guide.
        places : tuple of ndarray, float32
            Features that follow the planes and change along one axis only, what they are there: along the last axis,
            the one before it, and so on. They may be none.
        densities : Densities
            Of the mixture whose components are the classes, or these of several components.
        valid, inner, labels
            As of `apply`.

        Returns
        -------
        bool
            False, and nothing is written, where features may be missing, or the mixture is of another kind.
        """
        flat = (None,) * (4 - planes.ndim)
        return kernels.smooth_planes(
            planes[(slice(None), *flat)],
            tuple(place.ravel() for place in places),
            densities,
            _mask(valid),
            self._heard,
            _first(inner),
            labels[flat],
        )

    @cached_property
    def _heard(self) -> kernels.Neighbourhood:
        return kernels.Neighbourhood(*self.neighbours, np.ascontiguousarray(self.sharpness, np.float32), HALO)

    @property
    def law(self) -> tuple[tuple[Array, Array, Array, int], tuple[float, float, float, float, int]]:
        """Offsets of neighbours, their shares, sharpness and sweeps, and what `share_power` and `fitted` go by."""
        offsets, shares = _neighbours(self.spacing)
        return (offsets, shares, self._heard.sharpness, HALO), (_STRONGEST, _ENOUGH, _APART, _SETTLED, _NEWTON_STEPS)

    def fitted(self, q: Array, guide: Array, valid: Array, counted: Array) -> Smoothing:
        """Return the smoothing whose strength has the highest pseudo-likelihood (Besag 1975).

        Parameters
        ----------
        q : ndarray, shape (K, ..., z, y, x), float32
            Probabilities of the classes at each pixel.
        guide : ndarray, shape (c, ..., z, y, x), float32
        valid : ndarray of bool, shape (..., z, y, x)
            Which are heard.
        counted : ndarray of bool, shape (..., z, y, x)
            Whose probabilities count.

        Notes
        -----
        The logarithm of the product of each pixel's probability given its neighbours', expected over q, is concave in
        the strength; Newton's method finds its maximum.
        """
        offsets, shares = _neighbours(self.spacing)
        patches = (-1, *valid.shape[-3:])
        total = kernels.agreement(
            np.ascontiguousarray(q).reshape(len(q), *patches),
            np.ascontiguousarray(guide).reshape(len(guide), *patches),
            np.ascontiguousarray(valid, np.uint8).reshape(patches),
            np.ascontiguousarray(counted, np.uint8).reshape(patches),
            offsets,
            (shares / 2).astype(np.float32),
            self._heard.sharpness,
            _STRONGEST * self.strength**2,
            _STRONGEST,
            _SETTLED,
            _NEWTON_STEPS,
        )
        return replace(self, strength=math.sqrt(total / _STRONGEST))


@lru_cache(8)
def _neighbours(spacing: tuple[float, ...]) -> tuple[Array, Array]:
    """Offsets (m, 3) of neighbours, one of each opposite pair, and what share of all that is heard each says (m,)."""
    flat = 3 - len(spacing)
    offsets = [(0,) * flat + o for o in itertools.product((-1, 0, 1), repeat=3 - flat) if o > (0,) * len(o)]
    table = np.array(offsets, np.int64)
    # By a power of 2, which changes no digit: proportions count, and squares of sizes may be beyond float64.
    steps = np.ldexp(spacing, -int(np.frexp(max(spacing))[1]))
    inverse = 1 / np.linalg.norm(table * np.append(np.ones(flat), np.maximum(steps, _LEAST_STEP)), axis=1)
    shares = np.asarray(inverse / inverse.sum())
    table.flags.writeable = shares.flags.writeable = False
    return table, shares


def _mask(valid: Array | None) -> Array | None:
    """Which voxels count, with three axes, as the kernels take it."""
    return None if valid is None else np.ascontiguousarray(valid[(None,) * (3 - valid.ndim)], np.uint8)


def _first(inner: tuple[slice, ...]) -> tuple[int, int, int]:
    """Where the inner part of a tile starts along each of three axes."""
    first = [0] * (3 - len(inner)) + [int(s.start) for s in inner]
    return first[0], first[1], first[2]
