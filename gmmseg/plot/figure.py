"""Whole figures, as for a paper, and the files they are written to."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence, Sized
from contextlib import contextmanager
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np

from gmmseg.checks import path_of, whole_number
from gmmseg.errors import GmmsegError, OutputError, ParameterError
from gmmseg.io.atomic import atomic_file, check_place
from gmmseg.plot.drawing import HISTOGRAM_SAMPLES, density, scatter
from gmmseg.plot.view import View

__all__ = ["KINDS", "check_target", "figure", "save"]

KINDS = ("scatter", "density", "all")

_MOST_FEATURES = 5  # 10 pairs and 5 densities fill a page
_MOST_IN_LEGEND = 12
_PANEL = (2.9, 2.5)  # inches
_COLUMNS = 3
_ENTRY = 1.15  # inches of a legend's entry
_PROBABILITY = (0.5, 0.95)

_STYLE = {
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "pdf.fonttype": 42,  # text that can be selected
    "svg.hashsalt": "gmmseg",  # otherwise drawn at random: same input, same bytes
}

# Metadata that would make the bytes depend on the date or on matplotlib's version.
_METADATA: dict[str, dict[str, None]] = {
    ".png": {"Software": None},
    ".svg": {"Date": None, "Creator": None},
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


def figure(
    source: Any, data: Any, *, features: Sequence[int | str] | None = None, kind: str = "all", seed: int = 0
) -> Any:
    """Make a figure of a model among the pixels of an image: scatter plots, densities, or both.

    Parameters
    ----------
    source : Model, GaussianMixture or Mixture
    data : path, ndarray or Image
        See `scatter`.
    features : sequence of int or str, optional
        One to five, by name or by number from 0; by default the two in which the classes lie farthest apart (Fisher's
        criterion), position left out where there is anything else.
    kind : {"all", "scatter", "density"}
        A panel for each pair of features, for each feature, or both.
    seed : int
        Of the choice of pixels.

    Returns
    -------
    matplotlib.figure.Figure
        Not known to pyplot, so that nothing has to be closed.

    Raises
    ------
    GmmsegError
        matplotlib is not installed.
    ParameterError
        A feature or the kind does not exist, or a scatter plot is asked of one feature.
    InputError
        The image is not of the model's kind, or cannot be read.

    Examples
    --------
    >>> from gmmseg import GaussianMixture
    >>> x = np.random.default_rng(0).normal([[0, 0], [9, 9]], 1, (50, 2, 2)).reshape(-1, 2)
    >>> made = figure(GaussianMixture(2, random_state=0).fit(x), x, kind="scatter")
    >>> [each.get_xlabel() for each in made.axes]
    ['feature 0']
    """
    if not isinstance(kind, str) or kind not in KINDS:
        raise ParameterError(f"kind={kind!r} is not known; use one of {', '.join(KINDS)}")
    seed = whole_number("seed", seed, 0, None)
    _require_matplotlib()
    from matplotlib.figure import Figure

    view = View.of(source)
    rows = _chosen(view, features)
    if len(rows) == 1 and kind == "scatter":
        raise ParameterError(f"a scatter plot needs two features, there is {view.names[rows[0]]!r}; draw its density")
    view = view.holding(view.samples(data, HISTOGRAM_SAMPLES, seed))
    panels: list[Callable[[Any], None]] = []
    if kind != "density":
        panels += [partial(scatter, source=view, data=data, features=pair, seed=seed) for pair in combinations(rows, 2)]
    scatters = len(panels)
    if kind != "scatter":
        panels += [partial(density, source=view, data=data, feature=row, seed=seed) for row in rows]
    columns = min(len(panels), _COLUMNS)
    lines = -(-len(panels) // columns)
    with _style():
        drawn = Figure(figsize=(_PANEL[0] * max(columns, 1.5), _PANEL[1] * lines + 0.4), layout="constrained")
        for number, panel in enumerate(panels, 1):
            panel(drawn.add_subplot(lines, columns, number))
        _legend(drawn, ellipses=scatters > 0, names=view.mixture.n_components <= _MOST_IN_LEGEND)
    return drawn


def check_target(path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Refuse a file that `save` could not write, before anything is computed.

    Parameters
    ----------
    path : path-like
        .png, .svg or .pdf.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    GmmsegError
        matplotlib is not installed.
    OutputError
        The suffix is not .png, .svg or .pdf, the file exists, or the folder is missing or not writable.

    Examples
    --------
    >>> check_target("nowhere/figure.png")
    Traceback (most recent call last):
    gmmseg.errors.OutputError: nowhere/figure.png: the folder nowhere does not exist; create it first
    """
    path = path_of(path)
    if path.suffix.lower() not in _METADATA:
        found = f"the suffix {path.suffix!r}" if path.suffix else "no suffix"
        raise OutputError(f"{path} has {found}, which a figure cannot be written to; use one of {' '.join(_METADATA)}")
    check_place(path, overwrite=overwrite)
    _require_matplotlib()


