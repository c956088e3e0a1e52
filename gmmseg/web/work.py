"""What a log of steps amounts to: options, strokes, and what was made of the classes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from gmmseg.errors import ParameterError
from gmmseg.features import Recipe
from gmmseg.fitting.options import FitOptions
from gmmseg.io.classes import default_names
from gmmseg.labelling.result import Segmentation
from gmmseg.web.steps import Step, checked

__all__ = ["Work", "wishes"]

# Options that leave the classes what they are: names and merges of before still mean the same.
_KEEPING = {"smooth", "min_size"}


@dataclass(frozen=True)
class Work:
    """The wishes of a person, as they stand.

    Parameters
    ----------
    options : dict of str to object
        Parameters of `gmmseg.segment` that were set, "min_size", and "detail" where regions take the place of classes:
        what is said of classes here is then of regions, but for strokes.
    strokes : tuple of Step
        Of classes 1 to k, or 0, which erases, in the order in which they were made.
    names : dict of int to str
        Of classes that were renamed.
    colors : dict of int to str
        Of classes that are shown in another colour than theirs, as "#rrggbb".
    hidden : frozenset of int
        Classes that are not shown.
    groups : tuple of tuple of int
        Classes that are one, each ascending.
    dropped : frozenset of int
        Classes that are left out, where others are the foreground.
    """

    options: dict[str, Any] = field(default_factory=lambda: {"k": 4})
    strokes: tuple[Step, ...] = ()
    names: dict[int, str] = field(default_factory=dict)
    colors: dict[int, str] = field(default_factory=dict)
    hidden: frozenset[int] = frozenset()
    groups: tuple[tuple[int, ...], ...] = ()
    dropped: frozenset[int] = frozenset()

    @classmethod
    def of(cls, steps: Iterable[Step]) -> Work:
        """Do steps one after the other.

        Examples
        --------
        >>> Work.of([{"do": "merge", "classes": [1, 2]}, {"do": "merge", "classes": [2, 4]}]).groups
        ((1, 2, 4),)
        """
        work = cls()
        for step in steps:
            work = work.after(step)
        return work

    def after(self, step: Step) -> Work:
        """Return the work with one step more."""
        match step["do"]:
            case "set":
                option, value = step["option"], step["value"]
                options = {**self.options, option: value}
                if option not in ("detail", "min_size") or options.get("detail") is None:
                    options.pop("detail", None)  # what is said of classes shows them again
                if option in _KEEPING and ("detail" in options) == ("detail" in self.options):
                    return replace(self, options=options)
                return Work(options, tuple(each for each in self.strokes if _within(each["class"], options["k"])))
            case "paste":
                names = {int(number): name for number, name in step["names"].items()}
                kept = self.strokes if step["strokes"] else ()
                groups, dropped = tuple(map(tuple, step["groups"])), frozenset(step["dropped"])
                k = (
                    self.options["k"] if "detail" in step["options"] else 4
                )  # commands of regions say nothing of classes
                return Work({"k": k, **step["options"]}, kept, names, groups=groups, dropped=dropped)
            case "stroke":
                return replace(self, strokes=(*self.strokes, step))
            case "name":
                return replace(self, names={**self.names, step["class"]: step["name"]})
            case "color":
                return replace(self, colors={**self.colors, step["class"]: step["color"]})
            case "hide":
                others = self.hidden - {step["class"]}
                return replace(self, hidden=others | {step["class"]} if step["hidden"] else others)
            case "foreground":
                one = len(step["classes"]) > 1
                groups = _merged(self.groups, step["classes"]) if one else self.groups
                return replace(self, groups=groups, dropped=self.dropped | {*step["others"]})
            case _:
                return replace(self, groups=_merged(self.groups, step["classes"]))

    def require_usable(self) -> None:
        """Refuse what could not be segmented, before anything is computed.

        Raises
        ------
        ParameterError
            An option has an unusable value, or a class is beyond k.
        """
        FitOptions.of(self.parameters)
        k = self.options["k"]
        joined = {number for group in self.groups for number in group}
        if both := joined & self.dropped:
            raise ParameterError(f"{min(both)} was left out and cannot be merged; undo that first")
        used = {each["class"] for each in self.strokes}
        if self.detail is None:
            used |= {*self.names, *self.colors, *self.hidden, *joined, *self.dropped}
        elif self.names:
            raise ParameterError("regions have no names; go back to classes to name them")
        elif isinstance(self.detail, bool | str) or not 0 <= self.detail <= 1:
            raise ParameterError(f"detail={self.detail!r} is not usable; use a number from 0 (coarse) to 1 (fine)")
        if used and k == "auto":
            raise ParameterError("k='auto' has no classes yet to name, merge or stroke; choose a number first")
        if used and max(used) > k:
            raise ParameterError(f"there is no class {max(used)}; classes are 1 to {k}")

    @property
    def detail(self) -> Any:
        """How fine regions are, where they take the place of classes."""
        return self.options.get("detail")

    @property
    def parameters(self) -> dict[str, Any]:
        """Those of `gmmseg.segment`, but for the strokes."""
        others = ("min_size", "detail")
        chosen = {name: value for name, value in self.options.items() if name not in others and value is not None}
        if chosen.get("sample") == "all":
            chosen["sample"] = None
        if chosen.get("smooth") == "auto":
            chosen["smooth"] = True
        return chosen | ({"class_names": self.class_names} if self.class_names else {})

    @property
    def class_names(self) -> tuple[str, ...]:
        """A name for each class, or none where none has been named."""
        if not self.names or self.options["k"] == "auto":
            return ()
        return tuple(self.names.get(number, f"class {number}") for number in range(1, self.options["k"] + 1))

    @property
    def drawn(self) -> bool:
        """Whether there is a stroke that gives a class."""
        return any(each["class"] for each in self.strokes)

    def whole(self, number: int) -> tuple[int, ...]:
        """Return the classes that are one with a class, ascending."""
        return next((group for group in self.groups if number in group), (number,))

    def numbers(self, k: int) -> list[int]:
        """Return the number 0 to k that each class has once those that are one have the lowest of theirs, 0 first.

        Those that are left out have 0.

        Examples
        --------
        >>> Work(groups=((2, 3),)).numbers(4)
        [0, 1, 2, 2, 3]
        """
        lowest = [self.whole(number)[0] for number in range(1, k + 1)]
        rank = {number: place for place, number in enumerate(sorted({*lowest} - self.dropped), 1)}
        return [0, *(rank.get(each, 0) for each in lowest)]

    def described(self) -> dict[str, Any]:
        """Return it for JSON: with the strokes counted only."""
        return {
            "options": self.options,
            "strokes": len(self.strokes),
            "names": self.names,
            "colors": self.colors,
            "hidden": sorted(self.hidden),
            "groups": [list(group) for group in self.groups],
            "dropped": sorted(self.dropped),
        }


def wishes(found: Segmentation) -> Step:
    """Return the step that asks for as many classes of the same features as a segmentation has, by the same names."""
    model = found.model
    options: dict[str, object] = {"k": model.k}
    if model.recipe != Recipe.default(found.image):
        options["features"] = str(model.recipe)
    if not model.strength:
        options["smooth"] = 0
    if found.min_size > 1:
        options["min_size"] = found.min_size
    own = tuple(model.class_names) != tuple(default_names(model.k))
    names = {str(number): name for number, name in enumerate(model.class_names, 1)} if own else {}
    return checked({"do": "paste", "options": options, "names": names, "groups": [], "strokes": False})


def _within(number: int, k: Any) -> bool:
    return not isinstance(k, int) or number <= k


def _merged(groups: tuple[tuple[int, ...], ...], classes: list[int]) -> tuple[tuple[int, ...], ...]:
    """Return the groups with one more, joined with those that it touches."""
    touched = [group for group in groups if set(group) & set(classes)]
    joined = tuple(sorted({*classes, *(number for group in touched for number in group)}))
    return tuple(sorted([*(group for group in groups if group not in touched), joined]))
