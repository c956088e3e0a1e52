"""Which files a run will write, decided and checked before anything is computed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from gmmseg.errors import InputError, OutputError
from gmmseg.io.atomic import check_place
from gmmseg.io.formats import GDAL, identify
from gmmseg.io.writing import check_target

__all__ = ["Job", "check", "folder", "plan"]


@dataclass(frozen=True)
class Job:
    """One image and the files to write for it.

    Parameters
    ----------
    source : Path
    labels : Path
    soft, overlay, anomaly, model : Path, optional
        Written where asked for.
    """

    source: Path
    labels: Path
    soft: Path | None = None
    overlay: Path | None = None
    anomaly: Path | None = None
    model: Path | None = None

    @property
    def outputs(self) -> dict[str, Path]:
        """Files to write by what they hold, in the order of writing."""
        names = ("labels", "soft", "overlay", "anomaly", "model")
        named = {name: getattr(self, name) for name in names}
        return {name: path for name, path in named.items() if path is not None}


def plan(
    sources: Sequence[Path],
    *,
    output: Path | None,
    out_dir: Path | None,
    extra: dict[str, Path | None],
    channel_axis: Any,
    guides: Sequence[Path],
) -> list[Job]:
    """Decide what is written where.

    Parameters
    ----------
    sources : sequence of Path
        The images.
    output : Path or None
        The label map of a single image.
    out_dir : Path or None
        Folder of label maps named after their images; by default the current one.
    extra : dict of str to (Path or None)
        "soft", "overlay", "anomaly" and "model" of a single image.
    channel_axis : int, None or "auto"
        Tells volumes from pictures, which get another format.
    guides : sequence of Path
        Inputs too: never overwritten.

    Returns
    -------
    list of Job

    Raises
    ------
    click.UsageError
        The options contradict each other, or two results or a result and an input would be the same file.
    """
    if output is not None and out_dir is not None:
        raise click.UsageError("--output and --out-dir both say where the labels go; give one of them")
    for name, path in {"output": output, **extra}.items():
        if path is not None and len(sources) > 1:
            raise click.UsageError(
                f"--{name} {path} is one file, but {len(sources)} images are given; "
                + ("use --out-dir DIR" if name == "output" else f"use --{name} with one image, and --out-dir for many")
            )
        if path is not None and path.is_dir():
            remedy = f"use --out-dir {path}" if name == "output" else "name a file in it"
            raise click.UsageError(f"--{name} {path} is a folder; {remedy}")
    place = out_dir or Path()
    jobs = [
        Job(source, output or place / f"{source.stem}_labels{_suffix(source, channel_axis)}", **extra)
        for source in sources
    ]
    _require_distinct(jobs, [*sources, *guides])
    return jobs


def _suffix(source: Path, channel_axis: Any) -> str:
    """Return .tif for what PNG has no room for: georeferencing, and volumes."""
    try:
        known = identify(source).name
        if known in ("NPY", "NPZ"):
            from gmmseg.io.reading import read_info

            shape = read_info(source).get("shape", ())
            return ".tif" if len(shape) - (channel_axis is not None) > 2 else ".png"
    except InputError:
        # Reported when it is this image's turn.
        return ".png"
    return ".tif" if known in ("TIFF", GDAL.name) else ".png"


def _require_distinct(jobs: Sequence[Job], inputs: Sequence[Path]) -> None:
    """Refuse to write one file twice, or over anything that is read."""
    read = {_identity(path): path for path in reversed(inputs)}
    owners: dict[str, Path] = {}
    for job in jobs:
        for path in job.outputs.values():
            place = _identity(path)
            if place in read:
                raise click.UsageError(
                    f"{path} would be written over {read[place]}, which is an input; choose another name or folder"
                )
            if place in owners:
                raise click.UsageError(_clash(owners[place], job.source, path))
            owners[place] = job.source


def _clash(first: Path, second: Path, path: Path) -> str:
    if first is second:
        return f"{path} is named for two results; give each its own name"
    if _identity(first) == _identity(second):
        return f"{second} is given twice; name each image once"
    return f"{first} and {second} would both be written to {path}; segment them one at a time, or rename one"


def _identity(path: Path) -> str:
    """Return what tells whether two paths are the same file, also through links and before it exists."""
    with suppress(OSError, ValueError):
        status = path.stat()
        return f"{status.st_dev}:{status.st_ino}"
    return os.path.realpath(path)


def check(job: Job, *, overwrite: bool, ndim: int | None = None) -> None:
    """Refuse targets that could not be written.

    Parameters
    ----------
    job : Job
    overwrite : bool
        Whether existing files may be replaced.
    ndim : int, optional
        Number of spatial axes, once the image is read.

    Raises
    ------
    OutputError
        A suffix, a folder, a file that exists, or a format without room for that many axes.
    """
    check_target(job.labels, kind="labels", overwrite=overwrite, ndim=ndim)
    for path in (job.soft, job.anomaly):
        if path is not None:
            check_target(path, kind="soft", overwrite=overwrite, ndim=ndim)
    if job.overlay is not None:
        if ndim is not None and ndim != 2:
            raise OutputError(f"{job.overlay}: an overlay needs a picture, {job.source} has {ndim} axes; leave it out")
        check_target(job.overlay, kind="picture", overwrite=overwrite)
    if job.model is not None:
        if job.model.suffix.lower() != ".json":
            raise OutputError(f"{job.model}: models are written as JSON; give it a name that ends in .json")
        check_place(job.model, overwrite=overwrite)


@contextmanager
def folder(path: Path | None) -> Iterator[None]:
    """Have a folder, made where it is missing, and leave none behind that is empty and was not there before.

    Raises
    ------
    OutputError
        It cannot be made.
    """
    missing = [] if path is None else [each for each in (path, *path.parents) if not each.exists()]
    try:
        if path is not None:
            path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = "is not a folder" if isinstance(error, FileExistsError) else f"cannot be made: {error.strerror}"
        raise OutputError(f"--out-dir {path} {reason}; choose another folder") from None
    try:
        yield
    finally:
        for each in missing:
            with suppress(OSError):
                each.rmdir()
