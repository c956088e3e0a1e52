"""Which classes of a map are taken for which in truth: the confusion matrix of two maps, and what is told by it.

Congalton (1991), A review of assessing the accuracy of classifications of remotely sensed data, Remote Sensing of
Environment 37. Every pixel that has both is counted, so that nothing is estimated, unlike by points.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gmmseg.arrays import Array

__all__ = ["Confusion", "kappa"]

_MOST_KEPT = 256


@dataclass(frozen=True)
class Confusion:
    """Pixels by their label and their true class.

    Parameters
    ----------
    labels : tuple of int
        Rows of the matrix: those that match the true classes in the order of these, then all others.
    classes : tuple of int
        Columns: the true classes, in ascending order.
    matrix : list of list of int, or None
        How many pixels have the label of the row and the class of the column; None of more than 256 labels or classes.
    overall : float
        Share of the pixels whose label is the one that matches their class.
    kappa : float
        The same less what chance gives (Cohen 1960).
    users : dict of int to (float or None)
        For each true class: of the pixels with its label, what is of the class. None where it has none.
    producers : dict of int to (float or None)
        For each true class: of its pixels, what has its label. None where no pixel of it has any.

    Examples
    --------
    >>> from gmmseg.evaluation import evaluate
    >>> found = evaluate([[1, 1, 1, 2, 2]], [[7, 7, 3, 3, 3]]).confusion
    >>> found.labels, found.classes, found.matrix, found.overall
    ((2, 1), (3, 7), [[2, 0], [1, 2]], 0.8)
    >>> found.users, found.producers[7], round(found.kappa, 3)
    ({3: 1.0, 7: 0.6666666666666666}, 1.0, 0.615)
    """

    labels: tuple[int, ...]
    classes: tuple[int, ...]
    matrix: list[list[int]] | None
    overall: float
    kappa: float
    users: dict[int, float | None]
    producers: dict[int, float | None]

    @classmethod
    def of(cls, labels: Sequence[int], classes: Sequence[int], counts: Array, matched: Mapping[int, int]) -> Confusion:
        """Return what counts say, whose rows are labels and columns classes, where some classes have a label."""
        places = {label: row for row, label in enumerate(labels)}
        rows = {number: places[label] for number, label in matched.items()}
        of_labels, of_classes, total = counts.sum(axis=1), counts.sum(axis=0), float(counts.sum())
        users: dict[int, float | None] = {}
        producers: dict[int, float | None] = {}
        right = by_chance = 0.0
        for column, number in enumerate(classes):
            row = rows.get(number)
            both = 0.0 if row is None else float(counts[row, column])
            users[number] = both / float(of_labels[row]) if row is not None and of_labels[row] else None
            producers[number] = both / float(of_classes[column]) if of_classes[column] else None
            right += both
            by_chance += 0.0 if row is None else float(of_labels[row] * of_classes[column]) / total**2
        order = [*rows.values(), *sorted(set(range(len(labels))) - set(rows.values()))]
        few = max(counts.shape) <= _MOST_KEPT
        return cls(
            labels=tuple(labels[row] for row in order),
            classes=tuple(classes),
            matrix=counts[order].astype(np.int64).tolist() if few else None,
            overall=right / total,
            kappa=kappa(right / total, by_chance),
            users=users,
            producers=producers,
        )


def kappa(overall: float, by_chance: float) -> float:
    """Return an overall accuracy less what chance gives (Cohen 1960).

    Examples
    --------
    >>> kappa(0.75, 0.5), kappa(1.0, 1.0)
    (0.5, 1.0)
    """
    return 1.0 if by_chance == 1 else (overall - by_chance) / (1 - by_chance)
