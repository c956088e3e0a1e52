"""What is to be done with each image of a batch, decided and checked before anything is computed."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from gmmseg import __version__
from gmmseg.batch.inputs import find_images
from gmmseg.batch.manifest import NAME, Manifest, digest
from gmmseg.batch.outputs import KINDS, labels_name, output_name, require_distinct, with_side_files
from gmmseg.errors import InputError, OutputError, ParameterError
from gmmseg.platforms import processors
from gmmseg.threads import mapped

__all__ = ["Plan", "Step", "Task", "plan"]

_NOTHING: Mapping[str, Any] = {}
# They limit, and do not change the result.
_LIMITS = ("max_pixels", "memory", "threads")


@dataclass(frozen=True)
class Task:
    """What is done with every image of a batch.

    Parameters
    ----------
    parameters, reading : mapping of str to object
        As of `process`; masks, priors and scribbles are paths.
    model : Path or None
        Applied to each image, instead of fitting one to each.
    facts : dict
        What the manifest says of it: "version", "model" (its SHA-256) and "parameters", files as their SHA-256.
    """

    parameters: Mapping[str, Any]
    reading: Mapping[str, Any]
    model: Path | None
    facts: dict[str, Any]

    @classmethod
    def of(cls, parameters: Mapping[str, Any], reading: Mapping[str, Any], model: Path | None) -> Task:
        """Read what files say, and refuse what a manifest could not hold."""
        _check(parameters, fitting=model is None)
        chosen = {name: value for name, value in {**parameters, **reading}.items() if name not in _LIMITS}
        facts = {
            "version": __version__,
            "model": None if model is None else _hash_of_file("model", model),
            "parameters": {name: _plain(name, value) for name, value in sorted(chosen.items())},
        }
        return cls(parameters, reading, model, facts)

    @property
    def files(self) -> list[Path]:
        """Files that are read for every image."""
        named = [Path(each) for each in {**self.parameters, **self.reading}.values() if isinstance(each, os.PathLike)]
        return named if self.model is None else [*named, self.model]


@dataclass(frozen=True)
class Step:
    """What is done with one file.

    Parameters
    ----------
    source : Path
    action : {"process", "redo", "skip"}
    reason : str
    outputs : dict of str to str
        Files by what they hold, below the folder of the results; empty for a file that is no image.
    """

    source: Path
    action: Literal["process", "redo", "skip"]
    reason: str
    outputs: dict[str, str]

    @property
    def key(self) -> str:
        """What the manifest knows the image by."""
        return self.outputs["labels"]


@dataclass(frozen=True)
class Plan:
    """What a batch is going to do.

    Parameters
    ----------
    out_dir : Path
    steps : tuple of Step
    task : Task
    manifest : Manifest
        As it was when this was decided.
    """

    out_dir: Path
    steps: tuple[Step, ...]
    task: Task
    manifest: Manifest

    @property
    def images(self) -> list[Step]:
        """Steps of what is an image."""
        return [step for step in self.steps if step.outputs]

    @property
    def todo(self) -> list[Step]:
        """Steps for which there is something to do."""
        return [step for step in self.steps if step.action != "skip"]


def plan(
    sources: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    out_dir: str | os.PathLike[str],
    *,
    parameters: Mapping[str, Any] = _NOTHING,
    reading: Mapping[str, Any] = _NOTHING,
    model: str | os.PathLike[str] | None = None,
    outputs: Sequence[str] = ("labels",),
    resume: bool = False,
    overwrite: bool = False,
) -> Plan:
    """Decide what is to be done with each image; nothing is written.

    Parameters
    ----------
    sources : path-like or sequence of path-like
        Folders, patterns, lists (.txt) and images; see `find_images`.
    out_dir : path-like
        Folder of the results; made when the plan is run. Folders below a source keep their structure below it.
    parameters : mapping of str to object
        Of `gmmseg.segment`, or where there is a model of `gmmseg.apply`, such as {"k": 6}; files are given as Path.
    reading : mapping of str to object
        Of `gmmseg.io.read`: mask (a Path), channel_axis, max_pixels.
    model : path-like, optional
        A model that is applied to each image; by default one is fitted to each.
    outputs : sequence of str
        What to write besides the labels: others of `gmmseg.batch.outputs.KINDS`.
    resume : bool
        Do what is unfinished, failed, or was made from something else than would be now: another content of the image,
        other parameters, another version. Results are checked by their hashes.
    overwrite : bool
        Do everything, and replace results that exist.

    Returns
    -------
    Plan

    Raises
    ------
    InputError
        There is no image, or a file that is needed for all of them cannot be read.
    OutputError
        There are results already, and neither `resume` nor `overwrite` is asked for; or a link leads a result out of
        the folder.
    ParameterError
        Two results would be the same file, or a result would be written over an input.

    Notes
    -----
    With `resume` every image and result is read once for its hash, at about 1 GB a second and processor.

    Examples
    --------
    >>> import tempfile, numpy
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     numpy.save(f"{folder}/a.npy", numpy.zeros((4, 4)))
    ...     made = plan(folder, f"{folder}/labels", parameters={"k": 2})
    >>> [(step.action, step.reason, step.outputs) for step in made.steps]
    [('process', 'no result yet', {'labels': 'a_labels.png'})]
    """
    if resume and overwrite:
        raise ParameterError("resume and overwrite contradict each other; give one of them")
    kinds = _kinds(outputs)
    folder = Path(out_dir)
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is not a folder; choose another folder for the results")
    task = Task.of(parameters, reading, None if model is None else Path(model))
    given = [sources] if isinstance(sources, str | os.PathLike) else list(sources)
    steps = _named(given, folder, kinds, task)
    images = [step for step in steps if step.outputs]
    if not images:
        raise InputError(f"{', '.join(map(str, given))}: there is no image among {len(steps)} files; check the path")
    require_distinct(
        ((step.source, {kind: folder / file for kind, file in step.outputs.items()}) for step in images),
        [*(step.source for step in images), *task.files],
    )
    _require_inside(folder, images)
    manifest = Manifest.read(folder)
    if not overwrite:
        _require_room(folder, images, manifest, resume=resume)
    decided = _decide_all(steps, folder, manifest, task, resume=resume)
    return Plan(folder, tuple(decided), task, manifest)


def _kinds(outputs: Sequence[str]) -> list[str]:
    unknown = [kind for kind in outputs if kind not in KINDS]
    if unknown:
        raise ParameterError(f"outputs has {unknown[0]!r}, which is nothing to write; use {', '.join(KINDS)}")
    return [kind for kind in KINDS if kind == "labels" or kind in outputs]


def _check(parameters: Mapping[str, Any], *, fitting: bool) -> None:
    """Refuse what no image could be segmented with, before any is read."""
    from gmmseg.fitting.options import Effort, FitOptions  # here, because workers plan nothing
    from gmmseg.spatial.smoothing import strength_of  # here, because workers plan nothing

    Effort(**{name: parameters[name] for name in ("memory", "threads") if name in parameters})
    if fitting:
        FitOptions.of(parameters)
    elif parameters.get("smooth") is not None:
        strength_of(parameters["smooth"])


def _plain(name: str, value: Any) -> Any:
    """Return a parameter as JSON holds it."""
    if isinstance(value, os.PathLike):
        return {"sha256": _hash_of_file(name, Path(value))}
    if isinstance(value, list | tuple):
        return [_plain(name, each) for each in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ParameterError(
        f"{name} is of type {type(value).__name__}, which processes cannot share; give the Path of a file"
    )


def _hash_of_file(name: str, path: Path) -> str:
    try:
        return digest(path)
    except OSError as error:
        raise InputError(f"{name} {path} cannot be read: {error.strerror or error}; check the path") from None


def _named(sources: Sequence[str | os.PathLike[str]], folder: Path, kinds: list[str], task: Task) -> list[Step]:
    """Find the files, and name the results of those that are images."""
    axis, axes = task.reading.get("channel_axis", "auto"), task.reading.get("axes")
    steps = []
    for found in find_images(sources, without=folder):
        outputs = {}
        if not found.reason:
            place = Path(os.path.relpath(os.path.abspath(found.path.parent), os.path.abspath(found.base)))
            labels = labels_name(found.path, axis, axes)
            outputs = {kind: (place / output_name(kind, labels)).as_posix() for kind in kinds}
        steps.append(Step(found.path, "skip", found.reason, outputs))
    return steps


def _require_inside(folder: Path, images: Sequence[Step]) -> None:
    """Refuse results that would lie elsewhere, because of links in the folder or ".." in a pattern."""
    root = os.path.realpath(folder)
    for step in images:
        for file in step.outputs.values():
            real = os.path.realpath(folder / file)
            if os.path.commonpath([real, root]) != root:
                raise OutputError(
                    f"{step.source}: its result {folder / file} would be {real}, outside of {folder}; "
                    "remove the link there, or name the image without .."
                )


def _require_room(folder: Path, images: Sequence[Step], manifest: Manifest, *, resume: bool) -> None:
    """Refuse to replace what is there without being told to."""
    if resume and manifest.exists:
        return  # a batch has run here, and these are its results
    named = [with_side_files(kind, folder / file) for step in images for kind, file in step.outputs.items()]
    there = [each for files in named for each in files if each.exists()]
    if not there and not manifest.lines:
        return
    first = there[0] if there else folder / NAME
    what = f"{first} exists" if len(there) < 2 else f"{first} and {len(there) - 1} more exist"
    if resume:
        raise OutputError(f"{what}, but no {folder / NAME} says that a batch made it; pass overwrite=True")
    raise OutputError(f"{what} already; pass resume=True to do what is missing, or overwrite=True to do all again")


def _decide_all(steps: Sequence[Step], folder: Path, manifest: Manifest, task: Task, *, resume: bool) -> list[Step]:
    def decide(step: Step) -> Step:
        if not step.outputs:
            return step
        reason = _why_again(step, folder, manifest.lines.get(step.key), task) if resume else _why_replaced(step, folder)
        if reason is None:
            return Step(step.source, "skip", "done", step.outputs)
        return Step(step.source, "redo" if reason else "process", reason or "no result yet", step.outputs)

    if not (resume and manifest.lines):
        return [decide(step) for step in steps]
    return list(mapped(decide, steps, processors()))  # hashing leaves the interpreter to others


def _why_replaced(step: Step, folder: Path) -> str:
    return "replaced" if any((folder / file).exists() for file in step.outputs.values()) else ""


def _why_again(step: Step, folder: Path, line: dict[str, Any] | None, task: Task) -> str | None:
    """Return why an image has to be done; None where it is done, and "" where it never was."""
    if line is None:
        return "unfinished" if any((folder / file).exists() for file in step.outputs.values()) else ""
    if "error" in line:
        return f"failed before: {line['error'].get('message', '')}"
    for name, words in (("version", "made by version {}, this is {}"), ("model", "made with another model")):
        if line.get(name) != task.facts[name]:
            return words.format(line.get(name), task.facts[name])
    before, now = line.get("parameters", {}), task.facts["parameters"]
    changed = [name for name in sorted({*before, *now}) if before.get(name) != now.get(name)]
    if changed:
        return f"{', '.join(f'{name} was {before.get(name)}, is {now.get(name)}' for name in changed)}"
    if _hash(step.source) != line.get("sha256"):
        return "the image has changed"
    for kind, file in step.outputs.items():
        known = line["outputs"].get(kind, {})
        if not (folder / file).exists():
            return f"{file} is missing"
        if known.get("file") != file or _hash(folder / file) != known.get("sha256"):
            return f"{file} has changed"
    return None


def _hash(path: Path) -> str | None:
    try:
        return digest(path)
    except (InputError, OSError):
        return None
