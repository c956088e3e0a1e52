"""What rounding took from numbers of 8 bits, and how features change with them and between pixels: in both kernels."""

import numpy as np
import pytest
from implementations import both

from gmmseg.kernels import reference


def levels(rng, kind):
    """Numbers (n, 3) of 8 bits."""
    n = 20_000
    found = {
        "photograph": lambda: rng.normal((90, 120, 200), (30, 5, 40), (n, 3)),
        "stretched": lambda: np.rint(rng.normal(60, 20, (n, 3))) * 2.3,
        "few": lambda: rng.choice([0, 7, 9, 200], (n, 3)),
        "one": lambda: np.full((n, 3), 7),
        "eight": lambda: rng.choice(np.arange(8) ** 2, (n, 3)),
        "in steps, some changed": lambda: np.where(
            rng.random((n, 3)) < 0.05, rng.integers(0, 256, (n, 3)), 8 * rng.integers(0, 32, (n, 3))
        ),
        "in steps but for 1": lambda: 9 * rng.integers(0, 28, (n, 3)) + rng.integers(-1, 2, (n, 3)),
        "background": lambda: np.where(rng.random((n, 3)) < 0.6, 0, rng.normal(180, 15, (n, 3))),
    }[kind]()
    return np.rint(found).clip(0, 255).astype(np.uint8)


KINDS = (
    "photograph",
    "stretched",
    "few",
    "one",
    "eight",
    "in steps, some changed",
    "in steps but for 1",
    "background",
)


@both
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("k", [1, 4, 8])
def test_what_rounding_took(kernel, rng, kind, k):
    values = levels(rng, kind)
    values.flags.writeable = False
    np.testing.assert_array_equal(kernel.rounding(values, k), reference.rounding(values, k))
    part = values[::3, ::-1]
    np.testing.assert_array_equal(kernel.rounding(part, k), reference.rounding(part, k))


@both
def test_the_width_of_steps(kernel, rng):
    steps = kernel.rounding(levels(rng, "in steps, some changed"), 1) * 12
    np.testing.assert_allclose(steps, 64, rtol=0.02)
    np.testing.assert_array_equal(kernel.rounding(np.uint8([[0, 7], [200, 7]]), 1), [1 / 12, 0])


@both
def test_slopes_of_lines_are_what_they_are(kernel, rng):
    matrix, at = rng.normal(size=(4, 3)), rng.normal(size=(3, 37))
    below, above = rng.uniform(0.1, 1, (2, 3, 37))
    planes = np.empty((4, 2, 3, 37), np.float32)
    for c in range(3):
        for side, by in enumerate((-below, above)):
            moved = at.copy()
            moved[c] += by[c]
            planes[:, side, c] = matrix @ moved
    mixing = rng.normal(size=(2, 3))
    found = kernel.squared_slopes(planes, below + above, mixing)
    expected = np.concatenate([matrix.T**2, (mixing @ matrix.T) ** 2])
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    np.testing.assert_array_equal(kernel.squared_slopes(planes, below + above, mixing[:0]), found[:3])


@both
@pytest.mark.parametrize("n", [0, 1, 7, 8, 100])
def test_slopes_that_are_not_known_are_left_out(kernel, rng, n):
    planes = rng.normal(size=(2, 2, 3, n)).astype(np.float32)
    planes[rng.random(planes.shape) < 0.3] = np.nan
    widths, mixing = rng.uniform(1, 2, (3, n)), rng.normal(size=(3, 3))
    for each in (planes, widths, mixing):
        each.flags.writeable = False
    found = kernel.squared_slopes(planes, widths, mixing)
    slopes = (planes[:, 1] - planes[:, 0]) / widths
    for c in range(3):
        for f in range(2):
            known = slopes[f, c][~np.isnan(slopes[f, c])]
            assert found[c, f] == pytest.approx((known**2).mean() if known.size else 0)
    np.testing.assert_allclose(found, reference.squared_slopes(planes, widths, mixing), rtol=1e-12)


@both
def test_the_mean_cosine_of_phases(kernel, rng):
    values, factors = levels(rng, "photograph"), rng.normal(size=3)
    values.flags.writeable = factors.flags.writeable = False
    found = kernel.mean_cosine(values[::3, ::-1], factors)
    assert found == pytest.approx(np.cos(2 * np.pi * (values[::3, ::-1] @ factors)).mean(), abs=1e-10)
    assert kernel.mean_cosine(np.uint8([[4, 8, 0], [0, 4, 0]]), np.array([0.25, 0.125, 0.5])) == pytest.approx(0)
    assert kernel.mean_cosine(np.uint8([[4, 8, 3]]), np.array([0.25, 0.125, 0.5])) == pytest.approx(-1)


@both
def test_channels_step_by_one_but_not_out_of_their_range(kernel):
    moved, widths = kernel.stepped(np.uint8([[0, 7], [255, 20]]))
    assert moved.dtype == np.uint8
    np.testing.assert_array_equal(moved[0], [[[0, 7], [254, 20]], [[0, 6], [255, 19]]])
    np.testing.assert_array_equal(moved[1], [[[1, 7], [255, 20]], [[0, 8], [255, 21]]])
    np.testing.assert_array_equal(widths, [[1, 1], [2, 2]])


@both
def test_steps_of_every_third_sample(kernel, rng):
    values = levels(rng, "background")
    values.flags.writeable = False
    for found, expected in zip(kernel.stepped(values[::3]), reference.stepped(values[::3]), strict=True):
        np.testing.assert_array_equal(found, expected)


@both
def test_squared_changes_from_pixel_to_pixel(kernel):
    planes = np.float32([[0, 3, 7, 7], [1, 1, np.nan, -np.inf]])
    planes.flags.writeable = False
    places = np.array([[0, 1, 2, 3], [1, 2, 3, 3], [2, 3, 0, 1]])
    usable = np.array([[True, True, True, False], [True, True, False, False]])
    largest = float(np.finfo(np.float32).max)
    found = kernel.squared_changes(planes, places, usable)
    np.testing.assert_allclose(found, [9 + 16 + 0 + 49 + 16, largest**2], rtol=1e-6)


@both
@pytest.mark.parametrize("n", [0, 1, 9, 1000])
def test_squared_changes_are_those_of_the_reference(kernel, rng, n):
    planes = rng.normal(size=(3, 2000)).astype(np.float32)[:, ::2]
    places, usable = rng.integers(0, 1000, (4, n)), rng.random((3, n)) < 0.8
    expected = reference.squared_changes(planes, places, usable)
    np.testing.assert_allclose(kernel.squared_changes(planes, places, usable), expected, rtol=1e-12)
