"""The bias field: polynomials, windows, and what they do to pixels."""

import numpy as np
import pytest

from gmmseg.image import Image
from gmmseg.image.sources import ArraySource
from gmmseg.image.windows import everything
from gmmseg.spatial.bias import DEGREE, BiasField, Evidence, _weighted_products


def some_field(shape, channels=1, color=False, linear=False):
    flat = BiasField.flat(Image(ArraySource(np.ones((*shape, channels), np.float32)), color=color))
    coefficients = np.random.default_rng(0).normal(0, 0.1, flat.coefficients.shape)
    for term in np.ndindex(flat.coefficients.shape[1:]):
        if sum(term) > DEGREE:
            coefficients[(slice(None), *term)] = 0
    if linear:
        coefficients *= 0.1
        coefficients.reshape(len(coefficients), -1)[:, 0] = 1
    return BiasField(coefficients, shape, linear=linear)


def test_a_flat_field_changes_nothing():
    image = Image(np.arange(24.0, dtype=np.float32).reshape(4, 6, 1))
    np.testing.assert_array_equal(BiasField.flat(image).correct(image).array, image.array)


@pytest.mark.parametrize(("channels", "color", "gains"), [(1, False, 1), (3, True, 1), (4, False, 4)])
def test_colour_has_one_gain_and_bands_one_each(channels, color, gains):
    image = Image(np.ones((5, 6, channels), np.float32), color=color)
    assert len(BiasField.flat(image).coefficients) == gains


@pytest.mark.parametrize(
    ("shape", "window"),
    [
        ((40, 50), (slice(7, 23), slice(33, 50))),
        ((9, 20, 31), (slice(3, 4), slice(0, 19), slice(5, 30))),
        ((300,), (slice(17, 80),)),
        ((2, 50), (slice(1, 2), slice(3, 9))),
    ],
)
@pytest.mark.parametrize("linear", [False, True])
def test_a_window_is_a_part_of_the_whole(shape, window, linear):
    field = some_field(shape, channels=2, linear=linear)
    whole = field.logarithm(everything(shape))
    np.testing.assert_array_equal(field.logarithm(window), whole[(slice(None), *window)])
    axes = tuple(np.arange(s.start, s.stop)[None] for s in window)
    np.testing.assert_allclose(field.within(axes), field.logarithm(window).reshape(2, -1), atol=1e-6)
    flat = np.arange(whole[0].size)
    np.testing.assert_allclose(field.at(field.basis(flat)), whole.reshape(2, -1), atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "sides"), [((300,), (40,)), ((40, 50), (8, 16)), ((9, 30, 31), (4, 7, 7)), ((3, 40, 2), (3, 30, 2))]
)
def test_windows_side_by_side_are_what_each_is_alone(shape, sides, rng):
    field = some_field(shape, channels=2)
    whole = field.logarithm(everything(shape))
    axes = tuple(rng.integers(0, n - side + 1, (5, 1)) + np.arange(side) for n, side in zip(shape, sides, strict=True))
    found = field.within(axes).reshape(2, 5, *sides)
    for number in range(5):
        window = tuple(slice(along[number, 0], along[number, -1] + 1) for along in axes)
        np.testing.assert_allclose(found[:, number], whole[(slice(None), *window)], atol=1e-6)