def save(figure: Any, path: str | os.PathLike[str], *, overwrite: bool = False, dpi: float = 200) -> None:
    """Write a figure, whole or not at all; the same figure gives the same bytes.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        One of `figure`, or your own.
    path : path-like
        .png, .svg or .pdf.
    overwrite : bool
        Whether an existing file may be replaced.
    dpi : float
        Pixels an inch, of PNG and of the points in SVG and PDF.

    Raises
    ------
    OutputError
        See `check_target`.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from matplotlib.figure import Figure
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(Figure(figsize=(3, 2)), f"{folder}/empty.png", dpi=100)
    ...     Path(folder, "empty.png").is_file()
    True
    """
    path = path_of(path)
    check_target(path, overwrite=overwrite)
    suffix = path.suffix.lower()
    with _style(), atomic_file(path, overwrite=overwrite) as file:
        figure.savefig(file, format=suffix[1:], dpi=dpi, metadata=_METADATA[suffix])


def _require_matplotlib() -> None:
    try:
        import matplotlib  # noqa: F401  # whether it is there
    except ImportError:
        raise GmmsegError("figures need matplotlib, which is not installed; pip install 'gmmseg[plot]'") from None


@contextmanager
def _style() -> Iterator[None]:
    import matplotlib

    with matplotlib.rc_context(_STYLE):
        yield


def _chosen(view: View, features: Sequence[int | str] | None) -> list[int]:
    """Rows of the features to show, in the order given, or by default in that of the model."""
    if features is None:
        guides = [row for row, unit in enumerate(view.units) if unit >= 0]
        best = np.argsort(-view.separation()[guides], kind="stable")[:2]
        return sorted(guides[place] for place in best)
    listed = isinstance(features, Sized) and not isinstance(features, str) and getattr(features, "ndim", 1) == 1
    if not listed or not 1 <= len(features) <= _MOST_FEATURES:
        found = f"{len(features)} features" if listed else repr(features)
        raise ParameterError(f"features: {found} cannot be drawn; give a list of one to {_MOST_FEATURES}")
    rows = [view.index(feature) for feature in features]
    if len(set(rows)) < len(rows):
        twice = next(feature for row, feature in zip(rows, features, strict=True) if rows.count(row) > 1)
        raise ParameterError(f"features={twice!r} is named twice; name it once")
    return rows


def _legend(drawn: Any, *, ellipses: bool, names: bool) -> None:
    """One legend for all panels, below them."""
    from matplotlib.lines import Line2D

    entries: dict[str, Any] = {}
    for ax in drawn.axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    last = {label: entries.pop(label) for label in ("mixture", "samples") if label in entries}
    entries = (entries if names else {}) | last
    if ellipses:
        shares = " and ".join(f"{100 * p:g} %" for p in _PROBABILITY)
        ring = Line2D([], [], color="0.4", marker="o", markersize=9, markerfacecolor="none", linestyle="none")
        entries[f"{shares} of a class"] = ring
    fitting = max(1, int(drawn.get_figwidth() / _ENTRY))
    columns = -(-len(entries) // -(-len(entries) // fitting))  # rows of about equal length
    # matplotlib fills columns; classes are read along rows.
    order = [place for start in range(columns) for place in range(start, len(entries), columns)]
    labels = [list(entries)[place] for place in order]
    handles = [entries[label] for label in labels]
    drawn.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False)
