"""What can go wrong, one class for each thing a caller can handle.

Every message is one line that names what was wrong, where, which value was found and what to do about it.
"""

from __future__ import annotations

import errno
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any, Self

__all__ = [
    "MOST_QUOTED",
    "ConvergenceWarning",
    "DataWarning",
    "EmptyInputError",
    "GmmsegError",
    "GmmsegWarning",
    "InputError",
    "OutputError",
    "ParameterError",
    "UnfinishedError",
    "clipped",
    "compatible",
    "cut",
    "described",
    "heard",
    "lacks_memory",
    "once",
    "one_line",
    "warn",
]

MOST_QUOTED = 200
"""Characters of a name, a value or a file's words that a message repeats."""

_MOST_SAID = 600
# What is said without a MemoryError by the C and C++ libraries, Python, OpenCV, GDAL, libtiff, OpenJPEG and zlib.
_NO_MEMORY = (
    "unable to allocate",
    "bad_alloc",
    "bad alloc",
    "cannot allocate memory",
    "could not allocate",
    "failed to allocate",
    "out of memory",
    "insufficient memory",
    "not enough memory",
    "memory allocation fail",
    "failed to map segment",
    "can't start new thread",
)
_LONG = r"""(?<!\w)'[^']{200,}'|"[^"]{200,}"|\S{201,}"""  # a quotation or a word


class GmmsegError(Exception):
    """Base of every error that gmmseg raises on purpose: one line, in which what is quoted is cut where it is long.

    Examples
    --------
    >>> import gmmseg
    >>> try:
    ...     gmmseg.segment("missing.png")
    ... except gmmseg.GmmsegError as error:
    ...     print(error)
    missing.png does not exist; check the path
    """

    def __str__(self) -> str:
        text = super().__str__()
        if "\n " not in text:
            return clipped(text)
        import re  # here, because few messages quote arrays, whose rows are lines of their own

        return clipped(re.sub(r"\n+ +", " ", text))


class ParameterError(GmmsegError, ValueError):
    """A parameter has a value that cannot be used.

    Examples
    --------
    >>> import gmmseg
    >>> gmmseg.segment([[0, 1], [2, 3]], k=0)
    Traceback (most recent call last):
    gmmseg.errors.ParameterError: k=0 is not usable; use a whole number from 1 to 255, or "auto"
    """


class InputError(GmmsegError, ValueError):
    """A file or an array cannot be read as an image or as a model.

    Examples
    --------
    >>> import gmmseg
    >>> gmmseg.io.read("missing.png")
    Traceback (most recent call last):
    gmmseg.errors.InputError: missing.png does not exist; check the path
    """


class EmptyInputError(InputError):
    """An image can be read, but a mask leaves no pixel of it: those that fit many images go on without it."""


class UnfinishedError(InputError):
    """Some parts of an image could not be computed; the others are kept for the next run."""


class OutputError(GmmsegError, OSError):
    """A result cannot be written where it was asked for; nothing was changed there.

    Examples
    --------
    >>> import gmmseg
    >>> gmmseg.io.check_target("nowhere/labels.png")
    Traceback (most recent call last):
    gmmseg.errors.OutputError: nowhere/labels.png: the folder nowhere does not exist; create it first
    """


class GmmsegWarning(UserWarning):
    """Base of every warning that gmmseg gives; the result is valid, but not quite what was asked for.

    Parameters
    ----------
    message : str
        In it "{place}" stands for the words of the place, "{class 1}" and so on for the names of classes.
    place : sequence of int, optional
        Index of the pixel along each axis of the image, where there is one to be looked at.
    names : sequence of str
        Of the classes, where the message names some.

    Examples
    --------
    >>> import gmmseg, warnings
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", gmmseg.GmmsegWarning)  # here it is not wanted
    ...     gmmseg.GaussianMixture(2, max_iter=1, random_state=0).fit([[0.0], [1.0], [2.0], [6.0], [7.0]]).n_iter_
    1
    """

    def __init__(self, message: str = "", place: Sequence[int] | None = None, names: Sequence[str] = ()) -> None:
        self.place = None if place is None else tuple(map(int, place))
        self.names = tuple(names)
        super().__init__(message, *([self.place, self.names] if self.place or self.names else []))

    def __str__(self) -> str:
        text = str(self.args[0])
        if self.place is not None:
            text = text.replace("{place}", _in_words(self.place))
        for number, name in enumerate(self.names, 1):
            text = text.replace(f"{{class {number}}}", name)
        return clipped(text)

    def at(self, place: Sequence[int]) -> Self:
        """Return the same warning of another place, as of an image that has more pixels.

        Examples
        --------
        >>> print(DataWarning("look at {place}", (3, 4)).at((30, 40)))
        look at row 30, column 40
        """
        return type(self)(self.args[0], place, self.names)

    def named(self, names: Sequence[str]) -> Self:
        """Return the same warning of classes that have been renamed.

        Examples
        --------
        >>> print(DataWarning("{class 2} is rare", names=("land", "sea")).named(("field", "lake")))
        lake is rare
        """
        return type(self)(self.args[0], self.place, names)


