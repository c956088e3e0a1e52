"""The desk of a strip: images that have one model, of which one is shown, and the log of what is done to them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gmmseg.effort import Effort
from gmmseg.errors import GmmsegWarning, OutputError, ParameterError, heard
from gmmseg.fitting.fit import fit_images
from gmmseg.fitting.in_turn import InTurn
from gmmseg.fitting.options import FitOptions
from gmmseg.io.request import Reading
from gmmseg.labelling.result import Segmentation
from gmmseg.model import Model, load_model
from gmmseg.segmentation import apply
from gmmseg.web.desk import Logged, below, log_in, run_command
from gmmseg.web.log import ENDING, Log
from gmmseg.web.preview import LAYERS, Preview
from gmmseg.web.sheet import MOST_TRIED, Sheet, typed
from gmmseg.web.spelling import as_text
from gmmseg.web.steps import checked
from gmmseg.web.strip_commands import StripCommands
from gmmseg.web.work import Work

__all__ = ["Strip"]

_MOST_AT_ONCE = 64  # images that a model is tried on while a slider moves: a fit to 500 takes 1.3 s, to these 0.3

_Fitted = tuple[Model, list[GmmsegWarning]]  # with what was warned of meanwhile

_LAG = 20_000_000  # nanoseconds by which times of files may be behind the clock


class Strip(Logged):
    """What the page works on where it shows many images; may be used by several threads.

    Classes are tried on small copies of some of the images. Once the label maps are written, the model of these is
    what is shown, until another one is wanted.

    Parameters
    ----------
    images : mapping of Path to str
        In their order, with the reason why one cannot be taken, or "".
    named : sequence of Path
        Folders and images that those without a reason come from; commands name them while all these can be taken.
    folder : Path
        Where everything is written, and nothing elsewhere.
    threads : int, optional
        All processors by default.

    Raises
    ------
    InputError
        The log that is there is none.
    OutputError
        The log that is there is of other images.
    """

    def __init__(
        self, images: Mapping[Path, str], named: Sequence[Path], folder: Path, *, threads: int | None = None
    ) -> None:
        super().__init__()
        self.folder = folder.resolve()
        self.threads = threads
        self.sheet = Sheet(images, self.folder, threads=threads)
        self._named = tuple(typed(path, self.folder) for path in named)
        self._stem = _common(named)
        self.file = self._below(f"{self._stem}{ENDING}")
        self.log = log_in(self.file, " ".join(self._named), self._named)
        self._commands.require_shared(self.log.work)
        self._written: set[Path] = set()
        self._shown: tuple[int, Preview, Segmentation] | None = None
        self._tried: tuple[int, str, _Fitted] | None = None
        self._exact: tuple[str, _Fitted] | None = None
        self._saving: tuple[int, list[Path]] | None = None

    @property
    def _commands(self) -> StripCommands:
        """How things are called: by what was named, as long as nothing of it has to be left out."""
        taken = self.sheet.taken
        return StripCommands(self._named if len(taken) == self.sheet.offered else tuple(taken), self._stem)

    def state(self, _: Mapping[str, Any]) -> dict[str, Any]:
        """Return where things stand: the work, the command, which images there are, and why some are left out."""
        log, commands = self.log, self._commands
        return {
            "image": {"name": self._stem, "rows": 1, "columns": 1, "pixels": 0, "tiles": None, "cuts": None},
            "saving": self._saved(),
            "tried": self.sheet.ready,
            "wanted": self.sheet.wanted,
            "strip": [{"name": Path(name).name, "reason": reason} for name, reason in self.sheet.reasons],
            **log.described(),
            "command": as_text(commands.commands(log.work)),
            "file": self.file.name,
        }

    def _saved(self) -> tuple[int, int] | None:
        """How many files have been written, of how many, where some are being."""
        if self._saving is None:
            return None
        start, targets = self._saving
        return sum(path.exists() and path.stat().st_mtime_ns >= start for path in targets), len(targets)

    def do(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Do a "step"."""
        step = checked(asked.get("step"))
        return self._changed(lambda log: log.do(step))

    def paste(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Do what a command says, its "text"."""
        step = self._commands.step_of(str(asked.get("text", "")))
        return self._changed(lambda log: log.do(step))

    def _changed(self, change: Callable[[Log], Log]) -> dict[str, Any]:
        with self._logging:
            after = change(self.log)
            self._commands.require_shared(after.work)
            if after != self.log:
                self._keep(after)
        return self.state({})

    def _keep(self, log: Log) -> None:
        self.log = replace(log, images=self._commands.images)
        self.log.save(self.file)

    def classes(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Find classes of the image "at": "ticket" counts what was asked, "step" is tried without being done.

        Of several that wait, only the newest is worked on: the answer to the others says that they are stale.
        """
        ticket, number = asked.get("ticket"), asked.get("at")
        if not isinstance(ticket, int) or not isinstance(number, int):
            raise ParameterError(f"ticket={ticket!r} and at={number!r} are no numbers; say which image is asked about")
        before = self._counted(ticket)
        with self._working:
            if (stale := self._stale(ticket, before)) is not None:
                return stale
            work = self.log.work if asked.get("step") is None else self.log.work.after(checked(asked["step"]))
            work.require_usable()
            self._commands.require_shared(work)
            preview = self.sheet.preview(number)
            exact = self._exact is not None and self._exact[0] == _fitted_with(work)
            trial = MOST_TRIED if asked.get("step") is None else _MOST_AT_ONCE
            model, said = self._model(work, trial)
            found = self._applied(model, work, preview, exact=exact)
            self._shown = ticket, preview, found
            tried = self.sheet.wanted if exact or self._tried is None else self._tried[0]
            whole = tried == self.sheet.wanted and self.sheet.complete and preview.complete
            return {
                "ticket": ticket,
                "stale": False,
                "whole": exact or whole,
                "tried": tried,
                "pixels": preview.image.n_pixels,
                **preview.described(found, said),
            }

    def _applied(self, model: Model, work: Work, preview: Preview, *, exact: bool) -> Segmentation:
        """Label an image, or the small copy of it, with the model; classes keep the numbers that they were found by."""
        model = model.relabel(merge=work.groups, drop=work.dropped, keep_numbers=True)
        image = preview.image if exact else preview.small
        found = apply(model, image, threads=self.threads)
        return preview.cleaned(found, work, whole=exact)

    def _model(self, work: Work, most: int) -> _Fitted:
        wanted = _fitted_with(work)
        if self._exact is not None and self._exact[0] == wanted:
            return self._exact[1]
        ready, copies = self.sheet.tried(most)
        if self._tried is None or self._tried[:2] != (ready, wanted):
            options = FitOptions.of({name: each for name, each in work.parameters.items() if name != "class_names"})
            images = InTurn(copies, [Reading()] * len(copies), options)
            # As `fit` does it, but for what tells strange images apart, which takes longer than the fit.
            with heard() as said:
                fitted = fit_images(images, len(copies), options, Effort(threads=self.threads).workers)
            self._tried = ready, wanted, (fitted.model, said)
        return self._tried[2]

    def layer(self, ticket: int, name: str, at: Sequence[int] = ()) -> bytes:
        """Return a layer of the classes that were found last.

        Raises
        ------
        ParameterError
            There is no such layer, or other classes have been found since.
        """
        with self._working:
            if self._shown is None or self._shown[0] != ticket:
                raise ParameterError(f"ticket={ticket} is stale; ask for the classes again")
            if name not in LAYERS:
                raise ParameterError(f"layer={name!r} is none; use {', '.join(LAYERS[:-1])} or {LAYERS[-1]}")
            return self._shown[1].layer(self._shown[2], name)

    def picture(self, at: Sequence[int] = ()) -> tuple[bytes, str]:
        """Return the image `at` as a browser shows it, and the kind of the file."""
        return self.sheet.preview(_single(at)).picture()

    def tile(self, at: Sequence[int], ticket: int | None = None) -> tuple[bytes, str]:
        """Return the small picture of the image `at`, and the kind of the file."""
        return self.sheet.thumbnail(_single(at))

    def export(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Run the commands that write the label maps of all images, each in a process of its own.

        Files that the page has written may be replaced, others only where "overwrite" says so.
        """
        if asked.get("kind") != "labels":
            raise ParameterError(
                f"export={asked.get('kind')!r} is of single images; open one by itself: gmmseg view IMAGE"
            )
        if self._saving is not None:
            raise OutputError("the label maps are being written; wait until they are")
        self.sheet.look()
        with self._logging:
            work, commands = self.log.work, self._commands
            if self.file.exists() and self.log.images != commands.images:
                self._keep(self.log)
        work.require_usable()
        commands.commands(work)  # refused before anything is looked for
        models = [self._below(name) for name in dict.fromkeys([commands.fitted(work), commands.model])]
        maps = self._below(commands.label_maps)
        targets = [*models, *(below(maps, name) for name in self.sheet.label_maps)]
        there = {path for path in targets if path.exists()}
        foreign = [path for path in targets if path in there - self._written]
        if foreign and asked.get("overwrite") is not True:
            name = foreign[0].relative_to(self.folder)
            raise OutputError(f"{name} exists already; replace it, or move it away")
        wanted = commands.commands(work, overwrite=bool(there))
        self._saving = time.time_ns() - _LAG, targets
        try:
            said = [line for command in wanted for line in run_command(command, self.folder)]
        finally:
            self._saving = None
            self._written |= {path for path in targets if path.exists()}
        with self._working:
            self._exact = _fitted_with(work), (load_model(models[0]), [])
        count = len(targets) - len(models)
        files = [path.name for path in models] + [f"{count} label map{'s' * (count > 1)} in {maps.name}"]
        return {"files": files, "command": as_text(wanted), "warnings": said}

    def close(self) -> None:
        """End what is still read of the images."""
        self.sheet.close()

    def _below(self, name: str) -> Path:
        return below(self.folder, name)


def _common(named: Sequence[Path]) -> str:
    """Return what results of images are called after: the one folder, or that which all have in common."""
    if len(named) == 1 and named[0].is_dir():
        return named[0].resolve().name or "images"
    first, *others = (each.absolute().parent for each in named)
    shared = (each for each in (first, *first.parents) if all(other.is_relative_to(each) for other in others))
    return next((each.resolve().name for each in shared), "") or "images"  # on different drives nothing is shared


def _fitted_with(work: Work) -> str:
    """Return what decides a model before classes of it are merged; names do not."""
    return json.dumps({name: value for name, value in sorted(work.options.items()) if name != "min_size"})


def _single(at: Sequence[int]) -> int:
    if len(at) != 1:
        raise ParameterError(f"at={','.join(map(str, at))} is no image; give its number")
    return at[0]
