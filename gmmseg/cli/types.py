"""Options in sections, and the types of their values, each parsed once."""

from __future__ import annotations

import gc
import math
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gmmseg.cli.streams import printed, replaced

__all__ = [
    "FILE",
    "PRINTED",
    "SOURCE",
    "Amount",
    "Axes",
    "Bytes",
    "ChannelAxis",
    "Channels",
    "Classes",
    "Command",
    "Covariance",
    "Features",
    "Fraction",
    "MaskValues",
    "MinSize",
    "Names",
    "Nodata",
    "Option",
    "Outliers",
    "Renamed",
    "Sample",
    "Spacing",
    "WholeNumber",
    "classes",
    "output",
    "pixels",
    "running",
]

if TYPE_CHECKING:
    _ParamType = click.ParamType[Any]
else:
    # Older versions of click do not let it take an argument.
    _ParamType = click.ParamType

_LEAST_MEMORY = 64 << 20

FILE = click.Path(path_type=Path)
FILE.name = "FILE"


class _FileOr(click.Path):
    """A file, or "-" for a stream.

    Parameters
    ----------
    stream : str
        The path that stands for it; "./-" is a file of that name.
    """

    name = "FILE"

    def __init__(self, stream: str) -> None:
        super().__init__(path_type=Path)
        self.stream = stream

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Make a path of the text."""
        return super().convert(self.stream if value == "-" else value, param, ctx)


SOURCE = _FileOr("/dev/stdin")
"""A file that is read, or what stands for one, see `gmmseg.cli.streams`."""
PRINTED = _FileOr("/dev/stdout")
"""A label map that is written, or printed as a PNG file."""


class Option(click.Option):
    """An option that stands in a section of its command's help.

    Parameters
    ----------
    section : str
        Heading in the help.
    """

    def __init__(self, *names: Any, section: str = "Other", **attributes: Any) -> None:
        super().__init__(*names, **attributes)
        self.section = section


classes = partial(click.option, cls=Option, section="Classes", show_default=True)
pixels = partial(click.option, cls=Option, section="Pixels", show_default=True)
output = partial(click.option, cls=Option, section="Output")
running = partial(click.option, cls=Option, section="Running")


class Command(click.Command):
    """A command whose help lists options by section, in the order in which sections first occur, but "Running" last."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command on files: what else was named is copied to some, or printed from one when it ends."""
        if not gc.isenabled():  # as `gmmseg.cli.program` leaves it; what is loaded by now is no garbage
            gc.freeze()
            gc.enable()
        copies: dict[Path, Any] = {}
        named = {each.name: each.type for each in self.params if each.name is not None}
        for name in [name for name, kind in named.items() if kind is SOURCE]:
            ctx.params[name] = replaced(ctx.params[name], ctx.params, copies)
        if any(kind is PRINTED and ctx.params[name] == Path(PRINTED.stream) for name, kind in named.items()):
            with printed(ctx.params):
                return super().invoke(ctx)
        return super().invoke(ctx)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                sections.setdefault(getattr(parameter, "section", "Other"), []).append(record)
        for heading in sorted(sections, key=["Running", "Other"].__contains__):
            with formatter.section(heading):
                formatter.write_dl(sections[heading])


class WholeNumber(_ParamType):
    """A whole number in a range, or a word.

    Parameters
    ----------
    low : int
        The least.
    high : int, optional
        The greatest.
    word : str, optional
        Means None in its place.
    """

    name = "INT"

    def __init__(self, low: int, high: int | None = None, *, word: str | None = None) -> None:
        self.low, self.high, self.word = low, high, word

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        """Read the number."""
        if self.word is not None and str(value).lower() == self.word:
            return None
        try:
            number = int(value)
        except ValueError:
            number = None
        if number is None or number < self.low or (self.high is not None and number > self.high):
            self.fail(f"{value} is not usable; use {self._wanted()}", param, ctx)
        return number

    def _wanted(self) -> str:
        limits = f"of at least {self.low}" if self.high is None else f"from {self.low} to {self.high}"
        words = f"a whole number {limits}"
        return words if self.word is None else f"{words}, or {self.word}"


