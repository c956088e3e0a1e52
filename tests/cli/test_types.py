"""The types of options: what each makes of the words that are typed, and what it says of others."""

import gc

import click
import numpy as np
import pytest

from gmmseg.cli.group import GROUP
from gmmseg.cli.overview import COMMANDS
from gmmseg.cli.types import (
    Amount,
    Axes,
    Bytes,
    ChannelAxis,
    Channels,
    Command,
    Covariance,
    Features,
    Fraction,
    MinSize,
    Names,
    Option,
    Outliers,
    Sample,
    Spacing,
    WholeNumber,
)
from gmmseg.errors import ParameterError


@pytest.mark.parametrize(
    ("kind", "typed", "value"),
    [
        (WholeNumber(1, 255), "255", 255),
        (WholeNumber(1, word="all"), "ALL", None),
        (WholeNumber(0), "0", 0),
        (ChannelAxis(), "-1", -1),
        (ChannelAxis(), "None", None),
        (ChannelAxis(), "auto", "auto"),
        (Axes(), " tzcyx", "TZCYX"),
        (Channels(), "4, nir,2", ("4", "nir", "2")),
        (Fraction(), "0.25", 0.25),
        (Fraction(word="auto"), "Auto", True),
        (Amount(), "1e3", 1000.0),
        (MinSize(), " 20 mm2", "20 mm2"),
        (Sample(), "AUTO", "auto"),
        (Sample(), "all", None),
        (Sample(), "5000", 5000),
        (Bytes(), "64MiB", 64 << 20),
        (Bytes(), "1.5 GB", 1_500_000_000),
        (Bytes(), "2g", 2_000_000_000),
        (Bytes(), "100000000", 100_000_000),
        (Bytes(), "1tib", 1 << 40),
        (Spacing(), "0.65um", ((0.65,), "um")),
        (Spacing(), "2,.5,0.5 µm", ((2.0, 0.5, 0.5), "um")),
        (Spacing(), "1e-3 US survey foot", ((0.001,), "US survey foot")),
        (Names(), "water, wood ,city", ("water", "wood", "city")),
        (Outliers(), "Student", "student"),
        (Features(), "lab,xy:0.5", "lab,xy:0.5"),
        (Covariance(), "tied", "tied"),
    ],
)
def test_what_is_typed_becomes_a_value(kind, typed, value):
    found = kind.convert(typed, None, None)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("kind", "typed", "words"),
    [
        (WholeNumber(1, 255), "256", "256 is not usable; use a whole number from 1 to 255"),
        (WholeNumber(1, word="all"), "0", "0 is not usable; use a whole number of at least 1, or all"),
        (WholeNumber(0), "2.5", "2.5 is not usable; use a whole number of at least 0"),
        (WholeNumber(0), "all", "all is not usable; use a whole number of at least 0"),
        (ChannelAxis(), "last", "last is not usable; use a whole number, none for a volume, or auto"),
        (Channels(), "1,,2", "'1,,2' has an empty place; use numbers from 1 or names, as in 4,3,2 or nir,red"),
        (Fraction(), "1.5", "1.5 is not usable; use a number from 0 to 1"),
        (Fraction(word="auto"), "nan", "nan is not usable; use a number from 0 to 1, or auto"),
        (Spacing(), "0.65", "'0.65' is no size of a pixel; use numbers above 0 and a unit (nm, um, mm"),
        (Spacing(), "0um", "'0um' is no size of a pixel"),
        (Spacing(), "1,,2mm", "'1,,2mm' is no size of a pixel"),
        (Spacing(), "2px", "'2px' is no size of a pixel"),
        (Amount(), "-1", "-1 is not usable; use a number of at least 0"),
        (Amount(), "inf", "inf is not usable; use a number of at least 0"),
        (MinSize(), "5mm", "5mm is not usable; use pixels or voxels"),
        (Bytes(), "63MiB", "63MiB is not usable; use an amount of at least 64MiB, as in 512MiB or 2GB"),
        (Bytes(), "1.2.3GB", "1.2.3GB is not usable"),
        (Bytes(), "much", "much is not usable"),
        (Names(), "a,,b", "a,,b has an empty name; give one name a class, as in water,forest,city"),
        (Outliers(), "none", "none is not known; use uniform or student"),
    ],
)
def test_what_cannot_be_used_is_named_with_the_remedy(kind, typed, words):
    with pytest.raises(click.BadParameter) as caught:
        kind.convert(typed, None, None)
    assert caught.value.message.startswith(words)


@pytest.mark.parametrize(("kind", "typed", "known"), [(Features(), "lba", "lab"), (Covariance(), "ful", "full")])
def test_words_of_the_library_are_refused_by_the_library(kind, typed, known):
    with pytest.raises(ParameterError, match=f"{typed}.*{known}"):
        kind.convert(typed, None, None)


@pytest.mark.parametrize(
    ("kind", "value"), [(Channels(), ("1", "2")), (Names(), ("a", "b")), (Bytes(), 5), (Fraction(), np.float64(0.5))]
)
def test_values_that_are_ready_stay_as_they_are(kind, value):
    assert kind.convert(value, None, None) == value


def test_help_has_a_section_for_each_heading_and_running_comes_last():
    @click.command(cls=Command)
    @click.option("--threads", cls=Option, section="Running", help="How many.")
    @click.option("-k", cls=Option, section="Classes", help="Number of classes.")
    @click.option("--mask", cls=Option, section="Pixels", help="Which are used.")
    @click.option("--seed", cls=Option, section="Classes", help="Start.")
    def command(**_):
        pass

    with click.Context(command) as context:
        text = command.get_help(context)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    places = [lines.index(heading) for heading in ("Classes:", "Pixels:", "Running:")]
    assert places == sorted(places)
    assert lines[places[0] + 1].startswith("-k")
    assert lines[places[0] + 2].startswith("--seed")


def test_what_is_loaded_before_a_command_begins_is_no_garbage_and_what_comes_after_is():
    collecting, before = [], gc.get_freeze_count()
    command = Command("probe", callback=lambda: collecting.append((gc.isenabled(), gc.get_freeze_count() > before)))
    try:
        command.main([], standalone_mode=False)
        gc.disable()
        command.main([], standalone_mode=False)
    finally:
        gc.enable()
        gc.unfreeze()
    assert collecting == [(True, False), (True, True)]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_begins_so(name):
    assert isinstance(GROUP.get_command(None, name), Command)
