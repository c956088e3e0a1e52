"""The bias field: a smooth gain over an image, estimated together with the classes.

Coils, lamps and lenses multiply an image by a gain that changes slowly from place to place, so that one class has
different intensities at different places (Wells et al. 1996). The logarithm of the gain is a polynomial of the position
(Van Leemput et al. 1999), or the gain itself is: over a large offset of the camera, a misfit of a hundredth is more
than objects are brighter by. The mean of the logarithm over the image (its surroundings of 0 left
out) is 0, for a gain that is the same everywhere cannot be told from brighter classes.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache

import numpy as np

from gmmseg import kernels
from gmmseg.arrays import Array
from gmmseg.image import Image
from gmmseg.image.sources import ArraySource
from gmmseg.image.units import as_float
from gmmseg.image.windows import Window, everything
from gmmseg.kernels.blas import one_blas_thread
from gmmseg.records import dataclass, replace

__all__ = ["DEGREE", "BiasField", "Evidence", "mean_of"]

DEGREE = 4
"""Highest total degree of the polynomials."""

_STIFFNESS = 1.0  # inverse variance of a coefficient of degree 1, before any pixel is seen; it grows with degree**4
_HALVINGS = 5
_LEAST = np.float32(1e-3)  # gain, where a polynomial falls below 0
_BLOCKS = 8  # along each axis: smaller than what a polynomial changes over, larger than most objects


@dataclass(frozen=True, eq=False)
class Evidence:
    """What some pixels say of the gain of one channel: how their log-likelihood changes with its logarithm.

    Parameters
    ----------
    basis : ndarray, shape (p, n), float32
        The field's polynomials at these pixels, as of `BiasField.basis`.
    gradient, curvature : ndarray, shape (n,)
        Of the log-likelihood by the logarithm of each pixel's gain; the curvature as if the classes were known.
    objective : callable
        Log-likelihood of these pixels under a field.
    seen : ndarray of bool, shape (n,), optional
        Pixels over which the logarithm has a mean of 0; all where None.
    center : ndarray, shape (p,), optional
        Mean of each polynomial over these, where it is known already.
    unknown : ndarray, shape (n,), optional
        What the curvature is too large by because the classes are not known (Louis 1982), and features are no straight
        lines of the logarithm; nothing where None.
    """

    basis: Array
    gradient: Array
    curvature: Array
    objective: Callable[[BiasField], float]
    seen: Array | None = None
    center: Array | None = None
    unknown: Array | None = None

    @property
    def observed(self) -> Array:
        """Curvature (n,) of the log-likelihood as it is, the classes being unknown."""
        return self.curvature if self.unknown is None else self.curvature - self.unknown

    @cached_property
    def middle(self) -> Array:
        """Mean (p,) of each polynomial over the pixels that show the gain."""
        return mean_of(self.basis, self.seen) if self.center is None else self.center


@dataclass(frozen=True, eq=False)
class BiasField:
    """Gains of the channels of an image, one each, or one in common.

    Parameters
    ----------
    coefficients : ndarray, shape (m, *(degree + 1 along each axis))
        Of products of Legendre polynomials of unit variance over the image; m is the number of channels, or 1.
    shape : tuple of int
        The whole image's spatial shape.
    limits : tuple of float
        The logarithm ends there: polynomials run away where no valid pixel holds them.
    linear : bool
        Whether the polynomial is the gain, not its logarithm.
    """

    coefficients: Array
    shape: tuple[int, ...]
    limits: tuple[float, float] = (-np.inf, np.inf)
    linear: bool = False

    @classmethod
    def flat(cls, image: Image) -> BiasField:
        """Return the gain 1: of each channel, or of all together where they are red, green and blue."""
        m = 1 if image.color else image.n_channels
        return cls(np.zeros((m, *(min(DEGREE + 1, n) for n in image.shape))), image.extent or image.shape)

    @property
    def terms(self) -> tuple[tuple[int, ...], ...]:
        """Degrees along each axis of the polynomials that a field is made of, the constant left out."""
        return _terms(self.coefficients.shape[1:])[0]

    def basis(self, flat: Array) -> Array:
        """Return the polynomials (p, n), float32, at these flat indices (n,) of the whole image."""
        index = np.unravel_index(flat, self.shape)
        tables = [_legendre(np.arange(n), n, d) for n, d in zip(self.shape, self.coefficients.shape[1:], strict=True)]
        along = [np.ascontiguousarray(table.T).take(i, axis=1) for table, i in zip(tables, index, strict=True)]
        basis = np.empty((len(self.terms), len(flat)), np.float32)
        for row, term in zip(basis, self.terms, strict=True):
            first, *others = (own[degree] for own, degree in zip(along, term, strict=True) if degree)  # else it is 1
            row[...] = math.prod(others, start=first)
        return basis

    def blocks(self, flat: Array) -> Array:
        """Return which blocks (n,), 8 along each axis, flat indices (n,) of the image lie in, numbered from 0."""
        sides = [min(_BLOCKS, n) for n in self.shape]
        index = np.unravel_index(flat, self.shape)
        places = [i * side // n for i, side, n in zip(index, sides, self.shape, strict=True)]
        block = np.ravel_multi_index(places, sides)
        held = np.zeros(math.prod(sides), np.intp)
        held[block] = 1
        return np.asarray((np.cumsum(held, dtype=np.int16) - 1)[block])  # few bits are sorted by counting

    def logarithm(self, window: Window) -> Array:
        """Logarithm of the gain (m, *window), float32; of a window what the whole has there, bit for bit."""
        tables = [
            _legendre(np.arange(s.start, s.stop), n, d).astype(np.float32)
            for s, n, d in zip(window, self.shape, self.coefficients.shape[1:], strict=True)
        ]
        found = self._logarithm(np.stack([_expand(each.astype(np.float32), tables) for each in self.coefficients]))
        return self._clipped(found)

    def gain(self, window: Window | None = None) -> Array:
        """The gain, float32: (*window) where there is one for all channels, else (*window, channels)."""
        gain = np.exp(self.logarithm(everything(self.shape) if window is None else window))
        return gain[0] if len(gain) == 1 else np.moveaxis(gain, 0, -1)

    def correct(self, image: Image) -> Image:
        """Return an image, or a window of one, divided by the gain: float32, colour in 0 to 1."""
        gain = np.moveaxis(np.exp(-self.logarithm(image.window)), 0, -1)
        values = as_float(image.array, image.color) * gain
        return replace(image, pixels=ArraySource(values), stored=image.stored or image.pixels.dtype)

    def within(self, axes: tuple[Array, ...]) -> Array:
        """Logarithm of the gain (m, n), float32, in windows of coordinates (windows, length) along each axis."""
        found, windows = self.coefficients.astype(np.float32)[:, None], len(axes[0])  # (m, windows or 1, *degrees)
        for axis in reversed(range(len(axes))):
            along, n, degrees = axes[axis], self.shape[axis], self.coefficients.shape[1 + axis]
            table = _legendre(along, n, degrees).astype(np.float32)[:, None]
            found = found.reshape(len(found), found.shape[1], -1, degrees, math.prod(found.shape[3 + axis :]))
            with one_blas_thread(along.shape[1]):
                found = table @ found
            found = found.reshape(len(found), windows, *self.coefficients.shape[1 : 1 + axis], along.shape[1], -1)
        return self._clipped(self._logarithm(found.reshape(len(found), -1)))

    def at(self, basis: Array) -> Array:
        """Logarithm of the gain (m, n), float32, where `basis` was taken."""
        constants = self.coefficients.reshape(len(self.coefficients), -1)[:, 0]
        free = np.stack([own[self._places] for own in self.coefficients]).astype(np.float32)
        return self._logarithm(np.einsum("mp,pn->mn", free, basis) + constants.astype(np.float32)[:, None])

    def straight(self, basis: Array, seen: Array, *, degree: int = DEGREE) -> BiasField:
        """Return the field nearest to this one whose gains are polynomials.

        Parameters
        ----------
        basis : ndarray, shape (p, n)
        seen : ndarray of bool, shape (m, n) or (1, n)
            Pixels at which it is near.
        degree : int
            Highest of the polynomials.
        """
        field, moving = replace(self, linear=True), self._degrees <= degree
        for channel, gain in enumerate(np.exp(self.at(basis).astype(np.float64))):
            shown = seen[channel % len(seen)]
            center, free = mean_of(basis, shown), np.zeros(len(moving))
            mean = gain[shown].mean()
            apart = np.where(shown, gain - mean, 0)
            normal, slope = _normal_equations(basis[moving], center[moving], apart, shown, 1)
            with one_blas_thread(len(normal)):
                free[moving] = np.linalg.lstsq(normal, slope, rcond=None)[0]
            field = field._moved(channel, free / mean, basis, shown, center)
        return field

    def ascend(self, channel: int, evidence: Evidence, *, degree: int = DEGREE, threads: int = 1) -> BiasField:
        """Return a field of higher posterior: one step of Fisher scoring, halved until it is one upward.

        Parameters
        ----------
        channel : int
        evidence : Evidence
            Of the pixels that the field is estimated from.
        degree : int
            Polynomials above it stay as they are.
        threads : int
            They change the time, never the result.
        """
        moving, stiffness = self._degrees <= degree, self._stiffness
        if not len(moving) or not (evidence.curvature > 0).any():
            return self
        center = evidence.middle
        free, tangents = self._free(channel, center), self._tangents(channel, evidence)[moving]
        normal, slope = _normal_equations(
            tangents,
            self._tangent_means(tangents, moving, evidence),
            evidence.gradient,
            evidence.curvature,
            threads,
        )
        normal += np.diag(stiffness[moving])
        step = np.zeros(len(free))
        step[moving] = np.linalg.solve(normal, slope - stiffness[moving] * free[moving])

        def posterior(field: BiasField) -> float:
            return evidence.objective(field) - 0.5 * float(stiffness @ field._free(channel, center) ** 2)

        before = posterior(self)
        for halving in range(_HALVINGS):
            field = self._moved(channel, free + 0.5**halving * step, evidence.basis, evidence.seen, center)
            if posterior(field) > before:
                return field
        return self

    def optimism(
        self, channel: int, evidence: Evidence, blocks: Array, *, degree: int = DEGREE, others: Sequence[Array] = ()
    ) -> Array:
        """How much likelier each block is because the gain of one channel was fitted to it too, not to others alone.

        Parameters
        ----------
        channel : int
        evidence : Evidence
            Under the field as it is; where its likelihood is highest, or nearly.
        blocks : ndarray of int, shape (n,)
            Which block each of these pixels is in.
        degree : int
            Polynomials above it were not fitted.
        others : sequence of ndarray, each of shape (n,)
            Further gradients; that counts by which all blocks together are the likelier.

        Returns
        -------
        ndarray, shape (number of blocks,)
            Infinite where the likelihood is not at a maximum.

        Notes
        -----
        To first order `s @ inv(normal) @ s`, s being the gradient of the block's log-likelihood by the coefficients
        (Stone 1977). Of independent pixels the sum is about the number of coefficients; of objects that are brighter
        here than there by chance, as many times that as pixels of them say the same thing. What the gain spreads its
        values over makes each pixel less likely by the same: it is the mean of the gradients, and is taken off. So is
        the mean over the blocks, where the gradients are those under another field.
        """
        moving, n_blocks = self._degrees <= degree, int(blocks.max(initial=-1)) + 1
        if not moving.any():
            return np.zeros(n_blocks)
        tangents = self._tangents(channel, evidence)[moving]
        center = self._tangent_means(tangents, moving, evidence)
        normal = _weighted_products(tangents, center, evidence.observed, 1) + np.diag(self._stiffness[moving])
        with one_blas_thread(len(normal)):
            if not (np.linalg.eigvalsh(normal) > 0).all():
                return np.full(n_blocks, np.inf)
        order = np.argsort(blocks, kind="stable")
        starts = np.flatnonzero(np.diff(blocks[order], prepend=-1))
        centred = tangents.take(order, axis=1) - center.astype(np.float32)[:, None]
        shown = slice(None) if evidence.seen is None else evidence.seen[order]
        gained = []
        for gradient in (evidence.gradient, *others):
            own = np.zeros(len(order), np.float32)
            own[shown] = (gradient - mean_of(gradient, evidence.seen))[order][shown]
            # Sums of neighbours in an array: a fifth of the time of 34 sums by the number of the block.
            sums = np.add.reduceat(centred * own, starts, axis=1).astype(np.float64)
            sums -= sums.mean(axis=1, keepdims=True)
            with one_blas_thread(len(normal)):
                gained.append((sums * np.linalg.solve(normal, sums)).sum(axis=0))
        return max(gained, key=np.sum)

    @property
    def _degrees(self) -> Array:
        return _terms(self.coefficients.shape[1:])[1]

    @property
    def _stiffness(self) -> Array:
        return _STIFFNESS * self._degrees.astype(np.float64) ** 4

    @property
    def _places(self) -> tuple[Array, ...]:
        return _terms(self.coefficients.shape[1:])[2]

    def _free(self, channel: int, center: Array) -> Array:
        """Coefficients (p,) of one channel; in parts of the mean gain where the polynomial is the gain."""
        own = self.coefficients[channel]
        free = own[self._places]
        return np.asarray(free / (own.flat[0] + free @ center) if self.linear else free)

    def _moved(self, channel: int, free: Array, basis: Array, seen: Array | None, center: Array) -> BiasField:
        """Return the field with other coefficients (p,) of one channel, and that constant with which its mean is 0."""
        changed = self.coefficients.copy()
        constant, scale = -center @ free, 1.0
        if self.linear:
            constant += 1
            polynomial = np.einsum("p,pn->n", free.astype(np.float32), basis)  # BLAS would start threads of its own
            gain = np.maximum(polynomial + np.float32(constant), _LEAST)
            scale = math.exp(-mean_of(np.log(gain), seen))
        changed[channel][self._places] = scale * free
        changed[channel].flat[0] = scale * constant
        return replace(self, coefficients=changed)

    def _tangents(self, channel: int, evidence: Evidence) -> Array:
        """Derivatives (p, n) of the logarithm of one gain by its coefficients, but for what keeps its mean at 0.

        Where the polynomial is the gain, the mean of each over the pixels that show it is 0.
        """
        if not self.linear:
            return evidence.basis
        slope = np.exp(-self.at(evidence.basis)[channel])
        tangents = evidence.basis * slope
        middle = mean_of(tangents, evidence.seen) / mean_of(slope, evidence.seen)
        np.subtract(evidence.basis, middle.astype(np.float32)[:, None], out=tangents)
        tangents *= slope
        return np.asarray(tangents)

    def _tangent_means(self, tangents: Array, moving: Array, evidence: Evidence) -> Array:
        """Means (p,) of those tangents that move, over the pixels that show the gain."""
        return np.zeros(len(tangents)) if self.linear else evidence.middle[moving]

    def _clipped(self, logarithm: Array) -> Array:
        return np.clip(logarithm, *map(np.float32, self.limits), out=logarithm)

    def _logarithm(self, polynomial: Array) -> Array:
        """Logarithm of the gains, made in place from their polynomials."""
        if not self.linear:
            return polynomial
        return np.asarray(np.log(np.maximum(polynomial, _LEAST, out=polynomial), out=polynomial))


@lru_cache(8)
def _terms(shape: tuple[int, ...]) -> tuple[tuple[tuple[int, ...], ...], Array, tuple[Array, ...]]:
    """Degrees along each axis of the polynomials, the sum of each (p,), and where they are among coefficients."""
    every = itertools.product(*(range(n) for n in shape))
    terms = tuple(term for term in every if 0 < sum(term) <= DEGREE)
    places = np.array(terms, np.intp).reshape(-1, len(shape))
    return terms, places.sum(axis=1), tuple(places.T)


def mean_of(values: Array, seen: Array | None) -> Array:
    """Mean (...) of values (..., n) over the pixels that show the gain; all where None."""
    shown = values if seen is None or seen.all() else values[..., seen]  # an index takes four times as long
    return np.asarray(shown.mean(axis=-1, dtype=np.float64))


def _normal_equations(
    basis: Array, center: Array, gradient: Array, curvature: Array, threads: int
) -> tuple[Array, Array]:
    """Sums of curvature times products of (basis - center), (p, p), and of gradient times (basis - center), (p,).

    They are second moments, with the ratio of gradient and curvature as one more feature.
    """
    ratio = gradient / np.maximum(curvature, 1e-30)
    planes = np.concatenate([basis, ratio.astype(np.float32)[None]])
    square = _weighted_products(planes, np.append(center, 0.0), curvature, threads)
    return square[:-1, :-1], square[-1, :-1]


def _weighted_products(planes: Array, center: Array, weights: Array, threads: int) -> Array:
    """Sums (p, p) of weights (n,), which may be negative, times products of planes (p, n) less their centres (p,)."""
    below = weights < 0
    if below.any():  # statistics are of weights that are roots' squares
        less = _weighted_products(planes[:, below], center, -weights[below], threads)
        return _weighted_products(planes[:, ~below], center, weights[~below], threads) - less
    p = len(planes)
    everywhere = kernels.Densities(np.zeros(1), center[None], np.zeros((1, p, p)))
    sums, _ = kernels.statistics(planes, weights.astype(np.float32), everywhere, threads)
    square = np.zeros((p, p))
    square[np.tril_indices(p)] = sums[0, 1 + p :]
    return np.asarray(square + np.tril(square, -1).T)


def _legendre(places: Array, n: int, degrees: int) -> Array:
    """Legendre polynomials (*places, degrees) of unit variance over an axis of n pixels."""
    from numpy.polynomial.legendre import legvander

    return np.asarray(legvander((2 * places + 1) / n - 1, degrees - 1) * np.sqrt(2 * np.arange(degrees) + 1))


def _expand(coefficients: Array, tables: list[Array]) -> Array:
    """Sum of products of polynomials, (*window), by the same operations at each pixel whatever the window."""
    found: Array = coefficients
    for axis in reversed(range(len(tables))):
        table, before = tables[axis], (slice(None),) * axis
        out = np.zeros((*found.shape[:axis], len(table), *found.shape[axis + 1 :]), np.float32)
        term = np.empty_like(out)  # memory that is new for each would take as long as the sums
        for degree in range(found.shape[axis]):
            rows = found[(*before, slice(degree, degree + 1))]
            if axis or rows.any():
                out += np.multiply(table[:, degree].reshape(-1, *[1] * (out.ndim - axis - 1)), rows, out=term)
        found = out
    return found