class Sample(WholeNumber):
    """How many pixels a fit sees: a number, "all", or "auto"."""

    def __init__(self) -> None:
        super().__init__(1, word="all")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read the number; "auto" stays."""
        return "auto" if str(value).lower() == "auto" else super().convert(value, param, ctx)

    def _wanted(self) -> str:
        return f"{super()._wanted()}, or auto"


class ChannelAxis(_ParamType):
    """The number of an axis, "auto", or none."""

    name = "INT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str | None:
        """Read the axis; None for none."""
        word = str(value).lower()
        if word in ("auto", "none"):
            return "auto" if word == "auto" else None
        try:
            return int(value)
        except ValueError:
            self.fail(f"{value} is not usable; use a whole number, none for a volume, or auto", param, ctx)


class Axes(_ParamType):
    """Letters of axes, such as TZCYX; which of them there are depends on the file."""

    name = "LETTERS"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check the letters."""
        from gmmseg.errors import ParameterError
        from gmmseg.image.named_axes import LETTERS, Lettered

        letters = str(value).strip().upper()
        try:
            Lettered.of(letters, (1,) * len(letters), "")
        except ParameterError:
            self.fail(f"{value} is not usable; give one letter an axis of {LETTERS}, as in TZCYX", param, ctx)
        return letters


class Channels(_ParamType):
    """Numbers from 1 or names of channels with commas between them."""

    name = "1,2,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Split the list; what is a channel depends on the file."""
        if isinstance(value, tuple):
            return value
        channels = tuple(part.strip() for part in str(value).split(","))
        if not all(channels):
            self.fail(f"{value!r} has an empty place; use numbers from 1 or names, as in 4,3,2 or nir,red", param, ctx)
        return channels


class Fraction(_ParamType):
    """A number from 0 to 1, or a word.

    Parameters
    ----------
    word : str, optional
        Means True in its place.
    """

    name = "0..1"

    def __init__(self, *, word: str | None = None) -> None:
        self.word = word

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read the number; True for the word."""
        if self.word is not None and str(value).lower() == self.word:
            return True
        number = _number(value)
        if not 0 <= number <= 1:
            words = f", or {self.word}" if self.word else ""
            self.fail(f"{value} is not usable; use a number from 0 to 1{words}", param, ctx)
        return number


class Amount(_ParamType):
    """A number of at least 0, or above it.

    Parameters
    ----------
    positive : bool
        Whether 0 is none.
    """

    name = "NUMBER"

    def __init__(self, *, positive: bool = False) -> None:
        self.positive = positive

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read the number."""
        number = _number(value)
        wanted = "a number above 0" if self.positive else "a number of at least 0"
        if not 0 <= number < math.inf or (self.positive and not number):
            self.fail(f"{value} is not usable; use {wanted}", param, ctx)
        return number


def _number(value: Any) -> float:
    """Return the number that a text is; NaN where it is none."""
    try:
        return float(value)
    except ValueError:
        return math.nan


