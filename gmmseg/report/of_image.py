"""The report of one image."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np

from gmmseg import __version__
from gmmseg.arrays import Array
from gmmseg.checks import path_of
from gmmseg.errors import GmmsegError, GmmsegWarning
from gmmseg.image import Image
from gmmseg.image.vision import opencv
from gmmseg.io.hashes import digest
from gmmseg.io.parts import files_of
from gmmseg.labelling.picking import picked, without_bias
from gmmseg.labelling.result import Segmentation
from gmmseg.mixture.anomaly import p_values
from gmmseg.plot.view import View
from gmmseg.report.charts import swatch
from gmmseg.report.figures import choice_chart, density_chart, ellipse_chart, guides, history_chart
from gmmseg.report.flags import Doubts, flags_of
from gmmseg.report.page import check_page, page, write_page
from gmmseg.report.previews import Preview, coded, previews, views_of
from gmmseg.report.text import escaped, percent

__all__ = ["image_page", "image_report", "versions"]

_SIDES = {1: 960, 3: 420}
"""Pixels along the longer side of a preview, by how many there are."""

_SHOWN = 1000, 640
"""Width and height of a picture on a page that is wide enough."""

_MOST_BYTES = 380_000  # of all pictures of a page, which is to stay below 500 000 with its charts
_SAMPLE = 20_000  # pixels of the charts
_MOST_CHANNELS = 4  # in the table
_RARE = 1e-3  # p-value of pixels that are unlike every class


def image_report(
    found: Segmentation,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    command: str | None = None,
    warnings: Sequence[str] | None = None,
) -> None:
    """Write the report of a segmentation; see `gmmseg.Segmentation.report`.

    Parameters
    ----------
    found : Segmentation
    path : path-like
        .html or .htm.
    overwrite : bool
        Whether an existing file may be replaced.
    command : str, optional
        What made it, to be shown.
    warnings : sequence of str, optional
        What was warned of on the way, to be shown among the quality flags; by default what the segmentation holds.

    Raises
    ------
    OutputError
        The suffix is another one, the file exists, or the folder is missing or not writable.

    Examples
    --------
    >>> import gmmseg, tempfile
    >>> seg = gmmseg.segment(np.repeat(np.uint8([10, 200, 200]), 8).reshape(3, 8), k=2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     image_report(seg, f"{folder}/three.html")
    ...     "<title>image: 2 classes</title>" in Path(folder, "three.html").read_text("utf-8")
    True
    """
    target = path_of(path)
    check_page(target, overwrite=overwrite)
    write_page(target, image_page(found, command=command, warnings=warnings), overwrite=overwrite)


def image_page(found: Segmentation, *, command: str | None = None, warnings: Sequence[str] | None = None) -> bytes:
    """Return the report of a segmentation, whose parameters are those of `gmmseg.Segmentation.report`."""
    image = found.image
    views = views_of(image, 0)
    views = views_of(image, _SIDES[1 if len(views) == 1 else 3])
    looks = previews(image, views, partial(picked, found, "labels"), partial(picked, found, "uncertainty"))
    view = View.of(found.model)
    planes = (
        view.samples(without_bias(image, found.rule.bias), _SAMPLE, 0)
        if any(each.labels.any() for each in looks)
        else None
    )
    said = [str(each) for each in found.warnings] if warnings is None else warnings
    flags = flags_of(found, _doubts(found, looks, planes), said)
    name = Path(image.name).name or image.name
    parts = [
        f"<header><h1>{escaped(name)}</h1><p>{escaped(_summary(found))}</p></header>",
        _flag_list(flags, [str(each).removeprefix(f"{image.name}: ") for each in _placed(found)]),
        _pictures(looks, found),
        _classes(found),
        f'<section><h2>Model</h2><div class="charts">{_charts(found, view, planes)}</div></section>',
        _made(found, command),
    ]
    return page(f"{name}: {found.model.k} classes", f"<main>{''.join(parts)}</main>")


def _summary(found: Segmentation) -> str:
    image = found.image
    size = " × ".join(map(str, image.shape if image.ndim > 2 else reversed(image.shape)))
    count = "1 class" if found.model.k == 1 else f"{found.model.k} classes"
    return f"{size} pixels, {count}"


def _doubts(found: Segmentation, looks: list[Preview], planes: Array | None) -> Doubts:
    labels = np.concatenate([each.labels.ravel() for each in looks]) if looks else np.zeros(1, np.uint8)
    unsure = [each.uncertainty.ravel() for each in looks if each.uncertainty is not None]
    known = np.concatenate(unsure)[labels > 0] if unsure else np.zeros(0)
    unusual = 0.0 if planes is None else float(np.mean(p_values(planes, found.model.arguments_of) < _RARE))
    return Doubts(float(known.mean()) if known.size else 0.0, unusual, float(np.mean(labels == 0)))


def _placed(found: Segmentation) -> list[GmmsegWarning]:
    """Return the warnings that are about a pixel of a picture."""
    return [each for each in found.warnings if each.place is not None and found.image.ndim == len(each.place) == 2]


def _flag_list(flags: list[str], marked: list[str]) -> str:
    """Return the flags, with links to marks on the picture from those that end in the text of one."""
    if not flags:
        return '<p class="fine">No quality flag: nothing unusual was seen in the fit, the classes and the pixels.</p>'
    marks = dict(enumerate(marked, 1))
    links = {
        flag: f' <a href="#place-{number}">mark {number} on the picture</a>'
        for flag in flags
        for number, text in marks.items()
        if flag.endswith(text)
    }
    entries = "".join(f"<li>{escaped(each)}{links.get(each, '')}</li>" for each in flags)
    return f'<section class="flags"><h2>Quality flags</h2><ul>{entries}</ul></section>'


def _pictures(looks: list[Preview], found: Segmentation) -> str:
    """Return the views, with a slider between picture and classes, and the maps of uncertainty."""
    if not looks:
        return ""
    k, step = found.model.k, 1
    drawn = [coded(each, k) for each in looks]
    while sum(map(len, (text for each in drawn for text in each.values()))) > _MOST_BYTES and step < 64:
        step += 1
        drawn = [coded(each.thinned(step), k) for each in looks]
    figures, maps = [], []
    for look, pictures in zip(looks, drawn, strict=True):
        caption = f"<figcaption>{escaped(look.view.title)}</figcaption>" if look.view.title else ""
        picture = _img(pictures["picture"], look, "Picture", "base")
        classes = _img(pictures["classes"], look, "Classes, each in its colour", "classes")
        figures.append(f'<figure><div class="wipe">{picture}{classes}{_marks(found, look)}</div>{caption}</figure>')
        uncertainty = _img(
            pictures["uncertainty"], look, "Uncertainty: white where two classes are equally likely", "map"
        )
        maps.append(f"<figure>{uncertainty}{caption}</figure>")
    many = " several" if len(looks) > 1 else ""
    slider = (
        '<label class="slider">Picture <input type="range" id="cut" min="0" max="100" value="50" '
        'aria-label="How much of the width shows classes, in percent"> Classes</label>'
    )
    legend = "".join(f"<li>{swatch(f'#{bytes(c.map_color).hex()}')}{escaped(c.name)}</li>" for c in found.classes[:24])
    return (
        f'<section><h2>Picture and classes</h2>{slider}<div class="views{many}">{"".join(figures)}</div>'
        f'<ul class="legend">{legend}</ul></section>'
        f"<section><h2>Uncertainty</h2><p>Black where the class is certain, white where all are equally likely.</p>"
        f'<div class="views{many}">{"".join(maps)}</div></section>'
    )


def _marks(found: Segmentation, look: Preview) -> str:
    """Return rings with numbers around the pixels that warnings are about."""
    sides, placed = look.proportions, _placed(found)
    if not placed:
        return ""
    size, rings = max(sides), []
    for number, each in enumerate(placed, 1):
        y, x = ((at + 0.5) / n * side for at, n, side in zip(each.place or (), found.image.shape, sides, strict=True))
        ring = f'cx="{x:.6g}" cy="{y:.6g}" r="{0.025 * size:.6g}"'
        rings.append(
            f'<g id="place-{number}" class="place"><title>{escaped(str(each))}</title><circle {ring}/><circle {ring}/>'
            f'<text x="{x + 0.035 * size:.6g}" y="{y:.6g}" font-size="{0.04 * size:.6g}">{number}</text></g>'
        )
    text = f"Marks of {len(placed)} warnings" if len(placed) > 1 else "Mark of a warning"
    box = f"0 0 {sides[1]:.6g} {sides[0]:.6g}"
    return f'<svg class="places" viewBox="{box}" role="img" aria-label="{text}">{"".join(rings)}</svg>'


def _img(address: str, look: Preview, text: str, kind: str) -> str:
    """Return a picture in the proportions of what it shows, whatever the sides of its pixels."""
    height, width = look.proportions
    scale = min(_SHOWN[0] / width, _SHOWN[1] / height) / (1 if look.alone else 2)
    small = " small" if max(look.view.size) < 320 else ""
    size = f'width="{max(1, round(width * scale))}" height="{max(1, round(height * scale))}"'
    return f'<img class="{kind}{small}" src="{address}" alt="{escaped(text)}" {size}>'


def _classes(found: Segmentation) -> str:
    """Return the table of the classes, which fits to the one that `gmmseg measure` writes."""
    whole = found.image.in_memory or found.image.n_pixels <= found.effort.memory // 4
    table = dict(found.table()) if whole else {}
    summaries = found.classes
    rows: dict[int, int] = {int(label): row for row, label in enumerate(table.get("label", ()))}
    columns = [name for name in table if name.startswith(("area_", "volume_")) and not name.endswith("_soft")]
    means = [name.removesuffix("_mean") for name in table if name.endswith("_mean")][:_MOST_CHANNELS]
    colored = any(each.color for each in summaries)
    heads = ["", "class", "name", "share", *(["pixels"] if table else []), *map(_unit, columns)]
    heads += [*(f"{each} (mean ± std)" for each in means), *(["mean colour"] if colored else [])]
    lines = []
    for each in summaries:
        row = rows.get(each.label)
        cells = [swatch(f"#{bytes(each.map_color).hex()}"), str(each.label), escaped(each.name), _bar(each.share)]
        if table:
            cells += ["0" if row is None else f"{int(table['pixels'][row]):,}".replace(",", " ")]
        cells += ["" if row is None else f"{table[name][row]:.6g}" for name in columns]
        for name in means:
            there = row is not None and np.isfinite(table[f"{name}_mean"][row])
            cells += [f"{table[f'{name}_mean'][row]:.5g} ± {table[f'{name}_std'][row]:.3g}" if there else ""]
        if colored:
            mean = "" if each.color is None else f"#{bytes(each.color).hex()}"
            cells.append(mean and swatch(mean) + mean)
        lines.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    head = "".join(f'<th scope="col">{escaped(each)}</th>' for each in heads)
    return (
        '<section><h2>Classes</h2><div class="scroll"><table class="sortable">'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div></section>"
    )


def _unit(name: str) -> str:
    """Return the head of a column of sizes: "area in mm²"."""
    kind, _, unit = name.partition("_")
    return f"{kind} in {unit.replace('2', '²').replace('3', '³')}"


def _bar(share: float) -> str:
    drawn = (
        f'<svg class="bar" viewBox="0 0 100 10" aria-hidden="true"><rect width="{100 * share:.1f}" height="10"/></svg>'
    )
    return f"{percent(share)} {drawn}"


def _charts(found: Segmentation, view: View, planes: Array | None) -> str:
    """Return the charts of the model and of how it was found."""
    parts = []
    course = found.course
    if course is not None and course.choice is not None:
        parts.append(choice_chart(course.choice))
    if planes is not None and planes.shape[1]:
        rows = guides(view, 2)
        parts += [density_chart(view, planes, row) for row in rows]
        pair = rows if len(rows) == 2 else [*range(len(view.names))][:2]
        if len(pair) == 2:
            parts.append(ellipse_chart(view, planes, pair))
    if course is not None and course.fit is not None and course.fit.history:
        parts.append(history_chart(course.fit))
    return "".join(parts)


def _made(found: Segmentation, command: str | None) -> str:
    """Return by what this was made, so that it can be made again."""
    image, model = found.image, found.model
    facts = {"input": image.name, **_hash_of(image)}
    if command is not None:
        facts["command"] = command
    facts |= {
        "features": str(model.recipe),
        "covariance": model.mixture.covariance,
        "smoothing": f"{model.strength:.4g} of 1",
    }
    if found.course is not None:
        facts |= {"seed": str(found.course.seed)}
    if image.spacing is not None:
        unit = image.place.unit if image.place is not None else None
        facts["size of a pixel"] = " × ".join(f"{step:.6g}" for step in image.spacing) + f" {unit or ''}"
    facts |= {"versions": versions()}
    return facts_section(facts)


def facts_section(facts: dict[str, str]) -> str:
    """Return the section that says how results were made, by names and what they are."""
    entries = "".join(f"<dt>{escaped(name)}</dt><dd>{escaped(value)}</dd>" for name, value in facts.items())
    return f'<section class="made"><h2>How this was made</h2><dl>{entries}</dl></section>'


def versions() -> str:
    """Return the versions of what computes."""
    import scipy

    others = {"NumPy": np.__version__, "SciPy": scipy.__version__, "OpenCV": opencv().__version__}
    return f"gmmseg {__version__}, Python {platform.python_version()}, " + ", ".join(
        f"{n} {v}" for n, v in others.items()
    )


def _hash_of(image: Image) -> dict[str, str]:
    """Return the SHA-256 of the file, or of each file, that the image is in; of the pixels where it is in none."""
    with suppress(GmmsegError, OSError, ValueError):
        parts = files_of(Path(image.name))
        if parts and all(each.exists() for each in parts):
            return {"SHA-256" if len(parts) == 1 else f"SHA-256 of {each.name}": digest(each) for each in parts}
    total = hashlib.sha256(f"{image.shape} {image.n_channels} {image.pixels.dtype.str}".encode())
    for window in image.windows():
        total.update(np.ascontiguousarray(image.crop(window).array).tobytes())
    return {"SHA-256 of the pixels": total.hexdigest()}
