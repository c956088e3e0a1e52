"""What is to be done with each image of a batch, decided and checked before anything is computed."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from gmmseg import __version__
from gmmseg.batch import bids
from gmmseg.batch.guide_names import called, is_pattern, root_of, ruled_by
from gmmseg.batch.inputs import Found, find_images
from gmmseg.batch.manifest import NAME, Manifest, digest, digest_of_parts
from gmmseg.batch.outputs import KINDS, labels_name, output_name, require_distinct, with_side_files
from gmmseg.batch.study import GUIDES, Subject, each_series, read_study, subjects_of
from gmmseg.checks import MEMORY, strength_of
from gmmseg.effort import Effort
from gmmseg.errors import InputError, OutputError, ParameterError
from gmmseg.fitting.options import FitOptions
from gmmseg.io.classes import default_names
from gmmseg.io.parts import files_of
from gmmseg.platforms import processors
from gmmseg.threads import mapped

__all__ = ["Choice", "Plan", "Step", "Task", "plan"]

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
        """Read what files say, and refuse what a manifest could not hold, and a model that cannot be used."""
        _check(parameters, fitting=model is None)
        chosen = {name: value for name, value in {**parameters, **reading}.items() if name not in _LIMITS}
        facts = {
            "version": __version__,
            "model": None if model is None else _hash_of_file("model", model),
            "parameters": {name: _plain(name, value) for name, value in sorted(chosen.items())},
        }
        if model is not None:
            from gmmseg.model import load_model  # here, because most batches have no model

            load_model(model)  # so that one that cannot be used is said once, not of every image
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
    guides : mapping of str to Path
        The mask and the prior of this image alone.
    fault : str
        Why it cannot be done, in one line; empty where nothing is known to be wrong.
    series : str
        Which one of a folder with several series of DICOM files; empty of anything else.

    Examples
    --------
    >>> import tempfile, numpy
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     numpy.save(f"{folder}/a.npy", numpy.zeros((4, 4)))
    ...     step = plan(folder, f"{folder}/labels", parameters={"k": 2}).steps[0]
    >>> step.source.name, step.action, step.reason
    ('a.npy', 'process', 'no result yet')
    """

    source: Path
    action: Literal["process", "redo", "skip"]
    reason: str
    outputs: dict[str, str]
    guides: Mapping[str, Path] = field(default_factory=dict)
    fault: str = ""
    series: str = ""

    @property
    def key(self) -> str:
        """What the manifest knows the image by."""
        return self.outputs["labels"]