class Nodata(_ParamType):
    """A number that stands for no data, or one a channel with commas between them, none where a channel has none."""

    name = "NUMBER,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float | None, ...]:
        """Read the numbers."""
        if isinstance(value, tuple):
            return value
        try:
            return tuple(None if part.strip().lower() == "none" else float(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is not usable; use a number, or one a channel, as in 0 or 0,none,-9999", param, ctx)


class MaskValues(_ParamType):
    """A mask and the values, or the bits, of pixels that are used."""

    name = "MASK:VALUES"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check the rule; what is in the mask is seen when it is read."""
        from gmmseg.errors import ParameterError
        from gmmseg.io.mask_rule import MaskRule

        try:
            MaskRule.parse(value)
        except ParameterError as error:
            self.fail(str(error).partition("=")[2], param, ctx)
        return str(value)


class MinSize(_ParamType):
    """The size of a region: pixels, or an area or volume such as 20mm2, 2.5ha or 1ml."""

    name = "SIZE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check the size; how many pixels it is depends on the file."""
        from gmmseg.errors import ParameterError
        from gmmseg.image.sizes import USABLE, Size

        try:
            return Size.parse(value).text
        except ParameterError:
            self.fail(f"{value} is not usable; {USABLE}", param, ctx)


class Spacing(_ParamType):
    """The size of a pixel: a number for all axes of space or one for each, with their unit, as in 2,0.5,0.5mm."""

    name = "SIZE"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[tuple[float, ...], str]:
        """Read the numbers and the unit; how many axes there are depends on the file."""
        if isinstance(value, tuple):
            return value
        from gmmseg.image.place import METRES

        found = re.fullmatch(r"([0-9.,eE+-]+?)\s*([a-zµμ][a-z ]*)", str(value).strip(), re.IGNORECASE)
        unit = "" if found is None else found[2].replace("µ", "u").replace("μ", "u")
        try:
            numbers = tuple(map(float, found[1].split(","))) if found else ()
        except ValueError:
            numbers = ()
        if unit not in METRES or not numbers or not all(0 < number < math.inf for number in numbers):
            self.fail(
                f"{value!r} is no size of a pixel; use numbers above 0 and a unit ({', '.join(METRES)}), as in 0.65um "
                "or, along planes, rows and columns, 2,0.5,0.5um",
                param,
                ctx,
            )
        return numbers, unit


class Bytes(_ParamType):
    """An amount of memory, such as 512MiB or 2GB."""

    name = "SIZE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read the number of bytes."""
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"([0-9.]+)\s*([kmgt]?)(i?)b?", str(value).strip().lower())
        number = _number(found[1]) if found else math.nan
        if found is None or not _LEAST_MEMORY <= number * (size := _unit(found[2], found[3])) < math.inf:
            self.fail(f"{value} is not usable; use an amount of at least 64MiB, as in 512MiB or 2GB", param, ctx)
        return int(number * size)


def _unit(prefix: str, binary: str) -> int:
    return int((1024 if binary else 1000) ** " kmgt".index(prefix or " "))


class Names(_ParamType):
    """Names with commas between them."""

    name = "A,B,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Split the names."""
        if isinstance(value, tuple):
            return value
        names = tuple(part.strip() for part in str(value).split(","))
        if not all(names):
            self.fail(f"{value} has an empty name; give one name a class, as in water,forest,city", param, ctx)
        return names


class Classes(_ParamType):
    """Numbers or names of classes with commas between them, as in 1,3 or water,forest."""

    name = "1,2,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int | str, ...]:
        """Split the list; which classes there are depends on the file."""
        if isinstance(value, tuple):
            return value
        parts = [part.strip() for part in str(value).split(",")]
        if not all(parts):
            self.fail(f"{value!r} has an empty place; use numbers or names of classes, as in 1,3 or water", param, ctx)
        return tuple(map(_class, parts))


def _class(text: str) -> int | str:
    """Return the number of a class, or its name."""
    return int(text) if text.isascii() and text.isdigit() else text


class Renamed(_ParamType):
    """Names of classes by number or name, with commas between them, as in 1=water,2=forest."""

    name = "1=A,2=B,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[int | str, str]:
        """Split the names."""
        if isinstance(value, dict):
            return value
        parts = [part.partition("=") for part in str(value).split(",")]
        names = {_class(old.strip()): new.strip() for old, _, new in parts}
        if len(names) < len(parts) or not all(old != "" and new for old, new in names.items()):
            self.fail(f"{value} is not usable; give each class one new name, as in 1=water,2=forest", param, ctx)
        return names


class Outliers(_ParamType):
    """The way in which outliers are allowed for."""

    name = "uniform|student"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check the word."""
        word = str(value).lower()
        if word not in ("uniform", "student"):
            self.fail(f"{value} is not known; use uniform or student", param, ctx)
        return word


class Features(_ParamType):
    """A recipe of features, checked and passed on as it is."""

    name = "LIST"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check the recipe; ParameterError names the choices."""
        from gmmseg.features import Recipe

        Recipe.parse(value)
        return str(value)


class Covariance(_ParamType):
    """The name of a family of covariances, or a word.

    Parameters
    ----------
    word : str, optional
        What may stand there instead.
    """

    name = "NAME"

    def __init__(self, *, word: str | None = None) -> None:
        self.word = word

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check the name; ParameterError names the choices."""
        from gmmseg.mixture.words import COVARIANCES, known_covariance  # here, because help is shown without it

        return known_covariance(value, choices=COVARIANCES if self.word is None else (self.word, *COVARIANCES))
