"""Every hot loop, on bare arrays: compiled, or the same functions in NumPy where nothing was compiled.

Kernels trust their caller and never change their input. Planes are `(n_features, n_samples)` with any strides, float32
or float64. A mixture is passed as `Densities`, and whom each voxel hears as a `Neighbourhood`. A `log_prior` `(K, n)`
of the planes' dtype holds logarithms of prior probabilities, added to the components' log densities sample by sample.

Results do not depend on `threads`. Setting the environment variable GMMSEG_KERNELS to "reference" selects NumPy.
"""

from __future__ import annotations

import contextlib
import os
from typing import Any

from gmmseg.errors import ParameterError
from gmmseg.kernels.densities import Densities
from gmmseg.kernels.neighbours import Neighbourhood
from gmmseg.platforms import processors

native: Any = None
if os.environ.get("GMMSEG_KERNELS") != "reference":
    with contextlib.suppress(ImportError):
        from gmmseg.kernels import compiled as native

__all__ = [
    "IMPLEMENTATION",
    "INSTRUCTION_SET",
    "Densities",
    "Neighbourhood",
    "agreement",
    "attempt",
    "class_moments",
    "classify",
    "climb",
    "climb_each",
    "cluster",
    "conditional_sums",
    "divisions",
    "expected",
    "halve",
    "invert_lower",
    "known_distances",
    "lab",
    "merge",
    "plus_plus",
    "posterior",
    "precision_factors",
    "smooth",
    "smooth_planes",
    "split",
    "spread",
    "statistics",
    "step_levels",
    "texture",
    "thread_count",
    "unfilter",
    "uniform",
]

_kernels: Any = native
if native is None:
    from gmmseg.kernels import reference as _kernels  # only here: a run on a picture does without its modules

IMPLEMENTATION = "native" if native else "reference"
INSTRUCTION_SET: str = native.INSTRUCTION_SET if native else "NumPy"


def thread_count(threads: int | None) -> int:
    """Return the number of threads asked for; None is one for each processor that this process may use."""
    if threads is None:
        return processors()
    if isinstance(threads, bool) or not hasattr(threads, "__index__") or threads < 1:
        raise ParameterError(f"threads={threads!r} is not usable; use a whole number of at least 1")
    return min(int(threads), 4096)


def statistics(planes: Any, weights: Any, densities: Densities, threads: int, log_prior: Any = None) -> Any:
    """Return sums over samples that an M step needs, `(K, 1 + d + second moments)`, and the log-likelihood of all.

    The sums are of responsibilities, and of responsibilities times first and second powers of the samples less the
    means (rounded to the planes' dtype). Second moments are the rows of the lower triangle, or the d squares when the
    factors are diagonal. With `dof` the sums are of responsibility r times u, the sample's share in the scale (Peel and
    McLachlan 2000), and two columns follow: the sums of r and of r (ln u - u).
    """
    return _kernels.statistics(planes, weights, densities, threads, log_prior)


def posterior(
    planes: Any, densities: Densities, out: Any, log_density: Any, threads: int, log_prior: Any = None
) -> bool:
    """Write responsibilities into `out` `(K, n)` and log densities into `log_density` `(n,)`; either may be None.

    Returns whether all features of all samples certainly are finite numbers; False does not say that one is not. A
    sample of which one is not has the same responsibility of each component.
    """
    found: bool = _kernels.posterior(planes, densities, out, log_density, threads, log_prior)
    return found


def classify(planes: Any, densities: Densities, out: Any, first: int, threads: int, log_prior: Any = None) -> bool:
    """Write `first` plus the index of the likeliest component into `out` `(n,)`, uint8 or int64.

    Returns what `posterior` does.
    """
    found: bool = _kernels.classify(planes, densities, out, first, threads, log_prior)
    return found


def known_distances(
    planes: Any, means: Any, factors: Any, precisions: Any, distances: Any, log_roots: Any, threads: int
) -> None:
    """Write squared Mahalanobis distances `(K, n)` of samples each of which lacks features of its own, NaN in planes.

    `planes`, the mixture's means, lower factors and precisions, and the outputs are float64 and contiguous. In
    `log_roots` `(K, n)` stands half the logarithm of the determinant of the missing features' part of the precision:
    less it, the logarithm of a normaliser becomes that of the known features. Samples that lack about as many features
    should lie side by side. Time O(n K (d**2 + m**3)) for m missing features.
    """
    _kernels.known_distances(planes, means, factors, precisions, distances, log_roots, threads)


