"""The charts of a segmentation: its classes among the pixels, and how they were found."""

from __future__ import annotations

import numpy as np

from gmmseg.arrays import Array
from gmmseg.io.palette import palette
from gmmseg.mixture.choosing import CRITERIA, Choice
from gmmseg.mixture.em import Fit
from gmmseg.plot.curves import around, bin_edges, dense, normal, spreads
from gmmseg.plot.view import View
from gmmseg.report.charts import INSIDE, Curve, Frame, chart, disc, dots, path

__all__ = ["choice_chart", "class_colors", "density_chart", "ellipse_chart", "guides", "history_chart"]

_POINTS = 1500
_INK = "currentColor"
_PROBABILITIES = (0.95, 0.5)
_MOST_IN_LEGEND = 12


def class_colors(k: int) -> list[str]:
    """Return the colours of the classes, as in their label maps."""
    return [f"#{bytes(each).hex()}" for each in palette(k)[1:].tolist()]


def guides(view: View, most: int) -> list[int]:
    """Return the features that tell the classes apart best, in their own order, position left out where there is more.

    See `gmmseg.plot.view.View.separation`.
    """
    rows = [row for row, unit in enumerate(view.units) if unit >= 0] or list(range(len(view.names)))
    best = np.argsort(-view.separation()[rows], kind="stable")[:most]
    return sorted(rows[place] for place in best)


def density_chart(view: View, planes: Array, row: int) -> str:
    """Draw the histogram of a feature under the Gaussians of the classes."""
    mixture = view.mixture
    means, deviations = mixture.means[:, row], np.sqrt(dense(mixture)[:, row, row])
    values = planes[row].astype(np.float64)
    edges = bin_edges(values)
    heights = np.histogram(values, edges)[0] / (max(1, len(values)) * np.diff(edges))
    grid = np.unique(np.concatenate([np.linspace(edges[0], edges[-1], 160), around(means, deviations)[::4]]))
    grid = grid[(grid >= edges[0]) & (grid <= edges[-1])]
    each = mixture.weights[:, None] * normal(grid, means[:, None], deviations[:, None])
    # A class of one value has a peak without bounds; what is drawn of it follows the histogram.
    highest = float(heights.max())
    top = 1.08 * max(highest, min(float(each.sum(axis=0).max()), 2 * highest))
    frame = Frame((float(edges[0]), float(edges[-1])), (0.0, top), (_plain(view.labels[row]), "density"))
    colors = class_colors(mixture.n_components)
    curves = [Curve(name, np.minimum(y, top), color) for name, y, color in zip(view.classes, each, colors, strict=True)]
    whole = Curve("mixture", np.minimum(each.sum(axis=0), top), _INK)
    legend = [*zip(colors, map(_plain, view.classes), strict=True)][:_MOST_IN_LEGEND]
    title = f"Histogram of {_plain(view.names[row])} with the Gaussians"
    return chart(title, frame, frame.bars(edges, heights) + frame.curves(grid, [*curves, whole]), legend)


def ellipse_chart(view: View, planes: Array, pair: list[int]) -> str:
    """Draw pixels by two features, under the contours that hold 50 % and 95 % of each class."""
    mixture = view.mixture
    some = planes[:, np.linspace(0, planes.shape[1] - 1, min(_POINTS, planes.shape[1])).astype(int)]
    colors, roots = class_colors(mixture.n_components), spreads(mixture, pair)
    turns = np.linspace(0, 2 * np.pi, 49)
    circle = np.stack([np.cos(turns), np.sin(turns)])
    rings = [
        [mean[:, None] + np.sqrt(-2 * np.log1p(-p)) * root @ circle for p in _PROBABILITIES]
        for mean, root in zip(mixture.means[:, pair], roots, strict=True)
    ]
    shown = np.concatenate([some[pair], mixture.means[:, pair].T], axis=1)
    x_name, y_name = (_plain(view.labels[row]) for row in pair)
    frame = Frame.around(shown[0], shown[1], (x_name, y_name))
    across, up = frame.place(some[pair[0]], some[pair[1]])
    owner = mixture.classify(np.ascontiguousarray(some))
    content = [dots(across[owner == each], up[owner == each], color) for each, color in enumerate(colors)]
    for number, (color, own) in enumerate(zip(colors, rings, strict=True)):
        content += [f'<path class="curve" stroke="{color}" d="{path(*frame.place(*ring))}Z"/>' for ring in own]
        x, y = (float(each) for each in frame.place(*mixture.means[number, pair]))
        content.append(disc(x, y, 8, color) + _number(x, y, number + 1))
    legend = [*zip(colors, map(_plain, view.classes), strict=True)][:_MOST_IN_LEGEND]
    return chart("Pixels by two features; rings hold 50 % and 95 % of a class", frame, _clipped(content), legend)


def choice_chart(choice: Choice) -> str:
    """Draw the criteria over the number of classes, of the family that was chosen."""
    family = [each for each in choice.candidates if each.covariance == choice.best.covariance]
    k = np.array([each.k for each in family], np.float64)
    colors = class_colors(len(CRITERIA))
    # Beside one another the shapes tell; their own levels would lie far apart.
    curves = []
    for name, color in zip(CRITERIA, colors, strict=True):
        values = np.array([getattr(each, name) for each in family], np.float64)
        spread = np.ptp(values[np.isfinite(values)]) or 1.0
        curves.append(Curve(name.upper(), (values - np.nanmin(values)) / spread, color, marked=True))
    frame = Frame.around(
        k, np.array([0.0, 1.0]), ("number of components", "criterion, lowest 0, highest 1"), whole=True
    )
    line = frame.place(choice.best.k, [frame.y[0], frame.y[1]])
    mark = f'<path class="curve dashed" stroke="{_INK}" d="{path(np.broadcast_to(line[0], 2), line[1])}"/>'
    legend = [(each.color, each.name) for each in curves]
    made_of = f", of {choice.best.k} components" if choice.best.k > choice.k else ""
    return chart(
        f"Choice of k = {choice.k} by {choice.criterion.upper()}{made_of}",
        frame,
        mark + frame.curves(k, curves),
        legend,
    )


def history_chart(fit: Fit) -> str:
    """Draw the objective over EM's iterations."""
    steps, values = np.arange(1.0, len(fit.history) + 1), np.array(fit.history)
    frame = Frame.around(steps, values, ("iteration of EM", "log-likelihood, nats a pixel"), whole=True)
    return chart("Objective of the fit", frame, frame.curves(steps, [Curve("", values, class_colors(1)[0])]))


def _clipped(content: list[str]) -> str:
    """Return what is drawn within the axes alone: an inner drawing clips what leaves it."""
    x, y, width, height = INSIDE
    box = f'x="{x}" y="{y}" width="{width}" height="{height}" viewBox="{x} {y} {width} {height}"'
    return f"<svg {box}>{''.join(content)}</svg>"


def _number(x: float, y: float, number: int) -> str:
    return f'<text class="number" x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle">{number}</text>'


def _plain(text: str) -> str:
    r"""Return a label without what matplotlib would take for mathematics."""
    return text.replace(r"\$", "$")
