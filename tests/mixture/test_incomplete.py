"""Samples each of which lacks features of its own: what they say is what their patterns say."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal, multivariate_t

from gmmseg.mixture import incomplete
from gmmseg.mixture.em import Iteration, expectation_maximization, with_box
from gmmseg.mixture.parameters import Mixture
from gmmseg.mixture.patterns import SortedSamples
from gmmseg.mixture.statistics import measure

KINDS = {
    "gauss": {},
    "student": {"dof": np.array([3.0, 8.0, 20.0])},
    "uniform": {"outlier_weight": 0.1, "outlier_ranges": np.full(12, 12.0), "outlier_center": np.zeros(12)},
}


def scattered(d=12, n=700, covariance="full", **further):
    """A mixture of three components, and samples of it, 30 % of whose numbers are missing."""
    rng = np.random.default_rng([d, n])
    roots = rng.normal(size=(3, d, d)) * 0.3 + np.eye(d)
    dense = roots @ np.swapaxes(roots, 1, 2)
    covariances = {
        "full": dense,
        "tied": dense[0],
        "diag": np.diagonal(dense, axis1=1, axis2=2).copy(),
        "spherical": np.array([1.0, 2.0, 3.0]),
    }[covariance]
    mixture = Mixture(np.array([0.2, 0.3, 0.5]), rng.normal(0, 2, (3, d)), covariances, covariance, **further)
    planes = mixture.sample(n, rng)[0][:, rng.permutation(n)]
    planes[rng.random(planes.shape) < 0.3] = np.nan
    planes[:, 5] = np.nan
    return mixture, planes


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("covariance", ["full", "tied", "diag", "spherical"])
@pytest.mark.parametrize("noise", [None, np.linspace(0.01, 0.3, 12)], ids=["exact", "noisy"])
def test_sums_are_those_of_the_patterns(covariance, kind, noise, monkeypatch):
    monkeypatch.setattr(incomplete, "_CHUNK", 300)
    mixture, planes = scattered(covariance=covariance, **KINDS[kind])
    weights = np.random.default_rng(1).random(700)
    log_prior = np.log(np.random.default_rng(2).dirichlet(np.ones(3 + (kind == "uniform")), 700)).T.copy()
    samples = SortedSamples.of(planes, weights, log_prior)
    assert samples.scattered.planes.shape[1] > 500
    found = measure(samples, mixture, noise=noise)
    exact = measure(SortedSamples.of(planes, weights, log_prior, by_pattern=True), mixture, noise=noise)
    assert found.log_likelihood == pytest.approx(exact.log_likelihood, rel=1e-12)
    assert found.outliers == pytest.approx(exact.outliers, rel=1e-10)
    assert found.weight == pytest.approx(exact.weight, rel=1e-12)
    for name in ("counts", "first", "second", *(("mass", "tails") if kind == "student" else ())):
        wanted = getattr(exact, name)
        np.testing.assert_allclose(getattr(found, name), wanted, rtol=1e-10, atol=1e-12 * np.abs(wanted).max())


def test_features_that_hardly_differ_are_left_to_patterns():
    mixture, planes = scattered(n=200)
    assert incomplete.workable(mixture.densities)
    assert not incomplete.workable(
        Mixture(np.ones(1), np.zeros((1, 2)), np.array([[[1, 1], [1, 1 + 1e-12]]])).densities
    )
    flat = mixture.covariances.copy()
    flat[1, :, 0], flat[1, 0] = flat[1, :, 1], flat[1, 1]
    flat[1, 0, 0] += 1e-12
    planes[0] = planes[1]
    planes[0, ::3] = np.nan
    nearly = Mixture(mixture.weights, mixture.means, flat)
    samples = SortedSamples.of(planes)
    assert samples.scattered is not None
    found, exact = measure(samples, nearly), measure(SortedSamples.of(planes, by_pattern=True), nearly)
    assert found.log_likelihood == pytest.approx(exact.log_likelihood, rel=1e-12)
    np.testing.assert_allclose(found.second, exact.second, rtol=1e-9, atol=1e-9)
    filled = nearly.impute(planes)
    assert np.isfinite(filled).all()


def test_sums_of_float32_are_about_the_origins():
    mixture, planes = scattered(n=300)
    planes = planes[:, np.isnan(planes).any(axis=0)]  # complete samples are summed up in float32
    mixture = mixture.transform(np.ones(12), np.full(12, 1000.0))
    found = measure(SortedSamples.of((planes + 1000).astype(np.float32)), mixture)
    exact = measure(SortedSamples.of((planes + 1000).astype(np.float32).astype(float), by_pattern=True), mixture)
    shift = exact.origins - found.origins
    assert np.abs(shift).max() > 1e-6
    first = exact.first + exact.counts[:, None] * shift
    np.testing.assert_allclose(found.first, first, rtol=1e-9, atol=1e-9)
    crossed = exact.first[:, :, None] * shift[:, None]
    second = exact.second + crossed + np.swapaxes(crossed, 1, 2)
    second += exact.counts[:, None, None] * shift[:, :, None] * shift[:, None]
    np.testing.assert_allclose(found.second, second, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_posteriors_are_those_of_the_known_features(kind):
    mixture, planes = scattered(
        17, 40, **{name: np.resize(v, 17) if name != "dof" and np.ndim(v) else v for name, v in KINDS[kind].items()}
    )
    soft, density, labels = mixture.posterior(planes), mixture.log_density(planes), mixture.labels(planes)
    for i in np.flatnonzero(~np.isnan(planes).all(axis=0)):
        o = ~np.isnan(planes[:, i])
        joint = []
        for j, (mean, scale) in enumerate(zip(mixture.means, mixture.covariances, strict=True)):
            some = mean[o], scale[np.ix_(o, o)]
            law = multivariate_normal(*some) if mixture.dof is None else multivariate_t(*some, mixture.dof[j])
            joint.append(np.log(mixture.weights[j]) + law.logpdf(planes[o, i]))
        outside = (np.abs(planes[o, i]) > 6).any() or kind != "uniform"
        uniform = [] if outside else [np.log(0.1) - o.sum() * np.log(12)]
        assert density[i] == pytest.approx(np.logaddexp.reduce(joint + uniform), rel=1e-10)
        np.testing.assert_allclose(soft[:, i], np.exp(joint - np.logaddexp.reduce(joint)), rtol=1e-8, atol=1e-300)
        assert labels[i] == 1 + np.argmax(joint)
    assert labels[5] == 0
    assert density[5] == 0
    np.testing.assert_allclose(soft[:, 5], mixture.weights / mixture.weights.sum())


@pytest.mark.parametrize("kind", [None, "student", "uniform"])
def test_the_likelihood_never_falls(kind):
    mixture, planes = scattered(n=400)
    start = Mixture(np.full(3, 1 / 3), mixture.means + 0.5, np.stack([np.eye(12)] * 3))
    if kind == "student":
        start = Mixture(start.weights, start.means, start.covariances, dof=np.full(3, 8.0))
    elif kind == "uniform":
        start = with_box(Mixture(start.weights * 0.9, start.means, start.covariances, outlier_weight=0.1), planes)
    history = expectation_maximization(planes, start, Iteration(tolerance=0, max_iterations=30)).history
    assert len(history) == 30
    assert np.diff(history).min() > -1e-12


@pytest.mark.parametrize("covariance", ["full", "diag"])
def test_what_is_missing_is_imputed_by_the_conditional_mean(covariance):
    mixture, planes = scattered(n=60, covariance=covariance)
    filled = mixture.impute(planes)
    np.testing.assert_array_equal(filled[~np.isnan(planes)], planes[~np.isnan(planes)])
    for i in np.flatnonzero(np.isnan(planes).any(axis=0) & ~np.isnan(planes).all(axis=0)):
        given = mixture.conditional(planes[:, i])
        np.testing.assert_allclose(filled[np.isnan(planes[:, i]), i], given.weights @ given.means, rtol=1e-8)
    np.testing.assert_allclose(filled[:, 5], mixture.weights @ mixture.means)
