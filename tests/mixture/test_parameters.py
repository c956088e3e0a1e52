"""Mixture: what follows from weights, means and covariances, against scipy and the textbook."""

from dataclasses import replace

import numpy as np
import pytest
import sklearn.mixture
from mixtures import families, mixture_of
from scipy.integrate import quad
from scipy.special import logsumexp
from scipy.stats import multivariate_normal, norm
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline

from gmmseg import GaussianMixture, Mixture, ParameterError


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
    np.testing.assert_allclose(moved.factors, replace(moved).factors, rtol=1e-12)  # taken along, and found anew
    turned = mixture.transform(-scale, shift)
    np.testing.assert_allclose(
        turned.log_density(shift[:, None] - planes * scale[:, None]), moved.log_density(there), rtol=1e-11
    )


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


KINDS = {
    "Gaussian": {},
    "Student-t": {"dof": np.array([3.0, 8.0, 1.5])},
    "uniform": {"outlier_weight": 0.2, "outlier_ranges": np.array([20.0, 30.0]), "outlier_center": np.zeros(2)},
}


@families
@pytest.mark.parametrize("kind", KINDS)
def test_a_conditional_density_is_that_of_all_over_that_of_what_is_known(covariance, kind, rng):
    mixture = mixture_of(covariance)
    options = KINDS[kind]
    mixture = replace(mixture, weights=mixture.weights * (1 - options.get("outlier_weight", 0)), **options)
    y = np.concatenate([rng.normal(0, 3, 20), [12.0, 16.0]])
    for known in (0.7, -3.0, 11.0):
        given = mixture.conditional(np.array([known, np.nan]))
        joint = mixture.log_density(np.stack([np.full(len(y), known), y]))
        expected = joint - mixture.log_density(np.array([[known], [np.nan]]))
        np.testing.assert_allclose(given.log_density(y[None]), expected, rtol=1e-9)


@families
@pytest.mark.parametrize("kind", ["Gaussian", "Student-t"])
def test_what_is_imputed_is_the_mean_by_numerical_integration(covariance, kind):
    mixture = replace(mixture_of(covariance), **KINDS[kind])

    def density(y):
        return np.exp(mixture.log_density(np.array([[y], [1.2]])))[0]

    mass = quad(density, -np.inf, np.inf, epsabs=1e-12, limit=500)[0]
    mean = quad(lambda y: y * density(y), -np.inf, np.inf, epsabs=1e-12, limit=500)[0] / mass
    found = mixture.impute(np.array([[np.nan, 3.0, np.nan], [1.2, 4.0, np.nan]]))
    assert found[0, 0] == pytest.approx(mean, rel=1e-5)
    given = mixture.conditional(np.array([np.nan, 1.2]))
    assert found[0, 0] == pytest.approx(given.weights @ given.means[:, 0])
    np.testing.assert_allclose(found[:, 1], [3, 4])
    np.testing.assert_allclose(found[:, 2], mixture.weights @ mixture.means)
    assert mixture.impute(np.array([[np.nan], [1.2]], np.float32)).dtype == np.float32


def test_a_single_gaussian_imputes_by_linear_regression(rng):
    x = rng.normal(size=(300, 3)) @ rng.normal(size=(3, 3)) + [5, 0, -2]
    model = GaussianMixture(1, reg_covar=0).fit(x)
    slopes, *_ = np.linalg.lstsq(np.c_[np.ones(300), x[:, :2]], x[:, 2], rcond=None)
    asked = np.c_[x[:10, :2], np.full(10, np.nan)]
    np.testing.assert_allclose(model.impute(asked)[:, 2], np.c_[np.ones(10), x[:10, :2]] @ slopes)
    np.testing.assert_array_equal(model.marginal([2, 0]).means, model.means_[:, [2, 0]])
    given = model.conditional([1.0, 2.0, np.nan])
    residuals = x[:, 2] - np.c_[np.ones(300), x[:, :2]] @ slopes
    np.testing.assert_allclose(given.covariances, [[[residuals.var()]]])


@families
@pytest.mark.parametrize("kind", [GaussianMixture, sklearn.mixture.GaussianMixture])
def test_an_estimator_is_a_mixture(covariance, kind, rng):
    x = np.concatenate([rng.normal(0, 1, (100, 2)), rng.normal(5, 2, (100, 2))])
    model = kind(2, covariance_type=covariance, random_state=0).fit(x)
    np.testing.assert_allclose(Mixture.of(model).log_density(x.T), model.score_samples(x), rtol=1e-9)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: Mixture.of(GaussianMixture()), "GaussianMixture is no fitted mixture; call its fit first"),
        (lambda m: Mixture.of(make_pipeline(PCA(1)).fit(np.eye(3))), "Pipeline is no fitted mixture; give a fitted"),
        (lambda m: Mixture.of(3), "int is no fitted mixture; give a fitted GaussianMixture"),
        (lambda m: m.conditional(np.zeros(2)), "the sample lacks no feature; write NaN"),
        (lambda m: m.conditional(np.zeros(3)), r"the sample has shape \(3,\); give 2 numbers"),
    ],
)
def test_unusable_samples_and_estimators_are_refused(call, message):
    with pytest.raises(ParameterError, match=message):
        call(mixture_of("full"))


def test_without_anything_known_the_conditional_is_the_mixture():
    mixture = mixture_of("full")
    assert mixture.conditional(np.full(2, np.nan)) is mixture


@pytest.mark.parametrize("distance", [1, 3, 8])
def test_the_expected_error_is_that_of_bayes(distance):
    mixture = Mixture(np.full(2, 0.5), np.array([[0.0], [distance]]), np.ones((2, 1, 1)))
    right = norm.cdf(-distance / 2)  # each beyond the middle
    assert mixture.expected_error() == pytest.approx(right, abs=4 * np.sqrt(right / 4096))
    assert mixture.expected_error(np.ones((1, 2))) == 0
