"""The commands of a strip: one model fitted to many images, applied to each; and what a command that is pasted says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gmmseg.errors import ParameterError
from gmmseg.web.spelling import changes_of, ignored, parts, read_value, relabelled, spelled, split
from gmmseg.web.steps import OPTIONS, Step, checked
from gmmseg.web.work import Work

__all__ = ["StripCommands"]

_FITTED = ("k", "features", "covariance", "smooth", "sample", "outliers", "seed")
_APPLIED = ("min_size",)


@dataclass(frozen=True)
class StripCommands:
    """How files are called in the commands of a strip.

    Parameters
    ----------
    images : tuple of str
        Images, or folders of them, as they are typed.
    stem : str
        What the model and the folder of the label maps are called after.
    """

    images: tuple[str, ...]
    stem: str

    @property
    def model(self) -> str:
        """The model that is applied."""
        return f"{self.stem}.gmm.json"

    @property
    def label_maps(self) -> str:
        """The folder of the label maps."""
        return f"{self.stem}_labels"

    def fitted(self, work: Work) -> str:
        """Return the file of the model as it was fitted: before classes of it were merged or left out."""
        return f"{self.stem}_classes.gmm.json" if work.groups or work.dropped else self.model

    def commands(self, work: Work, *, overwrite: bool = False) -> list[list[str]]:
        """Return the commands that write the label maps, one after the other, without "gmmseg".

        Raises
        ------
        ParameterError
            There is something among the wishes that is of single images.

        Examples
        --------
        >>> [" ".join(each) for each in StripCommands(("scans",), "scans").commands(Work({"k": 3}))]
        ['fit scans -k 3 -o scans.gmm.json', 'apply scans.gmm.json scans --out-dir scans_labels']
        """
        self.require_shared(work)
        end = ["--overwrite"] if overwrite else []
        options = spelled(work, _FITTED)
        if work.class_names:
            options += ["--class-names", ",".join(work.class_names)]
        commands = [["fit", *self.images, *options, "-o", self.fitted(work), *end]]
        if self.fitted(work) != self.model:
            commands.append(["relabel", self.fitted(work), *changes_of(work), "-o", self.model, *end])
        options = spelled(work, _APPLIED)
        return [*commands, ["apply", self.model, *self.images, *options, "--out-dir", self.label_maps, *end]]

    def require_shared(self, work: Work) -> None:
        """Refuse wishes that are of single images.

        Raises
        ------
        ParameterError
            There is such a one; the message names it.
        """
        alone = "open one image by itself for that: gmmseg view IMAGE"
        if work.detail is not None:
            raise ParameterError(f"regions are of single pictures, not of the images of {self.stem}; {alone}")
        if work.strokes:
            raise ParameterError(f"strokes are of single pictures, not of the images of {self.stem}; {alone}")
        for name, value in work.options.items():
            if name not in _FITTED + _APPLIED and value:
                raise ParameterError(f"{OPTIONS[name]} is of single images, not of a model of many; {alone}")

    def step_of(self, text: str) -> Step:
        """Return what a command says as the step "paste".

        Parameters
        ----------
        text : str
            As it was copied: `gmmseg fit IMAGES ...`, perhaps with `&& gmmseg relabel ...` and `&& gmmseg apply ...`
            behind.

        Raises
        ------
        ParameterError
            It is another command, of other images, or has an option that the page does not know.

        Examples
        --------
        >>> StripCommands(("scans",), "scans").step_of("gmmseg fit scans -k 3 --smooth=0.5")["options"]
        {'k': 3, 'smooth': 0.5}
        """
        commands = split(text)
        if [each[:2] for each in commands] not in (
            [["gmmseg", "fit"], *between, *behind]
            for between in ([], [["gmmseg", "relabel"]])
            for behind in ([], [["gmmseg", "apply"]])
        ):
            raise ParameterError(
                "only 'gmmseg fit IMAGES ...' is taken, perhaps with '&& gmmseg relabel ...' and '&& gmmseg apply ...' "
                "behind"
            )
        found: dict[str, Any] = {"options": {}, "names": {}, "groups": [], "dropped": [], "strokes": False}
        for command in commands:
            if command[1] == "relabel":
                relabelled(command[2:], found)
                continue
            named = _taken(command[2:], found, _FITTED if command[1] == "fit" else _APPLIED)
            self._require_same(named if command[1] == "fit" else named[1:])
        return checked({"do": "paste", **found})

    def _require_same(self, named: Sequence[str]) -> None:
        if tuple(named) != self.images:
            both = [" ".join(each) or "no image" for each in (named, self.images)]
            first, second = (each if len(each) < 60 else f"{each[:56]} ..." for each in both)
            raise ParameterError(f"the command is of {first}, not of {second}")


def _taken(words: list[str], found: dict[str, Any], known: tuple[str, ...]) -> list[str]:
    """Add what options say to the parts of a step, and return the other arguments."""
    names = {OPTIONS[name]: name for name in known}
    others = []
    for flag, take in parts(words):
        if flag is None:
            others.append(take())
        elif flag in names:
            found["options"][names[flag]] = read_value(take())
        elif flag == "--no-smooth" and "smooth" in known:
            found["options"]["smooth"] = 0.0
        elif flag == "--class-names" and "k" in known:
            found["names"] = dict(enumerate((each.strip() for each in take().split(",")), 1))
        elif flag == "--out-dir" and "k" not in known:
            take()
        else:
            ignored(flag, take)
    return others
