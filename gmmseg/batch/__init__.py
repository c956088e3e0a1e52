"""Many images: what is to be done with each, doing it in processes that may die, and a manifest of what was done.

`plan` decides, `run` does it, and `process` is the work on one image. A run may be killed at any moment: a second one
with `resume=True` does what is unfinished, and ends with the files that an undisturbed run would have written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gmmseg.extras import lazily

if TYPE_CHECKING:
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

__all__ = [*_HOMES]

__getattr__, __dir__ = lazily(__name__, _HOMES)
