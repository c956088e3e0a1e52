"""Options that several commands share, and their values as the library takes them."""

from pathlib import Path

import click
import pytest

from gmmseg.cli.shared import (
    fitting_options,
    fitting_parameters,
    guides_of,
    layer_options,
    memory_option,
    output,
    plain_option,
    reading_options,
    reading_parameters,
    saving_parameters,
)
from gmmseg.cli.types import Command
from gmmseg.errors import InputError


def parsed(*arguments):
    """The context of a command with all shared options."""

    @click.command(cls=Command)
    @fitting_options
    @reading_options
    @memory_option
    @layer_options
    @output("--cog", is_flag=True)
    @plain_option
    @output("--soft-type", type=click.Choice(["uint16", "uint8"]))
    def command(**_):
        pass

    return command.make_context("command", list(arguments))


def test_defaults_are_those_of_segment():
    with parsed() as context:
        assert fitting_parameters(context) == {
            "k": 4,
            "features": None,
            "covariance": "auto",
            "components": None,
            "smooth": True,
            "bias_field": "auto",
            "partial_volume": False,
            "sample": "auto",
            "outliers": None,
            "order": "dark",
            "class_names": None,
            "seed": 0,
        }
        assert reading_parameters(context) == {
            "mask": None,
            "mask_values": None,
            "mask_threshold": None,
            "nodata": None,
            "channel_axis": "auto",
            "axes": None,
            "channels": None,
            "resolution": None,
            "magnitude": False,
            "series": None,
            "max_pixels": 512_000_000,
            "memory": 1 << 29,
        }


def test_words_of_the_command_line_become_values_of_the_library():
    arguments = "-k auto --sample all --smooth 0.3 --class-names a,b --mask m.png --bands 4,nir --memory 2GiB"
    with parsed(*arguments.split(), "--channel-axis", "none", "--bias-field") as context:
        fitted, read = fitting_parameters(context), reading_parameters(context)
    assert (fitted["k"], fitted["sample"], fitted["smooth"]) == ("auto", None, 0.3)
    assert (fitted["class_names"], fitted["bias_field"]) == (("a", "b"), True)
    assert (read["mask"], read["channels"], read["channel_axis"]) == (Path("m.png"), ("4", "nir"), None)
    with parsed("--no-bias-field") as context:
        assert fitting_parameters(context)["bias_field"] is False
    assert read["memory"] == 1 << 30  # half of it: the rest is for what is computed


def test_no_smooth_is_none_and_contradicts_an_amount():
    with parsed("--no-smooth") as context:
        assert fitting_parameters(context)["smooth"] == 0
    for typed, said in (("0.5", "0.5"), ("auto", "auto")):
        with (
            parsed("--no-smooth", "--smooth", typed) as context,
            pytest.raises(click.UsageError, match=f"^--smooth {said} and --no-smooth contradict each other"),
        ):
            fitting_parameters(context)


def test_options_of_formats_go_to_the_files_that_take_them():
    with parsed("--cog", "--soft", "s.tif", "--soft-type", "uint8", "--anomaly", "a.npy") as context:
        saving = saving_parameters(context)
    assert saving["labels"] == {"cog": True}
    assert saving["soft"] == {"cog": True, "dtype": "uint8"}
    assert saving["anomaly"] == {}
    with parsed("--soft-type", "uint16") as context, pytest.raises(click.UsageError, match="is of --soft FILE, which"):
        saving_parameters(context)


def test_guides_are_files_that_are_there_and_some_are_of_one_image(folder):
    options = {"mask": Path("scan.png"), "scribbles": None, "prior": None, "mask_values": None}
    five = [Path(f"{letter}.png") for letter in "abcde"]
    assert guides_of(options, five) == [Path("scan.png")]
    assert guides_of(options | {"mask_values": "SCL:4"}, five) == [Path("scan.png")]
    assert guides_of(options | {"mask": None, "mask_values": "scan.png:4"}, five) == [Path("scan.png")]
    assert guides_of({**options, "prior": Path("photo.png")}, five[:1]) == [Path("scan.png"), Path("photo.png")]
    with pytest.raises(click.UsageError, match="--prior is of one image, but 2 are given; run them one at a time"):
        guides_of({**options, "prior": Path("photo.png")}, five[:2])
    with pytest.raises(InputError, match="none.png does not exist"):
        guides_of({**options, "mask": Path("none.png")}, five[:1])
    named = guides_of({**options, "mask": Path("{folder}/{name}_mask.tif")}, five[:2])
    assert named == [Path("a_mask.tif"), Path("b_mask.tif")]


def test_help_names_the_files_that_can_hold_a_layer():
    with parsed() as context:
        text = " ".join(context.get_help().split())
    assert "--soft FILE" in text
    assert ".npz, .mgz, .mgh, .nii, .nii.gz, .nrrd, .mha or .dcm" in text
