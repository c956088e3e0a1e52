"""How large a pixel is, as callers say it."""

import numpy as np
import pytest

from gmmseg.errors import ParameterError
from gmmseg.image import Image
from gmmseg.image.place import Place
from gmmseg.image.spacing import with_spacing


def test_what_is_said_replaces_what_was_known():
    image = Image(np.zeros((4, 5)), spacing=(9.0, 9.0), place=Place((1.0, 0, 0, 0, 1, 0), "EPSG:32633", unit="m"))
    said = with_spacing(image, [2, 0.5], "um")
    assert said.spacing == (2.0, 0.5)
    assert (said.place.unit, said.place.crs) == ("um", "EPSG:32633")
    assert said.pixels is image.pixels
    assert with_spacing(image, (2, 0.5)).place.unit is None
    assert with_spacing(image, None) is image


@pytest.mark.parametrize(
    ("spacing", "unit", "words"),
    [
        ((), "um", r"spacing=\(\) has 0 numbers, but the image has 2 spatial axes"),
        ((1.0, 2.0, 3.0), None, "has 3 numbers"),
        ((1.0, 0.0), "um", "finite and above 0"),
        ((1.0, 2.0), "furlong", "unit='furlong' is not known; use one of nm, um"),
        ((1.0, 2.0), "degree", "unit='degree' is not known"),
        (None, "um", "unit='um' is of spacing, which is not given"),
        (2.0, "um", "spacing=2.0 is not a number for each axis"),
        (("a", "b"), "um", "is not a number for each axis"),
    ],
)
def test_spacings_that_do_not_fit(spacing, unit, words):
    with pytest.raises(ParameterError, match=words):
        with_spacing(Image.from_array(np.zeros((3, 4, 5)), axes="TYX"), spacing, unit)


def test_one_number_is_of_all_axes_of_space():
    lapse = Image(np.zeros((2, 4, 5, 1)), time=True)
    assert with_spacing(lapse, (0.5,), "um").spacing == (0.5, 0.5)


@pytest.mark.parametrize("unit", ["um", "µm", "μm"])
def test_micrometres_are_spelt_as_on_any_keyboard(unit):
    assert with_spacing(Image.from_array(np.zeros((2, 3))), (1, 2), unit).place.unit == "um"
