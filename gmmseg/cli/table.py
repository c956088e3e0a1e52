"""Tables for people: aligned columns, sensibly rounded, with a swatch of the colour on a colour terminal."""

from __future__ import annotations

import math
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gmmseg.cli.messages import plain

if TYPE_CHECKING:
    from gmmseg.model import Model

__all__ = ["class_table", "classes_of", "columns_text", "finite", "pairs"]

# More columns than this do not fit a line; --json has them all.
_MOST_FEATURES = 12
_MOST_BANDS = 8  # of a spectrum

_WAVELENGTH = re.compile(r"(?:.*?[^\d.])?(\d+(?:\.\d+)?)\s*(?:nm|nanomet\w*|[uµμ]m|micromet\w*)?\W*", re.IGNORECASE)

_LONG_UNIT = re.compile(r"\b(nano|micro)met(?:er|re)s?\b", re.IGNORECASE)


def classes_of(model: Model) -> list[dict[str, Any]]:
    """Return the classes of a model as `class_table` takes them, ready for JSON."""
    from gmmseg.model.spectra import spectra

    rows = zip(model.class_names, model.weights, model.means, strict=True)
    found: list[dict[str, Any]] = [
        {
            "label": label,
            "name": name,
            "weight": finite(weight),
            "means": dict(zip(model.plane_names, map(finite, means), strict=True)),
        }
        for label, (name, weight, means) in enumerate(rows, 1)
    ]
    for facts, spectrum in zip(found, spectra(model), strict=False):  # there are none but of components
        facts["spectrum"] = spectrum
    return found


def class_table(classes: Sequence[dict[str, Any]]) -> str:
    """Return a table of classes, one a line.

    Parameters
    ----------
    classes : sequence of dict
        With "label"; "name", shown where it says more than "class 1", ...; "share", 0 to 1, or "weight"; where it is
        known "area_ha", "volume_ml" or the like; "map_color",
        in which label maps and overlays show it, and "color", the mean of its pixels, as "#rrggbb" or None, both shown
        where any class has one; "means", by feature; "spectrum", by channel, of which some are shown in place of means.

    Returns
    -------
    str
        Lines, the first of them the header.
    """
    columns = [["class", *(str(each["label"]) for each in classes)]]
    if any(each["name"] != f"class {each['label']}" for each in classes):
        columns.append(["name", *(plain(each["name"]) for each in classes)])
    size = "share" if "share" in classes[0] else "weight"
    columns.append([size, *(_percent(each[size]) for each in classes)])
    for name in (each for each in classes[0] if each.startswith(("area_", "volume_"))):
        columns.append([name, *_rounded([each[name] for each in classes])])
    # A class without pixels has no colour worth showing.
    colors = [each.get("color") if each[size] else None for each in classes]
    shown = [each.get("map_color") for each in classes]
    if any(shown):
        columns.append(["map", *(color or "-" for color in shown)])
    if any(colors):
        columns.append(["colour", *(color or "-" for color in colors)])
    kind = "spectrum" if classes[0].get("spectrum") else "means"
    features = list(classes[0][kind])
    chosen = _bands(classes[0][kind]) if kind == "spectrum" else features[:_MOST_FEATURES]
    for feature in chosen:
        title = _LONG_UNIT.sub(lambda unit: "nm" if unit[1].lower() == "nano" else "um", plain(feature))
        columns.append([title, *_rounded([each[kind][feature] for each in classes])])
    widths = [max(map(len, column)) for column in columns]
    swatches = [first + second for first, second in zip(_swatches(shown), _swatches(colors), strict=True)]
    lines = [
        swatch + "  ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
        for swatch, cells in zip(swatches, zip(*columns, strict=True), strict=True)
    ]
    if len(features) > len(chosen):
        what = "channels" if kind == "spectrum" else "features"
        lines.append(f"... and {len(features) - len(chosen)} more {what}; --json prints all")
    return "\n".join(lines)


