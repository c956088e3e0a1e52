"""Doing what a plan says: one image a process, a line in the manifest as each ends."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gmmseg import platforms
from gmmseg.batch import bids
from gmmseg.batch.manifest import Manifest, locked
from gmmseg.batch.planning import Plan, Step
from gmmseg.batch.workers import Crew, Death
from gmmseg.checks import whole_number
from gmmseg.errors import OutputError, described
from gmmseg.io.parts import parts_of
from gmmseg.io.temporary import sweep
from gmmseg.io.unnamed import name_all
from gmmseg.threads import pooled

if TYPE_CHECKING:
    from gmmseg.batch.cluster import Cluster
    from gmmseg.batch.cluster_crew import ClusterCrew

__all__ = ["run"]

TASK = "gmmseg.batch.answering:answer"
"""What a worker does; a name, because the parent need not load it."""

Line = dict[str, Any]
Report = Callable[[Line], None]
Answer = dict[str, Any] | Death

_MOST_AT_ONCE = 8  # threads that wait for the disk, which writes many files in hardly more time than one


def run(
    plan: Plan,
    *,
    jobs: int | None = None,
    threads: int | None = None,
    report: Report | None = None,
    cluster: Cluster | None = None,
) -> list[Line]:
    """Do what a plan says.

    Parameters
    ----------
    plan : Plan
    jobs : int, optional
        Images at a time, each in a process of its own and with its own memory; one a processor by default.
    threads : int, optional
        Of each process; by default the processors are shared out among them. Neither changes the results.
    report : callable, optional
        Called with each line of the manifest when it is on disk. A line with "error" and "retry" is followed by another
        one of the same image.
    cluster : Cluster, optional
        Workers that take the images, instead of processes of this run: by default one each at a time, with all threads
        of the worker. They have to see images and results under the same paths. Nothing else changes.

    Returns
    -------
    list of dict
        The last line of each image that was worked on: of the manifest, see `gmmseg.batch.answering.answer`.

    Raises
    ------
    GmmsegError
        The scheduler of the cluster went away, or its workers cannot work. What was done is kept.
    OutputError
        Another run is at work in the folder, or nothing more can be written there (a full disk, a read-only folder).
        What was done is kept.
    ParameterError
        `jobs` or `threads` has an unusable value.

    Notes
    -----
    What is wrong with one image does not stop the others. An image whose process died (killed for want of memory, or
    crashed in a decoder) is tried once more at the end with the machine to itself.

    Examples
    --------
    >>> import tempfile, numpy
    >>> from gmmseg import batch
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     numpy.save(f"{folder}/a.npy", numpy.repeat(numpy.uint8([10, 200, 200]), 8).reshape(3, 8))
    ...     done = batch.run(batch.plan(folder, f"{folder}/labels", parameters={"k": 2}), jobs=1)
    >>> [(line["outputs"]["labels"]["file"], line["k"]) for line in done]
    [('a_labels.png', 2)]
    """
    todo = plan.todo
    processors = platforms.processors()
    most = (processors if cluster is None else cluster.workers) if jobs is None else whole_number("jobs", jobs, 1, None)
    size = max(1, min(most, len(todo)))
    share = max(1, processors // size) if threads is None else whole_number("threads", threads, 1, None)
    named = os.fspath if cluster is None else _anywhere
    lines: dict[str, Line] = {}
    again: list[Step] = []
    with _place(plan) as (manifest, descriptor), pooled(_MOST_AT_ONCE) as mapping:

        def keep(answers: list[tuple[Step, Answer]], again: list[Step] | None = None) -> None:
            done, stop = _finished(plan, answers, mapping)
            for step, line, retry in done:
                lines[step.key] = line
                if retry and again is not None:
                    again.append(step)
                    line["retry"] = True
            manifest.append(line for _, line, _ in done)
            if report is not None:
                for _, line, _ in done:
                    report(line)
            if stop is not None:
                raise OutputError(f"{stop}; what was done is kept, and resume=True does the rest")

        with _crew(size, plan.out_dir, descriptor, cluster) as crew:
            for answers in crew.work(_jobs(plan, todo, share if cluster is None else threads, named)):
                keep(answers, again)
        with _crew(1, plan.out_dir, descriptor, cluster) as crew:
            for answers in crew.work(_jobs(plan, again, threads, named)):
                keep(answers)
        if again:  # one line an image
            done = Manifest.read(plan.out_dir)
            done.settle(done.lines)
    return list(lines.values())


def _crew(size: int, folder: Path, descriptor: int, cluster: Cluster | None) -> Crew | ClusterCrew:
    if cluster is None:
        return Crew(size, TASK, held=(descriptor,))
    from gmmseg.batch.cluster_crew import ClusterCrew  # here, because most batches are of one machine

    return ClusterCrew(cluster, size, folder)


@contextmanager
def _place(plan: Plan) -> Iterator[tuple[Manifest, int]]:
    """Have the folder of the results to ourselves, tidied up before and after."""
    folder = plan.out_dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot be made: {error.strerror or error}; choose another folder") from None
    with locked(folder) as descriptor:
        manifest = Manifest.read(folder)
        if manifest.content != plan.manifest.content:
            raise OutputError(f"another batch has worked in {folder} since this one was planned; run it again")
        files = [file for step in plan.images for file in step.outputs.values()]
        files += [each["file"] for line in manifest.lines.values() for each in line["outputs"].values()]
        root = os.path.realpath(folder)
        folders = {os.path.realpath(folder / parent) for parent in {os.path.dirname(file) for file in files}} | {root}
        ours = [Path(each) for each in folders if os.path.commonpath([each, root]) == root]  # links may lead elsewhere
        tree = {str(each) for place in ours for each in (place, *place.parents)}
        new = [each for each in sorted(tree, reverse=True) if not os.path.exists(each)]
        sweep(ours)
        keys = {step.key for step in plan.todo}
        # An image that was not there had no format, and a subject without one no session, to name its results by.
        failed = {key: line.get("input") for key, line in manifest.lines.items() if "error" in line}
        places = (each for step in plan.todo for each in (step.source, *step.source.parents)) if failed else ()
        sources = {str(each) for each in places}
        manifest.settle(key for key in manifest.lines if key not in keys and failed.get(key) not in sources)
        if plan.data_set is not None:
            bids.write_description(folder, plan.data_set)
        try:
            yield manifest, descriptor
        finally:
            sweep(ours)
            for each in new:  # the deepest first; where every image has failed nothing is left of a folder
                with suppress(OSError):
                    os.rmdir(each)


def _jobs(
    plan: Plan, steps: Iterable[Step], threads: int | None, named: Callable[[os.PathLike[str]], str]
) -> Iterator[tuple[Step, dict[str, Any]]]:
    """Describe the work on each image; `named` says how paths are written, and None threads are all there are."""
    task = plan.task

    def sendable(values: Any) -> dict[str, Any]:
        return {name: named(each) if isinstance(each, os.PathLike) else each for name, each in values.items()}

    of_all = {
        "folder": str(plan.out_dir),
        "parameters": sendable({**task.parameters, "threads": threads}),
        "model": None if task.model is None else named(task.model),
    }
    reading = sendable(task.reading)
    for step in steps:
        yield (
            step,
            {
                **of_all,
                "source": named(step.source),
                "reading": reading | ({"series": step.series} if step.series else {}),
                "guides": sendable(step.guides),
                "fault": step.fault,
                "line": _start(plan, step),
            },
        )


def _anywhere(path: os.PathLike[str]) -> str:
    """Return a path as any folder of a machine knows it, of several with "+" between them each."""
    return "+".join(os.path.abspath(each) for each in parts_of(path))


def _start(plan: Plan, step: Step) -> Line:
    """Return what the manifest says of an image whatever comes of it."""
    outputs = {kind: {"file": file} for kind, file in step.outputs.items()}
    return {"input": str(step.source), **plan.task.facts, "outputs": outputs}


def _finished(
    plan: Plan, answers: list[tuple[Step, Answer]], mapping: Callable[..., Iterator[Any]]
) -> tuple[list[tuple[Step, Line, bool]], str | None]:
    """Have the files of some images on disk and under their names; `mapping` is `map`, in threads.

    Returns
    -------
    list of (Step, dict, bool)
        Of those that are done: their lines, and whether they deserve another try.
    str or None
        Why nothing more can be written, if so.
    """
    # A share for each thread, and not a file: to hand over takes as long as to give a name.
    each = -(-len(answers) // _MOST_AT_ONCE)
    shares = [answers[first : first + each] for first in range(0, len(answers), each)]
    named = list(chain.from_iterable(mapping(_all_named, shares)))
    done = [(step, *_line(plan, step, answer)) for step, answer, stop in named if stop is None]
    return done, next((stop for _, _, stop in named if stop is not None), None)


def _all_named(share: list[tuple[Step, Answer]]) -> list[tuple[Step, Answer, str | None]]:
    return [(step, answer, _named(answer)) for step, answer in share]


def _named(answer: Answer) -> str | None:
    """Have the files of an image on disk and under their names; return why nothing more can be written, if so."""
    if isinstance(answer, Death):
        return None
    try:
        name_all(answer["unnamed"])
    except OSError as error:
        return described(error, f"{answer['line']['input']}: ")
    stop: str | None = answer["stop"]
    return stop


def _line(plan: Plan, step: Step, answer: Answer) -> tuple[Line, bool]:
    """Return the line of an image, and whether it deserves another try."""
    if isinstance(answer, Death):
        killed = "if not by hand, then for want of memory: use a smaller image"
        remedy = killed if answer.cause.endswith("SIGKILL") else "save the image again, or leave it out"
        message = f"{step.source}: the process that worked on it {answer.cause}; {remedy}"
        error = {"type": "Death", "message": message, "traceback": answer.last_words}
        return {**_start(plan, step), "error": error}, True
    line = answer["line"]
    assert isinstance(line, dict)
    for name, each in line.get("guides", {}).items():
        each["file"] = str(step.guides[name])  # as it was given, wherever the work was done
    return line, answer["retry"]
