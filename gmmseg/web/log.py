"""The log of what a person did to an image: undone and redone step by step, kept in a file, done again."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gmmseg.errors import GmmsegError, InputError
from gmmseg.io.atomic import atomic_file
from gmmseg.io.regular import require_regular
from gmmseg.web.steps import Step, checked
from gmmseg.web.work import Work

__all__ = ["ENDING", "Log", "load_log"]

ENDING = ".gmmseg.json"

_FORMAT, _VERSION = "gmmseg log", 1
_MOST_BYTES = 64 << 20
_REMEDY = f"give a NAME{ENDING} that the page saved"


@dataclass(frozen=True)
class Log:
    """Steps, of which the last may have been undone.

    Parameters
    ----------
    image : str
        Path of the image, absolute or from the folder of the log's file; of a strip what was opened, in words.
    steps : tuple of Step
    done : int
        How many of them count: those behind have been undone, and can be done again.
    images : tuple of str
        Of a strip, the images and folders that its commands name, by paths as of `image`.

    Examples
    --------
    >>> log = Log("photo.png").do({"do": "set", "option": "k", "value": 6}).undo()
    >>> log.work.options, log.redo().work.options
    ({'k': 4}, {'k': 6})
    """

    image: str
    steps: tuple[Step, ...] = ()
    done: int = 0
    images: tuple[str, ...] = ()

    def do(self, step: Any) -> Log:
        """Return the log with one step more; those that were undone are gone.

        Raises
        ------
        ParameterError
            The step is not usable, or not after those before it.
        """
        longer = replace(self, steps=(*self.steps[: self.done], checked(step)), done=self.done + 1)
        longer.work.require_usable()
        return longer

    def undo(self) -> Log:
        """Return the log without its last step, which `redo` does again."""
        return replace(self, done=max(0, self.done - 1))

    def redo(self) -> Log:
        """Return the log with the step that was undone last."""
        return replace(self, done=min(len(self.steps), self.done + 1))

    @property
    def work(self) -> Work:
        """What the steps that count amount to."""
        return Work.of(self.steps[: self.done])

    def described(self) -> dict[str, Any]:
        """Return what the page shows of it: the work, the strokes, and how many steps can be undone and done again."""
        work = self.work
        return {
            "work": work.described(),
            "paths": [dict(step) for step in work.strokes],
            "undo": self.done,
            "redo": len(self.steps) - self.done,
        }

    def save(self, path: Path) -> None:
        """Write the log, whole or not at all; a log that is there is replaced.

        Raises
        ------
        OutputError
            The file cannot be written.
        """
        content = {"format": _FORMAT, "version": _VERSION, "image": self.image, "done": self.done, "steps": self.steps}
        content |= {"images": self.images} if self.images else {}
        with atomic_file(path, overwrite=True) as file:
            file.write(json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")


def load_log(path: Path) -> Log:
    """Read a log, and check every step of it.

    Raises
    ------
    InputError
        The file cannot be read, or is no log.
    """
    try:
        require_regular(path)
        if path.stat().st_size > _MOST_BYTES:
            raise InputError(f"{path} is no log of gmmseg: it is too large; {_REMEDY}")
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}; check the name") from None
    except (ValueError, RecursionError):
        raise InputError(
            f"{path} is no log of gmmseg: it is not JSON; give a NAME{ENDING} that the page saved"
        ) from None
    if not isinstance(content, dict) or content.get("format") != _FORMAT or not isinstance(content.get("image"), str):
        raise InputError(f"{path} is no log of gmmseg; {_REMEDY}")
    if content.get("version") != _VERSION:
        raise InputError(f"{path} is a log of version {content.get('version')!r}, not {_VERSION}; use a newer gmmseg")
    steps, done = content.get("steps"), content.get("done")
    if not isinstance(steps, list) or not isinstance(done, int) or not 0 <= done <= len(steps):
        raise InputError(f"{path} is a damaged log: done={done!r} is no number of its steps; start a new one")
    images = content.get("images", [])
    if not isinstance(images, list) or not all(isinstance(each, str) for each in images):
        raise InputError(f"{path} is a damaged log: images={images!r:.80} are no paths; start a new one")
    kept: list[Step] = []
    work = Work()
    for number, step in enumerate(steps, 1):
        try:
            kept.append(checked(step))
            work = work.after(kept[-1])
            work.require_usable()
        except GmmsegError as error:
            raise InputError(f"{path}: step {number} is not usable: {error}") from None
    return Log(content["image"], tuple(kept), done, tuple(images))
