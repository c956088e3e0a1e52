"""How large a pixel of an array is: what neighbours and minimum sizes are measured in."""

import numpy as np
import pytest

import gmmseg
from gmmseg.errors import ParameterError
from gmmseg.image import Image
from gmmseg.image.place import Place

VOLUME = np.random.default_rng(0).normal(100, 20, (6, 30, 40))
VOLUME[:, 10:20, 10:30] += 60
SPACING = (4.0, 0.5, 0.5)
SAID = Image(VOLUME[..., None], spacing=SPACING, place=Place(unit="um"))


def test_neighbours_are_as_near_as_the_spacing_says():
    said = gmmseg.segment(VOLUME, 2, channel_axis=None, spacing=SPACING, unit="um")
    np.testing.assert_array_equal(said.probabilities, gmmseg.segment(SAID, 2).probabilities)
    assert (said.probabilities != gmmseg.segment(VOLUME, 2, channel_axis=None).probabilities).any()


@pytest.mark.parametrize("source", ["array", "image", "path"])
def test_every_call_takes_it(tmp_path, source):
    np.save(tmp_path / "a.npy", VOLUME)
    given = {"array": VOLUME, "image": Image(VOLUME[..., None]), "path": tmp_path / "a.npy"}[source]
    axes = {} if source == "image" else {"axes": "ZYX"}
    model = gmmseg.fit(given, 2, spacing=SPACING, unit="um", **axes)
    assert model.training.spacing == SPACING
    applied = gmmseg.apply(model, given, spacing=SPACING, unit="um", **axes)
    assert applied.clean("40um3").min_size == 40
    assert applied.clean("0.04um3").min_size == 1
    assert gmmseg.choose_k(given, max_k=3, spacing=SPACING, unit="um", **axes).k == 2


def test_regions_by_area():
    picture = np.zeros((60, 80), np.uint8)
    picture[20:40, 20:50] = 200
    picture[5:8, 5:8] = 120
    tree = gmmseg.regions(picture, spacing=(0.5, 0.5), unit="um")
    assert tree.labels(n=3).max() == 3
    assert tree.labels(n=3, min_size="20um2").max() == 2
    assert tree.labels(n=3, min_size="1um2").max() == 3


def test_sizes_need_the_unit():
    found = gmmseg.segment(VOLUME[0], 2, spacing=(0.5, 0.5))
    with pytest.raises(ParameterError, match="image: a minimum size of 4um2 needs the unit of length"):
        found.clean("4um2")
    assert gmmseg.segment(VOLUME[0], 2, spacing=(0.5, 0.5), unit="um").clean("4um2").min_size == 16


@pytest.mark.parametrize("call", [gmmseg.segment, gmmseg.fit, gmmseg.choose_k, gmmseg.regions])
def test_what_does_not_fit(call):
    with pytest.raises(
        ParameterError, match=r"spacing=\(4.0, 0.5, 0.5\) has 3 numbers, but the image has 2 spatial axes"
    ):
        call(VOLUME[0], spacing=SPACING)
    with pytest.raises(ParameterError, match="unit='parsec' is not known; use one of nm, um"):
        call(VOLUME[0], spacing=(1, 1), unit="parsec")


def test_a_step_that_no_float_holds_is_refused():
    with pytest.raises(gmmseg.ParameterError, match=r"^spacing=.*10{100,}.* is not a number for each axis"):
        gmmseg.segment(np.eye(8), k=2, spacing=[10**400])
