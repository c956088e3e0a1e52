"""The commands that give the same files as the page, as they are typed; and what a command that is pasted says."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gmmseg.errors import ParameterError
from gmmseg.hierarchy.tree import DETAIL
from gmmseg.web.steps import OPTIONS, Step, checked
from gmmseg.web.work import Work

__all__ = [
    "EXPORTS",
    "Spelling",
    "as_text",
    "changes_of",
    "ignored",
    "parts",
    "read_value",
    "relabelled",
    "spelled",
    "split",
    "step_of",
]

EXPORTS = ("labels", "geotiff", "cutout", "soft", "coco", "masks")
"""What can be written: the label map, as a GeoTIFF, a cut-out of classes, probabilities, COCO, a mask a class."""

_SWITCHES = ("bias_field",)


@dataclass(frozen=True)
class Spelling:
    """How files are called in the commands of one image.

    Parameters
    ----------
    image : str
        The image, as it is typed.
    stem : str
        What results are called after.
    suffix : str
        Of its label maps: ".png" or ".tif".
    volume : bool
        Whether it is one: its strokes are in the same format as its label maps.
    """

    image: str
    stem: str
    suffix: str = ".png"
    volume: bool = False

    @property
    def strokes(self) -> str:
        """The label map of the strokes."""
        return f"{self.stem}_strokes{self.suffix if self.volume else '.png'}"

    def commands(
        self, work: Work, kind: str = "labels", *, classes: Sequence[int] = (), overwrite: bool = False
    ) -> list[list[str]]:
        """Return the commands that write something, one after the other, without "gmmseg".

        Parameters
        ----------
        work : Work
        kind : str
            Of `EXPORTS`.
        classes : sequence of int
            Of a cut-out.
        overwrite : bool
            Whether files that exist are replaced.

        Raises
        ------
        ParameterError
            There is no such kind, or no class to cut out.

        Examples
        --------
        >>> spelling = Spelling("photo.jpg", "photo")
        >>> as_text(spelling.commands(Work(groups=((1, 3),))))
        'gmmseg segment photo.jpg -k 4 -o photo_classes.png && gmmseg relabel photo_classes.png --merge 1,3 -o \
photo_labels.png'
        """
        if kind not in EXPORTS:
            raise ParameterError(f"export={kind!r} is not known; use one of {', '.join(EXPORTS)}")
        end = ["--overwrite"] if overwrite else []
        if work.detail is not None and kind in ("cutout", "soft"):
            raise ParameterError(f"export={kind!r} is of classes; save the label map of the regions")
        if kind == "cutout":
            if not classes:
                raise ParameterError("no class is chosen to cut out; click one")
            numbers = sorted({one for number in classes for one in work.whole(number)})
            chosen = ["--class", ",".join(map(str, numbers))]
            return [["cutout", self.image, *self._options(work), *chosen, "-o", f"{self.stem}_cutout.png", *end]]
        if kind == "soft":
            # Probabilities are of the classes as they were found; those of a group add up.
            files = ["-o", f"{self.stem}_classes{self.suffix}", "--soft", f"{self.stem}_soft.npz"]
            return [["segment", self.image, *self._options(work), *files, *end]]
        suffix = ".tif" if kind == "geotiff" else self.suffix
        if work.detail is not None and suffix != ".tif":
            suffix = ".png"  # of pictures that lie in a patient, too
        labels = f"{self.stem}_{'labels' if work.detail is None else 'regions'}{suffix}"
        commands = self._labels(work, labels, end)
        if kind in ("coco", "masks"):
            target = f"{self.stem}_coco.json" if kind == "coco" else f"{self.stem}_masks"
            commands.append(["export", labels, "--to", kind, "--image", self.image, "-o", target, *end])
        return commands

    def _labels(self, work: Work, target: str, end: list[str]) -> list[list[str]]:
        name, options, between = "segment", self._options(work), "classes"
        if work.detail is not None:
            name, options, between = "regions", spelled(work, ("detail", "min_size")), "pieces"
        changes = changes_of(work)
        if not changes:
            return [[name, self.image, *options, "-o", target, *end]]
        found = f"{self.stem}_{between}{Path(target).suffix}"
        return [
            [name, self.image, *options, "-o", found, *end],
            ["relabel", found, *changes, "-o", target, *end],
        ]

    def _options(self, work: Work) -> list[str]:
        words = spelled(work, [name for name in OPTIONS if name != "detail"])
        if work.class_names:
            words += ["--class-names", ",".join(work.class_names)]
        return [*words, "--scribbles", self.strokes] if work.drawn else words


def changes_of(work: Work) -> list[str]:
    """Return what `gmmseg relabel` is told about classes that are one, or left out."""
    words = [part for group in work.groups for part in ("--merge", ",".join(map(str, group)))]
    return words + (["--drop", ",".join(map(str, sorted(work.dropped)))] if work.dropped else [])


def spelled(work: Work, names: Iterable[str]) -> list[str]:
    """Return options that were set, of those of these names, as they are typed."""
    words = []
    for name in names:
        value = work.options.get(name)
        if name in _SWITCHES:
            words += [] if value is None else [_switch(name, on=value)]
        elif value is not None:
            words += [OPTIONS[name], str(value)]
    return words


def _switch(name: str, *, on: bool = True) -> str:
    """Return how an option without a value is typed: "--bias-field" or "--no-bias-field"."""
    return OPTIONS[name] if on else f"--no-{OPTIONS[name][2:]}"


def as_text(commands: Sequence[Sequence[str]]) -> str:
    """Return commands as a line for a shell."""
    return " && ".join(shlex.join(["gmmseg", *command]) for command in commands)


def step_of(text: str, spelling: Spelling) -> Step:
    """Return what a command says as the step "paste".

    Parameters
    ----------
    text : str
        As `as_text` writes it: `gmmseg segment IMAGE ...` or `gmmseg regions IMAGE ...`, perhaps with
        `&& gmmseg relabel ...` behind.
    spelling : Spelling
        Of the image that the page shows.

    Raises
    ------
    ParameterError
        It is another command, of another image, or has an option that the page does not know.

    Examples
    --------
    >>> step_of("gmmseg segment photo.jpg -k 3 --smooth=0.5", Spelling("photo.jpg", "photo"))["options"]
    {'k': 3, 'smooth': 0.5}
    """
    first, *others = split(text)
    commands = ["gmmseg", "segment"], ["gmmseg", "regions"]
    if first[:2] not in commands or any(each[:2] != ["gmmseg", "relabel"] for each in others):
        raise ParameterError(
            "only 'gmmseg segment IMAGE ...' and 'gmmseg regions IMAGE ...' are taken, perhaps with '&& gmmseg relabel "
            "...' behind"
        )
    of_regions = first[1] == "regions"
    found: dict[str, Any] = {
        "options": {"detail": DETAIL} if of_regions else {},
        "names": {},
        "groups": [],
        "dropped": [],
        "strokes": False,
    }
    images = []
    for flag, take in parts(first[2:]):
        if flag is None:
            images.append(take())
        elif of_regions:
            _region_option(flag, take, found)
        else:
            _segment_option(flag, take, found, spelling)
    if images != [spelling.image]:
        raise ParameterError(f"the command is of {' '.join(images) or 'no image'}, not of {spelling.image}")
    for other in others:
        relabelled(other[2:], found)
    return checked({"do": "paste", **found})


def split(text: str) -> list[list[str]]:
    """Return the words of each command of a line for a shell.

    Raises
    ------
    ParameterError
        It is no such line.
    """
    try:
        words = shlex.split(text.replace("\\\n", " "))
    except ValueError as error:
        raise ParameterError(f"the command cannot be read: {error}; copy it whole") from None
    commands: list[list[str]] = [[]]
    for word in words:
        if word in ("&&", ";"):
            commands.append([])
        else:
            commands[-1].append(word)
    return commands


def parts(words: list[str]) -> Iterator[tuple[str | None, Callable[[], str]]]:
    """Go through arguments: an option and what fetches its value, or None and what fetches the argument."""
    left = list(words)

    def value() -> str:
        if not left:
            raise ParameterError("the command ends where a value is missing; copy it whole")
        return left.pop(0)

    while left:
        word = left.pop(0)
        if not word.startswith("-") or word == "-":
            left.insert(0, word)
            yield None, value
            continue
        flag, equals, rest = word.partition("=")
        if not word.startswith("--") and len(word) > 2:
            flag, equals, rest = word[:2], "=", word[2:].removeprefix("=")
        if equals:
            left.insert(0, rest)
        yield flag, value


def _segment_option(flag: str, take: Callable[[], str], found: dict[str, Any], spelling: Spelling) -> None:
    names = {each: name for name, each in OPTIONS.items() if name != "detail"}
    if flag == "--no-smooth":
        found["options"]["smooth"] = 0.0
    elif switch := next((each for each in _SWITCHES if flag in (_switch(each), _switch(each, on=False))), None):
        found["options"][switch] = flag == OPTIONS[switch]
    elif flag in names:
        value = take()
        found["options"][names[flag]] = read_value(value)
    elif flag == "--class-names":
        found["names"] = dict(enumerate((each.strip() for each in take().split(",")), 1))
    elif flag == "--scribbles":
        name = take()
        if name != spelling.strokes:
            raise ParameterError(f"--scribbles {name} are not the strokes of this page; leave them out, or paint them")
        found["strokes"] = True
    else:
        ignored(flag, take)


def relabelled(words: list[str], found: dict[str, Any]) -> None:
    """Add what the arguments of `gmmseg relabel` say to the parts of a step "paste"."""
    for flag, take in parts(words):
        if flag == "--merge":
            found["groups"].append([read_value(each) for each in take().split(",")])
        elif flag == "--drop":
            found["dropped"] += [read_value(each) for each in take().split(",")]
        elif flag is not None:
            ignored(flag, take)
        else:
            take()


def _region_option(flag: str, take: Callable[[], str], found: dict[str, Any]) -> None:
    if flag == "--detail":
        found["options"]["detail"] = read_value(take())
    elif flag == "--min-size":
        found["options"]["min_size"] = read_value(take())
    else:
        ignored(flag, take)


def ignored(flag: str, take: Callable[[], str]) -> None:
    """Pass over what says only where results go."""
    if flag in ("-o", "--output"):
        take()
    elif flag not in ("--overwrite", "-q", "--quiet", "--json"):
        raise ParameterError(f"the page does not know the option {flag}; it knows {', '.join(OPTIONS.values())}")


def read_value(text: str) -> Any:
    """Return a value as a number, where it is one."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
