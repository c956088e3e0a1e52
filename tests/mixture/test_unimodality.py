"""How many bumps samples have."""

import numpy as np
import pytest

from gmmseg.mixture.parameters import Mixture
from gmmseg.mixture.unimodality import Moments, classes_apart, line_between, samples_of, second_bump


@pytest.mark.parametrize("name", ["random", "normal", "exponential", "standard_cauchy"])
def test_one_bump_has_next_to_no_second(rng, name):
    few, many = (second_bump(getattr(rng, name)(size=n)) for n in (400, 40_000))
    assert few < 1.5 / 20
    assert many < 1.5 / 200


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
def test_a_second_bump_far_away_is_all_of_it(rng, share):
    values = rng.normal(size=10_000)
    values[: int(share * 10_000)] += 1000
    assert second_bump(values) == pytest.approx(share, abs=0.02)


def test_the_second_bump_does_not_depend_on_units(rng):
    values = rng.normal(size=2000) + 4 * (rng.random(2000) < 0.4)
    assert second_bump(-3e6 * values + 7) == pytest.approx(second_bump(values), rel=1e-6)
    assert second_bump(np.zeros(100)) == 0
    assert second_bump(np.arange(3.0)) == 0


def test_moments_of_parts_are_those_of_the_whole(rng):
    samples = (rng.normal(size=(3, 100)) + np.array([[5.0], [0], [-2]])).astype(np.float32)
    parts = [Moments.of(part) for part in (samples[:, :30], samples[:, 30:30], samples[:, 30:])]
    for group in ([0, 1, 2], [2, 0], [1, 2, 0]):
        n, mean, scatter = Moments.of_all(parts, group)
        assert n == 100
        np.testing.assert_allclose(mean, samples.mean(axis=1, dtype=float), rtol=1e-12)
        np.testing.assert_allclose(scatter, 99 * np.cov(samples.astype(float)), rtol=1e-12)
    assert Moments.of_all(parts, [1, 1])[0] == 0


def test_the_line_between_two_kinds_is_fishers(rng):
    one, two = rng.normal(size=(2, 4000)), rng.normal(size=(2, 4000)) + np.array([[4.0], [0]])
    for samples in (one, two):
        samples[1] += samples[0]  # what they have in common lies along the diagonal
    line = line_between(Moments.of(one), Moments.of(two))
    np.testing.assert_allclose(line / line[0], [1, 0], atol=0.1)  # the inverse of [[2, 2], [2, 4]] times [4, 4]


def three(d):
    """Components around 0, 1 and 12, of unit variance."""
    means = np.zeros((3, d))
    means[:, 0] = 0, 1, 12
    return Mixture(np.full(3, 1 / 3), means, np.tile(np.eye(d), (3, 1, 1)))


@pytest.mark.parametrize("d", [1, 3])
def test_components_without_a_gap_that_lie_anyhow_are_one_class(rng, d):
    mixture = three(d)
    planes = mixture.sample(6000, rng)[0].astype(np.float32)
    chance, together = np.ones((3, 3)), np.eye(3)
    noise = np.full(d, 1e-4)
    assert classes_apart(samples_of(planes, mixture, noise), 1000 * chance, 6000) == 2
    assert classes_apart(samples_of(planes, mixture, noise), 1000 * together, 6000) == 3
    planes[0, ::50] = np.nan
    assert classes_apart(samples_of(planes, mixture, noise), 1000 * chance, 6000) == 2
    # Six samples tell no gap.
    assert classes_apart(samples_of(planes, mixture, noise), 1000 * chance, 6) == 1


def test_components_of_one_field_are_one_class(rng):
    mixture = three(1)
    planes = mixture.sample(6000, rng)[0].astype(np.float32)
    asked = []

    def one_field(group):
        asked.append(sorted(group))
        return len(asked) == 1

    together, noise = 1000 * np.eye(3), np.zeros(1)
    assert classes_apart(samples_of(planes, mixture, noise), together, 6000, one_field) == 2
    assert classes_apart(samples_of(planes, mixture, noise), together, 6000, one_field) == 3
    assert asked == [[0, 1], [0, 1]]  # those without a gap


def test_grey_levels_are_no_bumps(rng):
    values = np.rint(rng.normal(0, 2, 20_000))
    mixture = Mixture(np.array([0.5, 0.5]), np.array([[-1.5], [1.5]]), np.full((2, 1, 1), 1.5))

    def apart(noise):
        return classes_apart(samples_of(values[None], mixture, np.array([noise])), np.full((2, 2), 1000), 20_000)

    assert apart(1 / 12) == 1
    assert apart(0.0) == 2
