"""Attributes of OME-Zarr alone."""

import pytest

from gmmseg.errors import InputError
from gmmseg.io.zarr.metadata import multiscale_of


def test_both_versions_and_axes_by_name_alone():
    facts = {"multiscales": [{"axes": ["t", "c", "y", "x"], "datasets": [{"path": "0"}]}]}
    for attributes in (facts, {"ome": {"version": "0.5"} | facts}):
        found = multiscale_of(attributes, "a")
        assert (found.path, found.kinds) == ("0", ("time", "channel", "space", "space"))
        assert (found.channel_axis, found.spacing, found.channel_names) == (1, None, ())


def test_scales_of_levels_and_of_all_of_them():
    axes = [{"name": name, "type": "space", "unit": "nanometer"} for name in "yx"]
    scale = {"type": "scale", "scale": [2, 3]}
    level = {"path": "0", "coordinateTransformations": [scale, {"type": "translation", "translation": [5, 5]}]}
    found = multiscale_of(
        {"multiscales": [{"axes": axes, "datasets": [level], "coordinateTransformations": [scale]}]}, "a"
    )
    assert (found.spacing, found.unit) == ((4, 9), "nm")


def test_attributes_of_something_else():
    assert multiscale_of({"title": "a"}, "a") is None
    with pytest.raises(InputError, match=r"^a is damaged: .*axes channel"):
        multiscale_of({"multiscales": [{"axes": ["c"], "datasets": [{"path": "0"}]}]}, "a")


@pytest.mark.parametrize(
    ("time", "step", "interval"),
    [
        ({"name": "t", "type": "time", "unit": "minute"}, 5, (5.0, "min")),
        ({"name": "t", "type": "time", "unit": "millisecond"}, 0.5, (0.5, "ms")),
        ({"name": "t", "type": "time"}, 5, None),
        ({"name": "t", "type": "time", "unit": "fortnight"}, 5, None),
        ({"name": "t", "type": "time", "unit": "second"}, 0, None),
        ({"name": "z", "type": "space", "unit": "second"}, 5, None),
    ],
)
def test_the_interval_of_frames(time, step, interval):
    axes = [time, *({"name": name, "type": "space", "unit": "micrometer"} for name in "yx")]
    scale = [{"type": "scale", "scale": [step, 2, 3]}]
    levels = [{"path": "0", "coordinateTransformations": scale}]
    found = multiscale_of({"multiscales": [{"axes": axes, "datasets": levels}]}, "a")
    assert found.interval == interval
    assert found.scale[1:] == (2, 3)