def conditional_sums(
    planes: Any, means: Any, factors: Any, precisions: Any, shares: Any, mass: Any, threads: int
) -> Any:
    """Return sums `(K, 1 + d + d (d + 1) / 2)` of such samples, filled in with what is expected of missing features.

    They are of `shares` `(K, n)` times powers of the samples less the means; to the second moments is added `mass`
    `(K, n)` times the covariance that the known features leave to those missing.
    """
    return _kernels.conditional_sums(planes, means, factors, precisions, shares, mass, threads)


def expected(planes: Any, means: Any, factors: Any, precisions: Any, shares: Any, out: Any, threads: int) -> None:
    """Write such samples into `out` `(d, n)`, missing features as they are expected, averaged by `shares` `(K, n)`."""
    _kernels.expected(planes, means, factors, precisions, shares, out, threads)


def lab(pixels: Any, linear: Any, out: Any) -> None:
    """Write CIE L*, a*, b* of sRGB pixels `(rows, columns, 3)` into `out` `(3, rows * columns)`, float32.

    `linear` maps uint8 or uint16 pixels to linear light; None for float32 pixels in 0..1.
    """
    _kernels.lab(pixels, linear, out)


def smooth(
    prior: Any,
    guide: Any,
    valid: Any,
    neighbourhood: Neighbourhood,
    inner_first: tuple[int, int, int],
    labels: Any,
    probabilities: Any,
) -> None:
    """Smooth class probabilities `prior` `(K, z, y, x)` by mean field; write labels (from 1) or probabilities or both.

    Neighbours are at `offsets` and opposite. An edge weighs `strengths` times 0.2 + 0.8 (1 - D/8)^8 (0.2 from D = 8
    on), in 255 steps of the strongest, where D is the sum of the squares of `sharpness` times the differences of
    `guide` `(c, z, y, x)`; it weighs nothing where `valid` `(z, y, x)`, uint8 or None, is 0. All edges of a voxel weigh
    at most 32 nats. The outputs are filled from the part of the tile that starts at `inner_first`.
    """
    _kernels.smooth(prior, guide, valid, neighbourhood, inner_first, labels, probabilities)


def agreement(
    q: Any,
    guide: Any,
    valid: Any,
    counted: Any,
    offsets: Any,
    strengths: Any,
    sharpness: Any,
    total: float,
    most: float,
    settled: float,
    steps: int,
) -> float:
    """Return the total strength, up to `most`, at which classes have the highest pseudo-likelihood (Besag 1975).

    `q` `(K, p, z, y, x)` and `guide` `(c, p, z, y, x)` are of p patches, between which nothing is heard; voxels that
    are `valid` `(p, z, y, x)`, uint8, are heard, and of those `counted` the probabilities count. Neighbours are at
    `offsets` and opposite, and edges weigh what those of `smooth` do before these are rounded to steps. By so many
    `steps` of Newton's method from `total`, fewer where one changes it by less than `settled`; 0 where nobody has a
    neighbour.
    """
    found: float = _kernels.agreement(
        q, guide, valid, counted, offsets, strengths, sharpness, total, most, settled, steps
    )
    return found


def smooth_planes(
    planes: Any,
    densities: Densities,
    valid: Any,
    neighbourhood: Neighbourhood,
    inner_first: tuple[int, int, int],
    labels: Any,
) -> bool:
    """Write the labels that `smooth` gives for the posteriors of `planes` `(d, z, y, x)`, float32 and contiguous.

    The guide is the first planes, one for each `sharpness`. Posteriors are computed where they are needed. Returns
    False, and writes nothing, where it is not certain that all features of all samples are finite numbers, and for
    mixtures of many features, along the axes or with long tails.
    """
    found: bool = _kernels.smooth_planes(planes, densities, valid, neighbourhood, inner_first, labels)
    return found


def texture(values: Any, known: Any, steps: Any, shift: Any, slopes: Any, out: Any) -> None:
    """Write the texture of `values` (*padded), such as lightness, into `out` (d, *inner), all float32.

    It is made of averages, energies and directions. `known` (*padded) is 1 where a value counts and 0, as the value,
    where not; None where all do. A value is smoothed with its neighbours at the distances `steps` (levels, ndim),
    int64: an energy is the square of what the first, and the second, step takes away. Directions are of differences of
    next neighbours times `slopes` (ndim,). Averages are those of the pixel or of one displaced by `shift` (ndim,),
    int64, along all axes, whichever changes least over half that distance. d is 3 in one dimension, 5 in a plane and 8
    in a volume. `out` is C-contiguous, and `values` reach to both sides of it by the first step, the longer of the
    second and 1, the sum of all steps, the shift and its half. Compiled and reference give the same bits.
    """
    _kernels.texture(values, known, steps, shift, slopes, out)


