"""Mixture: what follows from weights, means and covariances, against scipy and the textbook."""

import numpy as np
import pytest
from mixtures import families, mixture_of
from scipy.special import logsumexp
from scipy.stats import multivariate_normal


def log_joint(mixture, planes):
    dense = mixture.family.dense(mixture.covariances, mixture.n_components, mixture.n_features)
    return np.stack(
        [
            np.log(w) + multivariate_normal(m, c).logpdf(planes.T)
            for w, m, c in zip(mixture.weights, mixture.means, dense, strict=True)
        ]
    )


@families
def test_densities_posteriors_and_classes_are_scipy_s(covariance, rng):
    mixture, planes = mixture_of(covariance), rng.normal(0, 3, (2, 200))
    joint = log_joint(mixture, planes)
    np.testing.assert_allclose(mixture.log_density(planes), logsumexp(joint, axis=0), rtol=1e-12)
    np.testing.assert_allclose(mixture.posterior(planes), np.exp(joint - logsumexp(joint, axis=0)), atol=1e-12)
    np.testing.assert_array_equal(mixture.classify(planes), joint.argmax(axis=0))
    np.testing.assert_array_equal(mixture.labels(planes), joint.argmax(axis=0) + 1)
    assert mixture.labels(planes).dtype == np.uint8


@families
def test_the_dtype_of_the_planes_is_kept(covariance, rng):
    mixture = mixture_of(covariance)
    for dtype in (np.float32, np.float64):
        planes = rng.normal(size=(2, 10)).astype(dtype)
        assert mixture.posterior(planes).dtype == dtype
        assert mixture.log_density(planes).dtype == dtype


@families
def test_selected_components_keep_their_place_and_their_ratio(covariance):
    mixture = mixture_of(covariance)
    chosen = mixture.select([2, 0])
    np.testing.assert_allclose(chosen.weights, [2 / 7, 5 / 7])
    np.testing.assert_array_equal(chosen.means, mixture.means[[2, 0]])
    assert chosen.covariances.shape == mixture.family.shape(2, 2)
    np.testing.assert_array_equal(mixture.select([0, 1, 2]).covariances, mixture.covariances)


@families
def test_a_transformed_mixture_describes_transformed_samples(covariance, rng):
    mixture, planes = mixture_of(covariance), rng.normal(0, 2, (2, 50))
    scale = np.array([3.0, 3.0]) if covariance == "spherical" else np.array([3.0, 0.25])
    shift = np.array([-5.0, 11.0])
    moved = mixture.transform(scale, shift)
    there = planes * scale[:, None] + shift[:, None]
    np.testing.assert_allclose(moved.posterior(there), mixture.posterior(planes), atol=1e-12)
    np.testing.assert_allclose(moved.log_density(there), mixture.log_density(planes) - np.log(scale).sum(), rtol=1e-11)


@families
def test_drawn_samples_have_the_mixture_s_moments(covariance):
    mixture = mixture_of(covariance)
    planes, component = mixture.sample(60_000, np.random.default_rng(0))
    dense = mixture.family.dense(mixture.covariances, 3, 2)
    assert planes.shape == (2, 60_000)
    np.testing.assert_allclose(np.bincount(component) / 60_000, mixture.weights, atol=0.01)
    for k in range(3):
        own = planes[:, component == k]
        # Four standard errors of the mean and about five of a variance, at 12 000 samples.
        np.testing.assert_allclose(own.mean(axis=1), mixture.means[k], atol=4 * np.sqrt(dense[k].max() / 12_000))
        np.testing.assert_allclose(np.cov(own), dense[k], atol=0.07 * dense[k].max())


@families
def test_criteria_are_their_formulas(covariance):
    mixture = mixture_of(covariance)
    assert mixture.bic(-123.0, 50) == pytest.approx(246 + mixture.n_parameters * np.log(50))
    assert mixture.aic(-123.0) == pytest.approx(246 + 2 * mixture.n_parameters)
