"""How well labels agree with a truth: a map, points, objects or surfaces; and what changed between two maps."""

from __future__ import annotations

TYPE_CHECKING = False  # as in gmmseg itself: names are loaded where they are first used
if TYPE_CHECKING:
    from typing import Any

    from gmmseg.evaluation.agreement import Agreement as Agreement
    from gmmseg.evaluation.agreement import evaluate as evaluate
    from gmmseg.evaluation.by_objects import Detection as Detection
    from gmmseg.evaluation.by_objects import detection as detection
    from gmmseg.evaluation.by_points import Accuracy as Accuracy
    from gmmseg.evaluation.by_points import Estimate as Estimate
    from gmmseg.evaluation.by_points import accuracy as accuracy
    from gmmseg.evaluation.change_map import Changes as Changes
    from gmmseg.evaluation.change_map import changes as changes
    from gmmseg.evaluation.surfaces import SurfaceDistance as SurfaceDistance
    from gmmseg.evaluation.surfaces import surface_distance as surface_distance

_HOMES = {
    "Accuracy": "gmmseg.evaluation.by_points",
    "Agreement": "gmmseg.evaluation.agreement",
    "Changes": "gmmseg.evaluation.change_map",
    "Detection": "gmmseg.evaluation.by_objects",
    "Estimate": "gmmseg.evaluation.by_points",
    "SurfaceDistance": "gmmseg.evaluation.surfaces",
    "accuracy": "gmmseg.evaluation.by_points",
    "changes": "gmmseg.evaluation.change_map",
    "detection": "gmmseg.evaluation.by_objects",
    "evaluate": "gmmseg.evaluation.agreement",
    "surface_distance": "gmmseg.evaluation.surfaces",
}

__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    """Load a public name where it is first used."""
    from gmmseg.extras import loaded  # here, because the face of a package loads nothing by itself

    return loaded(__name__, name, _HOMES)


def __dir__() -> list[str]:
    return sorted(__all__)