class DataWarning(GmmsegWarning):
    """The data did not support what was asked for, and something simpler was done."""


class ConvergenceWarning(GmmsegWarning):
    """EM stopped before its objective had settled, or the objective fell."""


_heard: ContextVar[list[GmmsegWarning] | None] = ContextVar("heard", default=None)


@contextmanager
def heard() -> Iterator[list[GmmsegWarning]]:
    """Collect what `warn` says in this thread meanwhile; whoever else listens hears it as well.

    Examples
    --------
    >>> with warnings.catch_warnings(action="ignore"), heard() as said:
    ...     warn("the image is empty")
    >>> [str(each) for each in said]
    ['the image is empty']
    """
    said: list[GmmsegWarning] = []
    outer = _heard.get()
    token = _heard.set(said)
    try:
        yield said
    finally:
        _heard.reset(token)
        if outer is not None:
            outer.extend(said)


def warn(
    said: str | GmmsegWarning,
    kind: type[GmmsegWarning] = DataWarning,
    *,
    place: Sequence[int] | None = None,
    names: Sequence[str] = (),
) -> None:
    """Warn of the line that called the package, of a place or named classes if need be; `heard` collects it, too."""
    warning = said if isinstance(said, GmmsegWarning) else kind(said, place, names)
    listening = _heard.get()
    if listening is not None:
        listening.append(warning)
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "gmmseg":
        frame, level = frame.f_back, level + 1
    warnings.warn(warning, stacklevel=level)


def once(said: Iterable[GmmsegWarning]) -> tuple[GmmsegWarning, ...]:
    """Return warnings without those that say the same as one before.

    Examples
    --------
    >>> [str(each) for each in once([GmmsegWarning("odd"), GmmsegWarning("few"), GmmsegWarning("odd")])]
    ['odd', 'few']
    """
    return tuple({str(each): each for each in said}.values())


def _in_words(place: Sequence[int]) -> str:
    """Return the words for the index of a pixel."""
    axes = ("frame", "plane", "row", "column")[-len(place) :]
    return ", ".join(f"{axis} {number}" for axis, number in zip(axes, place, strict=True))


def clipped(text: str) -> str:
    """Cut what a message quotes -- names, values, words of a file -- to 200 characters, and the message to 600.

    The beginning and the end stay, because a message begins with the place and ends with the remedy.

    Examples
    --------
    >>> len(clipped(f"{'a' * 5000} does not exist; check the path"))
    231
    """
    if len(text) <= MOST_QUOTED:
        return text
    import re  # here, because few messages are long

    return cut(re.sub(_LONG, lambda found: cut(found[0]), text), _MOST_SAID)


def cut(text: str, most: int = MOST_QUOTED) -> str:
    """Return a text without its middle where it is longer than some characters.

    Examples
    --------
    >>> cut("abcdefghijklmnopqrstuvwxyz", 12)
    'abcdef...xyz'
    """
    if len(text) <= most:
        return text
    start = (most - 3) * 2 // 3
    return f"{text[:start]}...{text[len(text) - (most - 3 - start) :]}"


def lacks_memory(error: BaseException) -> bool:
    """Whether an error, or one that it came from, is for want of memory, whatever the library calls it."""
    each: BaseException | None = error
    seen: list[BaseException] = []
    while each is not None and each not in seen:
        seen.append(each)
        if isinstance(each, MemoryError) or (isinstance(each, OSError) and each.errno == errno.ENOMEM):
            return True
        if not isinstance(each, GmmsegError) and any(words in str(each).lower() for words in _NO_MEMORY):
            return True
        each = each.__cause__ or (None if each.__suppress_context__ else each.__context__)
    return False


def one_line(error: BaseException, most: int = 100) -> str:
    """Return the message of another library's error on one line, cut where it is long; its type where it has none."""
    return " ".join(str(error).split())[:most] or type(error).__name__


def described(error: BaseException, where: str = "") -> str:
    """Say on one line what went wrong; `where` begins the messages of errors that do not name it themselves."""
    if isinstance(error, GmmsegError):
        return str(error)
    if lacks_memory(error):
        return f"{where}there is not enough memory; use a smaller image, or fewer classes"
    if isinstance(error, OSError):
        return f"{where}{error.strerror or one_line(error, MOST_QUOTED)}; check the file, its rights and the free space"
    words = " ".join(str(error).split())[:MOST_QUOTED]
    return f"{where}unexpected {type(error).__name__} ({words}); please report this"


def compatible(own: Any) -> Any:
    """Return a class of this package, or where scikit-learn is loaded one that is also its class of the same name."""
    theirs = getattr(sys.modules.get("sklearn.exceptions"), own.__name__, None)
    return own if theirs is None else _joint(own, theirs)


@cache
def _joint(own: Any, theirs: Any) -> Any:
    def reduce(self: Any) -> tuple[Any, ...]:  # by its maker: no module holds this class under its name
        return _rebuild, (own, self.args)

    return type(
        own.__name__, (own, theirs), {"__doc__": own.__doc__, "__module__": own.__module__, "__reduce__": reduce}
    )


def _rebuild(own: Any, args: tuple[Any, ...]) -> Any:
    return compatible(own)(*args)
