"""Shading: a bias field as it is estimated from some pixels, given a mixture: one step, and what it is worth."""

from __future__ import annotations

import math
from copy import copy

import numpy as np

from gmmseg.arrays import Array
from gmmseg.fitting.scene import Scene
from gmmseg.image.lattice import in_shells
from gmmseg.image.units import as_float
from gmmseg.mixture import patterns
from gmmseg.mixture.parameters import Mixture
from gmmseg.records import replace
from gmmseg.spatial.bias import DEGREE, BiasField, Evidence, mean_of

__all__ = ["MOST", "Shading"]

MOST = 3.0
"""Logarithm of the ratio of the greatest gain and the least, about 20."""

_WHITE, _WHITENED = 0.98, 0.01  # colour that counts as white; share of pixels that a gain may make so
_MARGIN = 0.1  # of the logarithm, beyond what valid pixels show
_BEND = 0.05  # change of that logarithm over which the bend of the features is seen
_FOLLOWED = 1 << 15  # voxels of patches that a field follows: all would take a quarter of the time of those in patches
_SLIGHT = 0.01  # logarithm of a ratio of gains, below which they are alike unless they move pixels by a whole spread


class Shading:
    """A bias field as it is estimated from some pixels of a scene.

    Parameters
    ----------
    scene : Scene
    index : ndarray of int, shape (n,)
        Its pixels that the field is estimated from.
    field : BiasField
        As it is now; `degree` is the highest of its polynomials that may change.

    Attributes
    ----------
    plainest : list of ndarray, each of shape (n,)
        Gradients of the log-likelihood by each channel's gain under the first field that was judged; empty before.
    """

    def __init__(self, scene: Scene, index: Array, field: BiasField, threads: int) -> None:
        self.scene, self.index, self.field, self.degree = scene, index, field, DEGREE
        self.threads = threads
        self._basis, self.blocks = field.basis(scene.patches.flat), field.blocks(scene.patches.flat)
        values = scene.patches.values
        lit = np.isfinite(values) & (values != 0)  # what is 0 is 0 under any gain
        self._seen = lit.any(axis=1)[None] if len(field.coefficients) == 1 else lit.T
        self._centers = [mean_of(self._basis, seen) for seen in self._seen]
        self.plainest: list[Array] = []
        self._last: tuple[tuple[BiasField, Array, Array], ...] = ()

    def among(self, scene: Scene) -> Shading:
        """Return a shading with the same field that follows pixels that count of another scene of the volume."""
        index = np.flatnonzero(scene.patches.weights)
        index = index[in_shells(scene.patches.flat[index], scene.image.shape, _FOLLOWED)]
        found = Shading(scene.some(index), index, self.field, self.threads)
        found.degree = self.degree
        return found

    @property
    def extent(self) -> tuple[float, float]:
        """Least and greatest logarithm of a gain on pixels that show it."""
        shown = self._gain[np.broadcast_to(self._seen, self._gain.shape)]
        return float(shown.min(initial=0)), float(shown.max(initial=0))

    @property
    def size(self) -> float:
        """Of the largest gain, as a logarithm, between the 5 % of pixels where it is least and greatest."""
        return self._spread(self._gain)

    def apart(self, other: Shading) -> float:
        """How much its gain differs from another one of the image, measured as `size` is."""
        return self._spread(self._change_from(other))

    def _change_from(self, other: Shading) -> Array:
        return self._gain - other.field.at(self._basis)

    def _spread(self, gain: Array) -> float:
        each = zip(gain, self._seen, strict=True)
        sizes = [np.ptp(np.percentile(own[seen], (5, 95))) for own, seen in each if seen.any()]
        return float(max(sizes, default=0))

    def _is_usable(self, gain: Array) -> bool:
        """Whether a gain, given by its logarithm (m, n), is within bounds, and makes hardly any colour white."""
        shown = np.where(self._seen, gain, 0)
        if np.ptp(shown) > MOST:
            return False
        if not self.scene.image.color:
            return True
        values = as_float(self.scene.patches.values, color=True)
        whitened = (values < _WHITE) & (values * np.exp(-gain).T > 1)
        return bool(whitened.any(axis=1).mean() < _WHITENED)

    @property
    def planes(self) -> Array:
        """Scaled planes (d, n) of the pixels under the field."""
        return self._under(self.field)[1]

    @property
    def _gain(self) -> Array:
        return self._under(self.field)[0]

    def _under(self, field: BiasField) -> tuple[Array, Array]:
        """Logarithm of the gain (m, n), and planes (d, n) of the pixels, under a field.

        The last two are kept, as a step asks for each some four times: it takes a third less time.
        """
        for known, gain, planes in self._last:
            if known is field:
                return gain, planes
        gain = field.at(self._basis)
        planes = self.scene.planes(gain)
        self._last = ((field, gain, planes), *self._last[:1])
        return gain, planes

    def start_from_logarithms(self) -> None:
        """Take the field that the logarithms of the pixels follow, as if there were one class alone."""
        values = self.scene.patches.values.astype(np.float64)
        m = len(self.field.coefficients)
        channels = values.mean(axis=1, keepdims=True) if m == 1 else values
        for channel, own in enumerate(channels.T):
            lit = own > 0
            if not lit.any():
                continue
            logs = np.zeros(len(own))
            logs[lit] = np.log(np.maximum(own[lit], 0.05 * np.median(own[lit])))
            logs[lit] -= logs[lit].mean()

            def objective(field: BiasField, logs: Array = logs, lit: Array = lit, channel: int = channel) -> float:
                gain = field.at(self._basis)
                error = ((logs - gain[channel])[lit] ** 2).sum()
                return -0.5 * float(error) if self._is_usable(gain) else -np.inf

            weights = lit.astype(np.float64)
            evidence = Evidence(self._basis, logs, weights, objective, self._seen[channel], self._centers[channel])
            self.field = self.field.ascend(channel, evidence)

    def even(self) -> Shading:
        """The same with a field that is the same everywhere."""
        other = copy(self)
        other.field = BiasField.flat(self.scene.image)
        return other

    def limited(self) -> Shading:
        """The same with a field that hardly goes beyond what valid pixels show of it."""
        (low, high), other = self.extent, copy(self)
        other.field = replace(self.field, limits=(low - _MARGIN, high + _MARGIN))
        return other

    def straight(self, degree: int | None = None) -> Shading:
        """The same with the nearest field whose gains themselves are polynomials, of its own degree or another one."""
        other = copy(self)
        other.degree = self.degree if degree is None else degree
        other.field = self.field.straight(self._basis, self._seen, degree=other.degree)
        return other

    def step(self, mixture: Mixture, q: Array) -> float:
        """Raise the likelihood expected over classes (K, n) by a step of scoring for each gain.

        Returns
        -------
        float
            By how much it moves pixels, in spreads of their classes: root of the mean square.
        """
        before, curvatures = self._gain, []
        for channel in range(len(self.field.coefficients)):
            evidence = self._evidence(mixture, q, channel)
            self.field = self.field.ascend(channel, evidence, degree=self.degree, threads=self.threads)
            curvatures.append(evidence.curvature)
        return _root_mean_square(self._gain - before, curvatures)

    def is_slightly(self, other: Shading, mixture: Mixture, q: Array) -> bool:
        """Whether gains hardly differ from those of another field, and move pixels by less than their classes' spread.

        Classes, and their probabilities (K, n) at the pixels, are those under this field.
        """
        change = self._change_from(other)
        if np.ptp(np.where(self._seen, change, change[self._seen].mean())) >= _SLIGHT:
            return False
        curvatures = [self._evidence(mixture, q, channel).curvature for channel in range(len(change))]
        return _root_mean_square(change, curvatures) < 1

    def held_out(self, mixture: Mixture, q: Array, log_density: Array) -> Array:
        """Logarithm of the likelihood of each block of the image under a field that was fitted to the others alone.

        It is that of the values as they are, which are spread over more where the gain is greater. Pixels that are
        independent would count for too much, so at least half the logarithm of their number for each coefficient
        (Schwarz 1978) is taken off all in all. Of ten objects, a field of fourteen polynomials takes much of what tells
        how unlike they are: so it is judged by what they say under the plainest field too, that of the first call.

        Parameters
        ----------
        mixture : Mixture
        q, log_density : ndarray, shapes (K, n) and (n,)
            Of the pixels under the mixture and the field.
        """
        optimism = np.zeros(int(self.blocks.max()) + 1)
        own = [self._evidence(mixture, q, channel, observed=True) for channel in range(len(self.field.coefficients))]
        self.plainest = self.plainest or [evidence.gradient for evidence in own]
        for channel, (evidence, plain) in enumerate(zip(own, self.plainest, strict=True)):
            others = () if plain is evidence.gradient else (plain,)
            optimism += self.field.optimism(channel, evidence, self.blocks, degree=self.degree, others=others)
        terms = sum(sum(term) <= self.degree for term in self.field.terms) * len(self.field.coefficients)
        missing = max(0.0, 0.5 * terms * math.log(len(self.blocks)) - float(optimism.sum()))
        gain, n_channels = np.where(self._seen, self._gain, 0), self.scene.patches.values.shape[1]
        wider = gain.sum(axis=0) * (n_channels / len(gain))  # its sum is 0, by the definition of a field
        return np.bincount(self.blocks, weights=log_density - wider) - optimism - missing / len(optimism)

    def _evidence(self, mixture: Mixture, q: Array, channel: int, *, observed: bool = False) -> Evidence:
        """What the pixels say of the gain of a channel; on request with the curvature that is observed, not expected.

        Of a class around 0, which tells a gain by its spread alone, the latter is twice the former.
        """
        white = _whitened(mixture, self.planes, mixture.means)
        slopes = self.scene.slopes(self._gain, channel)
        slope = _whitened(mixture, slopes)
        each = (white * slope).sum(axis=1)  # gradients by component (K, n)
        gradient = (q * each).sum(axis=0)
        curvature = (q * (slope * slope).sum(axis=1)).sum(axis=0)

        unknown = None
        if observed:
            moved = self._gain.copy()
            moved[channel] -= _BEND
            bend = _whitened(mixture, (self.scene.slopes(moved, channel) - slopes) / np.float32(_BEND))
            unknown = (q * (each * each - (white * bend).sum(axis=1))).sum(axis=0) - gradient**2

        def objective(field: BiasField) -> float:
            gain, planes = self._under(field)
            if not self._is_usable(gain):
                return -np.inf
            white = _whitened(mixture, planes, mixture.means)
            return -0.5 * float((q * (white * white).sum(axis=1)).sum(dtype=np.float64))

        return Evidence(
            self._basis, gradient, curvature, objective, self._seen[channel], self._centers[channel], unknown
        )


def _root_mean_square(change: Array, curvatures: list[Array]) -> float:
    """Of changes of gains' logarithms (m, n), in units in which the likelihood's curvatures are 1."""
    squares = sum(curvature * own * own for curvature, own in zip(curvatures, change, strict=True))
    return math.sqrt(float(np.mean(squares, dtype=np.float64)))


def _whitened(mixture: Mixture, planes: Array, means: Array | None = None) -> Array:
    """Planes (K, d, n), less each component's mean, in units of its spread; 0 where a feature is missing."""
    factors = mixture.factors.astype(np.float32)
    centred = planes[None] if means is None else planes[None] - means.astype(np.float32)[:, :, None]
    if patterns.has_missing(planes):
        centred = np.nan_to_num(centred)
    whole = (
        factors[:, :, None] * centred
        if factors.ndim == 2
        else np.einsum("kij,kjn->kin", factors, np.broadcast_to(centred, (len(factors), *centred.shape[1:])))
    )
    return np.asarray(whole)
