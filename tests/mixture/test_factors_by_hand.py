"""GaussianMixture put together by hand: any P with P P^T the precision is a factor of it, triangular or not."""

import numpy as np
import pytest
from scipy.stats import ortho_group
from sklearn.mixture import GaussianMixture as Oracle

from gmmseg import GaussianMixture, ParameterError
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


@families
def test_the_units_of_the_features_do_not_make_a_factor_singular(covariance):
    upper, x = upper_factors(covariance), samples(np.float64)
    units = np.array([1e-9, 1.0, 1e9, 1e3])
    plain, scaled = (put_together(GaussianMixture, covariance, upper, upper) for _ in range(2))
    scaled.means_ = plain.means_ * units
    scaled.precisions_cholesky_ = rotated(upper) / units[:, None]
    np.testing.assert_allclose(scaled.predict_proba(x * units), plain.predict_proba(x), rtol=1e-9, atol=1e-12)


def hole(factor, row, column):
    """The factor with NaN at a place."""
    factor = factor.copy()
    factor[..., row, column] = np.nan
    return factor


NONE = {
    "singular": lambda upper: upper @ np.diag([1.0, 1.0, 0.0, 1.0]),
    "equal columns": lambda upper: np.ones_like(upper),
    "zero": np.zeros_like,
    "NaN in the triangle": lambda upper: hole(upper, 0, 2),
    "NaN beside the triangle": lambda upper: hole(upper, 2, 0),
    "infinity": lambda upper: np.where(upper == 0, 0, np.inf),
}


@families
@pytest.mark.parametrize("method", ["score_samples", "predict_proba", "predict"])
@pytest.mark.parametrize("missing", [False, True], ids=["all features", "some missing"])
@pytest.mark.parametrize("kind", NONE)
def test_what_is_no_factor_is_refused(kind, missing, method, covariance):
    upper, x = upper_factors(covariance), samples(np.float64)
    if missing:
        x[::3, 1] = np.nan
    model = put_together(GaussianMixture, covariance, upper, NONE[kind](upper))
    with pytest.raises(ParameterError, match=r"precisions_cholesky_ .* singular .*; give square P with P P\^T"):
        getattr(model, method)(x)


@pytest.mark.parametrize("covariance", ["diag", "spherical"])
@pytest.mark.parametrize("missing", [False, True], ids=["all features", "some missing"])
def test_the_sign_of_an_inverse_deviation_does_not_matter(missing, covariance):
    deviations, x = np.random.default_rng(1).uniform(0.5, 2, (K, D)), samples(np.float64)
    deviations = deviations if covariance == "diag" else deviations[:, 0]
    if missing:
        x[::3, 1] = np.nan
    models = []
    for sign in (1, -1):
        model = GaussianMixture(K, covariance_type=covariance)
        model.weights_, model.means_ = np.array([0.5, 0.3, 0.2]), np.random.default_rng(0).normal(0, 2, (K, D))
        model.covariances_, model.precisions_cholesky_ = deviations**2, sign / deviations
        models.append(model)
    np.testing.assert_array_equal(models[0].score_samples(x), models[1].score_samples(x))
