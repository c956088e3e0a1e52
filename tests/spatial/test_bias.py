"""The bias field: polynomials, windows, and what they do to pixels."""

import numpy as np
import pytest

from gmmseg.image import Image
from gmmseg.image.sources import ArraySource
from gmmseg.image.windows import everything
from gmmseg.spatial.bias import DEGREE, BiasField, Evidence


def some_field(shape, channels=1, color=False):
    flat = BiasField.flat(Image(ArraySource(np.ones((*shape, channels), np.float32)), color=color))
    coefficients = np.random.default_rng(0).normal(0, 0.1, flat.coefficients.shape)
    for term in np.ndindex(flat.coefficients.shape[1:]):
        if sum(term) > DEGREE:
            coefficients[(slice(None), *term)] = 0
    return BiasField(coefficients, shape)


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
def test_a_window_is_a_part_of_the_whole(shape, window):
    field = some_field(shape, channels=2)
    whole = field.logarithm(everything(shape))
    np.testing.assert_array_equal(field.logarithm(window), whole[(slice(None), *window)])
    axes = tuple(np.arange(s.start, s.stop)[None] for s in window)
    np.testing.assert_allclose(field.within(axes), field.logarithm(window).reshape(2, -1), atol=1e-6)
    flat = np.arange(whole[0].size)
    np.testing.assert_allclose(field.at(field.basis(flat)), whole.reshape(2, -1), atol=1e-6)


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
    np.testing.assert_allclose(field.correct(image).array, 0.4 / field.gain()[..., None] * np.ones(3), rtol=1e-6)


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
