"""Masks by values and by bits."""

import numpy as np
import pytest
from counted_sources import CountedSource

from gmmseg.errors import ParameterError
from gmmseg.image.windows import everything
from gmmseg.io.mask_rule import NOT_ZERO, MaskRule, Ruled


def test_values_ranges_and_bits():
    assert MaskRule.parse("SCL:4,5,6,7") == MaskRule("SCL", (4, 5, 6, 7))
    assert MaskRule.parse(" SCL:4-7,11 ") == MaskRule("SCL", (4, 5, 6, 7, 11))
    assert MaskRule.parse("QA_PIXEL:~3,4") == MaskRule("QA_PIXEL", None, (3, 4))
    assert MaskRule.parse("udm2.tif@clear:1") == MaskRule("udm2.tif", (1,), band="clear")
    assert MaskRule.parse("a@b/mask@2x.png:1") == MaskRule("a@b/mask@2x.png", (1,))  # no band, but a name
    assert MaskRule.parse("a:b/clouds.tif:1").name == "a:b/clouds.tif"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("SCL", "is not usable; give a mask and the values"),
        ("SCL:", "is not usable"),
        (":4", "is not usable"),
        ("SCL:4;5", "is not usable"),
        ("SCL:-1", "is not usable"),
        ("SCL:7-4", "has '7-4', which is no range"),
        ("SCL:0-99999", "has '0-99999', which is no range"),
        ("QA:~64", "has bit 64, the last is 63"),
        (4, "is not usable"),
    ],
)
def test_rules_that_are_none(text, words):
    with pytest.raises(ParameterError, match=words):
        MaskRule.parse(text)


@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "u4"])
def test_which_pixels_are_used(dtype):
    numbers = np.array([0, 4, 8, 16, 24, 64], dtype)
    assert NOT_ZERO.used(numbers).tolist() == [False, True, True, True, True, True]
    assert MaskRule.parse("x:4,64").used(numbers).tolist() == [False, True, False, False, False, True]
    assert MaskRule.parse("x:~3,4").used(numbers).tolist() == [True, True, False, False, False, True]


def test_a_source_of_numbers_is_one_of_used_pixels():
    source = CountedSource(np.arange(12, dtype=np.uint8).reshape(3, 4, 1))
    used, valid = Ruled(source, MaskRule("x", (2, 7))).read(everything((3, 4)))
    assert np.argwhere(used[..., 0]).tolist() == [[0, 2], [1, 3]]
    assert valid is None