@dataclass(frozen=True)
class Choice:
    """Which images of a batch are meant, and how results are named.

    Parameters
    ----------
    include, exclude : tuple of str
        Patterns of names, or of paths below the folder that is given, as in "*_T1w.nii.gz".
    missing_channels : {"refuse", "ok"}
        Whether an image may lack some of the files that its channels are in; otherwise it fails.
    bids : bool
        Whether images are of a BIDS data set, T1w by default, and the results become a derivative of it.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    missing_channels: str = "refuse"
    bids: bool = False


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
    data_set : Path, optional
        Of which the results become a derivative, as BIDS has them.

    Examples
    --------
    >>> import tempfile, numpy
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     numpy.save(f"{folder}/a.npy", numpy.zeros((4, 4)))
    ...     made = plan(folder, f"{folder}/labels", parameters={"k": 2})
    >>> made.out_dir.name, len(made.steps), len(made.todo)
    ('labels', 1, 1)
    """

    out_dir: Path
    steps: tuple[Step, ...]
    task: Task
    manifest: Manifest
    data_set: Path | None = None

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
    choice: Choice | None = None,
    resume: bool = False,
    overwrite: bool = False,
) -> Plan:
    """Decide what is to be done with each image; nothing is written.

    Parameters
    ----------
    sources : path-like or sequence of path-like
        Folders, patterns, lists (.txt), tables of studies (.tsv) and images; see `find_images` and
        `gmmseg.batch.study.read_study`.
    out_dir : path-like
        Folder of the results; made when the plan is run. Folders below a source keep their structure below it.
    parameters : mapping of str to object
        Of `gmmseg.segment`, or where there is a model of `gmmseg.apply`, such as {"k": 6}; files are given as Path. A
        prior, as a mask, may be a pattern, "{folder}/{subject}_prior.nii.gz", see `gmmseg.batch.study.subjects_of`.
    reading : mapping of str to object
        Of `gmmseg.io.read`: mask (a Path), channel_axis, max_pixels.
    model : path-like, optional
        A model that is applied to each image; by default one is fitted to each.
    outputs : sequence of str
        What to write besides the labels: others of `gmmseg.batch.outputs.KINDS`.
    choice : Choice, optional
        Which images are meant; by default all that there are.
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
    patterns = {name: value for name, value in {**parameters, **reading}.items() if is_pattern(value)}
    ruled = ruled_by(reading.get("mask_values"))
    task = Task.of(_without(parameters, patterns), _without(reading, patterns), None if model is None else Path(model))
    given = [sources] if isinstance(sources, str | os.PathLike) else list(sources)
    choice = choice or Choice()
    named = patterns | ({} if ruled is None else {"mask_values": ruled})
    subjects = _subjects(given, folder, named, choice, task.reading.get("series"))
    classes = _class_names(task, kinds) if choice.bids else None
    steps = [_named(subject, kinds, task, classes) for subject in subjects]
    images = [step for step in steps if step.outputs]
    if not images:
        raise InputError(f"{', '.join(map(str, given))}: there is no image among {len(steps)} files; check the path")
    require_distinct(
        ((step.source, {kind: folder / file for kind, file in step.outputs.items()}) for step in images),
        [*(step.source for step in images), *(each for s in images for each in s.guides.values()), *task.files],
    )
    _require_inside(folder, images)
    manifest = Manifest.read(folder)
    if not overwrite:
        _require_room(folder, images, manifest, resume=resume)
    decided = _decide_all(steps, folder, manifest, task, resume=resume)
    return Plan(folder, tuple(decided), task, manifest, _data_set(images, folder) if choice.bids else None)


def _kinds(outputs: Sequence[str]) -> list[str]:
    unknown = [kind for kind in outputs if kind not in KINDS]
    if unknown:
        raise ParameterError(f"outputs has {unknown[0]!r}, which is nothing to write; use {', '.join(KINDS)}")
    return [kind for kind in KINDS if kind == "labels" or kind in outputs]


def _check(parameters: Mapping[str, Any], *, fitting: bool) -> None:
    """Refuse what no image could be segmented with, before any is read."""
    Effort(parameters.get("memory", MEMORY), parameters.get("threads"))
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


def _without(values: Mapping[str, Any], patterns: Mapping[str, Path]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in patterns}


def _subjects(
    sources: Sequence[str | os.PathLike[str]],
    folder: Path,
    patterns: Mapping[str, Path],
    choice: Choice,
    series: str | None,
) -> list[Subject]:
    """Find the images, each with what belongs to it alone; of several series in a folder each where none is named."""
    for name, pattern in patterns.items():
        if name not in (*GUIDES, "mask_values"):
            raise ParameterError(f"{name} {pattern} is a pattern, but all images have one; give the path of a file")
    given: list[Found | Subject] = []
    others = [each for each in sources if not _is_study(each)]
    for source in sources:
        given += read_study(Path(source)) if _is_study(source) else []
    found = find_images(others, without=folder)
    if choice.bids:
        given += _without_scans(others, found, choice)
        found = [each for each in found if bids.is_meant(each.place, chosen=bool(choice.include))]
    given += found if series is not None else [part for each in found for part in each_series(each)]
    return subjects_of(
        given,
        patterns,
        include=choice.include,
        exclude=choice.exclude,
        missing_channels=choice.missing_channels,
    )


def _without_scans(sources: Sequence[str | os.PathLike[str]], found: Sequence[Found], choice: Choice) -> list[Subject]:
    """Return the subjects of data sets that have no scan, with that fault; where patterns choose, they may mean it."""
    if choice.include:
        return []
    scans = [each.path for each in found if bids.is_meant(each.place, chosen=False)]
    return [
        Subject(
            Found(folder, folder.parent),
            fault=f"{folder}: the subject has no T1w image; add it, or leave the subject out",
        )
        for source in map(Path, sources)
        for folder in bids.subjects_without(source, scans)
    ]


def _is_study(source: str | os.PathLike[str]) -> bool:
    return Path(source).suffix.lower() == ".tsv"


def _class_names(task: Task, kinds: list[str]) -> Sequence[str]:
    """Return the names of the classes, which files of a derivative have."""
    if task.model is not None:
        from gmmseg.model import load_model  # here, because most batches have no model

        model = load_model(task.model)
        return model.class_names or default_names(model.k)
    k, names = task.parameters.get("k", "auto"), task.parameters.get("class_names")
    if k == "auto" and "soft" in kinds:
        raise ParameterError("k='auto' names no classes, of which each has a file of probabilities; give k")
    return tuple(names) if names else default_names(0 if k == "auto" else k)


def _data_set(images: Sequence[Step], folder: Path) -> Path:
    """Return the data set that all images are of."""
    bids.check_description(folder)
    roots = sorted({root_of(files_of(step.source)[0].absolute()) for step in images})
    if len(roots) > 1:
        raise ParameterError(f"{roots[0]} and {roots[1]} are two data sets; make a derivative of one at a time")
    return roots[0]


def _named(subject: Subject, kinds: list[str], task: Task, classes: Sequence[str] | None) -> Step:
    """Name the results of an image; what is no image has none, and those with `classes` are called as in BIDS."""
    found = subject.found
    if found.reason:
        return Step(found.path, "skip", found.reason, {})
    if classes is not None:
        scan = bids.Scan.of(found.path)
        if scan is None or subject.out:
            why = f"out {subject.out} is not for derivatives" if scan else "is not named as in BIDS"
            raise ParameterError(f"{found.path}: {why}; call images sub-LABEL_T1w.nii.gz and leave out empty")
        return Step(found.path, "skip", "", scan.names(kinds, classes), subject.guides, subject.fault)
    place = Path(found.place).parent
    labels = labels_name(found.path, task.reading.get("channel_axis", "auto"), task.reading.get("axes"))
    if subject.out:
        place, labels = Path(subject.out).parent, Path(subject.out).name + "_labels" + labels.rpartition("_labels")[2]
    outputs = {kind: (place / output_name(kind, labels)).as_posix() for kind in kinds}
    return Step(found.path, "skip", "", outputs, subject.guides, subject.fault, subject.series)


def _require_inside(folder: Path, images: Sequence[Step]) -> None:
    """Refuse results that would lie elsewhere, because of links in the folder or ".." in a pattern."""
    root, parents = os.path.realpath(folder), dict[str, str]()
    for step in images:
        for file in step.outputs.values():
            place, name = os.path.split(os.path.join(folder, file))
            if place not in parents:
                parents[place] = os.path.realpath(place)
            real = os.path.join(parents[place], name)
            real = os.path.realpath(real) if os.path.islink(real) else real
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
            return replace(step, action="skip", reason="done")
        action: Literal["redo", "process"] = "redo" if reason else "process"
        return replace(step, action=action, reason=step.fault or reason or "no result yet")

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
    return _what_was_read(step, line) or _what_was_written(step, folder, line)


def _what_was_read(step: Step, line: dict[str, Any]) -> str | None:
    """Return what an image was made from that is another one now."""
    if _hash(step.source) != line.get("sha256"):
        return "the image has changed"
    known = line.get("guides", {})
    for name in sorted({*known, *step.guides}):
        if name not in step.guides or _hash(step.guides[name]) != known.get(name, {}).get("sha256"):
            return f"the {called(name)} has changed"
    return None


def _what_was_written(step: Step, folder: Path, line: dict[str, Any]) -> str | None:
    """Return which result is not there as it was written."""
    for kind, file in step.outputs.items():
        known = line["outputs"].get(kind, {})
        if not (folder / file).exists():
            return f"{file} is missing"
        if known.get("file") != file or _hash(folder / file) != known.get("sha256"):
            return f"{file} has changed"
    return None


def _hash(path: Path) -> str | None:
    try:
        return digest_of_parts(path)
    except (InputError, OSError):
        return None
