"""A log is done again: from its file to the commands that give what the page gave."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from gmmseg.image.cuts import Cuts
from gmmseg.io.formats import identify
from gmmseg.io.opening import Reading, open_image
from gmmseg.io.parts import name_of
from gmmseg.io.writing import write_labels
from gmmseg.web.log import ENDING, load_log
from gmmseg.web.painting import painted
from gmmseg.web.spelling import Spelling
from gmmseg.web.strip_commands import StripCommands

__all__ = ["replay_commands"]


def replay_commands(
    log: str | os.PathLike[str], *, output: str | os.PathLike[str] | None = None, overwrite: bool = False
) -> list[list[str]]:
    """Return the commands that do a log again, without "gmmseg"; strokes of it are written as their label map.

    Parameters
    ----------
    log : path-like
        NAME.gmmseg.json; its images are looked for from its folder.
    output : path-like, optional
        The label map, or the folder of those of many images; by default as the page calls them.
    overwrite : bool
        Whether files that exist may be replaced.

    Returns
    -------
    list of list of str
        To be run one after the other in the current folder.

    Raises
    ------
    InputError
        The log or its image cannot be read.
    OutputError
        The strokes cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from gmmseg.web.log import Log
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Log(os.path.abspath("images/coffee.png")).save(Path(folder, "coffee.gmmseg.json"))
    ...     [each[0] for each in replay_commands(f"{folder}/coffee.gmmseg.json")]
    ['segment']
    """
    found, folder = load_log(Path(log)), Path(log).parent
    if found.images:
        images = tuple(os.path.normpath(folder / each) for each in found.images)
        stem = Path(log).name.removesuffix(ENDING)
        shared = StripCommands(images, stem).commands(found.work, overwrite=overwrite)
        if output is not None:
            shared[-1][shared[-1].index("--out-dir") + 1] = str(output)
        return shared
    image = Path(os.path.normpath(folder / found.image))
    spelling = Spelling(str(image), name_of(image), identify(image).suffix_of_labels(image, "auto"))
    if found.work.drawn:
        opened = open_image(image, Reading())
        cuts = Cuts.of(opened) if opened.ndim == 3 else None
        spelling = replace(spelling, volume=cuts is not None)
        strokes = painted(found.work.strokes, opened.shape, cuts)
        write_labels(spelling.strokes, strokes, image=opened, overwrite=overwrite)
    commands = spelling.commands(found.work, overwrite=overwrite)
    if output is not None:
        commands[-1][commands[-1].index("-o") + 1] = str(output)
    return commands
