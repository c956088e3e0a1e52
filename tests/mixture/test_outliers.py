"""Mixtures that allow for outliers: a uniform component, and Student-t distributions."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import multivariate_t, t

from gmmseg.errors import ParameterError
from gmmseg.mixture import em
from gmmseg.mixture.em import Iteration, expectation_maximization, with_outliers
from gmmseg.mixture.parameters import Mixture
from gmmseg.mixture.statistics import m_step

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


def test_degrees_of_freedom_are_near_the_likeliest_where_em_stops_by_default():
    x = t(3).rvs(20_000, random_state=1)
    one = Mixture(np.ones(1), np.zeros((1, 1)), np.ones((1, 1, 1)))
    fit = expectation_maximization(x[None], with_outliers(one, "student", x[None]))
    likeliest, *_ = t.fit(x)
    assert fit.converged
    assert fit.mixture.dof[0] == pytest.approx(likeliest, abs=0.3)
    assert np.diff(fit.history).min() > 0


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
    assert np.exp(mixture.log_density(grid)).sum() * 0.25**2 == pytest.approx(1, abs=0.03)


def test_a_wrong_kind_is_refused():
    with pytest.raises(ParameterError, match="'cauchy' is not known; use uniform or student"):
        with_outliers(TRUE, "cauchy", polluted())


def test_student_samples_have_their_tails():
    mixture = with_outliers(Mixture(np.ones(1), np.zeros((1, 1)), np.ones((1, 1, 1))), "student", np.zeros((1, 2)))
    planes, _ = mixture.sample(200_000, np.random.default_rng(0))
    nu = mixture.dof[0]
    assert planes.var() == pytest.approx(nu / (nu - 2), rel=0.03)


def test_outliers_are_in_their_box_and_nowhere_else():
    planes = polluted()
    mixture = with_outliers(TRUE, "uniform", planes)
    plain = replace(mixture, outlier_ranges=None, outlier_weight=0.0)
    box = mixture.outlier_box
    np.testing.assert_allclose(box, [planes.min(axis=1), planes.max(axis=1)], atol=1e-3)
    corners = np.array([box[0], [box[0, 0], box[1, 1]], box[1], box[1] + [0, 1], box[0] - [1, 0]]).T
    inside = np.log(0.05 / np.prod(np.ptp(planes, axis=1)))
    expected = np.where([1, 1, 1, 0, 0], np.logaddexp(plain.log_density(corners), inside), plain.log_density(corners))
    np.testing.assert_allclose(mixture.log_density(corners), expected, rtol=1e-9)
    alone = np.array([[np.nan, np.nan], [box[1, 1] - 1, box[1, 1] + 1]])
    marginal = plain.marginal(np.array([1])).log_density(alone[1:])
    density = np.log(0.05 / np.ptp(planes[1]))
    np.testing.assert_allclose(mixture.log_density(alone), [np.logaddexp(marginal[0], density), marginal[1]], rtol=1e-9)


def test_outliers_are_drawn_in_their_box():
    planes = polluted()
    mixture = with_outliers(TRUE, "uniform", planes).transform(np.array([2.0, -3.0]), np.array([100.0, 5.0]))
    drawn, components = mixture.sample(20_000, np.random.default_rng(0))
    outliers = drawn[:, components == -1]
    assert outliers.shape[1] == pytest.approx(1000, rel=0.1)
    low, high = mixture.outlier_box[:, :, None]
    assert ((outliers >= low) & (outliers <= high)).all()
    np.testing.assert_allclose(
        outliers.mean(axis=1), mixture.outlier_center, atol=0.05 * np.ptp(outliers, axis=1).min()
    )
    np.testing.assert_array_equal(components[-outliers.shape[1] :], -1)
    plain, _ = TRUE.sample(100, np.random.default_rng(1))
    np.testing.assert_array_equal(replace(TRUE, outlier_weight=0.0).sample(100, np.random.default_rng(1))[0], plain)


def test_a_box_without_a_middle_is_about_the_mean():
    mixture = replace(TRUE, outlier_weight=0.1, outlier_ranges=np.array([4.0, 6.0]))
    np.testing.assert_allclose(mixture.outlier_center, [2.4, 0.8])


def test_a_step_that_goes_too_far_is_taken_again(monkeypatch):
    """Steps of degrees of freedom go where a Student-t's would lie: of other samples the likelihood may fall."""
    steps = []

    def too_far(*args, surely, **given):
        steps.append(surely)
        mixture = m_step(*args, surely=surely, **given)
        return mixture if surely or len(steps) % 4 else replace(mixture, dof=np.full_like(mixture.dof, 500.0))

    planes = np.random.default_rng(0).standard_t(2, (1, 500))
    start = with_outliers(Mixture(np.ones(1), np.zeros((1, 1)), np.ones((1, 1, 1))), "student", planes)
    plain = expectation_maximization(planes, start, Iteration(1e-8, 500))
    monkeypatch.setattr(em, "m_step", too_far)
    fit = expectation_maximization(planes, start, Iteration(1e-8, 500))
    assert True in steps
    assert np.diff(fit.history).min() > -1e-9
    assert fit.remarks == ()
    assert fit.history[-1] == pytest.approx(plain.history[-1], abs=1e-5)