def plus_plus(planes: Any, mass: Any, distances: Any, draws: Any) -> Any:
    """Return the indices of samples chosen as centres of k-means, one for each row of draws.

    Each is the best of as many as a row has numbers, from 0 to 1 (Arthur and Vassilvitskii 2007), fewer where no sample
    is left that lies off all centres. `mass` and `distances` `(n,)`, float64, are the samples' weights and their
    weighted squared distances from the nearest centre; the latter are brought up to date.
    """
    return _kernels.plus_plus(planes, mass, distances, draws)


def cluster(planes: Any, weights: Any, draws: Any, candidates: int, iterations: int, threads: int) -> tuple[Any, int]:
    """Return the label of each sample `(n,)`, int64, after some iterations of k-means, and the number of centres.

    These are chosen as `plus_plus` does: the first by the first of the draws, from 0 to 1, each other one by as many of
    the rest as there are candidates. A centre that loses all samples stays.
    """
    found: tuple[Any, int] = _kernels.cluster(planes, weights, draws, candidates, iterations, threads)
    return found


def class_moments(planes: Any, labels: Any, mass: Any, classes: int, diagonal: bool) -> Any:
    """Return counts, means and second moments about the means of samples by their labels, 0 to `classes` - 1.

    `labels` `(n,)` are int64, `mass` `(n,)` float64 or None. Second moments are means of products, `(k, d, d)`, or of
    squares alone, `(k, d)`, to which that of all classes is added as if it were d samples more. Of a label without
    samples there are none. The fourth are the variances `(d,)` of all samples; with a mass, the larger of those within
    classes and those of the samples without it.
    """
    return _kernels.class_moments(planes, labels, mass, classes, diagonal)


def climb(
    planes: Any,
    weights: Any,
    start: Any,
    added: Any,
    noise: Any,
    limits: Any,
    iterations: int,
    rescues: int,
    threads: int,
) -> Any:
    """Return a mixture after iterations of EM, with precision factors, history, and how it went.

    `start` holds weights, means and covariances, float64, and the name of their family; `added` `(d,)` is added to the
    variances, of which `noise` `(d,)`, or None, are uncertainty of the samples. `limits` are the tolerance, the part of
    the objective that is rounding, and the least weight of a sample: EM settles when an iteration gains less than the
    first. Components that become lighter than the last, or degenerate, are each put on one half of the one with the
    most spread samples, so often as `rescues` says; EM stops before a step after which that would be needed once more.
    How it went is whether EM settled, the worst fall, the number of iterations and of rescues, and whether the last
    iteration ended with one; the history is that since the one before.
    """
    return _kernels.climb(planes, weights, start, added, noise, limits, iterations, rescues, threads)


def climb_each(
    planes: Any, weights: Any, starts: Any, added: Any, noise: Any, limits: Any, iterations: int, threads: int
) -> Any:
    """Return the mixtures that EM comes to from several starts, side by side, and the objective of each.

    As `climb`, but weights, means and covariances, of the starts `(m, K, ...)` as of the results, have one more axis in
    front, and the covariances that come back are `(m, -1)`. The objective, `(m,)`, is that before the last M step; of a
    start from which a component became lighter than the least weight, or degenerate, it is -inf.
    """
    return _kernels.climb_each(planes, weights, starts, added, noise, limits, iterations, threads)


def attempt(
    planes: Any,
    weights: Any,
    start: Any,
    halvings: int,
    added: Any,
    noise: Any,
    limits: Any,
    steps: Any,
    bounds: Any,
    strict: bool,
    threads: int,
) -> Any:
    """Return what a mixture comes to by a trial, and whether its parts were merged to the same wholes again.

    Its components are split lengthwise, so often as `halvings` says, or in scale where that is 0; the parts climb,
    are merged down to as many as there were, and these climb in turn. The first is as of `climb`, as are all arguments
    before and after. The `steps` are the iterations of parts, of wholes, and of wholes that reach more than the last of
    the `bounds`. None where a component weighs less than the first of these after the mergers, or than the second in
    the end; False where a run ended early. Only where `strict` is it told that wholes are the same, and are these not
    given more iterations.
    """
    return _kernels.attempt(planes, weights, start, halvings, added, noise, limits, steps, bounds, strict, threads)


def merge(weights: Any, means: Any, second: Any, k: int, spherical: bool) -> Any:
    """Return weights, means and second moments of components merged down to k, pair by pair, cheapest first.

    The fourth is a list of K numbers: into which of the k each component went. Costs are those of Runnalls (2007).
    Second moments are `(K, d, d)`, or `(K, d)` for components along the axes, whose volumes are those of balls where
    they are `spherical`.
    """
    return _kernels.merge(weights, means, second, k, spherical)


