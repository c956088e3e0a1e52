"""How well labels agree with a truth: a map, points, objects or surfaces; and what changed between two maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gmmseg.extras import lazily

if TYPE_CHECKING:
    from gmmseg.evaluation.agreement import Agreement as Agreement
    from gmmseg.evaluation.agreement import evaluate as evaluate
    from gmmseg.evaluation.by_objects import Detection as Detection
    from gmmseg.evaluation.by_objects import detection as detection
    from gmmseg.evaluation.by_points import Accuracy as Accuracy
    from gmmseg.evaluation.by_points import Estimate as Estimate
    from gmmseg.evaluation.by_points import accuracy as accuracy
    from gmmseg.evaluation.change_map import Changes as Changes
    from gmmseg.evaluation.change_map import changes as changes
    from gmmseg.evaluation.confusion import Confusion as Confusion
    from gmmseg.evaluation.surfaces import SurfaceDistance as SurfaceDistance
    from gmmseg.evaluation.surfaces import surface_distance as surface_distance

_HOMES = {
    "Accuracy": "gmmseg.evaluation.by_points",
    "Agreement": "gmmseg.evaluation.agreement",
    "Changes": "gmmseg.evaluation.change_map",
    "Confusion": "gmmseg.evaluation.confusion",
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

__getattr__, __dir__ = lazily(__name__, _HOMES)
