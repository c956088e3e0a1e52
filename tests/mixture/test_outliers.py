"""Mixtures that allow for outliers: a uniform component, and Student-t distributions."""

import numpy as np
import pytest
from scipy.stats import multivariate_t

from gmmseg.errors import ParameterError
from gmmseg.mixture.em import Iteration, expectation_maximization, with_outliers
from gmmseg.mixture.parameters import Mixture

TRUE = Mixture(
    np.array([0.6, 0.4]), np.array([[0.0, 0.0], [6.0, 2.0]]), np.array([np.eye(2), [[1.0, 0.6], [0.6, 1.0]]])
)
kinds = pytest.mark.parametrize("kind", ["uniform", "student"])


def polluted(n=10_000, share=0.1, seed=0):
    """Samples of the mixture, a tenth of them replaced by gross errors to one side."""
    rng = np.random.default_rng(seed)
    planes, _ = TRUE.sample(n, rng)
    wrong = rng.random(n) < share
    planes[:, wrong] = rng.uniform(-10, 40, (2, wrong.sum()))
    return planes


@kinds
@pytest.mark.parametrize("seed", range(5))
def test_gross_errors_hardly_move_the_means(kind, seed):
    planes = polluted(seed=seed)
    robust = expectation_maximization(planes, with_outliers(TRUE, kind, planes), Iteration(max_iterations=500)).mixture
    plain = expectation_maximization(planes, TRUE, Iteration(max_iterations=500)).mixture
    assert np.abs(robust.means - TRUE.means).max() < 0.1
    assert np.abs(plain.means - TRUE.means).max() > 0.5


def test_the_share_of_outliers_is_found():
    planes = polluted()
    mixture = expectation_maximization(
        planes, with_outliers(TRUE, "uniform", planes), Iteration(tolerance=1e-6)
    ).mixture
    assert mixture.outlier_weight == pytest.approx(0.1, abs=0.01)
    assert mixture.weights.sum() + mixture.outlier_weight == pytest.approx(1)


def test_degrees_of_freedom_are_found():
    rng = np.random.default_rng(0)
    true = Mixture(np.array([0.5, 0.5]), np.array([[0.0, 0.0], [30.0, 0.0]]), np.array([np.eye(2), np.eye(2)]))
    planes = np.concatenate(
        [
            multivariate_t(m, np.eye(2), df=v).rvs(20_000, random_state=rng).T
            for m, v in zip(true.means, (3, 12), strict=True)
        ],
        axis=1,
    )
    fit = expectation_maximization(
        planes, with_outliers(true, "student", planes), Iteration(tolerance=1e-7, max_iterations=500)
    )
    np.testing.assert_allclose(fit.mixture.dof, [3, 12], rtol=0.15)
    np.testing.assert_allclose(fit.mixture.covariances, [np.eye(2)] * 2, atol=0.05)


@pytest.mark.slow
@kinds
@pytest.mark.parametrize("share", [0.0, 0.2])
@pytest.mark.parametrize("covariance", ["full", "tied", "diag", "spherical"])
def test_the_likelihood_never_falls(kind, share, covariance):
    planes = polluted(2000)
    planes[np.random.default_rng(1).random(planes.shape) < share] = np.nan
    covariances = {"full": TRUE.covariances, "tied": np.eye(2), "diag": np.ones((2, 2)), "spherical": np.ones(2)}
    start = with_outliers(Mixture(TRUE.weights, TRUE.means, covariances[covariance], covariance), kind, planes)
    history = expectation_maximization(planes, start, Iteration(tolerance=1e-5, max_iterations=1000)).history
    assert np.diff(history).min() > -1e-12


@kinds
def test_the_density_integrates_to_one(kind):
    planes = polluted()
    mixture = expectation_maximization(planes, with_outliers(TRUE, kind, planes)).mixture
    side = np.arange(-120, 160, 0.25)
    grid = np.stack(np.meshgrid(side, side)).reshape(2, -1)
    if kind == "uniform":  # within its box
        low, high = planes.min(axis=1)[:, None], planes.max(axis=1)[:, None]
        grid = grid[:, ((grid >= low) & (grid <= high)).all(axis=0)]
    assert np.exp(mixture.log_density(grid)).sum() * 0.25**2 == pytest.approx(1, abs=0.03)


def test_a_wrong_kind_is_refused():
    with pytest.raises(ParameterError, match="'cauchy' is not known; use uniform or student"):
        with_outliers(TRUE, "cauchy", polluted())


def test_student_samples_have_their_tails():
    mixture = with_outliers(Mixture(np.ones(1), np.zeros((1, 1)), np.ones((1, 1, 1))), "student", np.zeros((1, 2)))
    planes, _ = mixture.sample(200_000, np.random.default_rng(0))
    nu = mixture.dof[0]
    assert planes.var() == pytest.approx(nu / (nu - 2), rel=0.03)