def split(weights: Any, means: Any, second: Any, share: float) -> Any:
    """Return weights, means and second moments of 2 K components, two for each that together keep its moments.

    They lie to both sides of its mean, along its longest axis, at a share of its standard deviation there; axes are
    long in units of the standard deviations of the whole. The last K are on the side of the feature that is most of the
    axis. Second moments are `(K, d, d)`, or `(K, d)` for components along the axes.
    """
    return _kernels.split(weights, means, second, share)


def divisions(weights: Any, means: Any, covariances: Any, family: str, ranks: int, in_scale: bool, share: float) -> Any:
    """Return weights `(m, K + 1)`, means and covariances of the mixtures in which one component is divided in two.

    They are divided across their longest axis, each in turn, then across the second longest and so on, `ranks` times,
    at a share of their standard deviations there, and then, if `in_scale`, into a narrow and a wide one. The halves
    come last, the one on the side of the feature that is most of the axis at the very end. They keep mean and
    covariance, as far as those of the family do; one common to all components stays, and comes once a mixture.
    """
    return _kernels.divisions(weights, means, covariances, family, ranks, in_scale, share)


def precision_factors(covariances: Any) -> Any:
    """Return lower precision factors `(K, d, d)` of covariances `(K, d, d)`; None where one is not positive definite.

    They are the inverses of the lower factors of Cholesky.
    """
    return _kernels.precision_factors(covariances)


def invert_lower(lower: Any) -> Any:
    """Return the inverses of lower triangular matrices `(K, d, d)`, row by row, which keeps tiny diagonals."""
    return _kernels.invert_lower(lower)


def spread(white: Any, ends: Any, means: Any, lower: Any) -> Any:
    """Return samples `(d, n)` of components, made from white noise: the first up to the first end, and so on.

    `ends` `(K,)` are int64 and ascending, the last one n; `lower` `(K, d, d)` times its transpose is the covariance.
    """
    return _kernels.spread(white, ends, means, lower)


def uniform(seed: int, first: int, count: int) -> Any:
    """Return so many random numbers `(count,)` from 0 to 1, float64: those of `numpy.random.default_rng(seed).random`.

    `first` of them are left out before. Compiled and reference give the same bits.
    """
    return _kernels.uniform(seed, first, count)


def halve(picture: Any, rounding: int, limits: tuple[float, float], out: Any) -> None:
    """Write the whole numbers `out` `(n, m)` that a picture `(2 n, 2 m)` was enlarged from by linear interpolation.

    Several often fit: of what they are enlarged to is known whether it was rounded along rows and then along columns
    (`rounding` 0), once (1), or once with bits below a quarter dropped along columns, as OpenCV does (2). The chance of
    each is summed over all that fit to it in its column and in its row, both being chains (Baum and others 1970), and
    the likeliest is taken. Both arrays are float32 and contiguous, the picture's numbers are whole, at most 2**20, and
    `out` lies within `limits`. What does not fit anywhere, as where a picture was changed, is nearly what least squares
    say of it.
    """
    _kernels.halve(picture, rounding, limits, out)


def step_levels(
    levels: Any,
    least: Any,
    most: Any,
    row_starts: Any,
    row_bands: Any,
    column_starts: Any,
    column_bands: Any,
    limits: tuple[float, float],
    by_axis: bool,
    sweeps: int,
) -> None:
    """Step whole numbers of a picture by one, in place, until what it is enlarged to lies within bounds.

    `levels` `(n, m)` are within `limits`, `least` and `most` bounds of the enlarged picture `(N, M)`, which is enlarged
    along rows first and, `by_axis`, rounded then. What a row adds to rows of it from `row_starts` `(n,)` on stands in
    `row_bands` `(n, reach)`, and so for columns; N and M are multiples of n and m. All are float32 and contiguous, the
    starts int32. Pixel by pixel, so many sweeps at most, to the side that the enlarged pixels pull to, where the sum of
    squares beyond bounds becomes less: first pixels with a number of their own beyond, then those next to one.
    """
    _kernels.step_levels(
        levels, least, most, row_starts, row_bands, column_starts, column_bands, limits, by_axis, sweeps
    )


def unfilter(stored: Any, depth: int, out: Any) -> bool:
    """Write the bytes of a PNG file's rows into `out` `(rows, bytes)`; False where a row names no filter of PNG.

    `stored` `(rows, 1 + bytes)` are each row's filter and what it leaves of the bytes; pixels have `depth` bytes. Both
    arrays are uint8 and contiguous.
    """
    found: bool = _kernels.unfilter(stored, depth, out)
    return found
