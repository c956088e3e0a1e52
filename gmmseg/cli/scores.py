"""Scores as tables for people: agreement, accuracy by points, objects, surfaces and changes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gmmseg.cli.messages import plain

if TYPE_CHECKING:
    from gmmseg.evaluation import Accuracy, Agreement, Changes, Confusion, Detection, Estimate, SurfaceDistance

__all__ = ["accuracy_text", "agreement_text", "changes_text", "detection_text", "surfaces_text"]

_NAMES = {
    "rand_index": "probabilistic Rand index",
    "variation_of_information": "variation of information (bits)",
    "covering": "covering",
    "adjusted_rand_index": "adjusted Rand index",
    "boundary_f": "boundary F",
}
_MOST_LISTED = 20


def agreement_text(found: Agreement) -> str:
    """Return the scores of a label map, one a line."""
    rows: list[tuple[str, Any]] = [(title, getattr(found, name)) for name, title in _NAMES.items()]
    rows.append(("segments", found.segments))
    for number, score in list(found.dice.items())[:_MOST_LISTED]:
        match, title = found.matching[number], f"Dice of true class {number}" if number else "Dice of the background"
        none = match == 0 and score == 0
        rows.append((title, "0  (no label left)" if none else f"{score:.4f}  (label {match})"))
    if len(found.dice) > _MOST_LISTED:
        rows.append(("", f"{len(found.dice) - _MOST_LISTED} more true classes: see --json"))
    width = max(len(title) for title, _ in rows)
    shown = [(t, f"{v:.4f}" if isinstance(v, float) else str(v)) for t, v in rows if v is not None]
    lines = "\n".join(f"{title:{width}}  {value}".rstrip() for title, value in shown)
    return f"{lines}\n\n{_confusion_text(found.confusion)}"


def _confusion_text(found: Confusion) -> str:
    """Return the confusion matrix of two maps, and each class's accuracies, as of points."""
    overall = f"overall accuracy {found.overall:.4f}, kappa {found.kappa:.4f}"
    if found.matrix is None or max(len(found.labels), len(found.classes)) > _MOST_LISTED:
        return overall
    rows = [["class", "user's", "producer's"]]
    rows += [[str(each), _share(found.users[each]), _share(found.producers[each])] for each in found.classes]
    matrix = _matrix(list(map(str, found.labels)), list(map(str, found.classes)), found.matrix, "pixels")
    return "\n\n".join([matrix, _aligned(rows), overall])


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _matrix(rows: Sequence[str], columns: Sequence[str], counts: Sequence[Sequence[int]], counted: str) -> str:
    """Return a confusion matrix with the sums of its rows."""
    lines: list[list[Any]] = [["map \\ truth", *columns, counted]]
    return _aligned(lines + [[title, *row, sum(row)] for title, row in zip(rows, counts, strict=True)])


def accuracy_text(
    found: Accuracy, areas: Mapping[int, float], total: float, unit: str, names: Mapping[int, str]
) -> str:
    """Return the confusion matrix, and each class's accuracies and area with their intervals."""
    titles = [names.get(number, str(number)) for number in found.classes]
    rows: list[list[Any]] = [["class", "user's", "producer's", f"mapped {unit}", f"estimated {unit}"]]
    for number, title in zip(found.classes, titles, strict=True):
        area = found.area[number]
        mapped = _number(areas.get(number, 0.0))
        estimated = f"{_number(area.value * total)} +- {_number(area.error * total)}"
        rows.append([title, _estimate(found.users[number]), _estimate(found.producers[number]), mapped, estimated])
    overall = f"overall accuracy {_estimate(found.overall)}, kappa {found.kappa:.4f} ({found.confidence:.0%} intervals)"
    return "\n\n".join([_matrix(titles, titles, found.matrix, "points"), _aligned(rows), overall])


def detection_text(found: Detection) -> str:
    """Return the scores of objects at each overlap."""
    rows = [["overlap", "F1", "average precision"]]
    rows += [[f"{each:g}", f"{f1:.4f}", f"{found.average_precision[each]:.4f}"] for each, f1 in found.f1.items()]
    rows.append(["mean", "", f"{found.mean_average_precision:.4f}"])
    return f"{found.found} objects, {found.true} true ones\n{_aligned(rows)}"


def surfaces_text(found: Mapping[int, SurfaceDistance], unit: str, ndim: int) -> str:
    """Return the distances of each true class, and its volume or area."""
    size = {2: "area", 3: "volume"}.get(ndim, "size")
    per, power = (1e3, "ml") if ndim == 3 and unit == "mm" else (1.0, f"{unit}^{ndim}")
    rows = [["true class", f"Hausdorff 95 % ({unit})", f"average ({unit})", f"{size} ({power})", "true", "difference"]]
    for number, each in found.items():
        lengths = [_number(each.hausdorff95), _number(each.average)]
        sizes = [_number(each.volume / per), _number(each.true_volume / per)]
        rows.append([str(number), *lengths, *sizes, f"{each.difference:+.1%}"])
    return _aligned(rows)


def changes_text(found: Changes, unit: str, names: Sequence[str]) -> str:
    """Return the matrix of areas, before in rows and after in columns."""
    rows: list[list[Any]] = [[f"before \\ after ({unit})", *names, "total"]]
    for name, areas in zip(names, found.areas.tolist(), strict=True):
        rows.append([name, *map(_number, areas), _number(sum(areas))])
    rows.append(["total", *map(_number, found.areas.sum(axis=0).tolist()), _number(float(found.areas.sum()))])
    return _aligned(rows)


def _estimate(found: Estimate) -> str:
    return "-" if math.isnan(found.value) else f"{found.value:.4f} +- {_shown(found.error)}"


def _shown(error: float) -> str:
    return "-" if math.isnan(error) else f"{error:.4f}"


def _number(value: float) -> str:
    """Return a size with about four significant digits."""
    if not math.isfinite(value):
        return "-"
    decimals = 0 if value == 0 else max(0, 3 - math.floor(math.log10(abs(value))))
    return f"{value:.{min(decimals, 6)}f}"


def _aligned(rows: Sequence[Sequence[Any]]) -> str:
    """Return rows with their columns aligned, the first to the left."""
    cells = [[plain(str(each)) for each in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for first, *others in cells:
        across = [first.ljust(widths[0]), *(each.rjust(w) for each, w in zip(others, widths[1:], strict=True))]
        lines.append("  ".join(across).rstrip())
    return "\n".join(lines)