def test_blocks_are_an_eighth_of_each_axis_and_numbered_without_gaps():
    field = some_field((40, 16), channels=1)
    z, y = np.divmod(np.arange(640), 16)
    np.testing.assert_array_equal(field.blocks(np.arange(640)), z // 5 * 8 + y // 2)
    few = np.array([639, 0, 17, 322])
    np.testing.assert_array_equal(field.blocks(few), [2, 0, 0, 1])
    assert len(field.blocks(np.zeros(0, np.intp))) == 0


def test_polynomials_have_unit_variance_and_no_mean():
    basis = BiasField.flat(Image(np.ones((200, 300, 1)))).basis(np.arange(200 * 300)).astype(np.float64)
    np.testing.assert_allclose(basis @ basis.T / basis.shape[1], np.eye(len(basis)), atol=2e-3)
    np.testing.assert_allclose(basis.mean(axis=1), 0, atol=2e-3)


def test_correcting_divides_by_the_gain():
    field = some_field((30, 40), channels=2)
    image = Image(np.random.default_rng(1).uniform(1, 2, (30, 40, 2)).astype(np.float32))
    np.testing.assert_allclose(field.correct(image).array * field.gain(), image.array, rtol=1e-6)
    part = image.crop((slice(4, 20), slice(9, 31)))
    np.testing.assert_array_equal(field.correct(part).array, field.correct(image).array[4:20, 9:31])


def test_colour_of_integers_is_corrected_in_0_to_1():
    field = some_field((30, 40), 3, color=True)
    image = Image(np.full((30, 40, 3), 102, np.uint8), color=True)
    found = field.correct(image)
    np.testing.assert_allclose(found.array, 0.4 / field.gain()[..., None] * np.ones(3), rtol=1e-6)
    assert found.stored == field.correct(found).stored == np.uint8


def test_scoring_finds_a_least_squares_fit():
    """With a quadratic objective one step is the whole way."""
    image = Image(np.ones((40, 60, 1)))
    flat, flats = BiasField.flat(image), np.arange(0, 2400, 3)
    basis = flat.basis(flats)
    target = np.random.default_rng(2).normal(0, 0.2, len(basis)) @ basis
    target -= target.mean()

    def objective(field):
        return -0.5e6 * float(((field.at(basis)[0] - target) ** 2).sum())

    evidence = Evidence(basis, 1e6 * target, np.full(len(target), 1e6), objective)
    found = flat.ascend(0, evidence)
    np.testing.assert_allclose(found.at(basis)[0], target, atol=1e-3)
    low = flat.ascend(0, evidence, degree=1)
    assert {sum(term) for term in np.argwhere(low.coefficients[0])} <= {0, 1}
    assert flat.ascend(0, Evidence(basis, -target, np.ones(len(target)), objective)) is flat


def least_squares(basis, target, weight):
    """Evidence of logarithms (n,) of a gain that are known."""

    def evidence(field):
        left = target - field.at(basis)[0]
        return Evidence(
            basis, weight * left, np.full(len(target), weight), lambda other: -0.5 * weight * squares(other)
        )

    def squares(field):
        return float(((field.at(basis)[0] - target) ** 2).sum())

    return evidence


def test_a_gain_that_is_a_polynomial_is_found_exactly():
    """Its logarithm is none: of degree 4 it misses this vignette by more than a hundredth."""
    flat = BiasField.flat(Image(np.ones((40, 60, 1))))
    y, x = np.meshgrid(np.linspace(-1, 1, 40), np.linspace(-1, 1, 60), indexing="ij")
    basis, target = flat.basis(np.arange(2400)), np.log(1 - 0.3 * (x**2 + y**2)).ravel()
    target -= target.mean()
    evidence, field = least_squares(basis, target, 1e6), flat
    for _ in range(3):
        field = field.ascend(0, evidence(field))
    missed = np.abs(field.at(basis)[0] - target).max()
    assert missed > 0.01
    straight = field.straight(basis, np.ones((1, 2400), bool), degree=2)
    assert np.abs(straight.at(basis)[0] - target).max() < 2 * missed
    for _ in range(5):
        straight = straight.ascend(0, evidence(straight), degree=2)
    found = straight.at(basis)[0]
    np.testing.assert_allclose(found, target, atol=1e-4)
    assert abs(found.mean(dtype=np.float64)) < 1e-6
    np.testing.assert_allclose(straight.gain(), np.exp(found).reshape(40, 60), rtol=1e-6)


def test_a_straight_field_is_near_where_a_gain_is_seen():
    """The middle of the polynomials may lie far from there, where they are below 0."""
    flat = BiasField.flat(Image(np.ones((50, 50, 1))))
    coefficients = flat.coefficients.copy()
    coefficients[0, 0, 1], coefficients[0, 1, 0] = 0.4, -0.3
    field, basis = BiasField(coefficients, (50, 50)), flat.basis(np.arange(2500))
    seen = np.zeros((50, 50), bool)
    seen[35:, 30:] = True
    straight = field.straight(basis, seen.reshape(1, -1))
    difference = (straight.at(basis) - field.at(basis))[0][seen.ravel()]
    assert np.ptp(difference) < 1e-3


def test_limits_hold_wherever_a_gain_is_asked_for():
    field = BiasField(some_field((30, 40)).coefficients * 5, (30, 40), (-0.2, 0.3))
    axes = tuple(np.arange(n)[None] for n in field.shape)
    for found in (field.logarithm(everything(field.shape)), field.within(axes)):
        np.testing.assert_allclose([found.min(), found.max()], [-0.2, 0.3], rtol=1e-6)


@pytest.mark.parametrize("signs", [(1,), (-1,), (1, -1, 1)])
def test_products_of_any_number_of_planes_may_have_weights_below_0(signs):
    """Curvatures of a likelihood are, where pixels lie between classes; statistics of many features take roots."""
    rng = np.random.default_rng(0)
    planes, center = rng.normal(size=(34, 300)).astype(np.float32), rng.normal(size=34)
    weights = rng.random(300) * np.resize(signs, 300)
    centred = planes - center[:, None]
    np.testing.assert_allclose(
        _weighted_products(planes, center, weights, 1), (centred * weights) @ centred.T, atol=2e-3
    )
