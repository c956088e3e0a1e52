"""A picture cut into regions at a level of detail, as the page shows it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmseg.errors import ParameterError
from gmmseg.hierarchy.tree import RegionTree
from gmmseg.io.palette import palette
from gmmseg.web.steps import MOST_REGIONS
from gmmseg.web.work import Work

__all__ = ["Level"]


@dataclass(frozen=True, eq=False)
class Level:
    """Regions that take the place of classes.

    Parameters
    ----------
    labels : ndarray of uint16, shape (rows, columns)
        Regions from 1; 0 where there is no data.
    """

    labels: NDArray[Any]

    @classmethod
    def of(cls, tree: RegionTree, work: Work) -> Level:
        """Cut a tree as `gmmseg regions` does.

        Raises
        ------
        ParameterError
            There are more regions than the page shows.
        """
        size = work.options.get("min_size")
        labels = tree.labels(work.detail, min_size=size)
        if labels.max() > MOST_REGIONS:
            raise ParameterError(f"detail={work.detail} gives {labels.max()} regions; choose one below, for fewer")
        return cls(labels.astype(np.uint16, copy=False))

    def described(self) -> dict[str, Any]:
        """Return what the page says of the regions, as of classes: names, shares and colours."""
        return {"classes": list(self._rows()), "features": []}

    def _rows(self) -> Iterator[dict[str, Any]]:
        counts = np.bincount(self.labels.ravel())[1:]
        colors = palette(len(counts))
        for number, count in enumerate(counts.tolist(), 1):
            color = f"#{bytes(colors[number]).hex()}"
            share = count / max(1, int(counts.sum()))
            yield {"class": number, "name": f"region {number}", "share": share, "color": color, "mean": None}
