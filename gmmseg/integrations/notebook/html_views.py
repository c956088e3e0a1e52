"""What results show of themselves in a notebook: HTML of less than 100 kB that takes the colours of the notebook."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

import numpy as np

from gmmseg.arrays import Array
from gmmseg.hierarchy.tree import RegionTree
from gmmseg.image import Image
from gmmseg.labelling.picking import picked
from gmmseg.labelling.result import Segmentation
from gmmseg.mixture.choosing import CRITERIA, Choice
from gmmseg.model import Model
from gmmseg.report.figures import class_colors
from gmmseg.report.previews import coded, previews, views_of
from gmmseg.report.text import escaped, percent

__all__ = ["choice_html", "model_html", "segmentation_html", "tree_html"]

_SIDE = 280  # pixels of a picture
_MOST_BYTES = 60_000  # of the pictures
_MOST_ROWS, _MOST_FEATURES = 24, 12
_COLORS = 255  # regions share them


def segmentation_html(found: Segmentation) -> str:
    """Show picture, classes and their shares; of an image that stays in its file what is known without reading it."""
    image, model = found.image, found.model
    size = " × ".join(map(str, image.shape))
    title = f"{image.name}: {size} pixels, {_many(model.k, 'class', 'classes')}"
    said = "".join(f"<p><b>Warning:</b> {escaped(str(each))}</p>" for each in found.warnings[:_MOST_ROWS])
    if not image.in_memory:
        return _framed(
            title, f"{said}{_names(model)}<p>The image stays in its file: save() writes labels window by window.</p>"
        )
    colored = any(each.color for each in found.classes)
    rows = [
        [
            _square(f"#{bytes(each.map_color).hex()}"),
            str(each.label),
            escaped(each.name),
            percent(each.share),
            *([_square(f"#{bytes(each.color).hex()}") if each.color else ""] if colored else []),
        ]
        for each in found.classes
    ]
    heads = ["", "class", "name", "share", *(["mean colour"] if colored else [])]
    return _framed(title, said + _pictures(image, partial(picked, found, "labels"), model.k) + _table(heads, rows))


def model_html(model: Model) -> str:
    """Show the classes with their weights and the means of their features."""
    title = (
        f"Model of {_many(model.k, 'class', 'classes')}: features {model.recipe}, covariance {model.mixture.covariance}"
    )
    features = model.plane_names[:_MOST_FEATURES]
    rows = [
        [_square(color), str(number), escaped(name), percent(float(weight)), *(f"{each:.4g}" for each in mean)]
        for number, (color, name, weight, mean) in enumerate(
            zip(class_colors(model.k), model.class_names, model.weights, model.means[:, :_MOST_FEATURES], strict=True),
            1,
        )
    ]
    return _framed(title, _table(["", "class", "name", "weight", *map(escaped, features)], rows))


def tree_html(tree: RegionTree) -> str:
    """Show the regions at the default level of detail, and how many there are at others."""
    image = tree.image
    title = f"{image.name}: {_many(tree.n_finest, 'piece', 'pieces')}, merged step by step"
    rows = [[f"{detail:g}", str(tree.count(detail))] for detail in (0.0, 0.2, 0.38, 0.6, 0.8, 1.0)]
    table = _table(["detail", "regions"], rows)
    if not image.in_memory:
        return _framed(title, table)
    labels = tree.labels()
    numbers = np.where(labels > 0, (labels.astype(np.int64) - 1) % _COLORS + 1, 0).astype(np.uint8).reshape(-1)
    return _framed(title, _pictures(image, lambda flat: numbers[flat], _COLORS) + table)


def choice_html(choice: Choice) -> str:
    """Show the criteria of the mixtures that were compared, the lowest of each in bold, and the reason."""
    best = {name: choice.best_by(name) for name in CRITERIA}
    rows = []
    for each in choice.candidates:
        values = [f"{getattr(each, name):.1f}" for name in CRITERIA]
        marked = [
            f"<b>{value}</b>" if best[name] is each else value for name, value in zip(CRITERIA, values, strict=True)
        ]
        chosen = "◀ chosen" if each is choice.best else ""
        rows.append([str(each.k), escaped(each.covariance), *marked, chosen])
    table = _table(["k", "covariance", *map(str.upper, CRITERIA), ""], rows, most=48)
    return _framed(
        f"{_many(choice.k, 'class', 'classes')} by {choice.criterion.upper()}",
        f"<p>{escaped(choice.reason)}</p>{table}",
    )


def _pictures(image: Image, labels: Callable[[Array], Array], k: int) -> str:
    """Return the picture and its classes side by side."""
    views = views_of(image, _SIDE, few=True)
    if not views:
        return ""
    (look,) = previews(image, views, labels, None)
    step, drawn = 1, coded(look, k)
    while sum(map(len, drawn.values())) > _MOST_BYTES and step < 16:
        step += 1
        drawn = coded(look.thinned(step), k)
    height, width = look.proportions
    scale = _SIDE / max(height, width)
    size = f'width="{max(1, round(width * scale))}" height="{max(1, round(height * scale))}"'
    shown = "".join(
        f'<img src="{drawn[name]}" alt="{name}" {size} style="margin-right: 8px">' for name in ("picture", "classes")
    )
    return f"<div>{shown}</div>" + (f"<small>{escaped(look.view.title)}</small>" if look.view.title else "")


def _names(model: Model) -> str:
    colors = zip(class_colors(model.k)[:_MOST_ROWS], model.class_names, strict=False)
    return "<p>" + ", ".join(f"{_square(color)} {escaped(name)}" for color, name in colors) + "</p>"


def _table(heads: Sequence[str], rows: Sequence[Iterable[str]], most: int = _MOST_ROWS) -> str:
    head = "".join(f"<th>{each}</th>" for each in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows[:most])
    more = f"<small>and {len(rows) - most} more</small>" if len(rows) > most else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def _framed(title: str, content: str) -> str:
    return f"<div><b>{escaped(title)}</b>{content}</div>"


def _square(color: str) -> str:
    return f'<span style="display: inline-block; width: 12px; height: 12px; background: {color}"></span>'


def _many(number: int, one: str, several: str) -> str:
    return f"{number} {one if number == 1 else several}"
