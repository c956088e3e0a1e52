"""Many images: what is to be done with each, doing it in processes that may die, and a manifest of what was done.

`plan` decides, `run` does it, and `process` is the work on one image. A run may be killed at any moment: a second one
with `resume=True` does what is unfinished, and ends with the files that an undisturbed run would have written.
"""

from __future__ import annotations

from gmmseg.batch.planning import Plan, Step, plan
from gmmseg.batch.processing import process
from gmmseg.batch.running import run

__all__ = ["Plan", "Step", "plan", "process", "run"]
