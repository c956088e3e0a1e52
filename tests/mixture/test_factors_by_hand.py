"""GaussianMixture put together by hand: any P with P P^T the precision is a factor of it, triangular or not."""

import numpy as np
import pytest
from scipy.stats import ortho_group
from sklearn.mixture import GaussianMixture as Oracle

from gmmseg import GaussianMixture
from gmmseg.mixture.covariance import factors_of_precisions

D, K = 4, 3
families = pytest.mark.parametrize("covariance", ["full", "tied"])
dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def put_together(cls, covariance, upper, factor):
    """A mixture of this class that holds the factor, and the covariance that its triangular twin stands for."""
    rng, model = np.random.default_rng(0), cls(K, covariance_type=covariance)
    model.weights_, model.means_ = np.array([0.5, 0.3, 0.2]), rng.normal(0, 2, (K, D))
    model.precisions_cholesky_ = factor
    model.covariances_ = np.linalg.inv(upper @ np.swapaxes(upper, -1, -2))
    return model


def upper_factors(covariance):
    shape = (D, D) if covariance == "tied" else (K, D, D)
    rng = np.random.default_rng(1)
    return np.triu(rng.normal(0, 0.5, shape), 1) + np.eye(D) * rng.uniform(0.5, 2, shape)


def rotated(upper):
    turns = ortho_group.rvs(D, size=K, random_state=2)
    return upper @ (turns if upper.ndim == 3 else turns[0])


def samples(dtype):
    return np.random.default_rng(3).normal(0, 2, (500, D)).astype(dtype)


OTHERS = {
    "rotated": rotated,
    "lower triangular": lambda upper: np.linalg.cholesky(upper @ np.swapaxes(upper, -1, -2)),
    "of negative diagonal": lambda upper: upper * np.array([1, -1, 1, -1]),
}


@families
@dtypes
@pytest.mark.parametrize("kind", OTHERS)
def test_a_mixture_is_that_of_scikit_learn_with_any_factor(kind, covariance, dtype):
    """The oracle has the triangular factor: scikit-learn takes the determinant from the diagonal alone."""
    upper, x = upper_factors(covariance), samples(dtype)
    factor = OTHERS[kind](upper)
    np.testing.assert_allclose(factor @ np.swapaxes(factor, -1, -2), upper @ np.swapaxes(upper, -1, -2), atol=1e-12)
    ours = put_together(GaussianMixture, covariance, upper, factor.astype(dtype))
    theirs = put_together(Oracle, covariance, upper, upper)
    tolerance = 1e-9 if dtype == np.float64 else 2e-4
    exact = x.astype(np.float64)
    np.testing.assert_allclose(ours.score_samples(x), theirs.score_samples(exact), rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(ours.predict_proba(x), theirs.predict_proba(exact), atol=tolerance)
    assert (ours.predict(x) == theirs.predict(exact)).mean() > 0.99


@families
def test_scikit_learn_agrees_where_it_takes_the_factor_itself(covariance):
    """The diagonal of a lower triangular factor, such as `np.linalg.cholesky` returns, has the determinant too."""
    upper, x = upper_factors(covariance), samples(np.float64)
    factor = OTHERS["lower triangular"](upper)
    ours, theirs = (put_together(cls, covariance, upper, factor) for cls in (GaussianMixture, Oracle))
    np.testing.assert_allclose(ours.score_samples(x), theirs.score_samples(x), rtol=1e-9)
    np.testing.assert_allclose(ours.predict_proba(x), theirs.predict_proba(x), atol=1e-9)


@families
def test_what_lacks_features_and_tail_probabilities_follow_it(covariance):
    upper, x = upper_factors(covariance), samples(np.float64)
    x[::3, 1] = x[::5, 2] = np.nan
    turned, plain = (put_together(GaussianMixture, covariance, upper, f) for f in (rotated(upper), upper))
    for method in ("score_samples", "predict_proba", "p_values"):
        np.testing.assert_allclose(getattr(turned, method)(x), getattr(plain, method)(x), rtol=1e-9, atol=1e-12)


@families
def test_an_upper_triangular_factor_is_taken_as_it_is(covariance):
    upper = upper_factors(covariance)
    np.testing.assert_array_equal(factors_of_precisions(upper), np.swapaxes(upper, -1, -2))
    lower = factors_of_precisions(rotated(upper))
    np.testing.assert_array_equal(lower, np.tril(lower))
    np.testing.assert_allclose(lower, np.swapaxes(upper, -1, -2), atol=1e-12)
