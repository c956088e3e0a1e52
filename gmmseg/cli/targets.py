"""Which files a run will write, decided and checked before anything is computed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click

from gmmseg.batch.outputs import labels_name, option_of, require_distinct
from gmmseg.errors import InputError, OutputError
from gmmseg.io.parts import lacking_part
from gmmseg.records import dataclass

__all__ = ["Job", "folder", "plan", "require_parts"]


@dataclass(frozen=True, eq=False)
class Job:
    """One image and the files to write for it.

    Parameters
    ----------
    source : Path
    outputs : dict of str to Path
        By what they hold: "labels", and where asked for what `gmmseg.batch.outputs.KINDS` names.
    """

    source: Path
    outputs: dict[str, Path]


def plan(
    sources: Sequence[Path],
    *,
    output: Path | None,
    out_dir: Path | None,
    extra: dict[str, Path | None],
    channel_axis: Any,
    axes: str | None = None,
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
        Of a single image, by what they hold, see `gmmseg.batch.outputs.KINDS`.
    channel_axis : int, None or "auto"
        Tells volumes from pictures, which get another format.
    axes : str, optional
        Does so too.
    guides : sequence of Path
        Inputs too: never overwritten.

    Returns
    -------
    list of Job

    Raises
    ------
    click.UsageError
        The options contradict each other.
    ParameterError
        Two results, or a result and an input, would be the same file; or images are bands of one scene.
    """
    if output is not None and out_dir is not None:
        raise click.UsageError("--output and --out-dir both say where the labels go; give one of them")
    for name, path in {"output": output, **extra}.items():
        option = "--output" if name == "output" else option_of(name)
        if path is not None and len(sources) > 1:
            raise click.UsageError(
                f"{option} {path} is one file, but {len(sources)} images are given; "
                + ("use --out-dir DIR" if name == "output" else f"use {option} with one image, and --out-dir for many")
            )
        if path is not None and path.is_dir():
            remedy = f"use --out-dir {path}" if name == "output" else "name a file in it"
            raise click.UsageError(f"{option} {path} is a folder; {remedy}")
    if len(sources) > 1:
        from gmmseg.io.satellite.band_files import require_whole_scenes  # here, because one file is no scene in parts

        require_whole_scenes(sources)
    place = out_dir or Path()
    named = {name: path for name, path in extra.items() if path is not None}
    jobs = [
        Job(source, {"labels": output or place / labels_name(source, channel_axis, axes), **named})
        for source in sources
    ]
    require_distinct(((job.source, job.outputs) for job in jobs), [*sources, *guides])
    return jobs


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


def require_parts(source: Path) -> None:
    """Raise InputError where a file is not there that channels of an image are named by: it may be mistyped."""
    lacking = lacking_part(source)
    if lacking is not None:
        raise InputError(
            f"{lacking} does not exist, so that {source} lacks a channel; check the path, or, where images may lack "
            "channels, use gmmseg batch of a list or table of them, with --missing-channels ok"
        )
