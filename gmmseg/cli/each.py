"""Images one after the other: what is wrong with one does not stop the others, and each gets its table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from gmmseg.batch.outputs import check_outputs
from gmmseg.cli.messages import collected_warnings, exit_code, explain, plain, print_error
from gmmseg.cli.progress import Progress
from gmmseg.cli.records import print_json
from gmmseg.cli.table import class_table
from gmmseg.cli.targets import Job, require_parts
from gmmseg.io.formats import identify
from gmmseg.io.parts import files_of
from gmmseg.io.temporary import sweep

__all__ = ["RUNNING", "run_each"]

RUNNING = ("overwrite", "as_json", "quiet", "progress")
"""The options that `run_each` takes."""

_MOST_CHANGES = 8

Work = Callable[[Job, Progress, str, dict[str, Any]], None]


def run_each(
    jobs: list[Job], work: Work, *, overwrite: bool, as_json: bool, quiet: bool, progress: str = "auto"
) -> int:
    """Work on images, and print what came out.

    Parameters
    ----------
    jobs : list of Job
    work : callable
        Takes a job, the progress, its title and the record of the image, to which it adds what came out.
    overwrite, as_json, quiet : bool
    progress : str
        The options of these names.

    Returns
    -------
    int
        The exit code.
    """
    failures: dict[Job, Exception] = {}
    shown = Progress(quiet=quiet, style=progress)
    for job in jobs:
        with _kept_going(job, failures, shown):
            require_parts(job.source)
            for file in files_of(job.source):
                identify(file)
            check_outputs(job.outputs, overwrite=overwrite)
    # What killed runs have left beside these results.
    sweep({path.parent for job in jobs if job not in failures for path in job.outputs.values()})
    records = []
    for number, job in enumerate(jobs, 1):
        record: dict[str, Any] = {"input": str(job.source)}
        title = job.source.name + (f" ({number} of {len(jobs)})" if len(jobs) > 1 else "")
        with collected_warnings(shown.clear) as warned:
            record["warnings"] = warned  # so far, for a report
            if job not in failures:
                with _kept_going(job, failures, shown):
                    work(job, shown, title, record)
        if job in failures:
            record["error"] = explain(failures[job], str(job.source))
        records.append(record | {"warnings": record.pop("warnings")})
        if "classes" in record and not (as_json or quiet):
            click.echo(("\n" if any("classes" in before for before in records[:-1]) else "") + _table(record))
    if as_json:
        print_json(records)
    if failures and len(failures) < len(jobs):
        return 3
    return max(map(exit_code, failures.values()), default=0)


@contextmanager
def _kept_going(job: Job, failures: dict[Job, Exception], progress: Progress) -> Iterator[None]:
    """Report what goes wrong with one image, and go on."""
    try:
        yield
    # Even a mistake of ours must not cost the other images.
    except Exception as error:
        failures[job] = error
        progress.clear()
        print_error(explain(error, str(job.source)))
    finally:
        progress.clear()


def _table(record: dict[str, Any]) -> str:
    """Return what a person wants to know of one image."""
    size = " x ".join(map(str, record["shape"] if len(record["shape"]) > 2 else reversed(record["shape"])))
    count = "1 class" if record["k"] == 1 else f"{record['k']} classes"
    lines = [plain(f"wrote {', '.join(record['outputs'].values())}: {size} pixels, {count}, {record['seconds']:.2f} s")]
    if "adapted" in record:
        changes = [f"{name} x {each['gain']:.3g} {each['offset']:+.3g}" for name, each in record["adapted"].items()]
        more = f" and {len(changes) - _MOST_CHANGES} more" if len(changes) > _MOST_CHANGES else ""
        lines.append(plain(f"adapted: {', '.join(changes[:_MOST_CHANGES])}{more}"))
    return "\n".join([*lines, class_table(record["classes"])])
