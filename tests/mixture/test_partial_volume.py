"""Mixtures of two classes beside the pure ones: fractions sum to 1, and the pure classes are found again."""

import numpy as np
import pytest

from gmmseg.mixture.parameters import Mixture
from gmmseg.mixture.partial_volume import fit_mixed, steps_between


def _values(n=60_000, noise=0.05, seed=0):
    rng = np.random.default_rng(seed)
    share = np.concatenate([np.zeros(n // 3), np.ones(n // 3), rng.uniform(size=n // 3)])
    return np.float32(0.2 + 0.6 * share + rng.normal(0, noise, len(share)))[None], share


def _start():
    return Mixture(np.array([0.5, 0.5]), np.array([[0.3], [0.7]]), np.full((2, 1, 1), 0.02))


def test_classes_mix_with_those_that_follow_them():
    fractions = steps_between(np.array([2, 0, 1]))
    np.testing.assert_allclose(fractions.sum(axis=0), 1)
    assert ((fractions > 0).sum(axis=0) <= 2).all()
    assert not ((fractions[2] > 0) & (fractions[1] > 0)).any()


def test_pure_classes_and_their_noise_are_found_among_mixed_samples():
    planes, _ = _values()
    found, fractions = fit_mixed(_start(), planes, None, noise=np.zeros(1))
    np.testing.assert_allclose(found.means[:2, 0], [0.2, 0.8], atol=0.005)
    np.testing.assert_allclose(np.sqrt(found.covariances[:2, 0, 0]), 0.05, atol=0.003)
    np.testing.assert_allclose(found.weights.sum(), 1, atol=1e-9)
    np.testing.assert_allclose(found.weights[2:].sum(), 1 / 3, atol=0.02)
    expected = fractions @ found.posterior(planes)
    np.testing.assert_allclose(expected[1].mean(), 0.5, atol=0.005)


def test_the_order_of_the_samples_says_nothing():
    planes, _ = _values(3000)
    one, _ = fit_mixed(_start(), planes, None, noise=np.zeros(1))
    two, _ = fit_mixed(_start(), np.ascontiguousarray(planes[:, ::-1]), None, noise=np.zeros(1))
    assert one.means.tobytes() == two.means.tobytes()


def test_a_weight_counts_as_so_many_samples():
    planes, _ = _values(3000)
    weights = np.tile(np.float32([1, 2]), planes.shape[1] // 2)
    one, _ = fit_mixed(_start(), planes, weights, noise=np.zeros(1))
    two, _ = fit_mixed(_start(), np.repeat(planes, weights.astype(int), axis=1), None, noise=np.zeros(1))
    np.testing.assert_allclose(one.means, two.means, atol=1e-3)


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_two_features_and_their_noise_are_found_too(noise):
    rng = np.random.default_rng(1)
    share = np.concatenate([np.zeros(4000), np.ones(4000), rng.uniform(size=4000)])
    planes = np.float32(np.stack([share, 2 - 3 * share]) + rng.normal(0, 0.1, (2, len(share))))
    start = Mixture(np.array([0.5, 0.5]), np.array([[0.2, 1.4], [0.8, -0.4]]), np.tile(0.1 * np.eye(2), (2, 1, 1)))
    found, _ = fit_mixed(start, planes, None, noise=np.full(2, noise))
    np.testing.assert_allclose(found.means[:2], [[0, 2], [1, -1]], atol=0.03)
    least = 0.01 if noise < 0.01 else noise
    np.testing.assert_allclose(np.diag(found.covariances[0]), least, rtol=0.1)


def test_equal_samples_give_a_usable_mixture():
    found, _ = fit_mixed(_start(), np.full((1, 50), 0.5, np.float32), None, noise=np.zeros(1))
    assert np.isfinite(found.means).all()
    assert np.isfinite(found.posterior(np.float32([[0.5]]))).all()
