"""Classes of a label map or a model: found by number or name, merged, renamed and dropped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import index
from typing import Any

from gmmseg.checks import single
from gmmseg.errors import ParameterError
from gmmseg.records import dataclass

__all__ = [
    "CLASS_NAMES",
    "Regrouping",
    "class_numbers",
    "default_names",
    "in_words",
    "listed",
    "names_of_json",
    "own_names",
    "regroup",
]

CLASS_NAMES = "class_names"
"""What files call the names of their classes, where the format leaves that to whoever writes it."""

Names = Mapping[int, str]
"""Names of the classes that there are, by their numbers."""

_MOST_LISTED = 40  # classes with names that a message lists


def default_names(k: int, known: Names | Sequence[str] = ()) -> tuple[str, ...]:
    """Return the names of k classes: those known, by their numbers or from class 1 on, and "class 3" where none is.

    Examples
    --------
    >>> default_names(3, {2: "water"}), default_names(2)
    (('class 1', 'water', 'class 3'), ('class 1', 'class 2'))
    """
    named = known if isinstance(known, Mapping) else dict(enumerate(known, 1))
    return tuple(named.get(number) or f"class {number}" for number in range(1, k + 1))


def in_words(numbers: Sequence[int], names: Sequence[str] = ()) -> str:
    """Return one class or several for a message, by their names where they have some.

    Examples
    --------
    >>> in_words([2]), in_words([1, 3], ["water", "forest"])
    ('class 2', 'classes water, 3')
    """
    each = [names[number - 1] if number <= len(names) else str(number) for number in numbers]
    return f"class{'es' * (len(each) > 1)} {', '.join(each)}"


def own_names(names: Sequence[str]) -> bool:
    """Whether names say more than the numbers of the classes do, and are worth keeping in a file."""
    return any(name != f"class {number}" for number, name in enumerate(names, 1))


def names_of_json(text: str) -> tuple[str, ...]:
    """Return the names in a JSON list of texts; raises ValueError where it is something else.

    Examples
    --------
    >>> names_of_json('["water", "forest"]')
    ('water', 'forest')
    """
    import json  # here, because most runs read no names

    try:
        names = json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("another kind of JSON")
    return tuple(names)


def listed(names: Names) -> str:
    """Return the classes that there are for a message.

    Examples
    --------
    >>> listed({1: "class 1", 2: "class 2", 3: "class 3", 5: "water"})
    '1 to 3, 5 (water)'
    """
    parts: list[str] = []
    first = last = None
    for number in sorted(names):
        named = names[number] != f"class {number}"
        if not named and last == number - 1:
            last = number
            parts[-1] = f"{first} to {number}"
        else:
            first, last = (None, None) if named else (number, number)
            parts.append(f"{number} ({names[number]})" if named else str(number))
    more = len(parts) - _MOST_LISTED
    return ", ".join(parts[:_MOST_LISTED]) + (f" and {more} more" if more > 0 else "") if parts else "none"


def class_numbers(wanted: Any, names: Names, *, where: str, parameter: str = "label") -> tuple[int, ...]:
    """Return the numbers of classes that a caller names.

    Parameters
    ----------
    wanted : int, str, or iterable of these
        Numbers or names.
    names : mapping of int to str
        The classes that there are.
    where : str
        What has these classes, for messages.
    parameter : str
        What the caller calls `wanted`.

    Returns
    -------
    tuple of int
        In the caller's order, each once.

    Raises
    ------
    ParameterError
        There is no such class, or several of that name, or none is named; the message lists those that there are.

    Examples
    --------
    >>> class_numbers(["water", 3], {1: "water", 2: "forest", 3: "class 3"}, where="a.png")
    (1, 3)
    """
    found = [_number(each, names, where, parameter) for each in ((wanted,) if _is_one(wanted) else wanted)]
    if not found:
        raise ParameterError(f"{parameter}={wanted!r} names no class; give one of {listed(names)}")
    return tuple(dict.fromkeys(found))


def _typed(wanted: Any) -> str:
    """Return classes as a command line has them: 3,4."""
    return str(wanted) if _is_one(wanted) else ",".join(map(str, wanted))


def _number(wanted: Any, names: Names, where: str, parameter: str) -> int:
    single(parameter, wanted)
    called = [number for number, name in names.items() if name == wanted]
    if len(called) > 1:
        numbers = ", ".join(map(str, called))
        raise ParameterError(f"{parameter}={wanted!r} is the name of classes {numbers} of {where}; give one")
    if called:
        return called[0]
    try:
        number = index(wanted)
    except TypeError:
        number = None
    if number is None or number not in names or isinstance(wanted, bool):
        raise ParameterError(f"{parameter}={wanted!r} is no class of {where}; its classes are {listed(names)}")
    return number


@dataclass(frozen=True)
class Regrouping:
    """What becomes of the classes of a label map or a model.

    Parameters
    ----------
    numbers : dict of int to int
        New number of each class that there is; 0 where it is dropped.
    names : tuple of str
        Of the new classes, class 1 first.
    origins : tuple of int
        The class from which each new one has its place and its colour; 0 for a number that no class has.
    """

    numbers: dict[int, int]
    names: tuple[str, ...]
    origins: tuple[int, ...]


def regroup(
    names: Names,
    *,
    merge: Any = (),
    rename: Mapping[Any, str] | None = None,
    drop: Any = (),
    keep_numbers: bool = False,
    where: str,
) -> Regrouping:
    """Decide what becomes of classes that are merged, renamed and dropped.

    Parameters
    ----------
    names : mapping of int to str
        The classes that there are.
    merge : iterable of groups, or one group
        A group is two or more classes by number or name; it keeps the lowest of the numbers, and its colour, and the
        name of the class that is named first.
    rename : mapping of (int or str) to str, optional
        New names of classes, or of the groups that they are part of.
    drop : int, str, or iterable of these
        Classes that become 0, no data.
    keep_numbers : bool
        Whether the classes that stay keep their numbers. Otherwise each number moves down by one for each number below
        it that was merged into another or dropped, whatever the pixels are, so that maps of the same classes agree
        afterwards too.
    where : str
        What has these classes, for messages.

    Returns
    -------
    Regrouping

    Raises
    ------
    ParameterError
        A class does not exist, is in two groups or both merged and dropped, or two classes would have one name.

    Examples
    --------
    >>> found = regroup({1: "sea", 2: "rock", 3: "oak", 4: "pine"}, merge=(3, 4), rename={3: "wood"}, drop=2, where="a")
    >>> found.numbers, found.names
    ({1: 1, 2: 0, 3: 2, 4: 2}, ('sea', 'wood'))
    """
    into, new_names, grouped = {number: number for number in names}, dict(names), set[int]()
    for group in _groups(merge):
        members = class_numbers(group, names, where=where, parameter="merge")
        twice = [number for number in members if number in grouped]
        if twice:
            raise ParameterError(f"merge={_typed(group)} has class {twice[0]} in two groups; name each class once")
        if len(members) < 2:
            raise ParameterError(f"merge={_typed(group)} has a group of one class; give two or more, as in 3,4")
        grouped |= {*members}
        into |= dict.fromkeys(members, min(members))
        new_names[min(members)] = names[members[0]]
    drop = drop if _is_one(drop) else tuple(drop)
    dropped = class_numbers(drop, names, where=where, parameter="drop") if _given(drop) else ()
    for number in dropped:
        if number in grouped:
            raise ParameterError(f"class {number} of {where} is both merged and dropped; leave it out of one of them")
    for old, new in (rename or {}).items():
        (number,) = class_numbers(old, names, where=where, parameter="rename")
        if number in dropped:
            raise ParameterError(f"class {number} of {where} is both renamed and dropped; leave it out of one of them")
        if not (isinstance(new, str) and new.strip()):
            raise ParameterError(f"rename={old}={new!r} gives class {number} no name; give one, as in 1=water")
        new_names[into[number]] = new.strip()
    stay = sorted({into[number] for number in names} - {*dropped})
    if not stay:
        raise ParameterError(f"drop={_typed(drop)} leaves no class of {where}; keep at least one")
    _require_distinct({number: new_names[number] for number in stay}, where)
    gone = sorted(set(names) - set(stay))
    moved = {number: number - (0 if keep_numbers else sum(each < number for each in gone)) for number in stay}
    numbers = {number: 0 if number in dropped else moved[into[number]] for number in sorted(names)}
    back = {new: old for old, new in moved.items()}
    every = range(1, max(back) + 1)
    return Regrouping(
        numbers,
        tuple(_renumbered(new_names[back[n]], back[n], n) if n in back else f"class {n}" for n in every),
        tuple(back.get(n, 0) for n in every),
    )


def _given(classes: Any) -> bool:
    """Whether any class is named."""
    return _is_one(classes) or len(tuple(classes)) > 0


def _groups(merge: Any) -> list[Any]:
    """Return the groups to be merged, of which one may stand for itself: (3, 4)."""
    groups = list(merge)
    return [groups] if groups and _is_one(groups[0]) else groups


def _is_one(wanted: Any) -> bool:
    """Whether something names a class, and not several."""
    return isinstance(wanted, str) or not isinstance(wanted, Iterable) or getattr(wanted, "ndim", 1) == 0


def _renumbered(name: str, old: int, new: int) -> str:
    """Return the name of a class; one that only says its number says the new one."""
    return f"class {new}" if name == f"class {old}" else name


def _require_distinct(names: Names, where: str) -> None:
    numbers: dict[str, int] = {}
    for number, name in names.items():
        if name in numbers:
            raise ParameterError(
                f"classes {numbers[name]} and {number} of {where} would both be called {name!r}; merge them, or give "
                "each its own name"
            )
        numbers[name] = number
