"""Values in any order of axes and from either end, as they lie over an image."""

import itertools

import numpy as np
import pytest

from gmmseg.image import Image
from gmmseg.image.place import Place
from gmmseg.image.sources import ArraySource
from gmmseg.image.turning import LEAVES_OUT_PLANES, Turned, place_over, turn_onto
from gmmseg.image.windows import everything

SHAPE = (3, 4, 5)
AFFINE = np.array([[1.8, -0.4, 0.1, 7.0], [0.3, 2.1, 0.2, -9.0], [0.1, 0.1, 3.0, 40.0], [0, 0, 0, 1]])
VALUES = np.arange(60).reshape(SHAPE)


def image_of(values, affine, **metadata):
    place = Place(affine3d=tuple(map(tuple, affine)))
    return Image(values[..., None], place=place, metadata=metadata)


def stored(order, flips):
    """The same values at the same places, stored otherwise."""
    affine = AFFINE.copy()
    values = VALUES
    for axis in flips:
        values = np.flip(values, axis)
        affine[:, 3] += affine[:, axis] * (SHAPE[axis] - 1)
        affine[:, axis] *= -1
    return np.ascontiguousarray(values.transpose(order)), affine[:, [*order, 3]]


WAYS = [
    (order, flips)
    for order in itertools.permutations(range(3))
    for n in range(4)
    for flips in itertools.combinations(range(3), n)
]


@pytest.mark.parametrize(("order", "flips"), WAYS)
def test_every_order_and_end_is_found(order, flips):
    image = image_of(VALUES, AFFINE)
    values, affine = stored(order, flips)
    values.flags.writeable = False
    other = image_of(values, affine)
    turn = turn_onto(image, other)
    np.testing.assert_array_equal(turn.of(values), VALUES)
    np.testing.assert_allclose(place_over(turn, other).affine3d, AFFINE, atol=1e-12)
    assert turn.fits
    assert turn.is_nothing == (order == (0, 1, 2) and not flips)
    several = turn.of(np.stack([values, -values]), leading=1)
    np.testing.assert_array_equal(several, np.stack([VALUES, -VALUES]))
    window = (slice(1, 3), slice(0, 2), slice(2, 5))
    part, valid = Turned(ArraySource(values[..., None]), turn).read(window)
    np.testing.assert_array_equal(part[..., 0], VALUES[window])
    assert valid is None


def test_an_axis_that_only_one_has_is_of_length_1():
    image = image_of(VALUES[1], AFFINE)  # a picture in a patient
    values = VALUES[1].T[:, :, None]  # a volume of one slice
    turn = turn_onto(image, image_of(values, AFFINE[:, [1, 0, 2, 3]]))
    np.testing.assert_array_equal(turn.of(values), VALUES[1])


def test_planes_that_are_left_out_are_empty():
    whole = np.zeros((9, 4, 5), int)
    whole[2:9:3] = 1 + VALUES
    affine = AFFINE.copy()
    affine[:, 3] += 2 * affine[:, 0]
    affine[:, 0] *= 3
    image = image_of(whole, AFFINE)
    assert not turn_onto(image, image_of(VALUES, affine)).fits
    other = image_of(1 + VALUES, affine, **{LEAVES_OUT_PLANES: True})
    turn = turn_onto(image, other)
    assert turn.fits
    np.testing.assert_array_equal(turn.of(1 + VALUES), whole)
    np.testing.assert_allclose(place_over(turn, other).affine3d, AFFINE, atol=1e-12)
    read, _ = Turned(other.pixels, turn).read(everything(whole.shape))
    np.testing.assert_array_equal(read[..., 0], whole)
    affine[:, 3] -= 3 * AFFINE[:, 0]  # begins before the image
    assert not turn_onto(image, image_of(VALUES, affine, **{LEAVES_OUT_PLANES: True})).fits


def test_maps_are_turned_too():
    image = Image(np.zeros((3, 4, 1)), place=Place((10.0, 0, 100, 0, -10.0, 200)))
    values = np.arange(12).reshape(3, 4)
    other = Image(values[::-1].T[..., None], place=Place((0, 10.0, 100, 10.0, 0, 170)))
    turn = turn_onto(image, Image(values.T[..., None], place=Place((0, 10.0, 100, -10.0, 0, 200))))
    assert turn.order == (1, 0)
    np.testing.assert_array_equal(turn.of(values.T), values)
    assert turn_onto(image, other).turned == (3, 4)


def test_where_one_has_no_place_nothing_is_known():
    image = image_of(VALUES, AFFINE)
    assert turn_onto(image, Image(VALUES[..., None])) is None
    assert turn_onto(image, Image(np.zeros((3, 4, 1)), place=Place((1.0, 0, 0, 0, 1.0, 0)))) is None
