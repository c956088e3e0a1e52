"""Small batches, and what they left in their folder."""

import json
from pathlib import Path

from gmmseg.batch import plan, run
from gmmseg.batch.manifest import NAME


def results(folder="labels"):
    """Bytes of the files below a folder, but the manifest's, which holds times."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in Path(folder).rglob("*")
        if path.is_file() and path.name != NAME
    }


def lines(folder="labels"):
    return [json.loads(text) for text in Path(folder, NAME).read_text().splitlines()]


def actions(made):
    return {str(step.source): step.action for step in made.steps}


def reasons(made):
    return {str(step.source): step.reason for step in made.steps if step.action != "skip"}


def do(scenes, *, jobs=1, **options):
    return run(plan(scenes, "labels", **{"parameters": {"k": 3}, **options}), jobs=jobs)
