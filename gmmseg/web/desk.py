"""The desk: an image, the log of what is done to it, and the answers to what the page asks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any

from gmmseg.errors import GmmsegError, OutputError, ParameterError
from gmmseg.io.formats import identify
from gmmseg.io.parts import name_of
from gmmseg.io.writing import write_labels
from gmmseg.labelling.result import Segmentation
from gmmseg.web.levels import Level
from gmmseg.web.log import ENDING, Log, load_log
from gmmseg.web.pending import Pending
from gmmseg.web.preview import LAYERS, Preview
from gmmseg.web.spelling import Spelling, as_text, step_of
from gmmseg.web.steps import checked

__all__ = ["Desk", "Logged", "below", "log_in", "run_command"]

_TALKING = ("segment", "regions", "cutout", "fit", "apply")  # commands that print a table, unless they are quiet


def _spelling_of(image: Path, folder: Path, *, volume: bool = False) -> Spelling:
    """Return how the files of an image are called in commands that are typed in a folder."""
    typed = os.path.relpath(image, folder) if image.resolve().is_relative_to(folder.resolve()) else str(image.resolve())
    return Spelling(typed, name_of(image), identify(image).suffix_of_labels(image, "auto"), volume)


class Logged:
    """What has a log: its last step is undone and done again, and of what is asked only the newest is worked on."""

    log: Log

    def __init__(self) -> None:
        self._logging, self._working, self._counting = Lock(), Lock(), Lock()
        self._newest = 0

    def _counted(self, ticket: int) -> int:
        """Count what is asked, and return the largest number before it."""
        with self._counting:
            before, self._newest = self._newest, max(self._newest, ticket)
        return before

    def _stale(self, ticket: int, before: int) -> dict[str, Any] | None:
        """Return the answer to what is not the newest, or has a number that another page asked with; else None."""
        if before < ticket == self._newest:
            return None
        return {"ticket": ticket, "stale": True, "newest": self._newest}

    def undo(self, _: Mapping[str, Any]) -> dict[str, Any]:
        """Undo the last step."""
        return self._changed(Log.undo)

    def redo(self, _: Mapping[str, Any]) -> dict[str, Any]:
        """Do again what was undone last."""
        return self._changed(Log.redo)

    def settle(self, _: Mapping[str, Any]) -> dict[str, Any]:
        """Write what the command reads and is not yet written: whoever copies the command may run it at once."""
        return {}

    def _changed(self, change: Callable[[Log], Log]) -> dict[str, Any]:
        """Change the log, keep it, and return where things stand."""
        raise NotImplementedError


class Desk(Logged):
    """What the page works on; may be used by several threads.

    Parameters
    ----------
    image : Path
        A picture or a volume.
    folder : Path
        Where everything is written, by the names that results of the image have, and nothing elsewhere.
    threads : int, optional
        All processors by default.

    Raises
    ------
    InputError
        The image cannot be read, or the log that is there is none.
    OutputError
        The log that is there is of another image.
    """

    def __init__(self, image: Path, folder: Path, *, threads: int | None = None) -> None:
        super().__init__()
        self.folder = folder.resolve()
        self.preview = Preview(image, threads=threads)
        self.spelling = _spelling_of(image, self.folder, volume=self.preview.cuts is not None)
        self.file = self._below(f"{self.spelling.stem}{ENDING}")
        self.log = log_in(self.file, self.spelling.image)
        self._written: set[Path] = set()
        self._pending = Pending()
        self._shown: tuple[int, Segmentation | Level] | None = None
        if self.log.work.drawn:  # the program may have been ended before they were written
            self._save_strokes(self.log)

    def state(self, _: Mapping[str, Any]) -> dict[str, Any]:
        """Return where things stand: the work, the command, and whether there is something to undo."""
        log = self.log
        rows, columns = self.preview.shape
        return {
            "image": {
                "name": self.spelling.image,
                "rows": rows,
                "columns": columns,
                "pixels": self.preview.image.n_pixels,
                "tiles": self.preview.tiles,
                "cuts": None if self.preview.cuts is None else self.preview.cuts.described(),
            },
            **log.described(),
            "command": as_text(self.spelling.commands(log.work)),
            "file": self.file.name,
        }

    def do(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Do a "step"."""
        step = checked(asked.get("step"))
        if step["do"] == "stroke":
            if self.preview.pyramid is not None:
                raise ParameterError(f"strokes are painted on pictures, not on {self._beyond}; use --scribbles")
            self.preview.painted([step])  # which says what is wrong with it
        return self._changed(lambda log: log.do(step))

    def paste(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Do what a command says, its "text"."""
        step = step_of(str(asked.get("text", "")), self.spelling)
        return self._changed(lambda log: log.do(step))

    def _changed(self, change: Callable[[Log], Log]) -> dict[str, Any]:
        with self._logging:
            before, after = self.log, change(self.log)
            if after.work.detail is not None and self._beyond:
                raise ParameterError(f"regions are of pictures, not of {self._beyond}; use classes")
            if after != before:
                after.save(self.file)
                self.log = after
                if after.work.strokes != before.work.strokes:
                    self._save_strokes(after)
        return self.state({})

    @property
    def _beyond(self) -> str:
        """What the image is, where it is no picture in memory, of which there are regions."""
        if self.preview.cuts is not None:
            return f"the volume {self.spelling.image}"
        return "" if self.preview.pyramid is None else f"{self.spelling.image}, which is larger than memory"

    def classes(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Find classes: "ticket" counts what was asked, "step" is tried without being done, "whole" is of all pixels.

        Of several that wait, only the newest is worked on: the answer to the others says that they are stale.
        """
        ticket, whole = asked.get("ticket"), asked.get("whole") is True
        if not isinstance(ticket, int):
            raise ParameterError(f"ticket={ticket!r} is no number; count what is asked")
        before = self._counted(ticket)
        with self._working:
            if (stale := self._stale(ticket, before)) is not None:
                return stale
            work = self.log.work if asked.get("step") is None else self.log.work.after(checked(asked["step"]))
            work.require_usable()
            cut = work.detail is not None
            found = self.preview.cut(work) if cut else self.preview.segment(work, whole=whole)
            self._shown = (ticket, found)
            return {
                "ticket": ticket,
                "stale": False,
                "whole": whole or cut or self.preview.complete,
                **self.preview.described(found),
            }

    def layer(self, ticket: int, name: str, at: Sequence[int] = ()) -> bytes:
        """Return a layer of the classes that were found last, of a volume through the voxel `at`.

        Raises
        ------
        ParameterError
            There is no such layer or voxel, or other classes have been found since.
        """
        with self._working:
            if self._shown is None or self._shown[0] != ticket:
                raise ParameterError(f"ticket={ticket} is stale; ask for the classes again")
            if name not in LAYERS:
                raise ParameterError(f"layer={name!r} is none; use {', '.join(LAYERS[:-1])} or {LAYERS[-1]}")
            return self.preview.layer(self._shown[1], name, at)

    def picture(self, at: Sequence[int] = ()) -> tuple[bytes, str]:
        """Return the image as a browser shows it, of a volume the cuts through the voxel `at`, and the kind of file."""
        return self.preview.picture(at)

    def tile(self, at: Sequence[int], ticket: int | None = None) -> tuple[bytes, str]:
        """Return the picture of a tile and its kind, or the labels there of the classes that were found last.

        Raises
        ------
        ParameterError
            There is no such tile, or other classes have been found since.
        """
        if ticket is None:
            return self.preview.tile(at)
        shown = self._shown  # without waiting for what is being found
        if shown is None or shown[0] != ticket:
            raise ParameterError(f"ticket={ticket} is stale; ask for the classes again")
        return self.preview.tile(at, shown[1])

    def export(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Run the commands of a "kind" of export, of "classes" where it is a cut-out, in a process of their own.

        Files that the page has written may be replaced, others only where "overwrite" says so.
        """
        classes = [int(each) for each in asked.get("classes", ())]
        work = self.log.work
        self._pending.settle()

        def commands(overwrite: bool) -> list[list[str]]:
            return self.spelling.commands(work, str(asked.get("kind")), classes=classes, overwrite=overwrite)

        targets = [self._below(each[each.index("-o") + 1]) for each in commands(False)]
        targets += [self._below(each[each.index("--soft") + 1]) for each in commands(False) if "--soft" in each]
        foreign = [path.name for path in targets if path.exists() and path not in self._written]
        if foreign and asked.get("overwrite") is not True:
            raise OutputError(f"{foreign[0]} exists already; replace it, or move it away")
        wanted = commands(any(path.exists() for path in targets))
        said = [line for command in wanted for line in run_command(command, self.folder)]
        self._written.update(targets)
        return {"files": [path.name for path in targets], "command": as_text(wanted), "warnings": said}

    def settle(self, _: Mapping[str, Any]) -> dict[str, Any]:
        """Write the strokes, if they are not yet written."""
        self._pending.settle()
        return {}

    def close(self) -> None:
        """Write what is not yet written."""
        self._pending.settle()

    def _save_strokes(self, log: Log) -> None:
        """Write the strokes as the label map that the command names, once there is a pause."""
        path, preview = self._below(self.spelling.strokes), self.preview

        def write() -> None:
            strokes = preview.painted(log.work.strokes, whole=True)
            write_labels(path, strokes, image=preview.image, overwrite=True)

        self._pending.want(write)

    def _below(self, name: str) -> Path:
        return below(self.folder, name)


def below(folder: Path, name: str) -> Path:
    """Return the path of a result, which has to lie in the folder itself, and be no link that leaves it.

    Raises
    ------
    OutputError
        It does not, or is one.
    """
    path = folder / name
    if path.parent != folder or path.is_symlink():
        raise OutputError(f"{name} leads out of {folder}; rename it, or start in another folder")
    return path


def log_in(file: Path, image: str, images: tuple[str, ...] = ()) -> Log:
    """Return the log that is kept in a file, or a new one of an image, or of what a strip was opened with.

    Raises
    ------
    InputError
        What is there is no log.
    OutputError
        It is the log of another image.
    """
    log = load_log(file) if file.exists() else Log(image, images=images)
    if log.image != image or bool(log.images) != bool(images):
        raise OutputError(f"{file} is the log of {log.image:.80}; move it, or start in another folder")
    return replace(log, images=images)


def run_command(command: list[str], folder: Path) -> list[str]:
    """Run gmmseg in a process of its own, which shares no memory, and leaves the server's time to the page.

    Returns
    -------
    list of str
        What it warned of, each once.

    Raises
    ------
    GmmsegError
        It failed; the message is the program's own.
    """
    done = subprocess.run(
        [sys.executable, "-m", "gmmseg", *command, *(["-q"] if command[0] in _TALKING else [])],
        cwd=folder,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        raise GmmsegError(done.stderr.strip().removeprefix("gmmseg: error: ") or f"{command[0]} failed; try it again")
    start = "gmmseg: warning: "
    return list(dict.fromkeys(line.removeprefix(start) for line in done.stderr.splitlines() if line.startswith(start)))
