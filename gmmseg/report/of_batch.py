"""The report of a batch: its images side by side, those that differ from the others first."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gmmseg.arrays import Array
from gmmseg.checks import path_of
from gmmseg.errors import GmmsegError
from gmmseg.image import Image
from gmmseg.io.label_maps import read_labels
from gmmseg.io.opening import Reading
from gmmseg.io.reading import read
from gmmseg.report.charts import INSIDE, Frame, swatch
from gmmseg.report.figures import class_colors
from gmmseg.report.of_image import facts_section, versions
from gmmseg.report.page import check_page, page, write_page
from gmmseg.report.previews import Preview, coded, previews, views_of
from gmmseg.report.text import escaped, percent

__all__ = ["batch_report"]

Line = Mapping[str, Any]

_SIDE = 176  # pixels of a thumbnail
_MOST_BYTES = 13_000  # of the thumbnails of an image, which is to stay below 20 000 with its card, row and point
_MOST_SHOWN = 12  # columns of classes
_MOST_SAID = 300  # characters of an error or a warning
_MOST_LISTED = 50  # images above the cards
_UNLIKE = 3.5  # as Iglewicz and Hoaglin (1993) have it, from which on an image counts as unlike the others
_READING = ("channel_axis", "axes", "channels", "nodata", "magnitude", "resolution")


@dataclass(frozen=True, eq=False)
class _Entry:
    """One image of the batch: its line of the manifest, and what is shown of it."""

    number: int
    line: Line
    pictures: dict[str, str] = field(default_factory=dict)
    proportions: tuple[float, float] = (1, 1)
    tones: tuple[float, float] | None = None
    unlike: float = 0.0

    @property
    def name(self) -> str:
        return Path(self.line["input"]).name or str(self.line["input"])

    @property
    def failed(self) -> bool:
        return "error" in self.line

    @property
    def shares(self) -> list[float]:
        return [float(each["share"]) for each in self.line.get("classes", ())]

    @property
    def remarks(self) -> list[str]:
        error = [str(self.line["error"].get("message", "failed"))] if self.failed else []
        return [each[:_MOST_SAID] for each in (*error, *map(str, self.line.get("warnings", ())))]


def batch_report(lines: Iterable[Line], folder: Path, path: str | os.PathLike[str], *, overwrite: bool = False) -> int:
    """Write the report of a batch: one HTML file of less than 20 kB an image that needs nothing else.

    Parameters
    ----------
    lines : iterable of mapping
        Of the manifest, one an image.
    folder : Path
        Of the results.
    path : path-like
        .html or .htm.
    overwrite : bool
        Whether an existing file may be replaced.

    Returns
    -------
    int
        How many images it shows.

    Raises
    ------
    OutputError
        The suffix is another one, the file exists, or the folder cannot be written.

    Notes
    -----
    Thumbnails are made of the images and their label maps, as far as they are still there; an image that is not is
    shown by its classes alone. Images that failed come first, then those whose classes or tones are least like those of
    the others, by the largest distance from the median in units of 1.4826 times the median absolute deviation. There is
    no time in it: the same batch gives the same bytes.

    Examples
    --------
    >>> import json, tempfile
    >>> from gmmseg import batch
    >>> with tempfile.TemporaryDirectory() as name:
    ...     folder = Path(name)
    ...     np.save(folder / "a.npy", np.repeat(np.uint8([10, 200, 200]), 8).reshape(3, 8))
    ...     lines = batch.run(batch.plan(folder, folder / "labels", parameters={"k": 2}), jobs=1)
    ...     batch_report(lines, folder / "labels", folder / "batch.html")
    1
    """
    target = path_of(path)
    check_page(target, overwrite=overwrite)
    entries = [_entry(number, line, folder) for number, line in enumerate(sorted(lines, key=_key))]
    entries = _ranked(entries)
    write_page(
        target, page(f"{folder.name or folder}: {len(entries)} images", _body(entries, folder)), overwrite=overwrite
    )
    return len(entries)


def _key(line: Line) -> str:
    return str(line["outputs"]["labels"]["file"])


def _entry(number: int, line: Line, folder: Path) -> _Entry:
    """Return an image with its thumbnails; what cannot be read is left out."""
    if "error" in line:
        return _Entry(number, line)
    k = max(1, len(line.get("classes", ())))
    look = None
    with suppress(GmmsegError, OSError, MemoryError):
        look = _look(line, read_labels(folder / line["outputs"]["labels"]["file"]))
    if look is None:
        return _Entry(number, line)
    step, pictures = 1, coded(look, k)
    while sum(map(len, pictures.values())) > _MOST_BYTES and step < 16:
        step += 1
        pictures = coded(look.thinned(step), k)
    tones = None
    if look.picture is not None:
        grey = look.picture.mean(axis=2)
        tones = float(grey.mean()), float(grey.std())
    return _Entry(number, line, pictures, look.proportions, tones)


def _look(line: Line, labels: Array) -> Preview | None:
    """Return one view of an image and its labels; of the labels alone where the image is not to be had."""
    flat = labels.reshape(-1)
    image = Image(labels[..., None], color=False, name=str(line["input"]))
    alone = True
    with suppress(GmmsegError, OSError, MemoryError):
        chosen = {name: line["parameters"][name] for name in _READING if line["parameters"].get(name) is not None}
        opened = read(Path(line["input"]), memory=Reading().memory, **chosen)
        if opened.shape == labels.shape:
            image, alone = opened, False
    views = views_of(image, _SIDE, few=True)
    if not views:
        return None
    made = previews(image, views, lambda where: flat[where], None)[0]
    return Preview(made.view, None, made.labels, None, made.proportions) if alone else made


def _ranked(entries: list[_Entry]) -> list[_Entry]:
    """Return the images with how unlike the others each is, failed ones first, then the most unlike."""
    done = [each for each in entries if not each.failed]
    most = max((len(each.shares) for each in done), default=0)
    table = np.zeros((len(done), most + 2))
    for row, each in zip(table, done, strict=True):
        row[: len(each.shares)] = each.shares
        row[most:] = each.tones or (np.nan, np.nan)
    table[:, most:] /= 255
    unlike = dict(zip((each.number for each in done), _distances(table), strict=True))
    scored = [
        _Entry(each.number, each.line, each.pictures, each.proportions, each.tones, unlike.get(each.number, 0.0))
        for each in entries
    ]
    return sorted(scored, key=lambda each: (not each.failed, -each.unlike, each.number))


def _distances(table: Array) -> list[float]:
    """Return how far each row lies from the median of its columns, in the column where that is farthest."""
    if len(table) < 3:  # of two, neither is the other one
        return [0.0] * len(table)
    farthest = np.zeros(len(table))
    for column in table.T:
        known = np.isfinite(column)
        if known.any():
            away = np.abs(column - np.median(column[known]))
            # Below a hundredth of the pixels or of the tones nobody would see a difference.
            spread = max(1.4826 * float(np.median(away[known])), 0.01)
            farthest[known] = np.maximum(farthest[known], away[known] / spread)
    return farthest.tolist()


def _body(entries: Sequence[_Entry], folder: Path) -> str:
    failed, unlike = sum(each.failed for each in entries), sum(each.unlike > _UNLIKE for each in entries)
    said = sum(bool(each.remarks) and not each.failed for each in entries)
    counts = [f"{len(entries)} images"]
    counts += [f"{failed} failed"] * bool(failed) + [f"{said} with warnings"] * bool(said)
    counts += [f"{unlike} unlike the others"] * bool(unlike)
    k = min(_MOST_SHOWN, max((len(each.shares) for each in entries), default=0))
    slider = (
        '<label class="slider">Picture <input type="range" id="cut" min="0" max="100" value="50" '
        'aria-label="How much of each width shows classes, in percent"> Classes</label>'
    )
    turning = (
        '<p class="pages" hidden><button type="button" data-turn="-1">previous</button><span class="where"></span>'
        '<button type="button" data-turn="1">next</button></p>'
    )
    cards = "".join(map(_card, entries))
    return (
        f"<main><header><h1>{escaped(folder.name or str(folder))}</h1><p>{escaped(', '.join(counts))}</p></header>"
        f"{_warned(entries)}"
        f'<section><h2>Images, the most unlike first</h2>{slider}<ul class="cards">{cards}</ul>{turning}</section>'
        f"{_scatter(entries, k)}{_table(entries, k)}{_made(entries)}</main>"
    )


def _warned(entries: Sequence[_Entry]) -> str:
    """Return what is to be looked at of which image, what failed first; of many the table has the rest."""
    told = [each for each in entries if each.remarks]
    if not told:
        return ""
    lines = "".join(
        f'<li><a href="#image-{each.number}">{escaped(each.name)}</a>: {escaped("; ".join(each.remarks))}</li>'
        for each in told[:_MOST_LISTED]
    )
    more = f"<p>and {len(told) - _MOST_LISTED} more, in the table</p>" if len(told) > _MOST_LISTED else ""
    return f'<section class="flags"><h2>Failed, or with warnings</h2><ul>{lines}</ul>{more}</section>'


def _card(each: _Entry) -> str:
    height, width = each.proportions
    across, down = (max(1, round(1000 * side / max(height, width))) for side in (width, height))
    size = f'width="{across}" height="{down}"'
    shown = "".join(
        f'<img class="{kind}" src="{each.pictures[key]}" alt="" {size}>'
        for key, kind in (("picture", "base"), ("classes", "classes"))
        if key in each.pictures
    )
    alone = "" if "picture" in each.pictures else " alone"
    drawn = f'<div class="wipe{alone}">{shown}</div>' if shown else ""
    state = escaped(each.remarks[0]) if each.remarks else f"unlike by {each.unlike:.1f}"
    return (
        f'<li class="card{_mark(each)}" id="image-{each.number}" data-image="{each.number}" tabindex="0">{drawn}'
        f"<b>{escaped(each.name)}</b><small>{state}</small></li>"
    )


def _mark(each: _Entry) -> str:
    return " failed" if each.failed else " flagged" * (bool(each.remarks) or each.unlike > _UNLIKE)


def _heads(k: int) -> list[str]:
    return [
        "image",
        "unlike",
        "classes",
        *(f"share {each}" for each in range(1, k + 1)),
        "lightness",
        "contrast",
        "flags",
    ]


def _numbers(each: _Entry, k: int) -> list[float]:
    """Return the numbers of a row between the name and the flags; NaN where there is none."""
    unknown = float("nan")
    if each.failed:
        return [unknown] * (k + 4)
    shares = [*each.shares[:k], *[unknown] * (k - len(each.shares))]
    tones = each.tones or (unknown, unknown)
    return [each.unlike, float(len(each.shares)), *(100 * share for share in shares), *tones]


def _scatter(entries: Sequence[_Entry], k: int) -> str:
    """Return the plot of all images by two columns of the table: at first the two shares that differ most."""
    drawn = [each for each in entries if not each.failed]
    if len(drawn) < 2 or not k:
        return ""
    heads = _heads(k)
    columns = range(1, len(heads) - 1)
    table = np.array([_numbers(each, k) for each in drawn])
    spread = np.nan_to_num(np.array([np.nanstd(c) if np.isfinite(c).any() else 0.0 for c in table.T[2 : 2 + k]]))
    best = sorted(np.argsort(-spread, kind="stable")[:2].tolist())
    x, y = (best[0] + 3, best[1] + 3) if len(best) == 2 else (3, 1)
    frame = Frame.around(table[:, x - 1], table[:, y - 1], ("", ""))
    across, up = frame.place(np.nan_to_num(table[:, x - 1]), np.nan_to_num(table[:, y - 1]))
    points = "".join(
        f'<circle class="point{_mark(each)}" data-image="{each.number}" cx="{a:.1f}" cy="{b:.1f}" r="5">'
        f"<title>{escaped(each.name)}</title></circle>"
        for each, a, b in zip(drawn, across, up, strict=True)
    )

    def choice(name: str, chosen: int) -> str:
        options = "".join(
            f'<option value="{each}"{" selected" if each == chosen else ""}>{escaped(heads[each])}</option>'
            for each in columns
        )
        return f'<select id="{name}">{options}</select>'

    left, top, width, height = INSIDE
    axis = f'<path class="axis" d="M{left} {top}v{height}h{width}"/>'
    return (
        f'<section><h2>All images by two numbers</h2><p class="slider"><label>across {choice("across", x)}</label> '
        f'<label>up {choice("up", y)}</label></p><div class="scatter" data-inside="{left} {top} {width} {height}">'
        f'<svg viewBox="0 0 440 280" role="group" aria-label="Images by two numbers">{axis}<g class="ticks"></g>'
        f"{points}</svg></div></section>"
    )


def _table(entries: Sequence[_Entry], k: int) -> str:
    colors = class_colors(max(1, k))
    heads = "".join(f'<th scope="col">{escaped(each)}</th>' for each in _heads(k))
    lines = []
    for each in entries:
        numbers = _numbers(each, k)
        shown = [f"{numbers[0]:.1f}", f"{numbers[1]:.0f}"]
        shown += [
            swatch(color) + percent(share / 100) for color, share in zip(colors, numbers[2 : 2 + k], strict=False)
        ]
        shown += [f"{value:.0f}" for value in numbers[2 + k :]]
        cells = "".join(
            f'<td data-value="{value:.6g}">{text}</td>' if np.isfinite(value) else '<td data-value=""></td>'
            for value, text in zip(numbers, shown, strict=True)
        )
        remarks = escaped("; ".join(each.remarks))
        lines.append(
            f'<tr data-image="{each.number}"{_hash(each)}><th scope="row">{escaped(each.name)}</th>{cells}'
            f'<td class="text">{remarks}</td></tr>'
        )
    return (
        '<section><h2>Table</h2><div class="scroll"><table class="sortable">'
        f"<thead><tr>{heads}</tr></thead><tbody>{''.join(lines)}</tbody></table></div></section>"
    )


def _hash(each: _Entry) -> str:
    """Return what is shown of a row that is pointed at: where its image was, and the hash of that."""
    known = each.line.get("sha256")
    return f' title="{escaped(str(each.line["input"]))}{escaped(f", SHA-256 {known}") if known else ""}"'


def _made(entries: Sequence[_Entry]) -> str:
    """Return by what the batch was made: what is the same of all images once, else how many ways there are."""
    facts: dict[str, str] = {}
    for name in ("version", "model", "parameters"):
        values = list(dict.fromkeys(_said(each.line.get(name)) for each in entries))
        if values and values != [""]:
            facts[name] = values[0] if len(values) == 1 else f"{len(values)} different ones"
    return facts_section(facts | {"report": versions()})


def _said(value: Any) -> str:
    """Return a fact of the manifest as text; of parameters those that have a value."""
    if isinstance(value, dict):
        return ", ".join(f"{name}={_said(each)}" for name, each in value.items() if each is not None)
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)