def _bands(spectrum: Mapping[str, float | None]) -> list[str]:
    """Return the names of some bands: those nearest to round wavelengths where names have these, otherwise evenly.

    Examples
    --------
    >>> _bands({f"{390 + 7 * i} nm": 0.5 for i in range(40)})
    ['397 nm', '439 nm', '481 nm', '523 nm', '558 nm', '600 nm', '642 nm']
    """
    known = [name for name, value in spectrum.items() if value is not None]
    if len(known) <= _MOST_BANDS:
        return known
    found = [_WAVELENGTH.fullmatch(name) for name in known]
    lengths = [float(each[1]) for each in found if each is not None]
    if len(lengths) < len(known) or len(set(lengths)) < _MOST_BANDS:
        return [known[round(i * (len(known) - 1) / (_MOST_BANDS - 1))] for i in range(_MOST_BANDS)]
    low, high = min(lengths), max(lengths)
    least = (high - low) / (_MOST_BANDS - 1)
    power = 10.0 ** math.floor(math.log10(least))
    step = next(power * each for each in (1, 2, 2.5, 3, 4, 5, 10) if power * each >= least * (1 - 1e-9))
    rounds = (step * i for i in range(math.ceil(low / step), math.floor(high / step) + 1))
    nearest = [min(range(len(known)), key=lambda i: abs(lengths[i] - wanted)) for wanted in rounds]
    return [known[i] for i in dict.fromkeys(nearest)]


def columns_text(table: Mapping[str, Any]) -> str:
    """Return a table of numbers and text, one row a line; as many columns as there is room for."""
    columns = []
    for name, values in list(table.items())[:_MOST_FEATURES]:
        cells = values.tolist()
        numbers = all(isinstance(cell, float) for cell in cells)
        shown = [_percent(cell) for cell in cells] if name == "share" else _rounded(cells) if numbers else cells
        columns.append([plain(name), *(plain(str(cell)) for cell in shown)])
    widths = [max(map(len, column)) for column in columns]
    lines = [
        "  ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
        for cells in zip(*columns, strict=True)
    ]
    if len(table) > _MOST_FEATURES:
        lines.append(f"... and {len(table) - _MOST_FEATURES} more columns; --json and -o have all")
    return "\n".join(lines)


def finite(value: float) -> float | None:
    """Return a number as JSON can hold it: None where it is infinite or none."""
    return float(value) if math.isfinite(value) else None


def pairs(entries: Iterable[tuple[str, Any]]) -> str:
    """Return lines of a name and a value, aligned."""
    listed = [(name, plain(str(value))) for name, value in entries]
    width = max((len(name) for name, _ in listed), default=0)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in listed)


def _percent(share: float) -> str:
    return "<0.1 %" if 0 < share < 0.0005 else f"{100 * share:.1f} %"


def _rounded(values: list[float | None]) -> list[str]:
    """Round to three digits of the largest value, or one decimal up to 1000, so that all can be compared."""
    largest = max((abs(value) for value in values if value is not None), default=0.0)
    if largest and not 1e-4 <= largest < 1e7:
        return ["-" if value is None else f"{value:.3g}" for value in values]
    decimals = max(int(largest < 1000), 2 - math.floor(math.log10(largest))) if largest else 1
    # Adding 0 turns -0.00 into 0.00.
    return ["-" if value is None else f"{round(value, decimals) + 0.0:.{decimals}f}" for value in values]


def _swatches(colors: Sequence[str | None]) -> list[str]:
    """Return what stands before each line, the header first: cells of the colour on a colour terminal, or nothing."""
    plain_text = sys.stdout is None or not sys.stdout.isatty() or os.environ.get("TERM") == "dumb"
    if plain_text or os.environ.get("NO_COLOR") or not any(colors):
        return [""] * (1 + len(colors))
    blank = "    "
    return [blank, *(blank if color is None else f"\x1b[48;2;{_channels(color)}m  \x1b[0m  " for color in colors)]


def _channels(color: str) -> str:
    return ";".join(str(int(color[start : start + 2], 16)) for start in (1, 3, 5))
