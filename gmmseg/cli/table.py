"""Tables for people: aligned columns, sensibly rounded, with a swatch of the colour on a colour terminal."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gmmseg.cli.messages import plain

__all__ = ["class_table", "columns_text", "finite", "pairs"]

# More columns than this do not fit a line; --json has them all.
_MOST_FEATURES = 12


def class_table(classes: Sequence[dict[str, Any]]) -> str:
    """Return a table of classes, one a line.

    Parameters
    ----------
    classes : sequence of dict
        With "label"; "name", shown where it says more than "class 1", ...; "share", 0 to 1, or "weight"; where it is
        known "area_ha", "volume_ml" or the like; "map_color",
        in which label maps and overlays show it, and "color", the mean of its pixels, as "#rrggbb" or None, both shown
        where any class has one; "means", by feature.

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
    features = list(classes[0]["means"])
    for feature in features[:_MOST_FEATURES]:
        columns.append([plain(feature), *_rounded([each["means"][feature] for each in classes])])
    widths = [max(map(len, column)) for column in columns]
    swatches = [first + second for first, second in zip(_swatches(shown), _swatches(colors), strict=True)]
    lines = [
        swatch + "  ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
        for swatch, cells in zip(swatches, zip(*columns, strict=True), strict=True)
    ]
    if len(features) > _MOST_FEATURES:
        lines.append(f"... and {len(features) - _MOST_FEATURES} more features; --json prints all")
    return "\n".join(lines)


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
