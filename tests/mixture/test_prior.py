"""What is known beforehand: conjugate priors, frozen components, prior probabilities of each sample."""

import numpy as np
import pytest

from gmmseg.errors import ParameterError
from gmmseg.mixture.em import Iteration, expectation_maximization
from gmmseg.mixture.parameters import Mixture
from gmmseg.mixture.prior import Prior

START = Mixture(
    np.array([0.5, 0.5]), np.array([[0.0, 0.0], [3.0, 1.0]]), np.array([np.eye(2), [[1.0, 0.5], [0.5, 2.0]]])
)
families = pytest.mark.parametrize("covariance", ["full", "tied", "diag", "spherical"])


def of_family(covariance):
    covariances = {"full": START.covariances, "tied": np.eye(2), "diag": np.ones((2, 2)), "spherical": np.ones(2)}
    return Mixture(START.weights, START.means, covariances[covariance], covariance)


def samples(n=400, seed=0):
    planes, labels = START.sample(n, np.random.default_rng(seed))
    return planes + np.array([[0.7], [-0.4]]), labels


@families
def test_the_posterior_never_falls(covariance):
    start = of_family(covariance)
    fit = expectation_maximization(samples()[0], start, Iteration(tolerance=1e-10), prior=Prior(start, 10, 20, 30))
    assert np.diff(fit.history).min() > -1e-12


@families
def test_its_highest_point_is_found(covariance):
    """No small step from the result gains anything."""
    start, planes = of_family(covariance), samples()[0]
    prior = Prior(start, 10, 20, 30)
    fit = expectation_maximization(planes, start, Iteration(tolerance=1e-13, max_iterations=5000), prior=prior)

    def objective(mixture):
        return mixture.log_density(planes).sum() + prior.log_density(mixture)

    best, rng = objective(fit.mixture), np.random.default_rng(0)
    for _ in range(200):
        weights = fit.mixture.weights * np.exp(rng.normal(0, 1e-3, 2))
        scale = np.exp(rng.normal(0, 1e-3))
        moved = Mixture(
            weights / weights.sum(),
            fit.mixture.means + rng.normal(0, 1e-3, (2, 2)),
            fit.mixture.covariances * scale,
            covariance,
        )
        assert objective(moved) < best


def test_strength_counts_in_samples():
    """With one component and n samples, strength n puts the result halfway."""
    planes = samples(300)[0]
    own = Mixture(np.ones(1), np.array([[10.0, 10.0]]), np.eye(2)[None])
    mean = planes.mean(axis=1)
    mixture = expectation_maximization(planes, own, prior=Prior(own, 0, 300, 0)).mixture
    np.testing.assert_allclose(mixture.means[0], (mean + 10) / 2, rtol=1e-10)
    mixture = expectation_maximization(planes, own, prior=Prior(own, 0, 0, 300)).mixture
    np.testing.assert_allclose(mixture.covariances[0], (np.cov(planes, bias=True) + np.eye(2)) / 2, rtol=1e-10)


def test_an_endless_strength_keeps_the_prior_and_none_changes_nothing():
    planes = samples()[0]
    held = expectation_maximization(planes, START, prior=Prior(START, 1e9, 1e9, 1e9)).mixture
    np.testing.assert_allclose(held.means, START.means, atol=1e-5)
    np.testing.assert_allclose(held.covariances, START.covariances, atol=1e-4)
    free = expectation_maximization(planes, START, prior=Prior(START)).mixture
    plain = expectation_maximization(planes, START).mixture
    np.testing.assert_allclose(free.means, plain.means, rtol=1e-12)


@pytest.mark.parametrize("covariance", ["full", "diag", "spherical"])
def test_frozen_components_stay_to_the_bit(covariance):
    start = of_family(covariance)
    mixture = expectation_maximization(
        samples()[0], start, Iteration(tolerance=1e-8, max_iterations=1000), frozen=(1,)
    ).mixture
    np.testing.assert_array_equal(mixture.means[1], start.means[1])
    np.testing.assert_array_equal(mixture.covariances[1], start.covariances[1])
    assert np.abs(mixture.means[0] - start.means[0]).max() > 0.05


def test_a_common_covariance_cannot_be_frozen():
    with pytest.raises(ParameterError, match="frozen"):
        expectation_maximization(samples()[0], of_family("tied"), frozen=(0,))


def test_certain_samples_decide_their_components():
    planes, labels = samples()
    log_prior = np.where(np.arange(2)[:, None] == labels, 0.0, -1e6)
    mixture = expectation_maximization(planes, START, Iteration(tolerance=1e-12), log_prior=log_prior).mixture
    for k in range(2):
        np.testing.assert_allclose(mixture.means[k], planes[:, labels == k].mean(axis=1), rtol=1e-9)


def test_a_component_without_samples_is_kept_where_it_has_a_meaning():
    planes = samples()[0]
    start = Mixture(np.full(3, 1 / 3), np.vstack([START.means, [[900.0, 900.0]]]), np.stack([np.eye(2)] * 3))
    mixture = expectation_maximization(planes, start, log_prior=np.zeros((3, planes.shape[1]))).mixture
    assert mixture.n_components == 3
    np.testing.assert_array_equal(mixture.means[2], start.means[2])


@pytest.mark.parametrize("strength", [-1, np.nan, np.inf, "x", [], [1, 2, 3], None, 10**400])
def test_strengths_are_numbers_of_samples(strength):
    expected = Mixture(np.full(2, 0.5), np.zeros((2, 1)), np.ones((2, 1, 1)))
    with pytest.raises(
        ParameterError, match="^mean_strength=.* is not usable; give a number of samples, or one for each"
    ):
        Prior(expected, mean_strength=strength)
    with pytest.raises(ParameterError, match="^mixture is of type int; give a gmmseg.Mixture$"):
        Prior(3, mean_strength=1)
