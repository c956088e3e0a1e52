"""What can be drawn on one matplotlib Axes; colours are those of the label maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from gmmseg.arrays import Array
from gmmseg.errors import ParameterError
from gmmseg.io.palette import palette
from gmmseg.mixture.parameters import Mixture
from gmmseg.plot.curves import REACH, around, bin_edges, dense, normal, spreads
from gmmseg.plot.view import View

__all__ = ["criteria", "density", "ellipses", "history", "scatter"]

HISTOGRAM_SAMPLES = 50_000
_DARK = "0.15"  # of lines over all classes; matplotlib reads it as a grey


def scatter(
    ax: Any,
    source: Any,
    data: Any,
    *,
    features: Sequence[int | str] = (0, 1),
    probability: float | Sequence[float] = (0.5, 0.95),
    points: int = 4000,
    seed: int = 0,
) -> None:
    """Draw two features of a sample, coloured by class, under the components' contours and centres.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    source : Model, GaussianMixture or Mixture
    data : path, ndarray or Image for a Model; ndarray (n, d) for a GaussianMixture, (d, n) for a Mixture
        As the source's own methods take it. Samples that lack a number are left out.
    features : sequence of two int or str
        By number from 0, or by name.
    probability : float or sequence of float
        See `ellipses`.
    points : int
        The most that are drawn.
    seed : int
        Of the choice of points.

    Raises
    ------
    ParameterError
        A feature does not exist, or the data do not fit the source.

    Notes
    -----
    A point's class is the likeliest under the mixture given all features, before any smoothing. Axes whose features
    share a unit have the same scale.

    Examples
    --------
    >>> import gmmseg
    >>> from gmmseg import plot
    >>> from matplotlib.figure import Figure
    >>> x = np.random.default_rng(0).normal([[0, 0], [9, 9]], 1, (50, 2, 2)).reshape(-1, 2)
    >>> ax = Figure().subplots()
    >>> plot.scatter(ax, gmmseg.GaussianMixture(2, random_state=0).fit(x), x)
    >>> ax.get_xlabel()
    'feature 0'
    """
    view = View.of(source)
    first, second = _pair(view, features)
    planes = view.samples(data, points, seed)
    order = np.random.default_rng(seed).permutation(planes.shape[1])[:points]  # so that no class hides the others
    planes = np.ascontiguousarray(planes[:, order])
    colors = _colors(view.mixture)
    ax.scatter(
        planes[first],
        planes[second],
        s=4,
        c=colors[view.mixture.classify(planes)],
        alpha=0.4,
        linewidths=0,
        rasterized=True,  # thousands of marks would make a slow PDF
    )
    ellipses(ax, view, features=(first, second), probability=probability)
    ax.set_xlabel(view.labels[first])
    ax.set_ylabel(view.labels[second])
    if view.units[first] == view.units[second]:
        ax.set_aspect("equal", adjustable="datalim")


def ellipses(
    ax: Any,
    source: Any,
    *,
    features: Sequence[int | str] = (0, 1),
    probability: float | Sequence[float] = (0.5, 0.95),
) -> None:
    """Draw the components' covariance contours, and their centres with the number of the class.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    source : Model, GaussianMixture or Mixture
    features : sequence of two int or str
        By number from 0, or by name.
    probability : float or sequence of float
        Shares of a component's own samples that its contours hold, above 0 and below 1.

    Raises
    ------
    ParameterError
        A feature does not exist, or a probability is out of range.

    Notes
    -----
    The squared Mahalanobis distance of a Gaussian's two features has a chi-squared distribution of 2 degrees of
    freedom, so the contour of probability p has the radius sqrt(-2 ln(1 - p)) under their marginal covariance.

    Examples
    --------
    >>> from gmmseg import GaussianMixture, plot
    >>> from matplotlib.figure import Figure
    >>> ax = Figure().subplots()
    >>> x = np.random.default_rng(0).normal([[0, 0], [9, 9]], 1, (50, 2, 2)).reshape(-1, 2)
    >>> plot.ellipses(ax, GaussianMixture(2, random_state=0).fit(x), probability=0.9)
    >>> [each.get_text() for each in ax.texts]
    ['1', '2']
    """
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path
    from matplotlib.transforms import Affine2D

    view = View.of(source)
    pair = _pair(view, features)
    radii = [float(np.sqrt(-2 * np.log1p(-p))) for p in sorted(_probabilities(probability), reverse=True)]
    means, roots, colors = view.mixture.means[:, pair], spreads(view.mixture, pair), _colors(view.mixture)
    for mean, spread, color in zip(means, roots, colors, strict=True):
        for rank, radius in enumerate(radii):
            matrix = np.eye(3)
            matrix[:2, :2], matrix[:2, 2] = radius * spread, mean
            contour = Path.unit_circle().transformed(Affine2D(matrix))
            width = 0.9 if rank < len(radii) - 1 else 1.6
            ax.add_patch(PathPatch(contour, fill=False, edgecolor=0.75 * color, linewidth=width, zorder=2.5))
    for number, (mean, color) in enumerate(zip(means, colors, strict=True), 1):
        _numbered_disc(ax, mean, number, color, label=view.classes[number - 1], clip_on=True)
    ax.autoscale_view()


def density(ax: Any, source: Any, data: Any = None, *, feature: int | str = 0, seed: int = 0) -> None:
    """Draw the densities of the components and of the mixture, over the histogram of a feature.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    source : Model, GaussianMixture or Mixture
    data : optional
        As for `scatter`; without it there is no histogram.
    feature : int or str
        By number from 0, or by name.
    seed : int
        Of the choice of samples, of which there are at most 50 000.

    Raises
    ------
    ParameterError
        The feature does not exist, or the data do not fit the source.

    Notes
    -----
    Components are weighted, so that they add up to the mixture. The histogram has bins after Freedman and Diaconis
    (1981), a whole number of steps wide where the values are evenly spaced, and leaves out the outermost 0.1 % on
    either side; the area of what it shows is its share of the samples.

    Examples
    --------
    >>> from gmmseg import GaussianMixture, plot
    >>> from matplotlib.figure import Figure
    >>> ax = Figure().subplots()
    >>> x = np.random.default_rng(0).normal([[0.0], [9.0]], 1, (2, 50)).reshape(-1, 1)
    >>> plot.density(ax, GaussianMixture(2, random_state=0).fit(x), x)
    >>> ax.get_ylabel()
    'density'
    """
    view = View.of(source)
    row = view.index(feature)
    mixture = view.mixture
    means, weights = mixture.means[:, row], mixture.weights
    deviations = np.sqrt(dense(mixture)[:, row, row])
    low, high = (means - REACH * deviations).min(), (means + REACH * deviations).max()
    if data is not None:
        values = view.samples(data, HISTOGRAM_SAMPLES, seed)[row].astype(np.float64)
        edges = bin_edges(values)
        heights = np.histogram(values, edges)[0] / (max(1, len(values)) * np.diff(edges))
        ax.stairs(heights, edges, fill=True, color="0.85", label="samples")
        margin = 0.08 * (edges[-1] - edges[0])
        low, high = min(means.min(), edges[0]) - margin, max(means.max(), edges[-1]) + margin
    grid = np.unique(np.concatenate([np.linspace(low, high, 400), around(means, deviations)]))
    curves = weights[:, None] * normal(grid, means[:, None], deviations[:, None])
    for curve, color, name in zip(curves, _colors(mixture), view.classes, strict=True):
        ax.fill_between(grid, curve, color=color, alpha=0.25, linewidth=0)
        ax.plot(grid, curve, color=color, linewidth=1.4, label=name)
    ax.plot(grid, curves.sum(axis=0), color=_DARK, linewidth=1.2, linestyle=(0, (4, 1.5)), label="mixture")
    peaks = weights * normal(means, means, deviations)
    for number, (place, color) in enumerate(zip(zip(means, peaks, strict=True), _colors(mixture), strict=True), 1):
        _numbered_disc(ax, place, number, color, clip_on=False)  # whole where a peak is close to 0
    ax.set_xlabel(view.labels[row])
    ax.set_ylabel("density")
    ax.set_xlim(low, high)
    ax.set_ylim(bottom=0)


def criteria(ax: Any, k: ArrayLike, *, chosen: int | None = None, **curves: ArrayLike) -> None:
    """Draw criteria over the number of classes, each with a ring at its least value.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    k : array_like of int, shape (n,)
        Numbers of classes.
    chosen : int, optional
        Marked by a vertical line.
    **curves : array_like, shape (n,)
        By the name in the legend, such as `BIC=[...]`; lower is better, and what is not finite is left out.

    Raises
    ------
    ParameterError
        There is no curve, one has another length than k, or nothing of one is finite.

    Examples
    --------
    >>> from gmmseg import GaussianMixture, plot
    >>> from matplotlib.figure import Figure
    >>> ax = Figure().subplots()
    >>> plot.criteria(ax, [1, 2, 3], chosen=2, BIC=[40, 10, 12], ICL=[40, 11, 15])
    >>> ax.get_legend_handles_labels()[1]
    ['BIC', 'ICL', 'chosen: 2']
    """
    counts = np.asarray(k)
    if not curves:
        raise ParameterError("no criterion is given; pass one by its name, such as BIC=values")
    for (name, values), color in zip(curves.items(), _palette(len(curves)), strict=True):
        heights = np.asarray(values, np.float64)
        if counts.ndim != 1 or heights.shape != counts.shape:
            raise ParameterError(f"{name} has shape {heights.shape}, k has {counts.shape}; give a value for each k")
        known = np.isfinite(heights)
        if not known.any():
            raise ParameterError(f"{name} has no finite value; leave it out")
        order = np.flatnonzero(known)[np.argsort(counts[known], kind="stable")]
        best = order[np.argmin(heights[order])]
        ax.plot(counts[order], heights[order], "o-", color=color, markersize=3.5, linewidth=1.4, label=name)
        ax.plot(counts[best], heights[best], "o", color=color, markersize=10, markerfacecolor="none")
    if chosen is not None:
        ax.axvline(chosen, color=_DARK, linewidth=1, linestyle=(0, (4, 1.5)), zorder=0.5, label=f"chosen: {chosen}")
    _whole_numbers(ax)
    ax.set_xlabel("number of classes $k$")
    ax.set_ylabel("criterion (lower is better)")
    ax.legend(frameon=False)


def history(ax: Any, fit: Any) -> None:
    """Draw EM's objective over its iterations.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    fit : Fit, GaussianMixture or array_like, shape (n_iterations,)
        What holds the history, or the history itself: mean log-likelihood a sample, in nats.

    Raises
    ------
    ParameterError
        There is no history: nothing was fitted, or in no iteration.

    Examples
    --------
    >>> from gmmseg import GaussianMixture, plot
    >>> from matplotlib.figure import Figure
    >>> ax = Figure().subplots()
    >>> plot.history(ax, [-3.0, -2.1, -2.0])
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('EM iteration', 'mean log-likelihood (nats per sample)')
    """
    values = next((getattr(fit, name) for name in ("history", "lower_bounds_") if hasattr(fit, name)), fit)
    heights = np.asarray(values if isinstance(values, Sequence | np.ndarray) else (), np.float64)
    if heights.ndim != 1 or not heights.size:
        raise ParameterError(f"{type(fit).__name__} holds no history; give what was fitted in at least one iteration")
    steps = np.arange(1, len(heights) + 1)
    color = _palette(1)[0]
    ax.plot(steps, heights, ".-" if len(steps) <= 40 else "-", color=color, linewidth=1.4)
    _whole_numbers(ax)
    ax.ticklabel_format(axis="y", useOffset=False)
    ax.set_xlabel("EM iteration")
    ax.set_ylabel("mean log-likelihood (nats per sample)")


def _pair(view: View, features: Sequence[int | str]) -> list[int]:
    if isinstance(features, str) or len(features) != 2:
        raise ParameterError(f"features={features!r} is not usable; give two, such as (0, 1)")
    return [view.index(feature) for feature in features]


def _probabilities(probability: float | Sequence[float]) -> Array:
    values = np.atleast_1d(np.asarray(probability, np.float64))
    if values.ndim != 1 or not values.size or not ((values > 0) & (values < 1)).all():
        raise ParameterError(f"probability={probability!r} is not usable; use numbers above 0 and below 1")
    return values


def _palette(n: int) -> Array:
    """Colours (n, 3) from 0 to 1 of n classes; past 255 they repeat."""
    return palette(255)[1 + np.arange(n) % 255] / 255.0


def _colors(mixture: Mixture) -> Array:
    return _palette(mixture.n_components)


def _numbered_disc(ax: Any, place: Any, number: int, color: Array, *, clip_on: bool, label: str | None = None) -> None:
    """Name a class where it is: told by its number as well as by its colour."""
    (disc,) = ax.plot(*place, "o", color=color, markersize=11, markeredgecolor="white", zorder=3, clip_on=clip_on)
    disc.set(label=label, linestyle="none")
    ax.text(
        *place,
        str(number),
        color=_readable_on(color),
        size=7.5 if number < 100 else 5.5,
        weight="bold",
        ha="center",
        va="center_baseline",
        zorder=3.1,
        clip_on=clip_on,
    )


def _readable_on(color: Array) -> str:
    return "black" if color @ (0.299, 0.587, 0.114) > 0.55 else "white"


def _whole_numbers(ax: Any) -> None:
    from matplotlib.ticker import MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
