"""Many images: what is to be done with each, doing it in processes that may die, and a manifest of what was done.

`plan` decides, `run` does it, and `process` is the work on one image. A run may be killed at any moment: a second one
with `resume=True` does what is unfinished, and ends with the files that an undisturbed run would have written.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from gmmseg.batch.cutting import cut_out as cut_out
    from gmmseg.batch.planning import Plan as Plan
    from gmmseg.batch.planning import Step as Step
    from gmmseg.batch.planning import plan as plan
    from gmmseg.batch.processing import process as process
    from gmmseg.batch.running import run as run

_HOMES = {
    "Plan": "gmmseg.batch.planning",
    "Step": "gmmseg.batch.planning",
    "cut_out": "gmmseg.batch.cutting",
    "plan": "gmmseg.batch.planning",
    "process": "gmmseg.batch.processing",
    "run": "gmmseg.batch.running",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    """Load a public name where it is first used: the work on one image needs nothing of the rest."""
    from gmmseg.extras import loaded  # here, because the face of a package loads nothing by itself

    return loaded(__name__, name, _HOMES)


def __dir__() -> list[str]:
    return sorted(__all__)
