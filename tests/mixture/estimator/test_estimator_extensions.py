"""What GaussianMixture does beyond scikit-learn's: missing features, outliers, priors, frozen components."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

import gmmseg
from gmmseg import GaussianMixture, ParameterError
from gmmseg.mixture.parameters import Mixture

families = pytest.mark.parametrize("covariance", ["full", "tied", "diag", "spherical"])
dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])
TRUE = Mixture(
    np.array([0.5, 0.3, 0.2]),
    np.array([[0.0, 0.0, 10.0], [6.0, 1.0, 10.0], [0.0, 7.0, 13.0]]),
    np.array([np.diag([1.0, 2.0, 0.5]), np.eye(3), 0.5 * np.eye(3)]),
)


def samples(n=3000, missing=0.0, seed=0):
    rng = np.random.default_rng(seed)
    planes, components = TRUE.sample(n, rng)
    order = rng.permutation(n)
    x = planes.T[order]
    x[rng.random(x.shape) < missing] = np.nan
    return x, components[order]


def match(model):
    """Order of the components that is that of the truth."""
    distance = np.linalg.norm(TRUE.means[:, None] - model.means_, axis=2)
    return distance.argmin(axis=1)


@pytest.mark.slow
@families
@dtypes
@pytest.mark.parametrize("init", ["kmeans", "k-means++", "random_from_data"])
def test_missing_features_are_no_hindrance(covariance, dtype, init):
    x, components = samples(missing=0.2)
    model = GaussianMixture(
        3, covariance_type=covariance, init_params=init, n_init=1 if init == "kmeans" else 10, random_state=0
    )
    model.fit(x.astype(dtype))
    order = match(model)
    assert sorted(order) == [0, 1, 2]
    np.testing.assert_allclose(model.means_[order], TRUE.means, atol=0.4)
    known = ~np.isnan(x).any(axis=1)
    assert (order[components] == model.predict(x.astype(dtype)))[known].mean() > 0.98
    soft = model.predict_proba(x.astype(dtype))
    np.testing.assert_allclose(soft.sum(axis=1), 1, rtol=1e-5)
    assert np.isfinite(model.score_samples(x.astype(dtype))).all()
    assert model.means_.dtype == dtype


@pytest.mark.slow
def test_samples_without_any_feature():
    x, _ = samples(500, missing=0.1)
    x[7] = np.nan
    kept = np.delete(x, 7, axis=0)
    model = GaussianMixture(2, random_state=0).fit(x)
    np.testing.assert_allclose(model.means_, GaussianMixture(2, random_state=0).fit(kept).means_)
    assert model.predict(x)[7] == 0
    np.testing.assert_allclose(model.predict_proba(x)[7], model.weights_)
    assert model.score_samples(x)[7] == 0
    assert np.isnan(model.p_values(x)[7])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["uniform", "student"])
@pytest.mark.parametrize("seed", range(4))
def test_gross_errors_are_no_hindrance_from_scratch(kind, seed):
    x, _ = samples(5000, seed=seed)
    rng = np.random.default_rng(seed)
    wrong = rng.random(len(x)) < 0.1
    x[wrong] = rng.uniform(-60, 90, (wrong.sum(), 3))
    robust = GaussianMixture(3, outliers=kind, random_state=seed, max_iter=1000).fit(x)
    np.testing.assert_allclose(robust.means_[match(robust)], TRUE.means, atol=0.1)
    plain = GaussianMixture(3, random_state=seed, max_iter=1000).fit(x)
    assert np.abs(plain.means_[match(plain)] - TRUE.means).max() > 0.5
    # Long tails are what Student-t components were given for a tenth of all: gross errors are among the last tenth.
    assert np.median(robust.p_values(x)[wrong]) < (1e-3 if kind == "uniform" else 0.03)
    if kind == "uniform":
        assert robust.outlier_weight_ == pytest.approx(0.1, abs=0.02)
        assert robust.weights_.sum() + robust.outlier_weight_ == pytest.approx(1)


def test_p_values_are_evenly_spread():
    x, _ = samples(20_000, missing=0.1)
    model = GaussianMixture(3, random_state=0).fit(x)
    p = model.p_values(x)
    p = p[~np.isnan(p)]
    np.testing.assert_allclose(np.quantile(p, [0.01, 0.1, 0.5, 0.9]), [0.01, 0.1, 0.5, 0.9], atol=0.02)


def test_a_prior_pulls_in_the_data_s_units():
    x, _ = samples(300)
    x = x * [1, 100, 0.01] + [0, 1e4, 0]
    expected = Mixture(TRUE.weights, TRUE.means, TRUE.covariances).transform(
        np.array([1, 100, 0.01]), np.array([0, 1e4, 0])
    )
    strong = GaussianMixture(3, prior=gmmseg.Prior(expected, 1e7, 1e7, 1e7), means_init=expected.means, reg_covar=0)
    strong.fit(x)
    np.testing.assert_allclose(strong.means_, expected.means, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(strong.covariances_, expected.covariances, rtol=1e-2, atol=1e-3)


def test_frozen_components_stay():
    x, _ = samples()
    precisions = np.linalg.inv(TRUE.covariances)
    model = GaussianMixture(3, means_init=TRUE.means + 0.3, precisions_init=precisions, frozen=[0, 2]).fit(x)
    np.testing.assert_allclose(model.means_[[0, 2]], TRUE.means[[0, 2]] + 0.3)
    np.testing.assert_allclose(model.means_[1], TRUE.means[1], atol=0.2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"outliers": "cauchy"}, "outliers='cauchy' is not known; use uniform or student"),
        ({"prior": 3}, "prior is of 3 components; give a gmmseg.Prior of 2"),
        ({"frozen": [2]}, r"frozen=\[2\] is not usable; use numbers of components, 0 to 1"),
        ({"frozen": [0]}, "need means_init and precisions_init"),
        ({"dof_init": 4}, "dof_init=4 is not usable; give a number above 0, .* with outliers='student'"),
        ({"dof_init": [4, -1], "outliers": "student"}, r"dof_init=\[4, -1\] is not usable"),
    ],
)
def test_unusable_options_are_refused(options, message):
    with pytest.raises(gmmseg.ParameterError, match=message):
        GaussianMixture(2, **options).fit(samples(50)[0])


@pytest.mark.slow
@families
def test_integer_weights_are_repeated_samples(covariance):
    x, _ = samples(800)
    weights = np.random.default_rng(1).integers(1, 5, len(x))
    options = {"covariance_type": covariance, "random_state": 3, "tol": 1e-8, "max_iter": 1000}
    weighted = GaussianMixture(3, **options).fit(x, sample_weight=weights)
    repeated = GaussianMixture(3, **options).fit(np.repeat(x, weights, axis=0))
    order, other = weighted.means_[:, 0].argsort(), repeated.means_[:, 0].argsort()
    np.testing.assert_allclose(weighted.means_[order], repeated.means_[other], atol=1e-6)
    np.testing.assert_allclose(weighted.weights_[order], repeated.weights_[other], atol=1e-6)
    assert weighted.lower_bound_ == pytest.approx(repeated.lower_bound_, abs=1e-7)


def test_the_lower_bound_is_that_of_the_features_that_are_known():
    x, _ = samples(500, missing=0.3)
    x = x * [1, 1000, 0.01]
    model = GaussianMixture(2, random_state=0, tol=1e-9, max_iter=1000, reg_covar=0).fit(x)
    assert model.lower_bound_ == pytest.approx(model.score(x), abs=1e-6)


def test_samples_without_any_feature_count_for_nothing():
    x, _ = samples(300, missing=0.1)
    model = GaussianMixture(2, random_state=0).fit(x)
    kept = x[~np.isnan(x).all(axis=1)]
    more = np.concatenate([x, np.full((100, 3), np.nan)])
    for method in (model.score, model.bic, model.aic):
        assert method(more) == method(kept)
    assert np.isnan(model.score(more[-5:]))


def test_a_weighted_score_is_that_of_repeated_samples():
    x, _ = samples(200)
    x[3] = np.nan
    weights = np.random.default_rng(0).integers(0, 4, len(x))
    model = GaussianMixture(2, random_state=0).fit(x)
    assert model.score(x, sample_weight=weights) == pytest.approx(model.score(np.repeat(x, weights, axis=0)))
    assert model.score(x, sample_weight=np.full(len(x), 7)) == pytest.approx(model.score(x))


@pytest.mark.parametrize("covariance", ["full", "diag", "spherical"])
def test_frozen_means_and_covariances_are_no_parameters(covariance):
    x, _ = samples(200)
    start = GaussianMixture(3, covariance_type=covariance, random_state=0).fit(x)
    given = {"means_init": start.means_, "precisions_init": start.precisions_, "covariance_type": covariance}
    frozen = GaussianMixture(3, frozen=[2, 0], **given).fit(x)
    free = 3 + {"full": 6, "diag": 3, "spherical": 1}[covariance]
    total = float(frozen.score_samples(x).sum())
    assert frozen.aic(x) == pytest.approx(-2 * total + 2 * (2 + free))
    assert frozen.bic(x) == pytest.approx(-2 * total + np.log(200) * (2 + free))


@families
@pytest.mark.parametrize("offset", [1e6, 3e7])
def test_float32_far_from_zero_loses_nothing(covariance, offset):
    x = (samples(400)[0].astype(np.float32) * 100 + np.float32(offset)).astype(np.float32)
    model = GaussianMixture(3, covariance_type=covariance, random_state=0).fit(x)
    exact = GaussianMixture(3, covariance_type=covariance, random_state=0, means_init=model.means_, max_iter=0)
    exact.fit(x.astype(float))
    exact.weights_, exact.means_, exact.covariances_ = model.weights_, model.means_, model.covariances_
    exact.precisions_cholesky_ = model.precisions_cholesky_
    np.testing.assert_allclose(model.score_samples(x), exact.score_samples(x.astype(float)), atol=1e-3)
    assert model.lower_bound_ == pytest.approx(model.score(x), abs=0.01)


def fitted_to_three():
    return GaussianMixture(2, random_state=0).fit(np.random.default_rng(2).normal(size=(200, 3)))


@pytest.mark.parametrize(
    "sample",
    [
        np.ma.array([1.0, -999.0, 0.5], mask=[0, 1, 0]),
        pd.Series([1.0, None, 0.5], dtype="Float64"),
        pd.Series([1.0, np.nan, 0.5]),
        (1, np.nan, np.float32(0.5)),
    ],
    ids=["masked", "nullable", "series", "tuple"],
)
def test_a_sample_lacks_what_is_masked_or_null(sample):
    model = fitted_to_three()
    given, same = model.conditional(sample), model.conditional([1.0, np.nan, 0.5])
    np.testing.assert_array_equal(given.means, same.means)
    np.testing.assert_array_equal(given.weights, same.weights)


@pytest.mark.parametrize("sample", [[np.inf, np.nan, 0.5], ["a", 1.0, 2.0], [[1.0, np.nan, 2.0]], 3.0])
def test_a_sample_that_is_none_is_refused(sample):
    with pytest.raises(gmmseg.ParameterError, match=r"infinity|no array of numbers|has shape"):
        fitted_to_three().conditional(sample)


@pytest.mark.parametrize("features", [[], [3], [-4], [0, 0], [0, -3], [0.5], [True], [[0]], 1, "ab"])
def test_features_that_are_none_are_refused(features):
    with pytest.raises(gmmseg.ParameterError, match="is not usable; give different whole numbers from 0 to 2"):
        fitted_to_three().marginal(features)


def test_features_below_zero_count_from_the_last():
    model = fitted_to_three()
    np.testing.assert_array_equal(model.marginal([-1, 0]).means, model.means_[:, [2, 0]])
    own = model.covariances_[:, [2, 0]][..., [2, 0]]
    np.testing.assert_allclose(model.marginal(np.array([2, 0], np.uint8)).covariances, own, rtol=1e-12)


@pytest.mark.parametrize(
    "weights", [np.ma.array([1.0, 2.0, 1.0], mask=[0, 1, 0]), pd.Series([1.0, None, 1.0], dtype="Float64")]
)
def test_a_weight_that_is_masked_or_null_is_refused(weights):
    with pytest.raises(gmmseg.ParameterError, match="sample_weight has negative or infinite values or NaN"):
        GaussianMixture().fit([[0.0], [1.0], [2.0]], sample_weight=weights)


def test_masked_and_nullable_numbers_are_missing():
    x, _ = samples(300, missing=0.2)
    expected = GaussianMixture(2, random_state=0).fit(x)
    masked = np.ma.array(np.where(np.isnan(x), -999, x), mask=np.isnan(x))
    frame = pd.DataFrame(x, columns=["a", "b", "c"]).astype("Float64")
    assert frame.isna().to_numpy().any()
    for given in (masked, frame):
        model = GaussianMixture(2, random_state=0).fit(given)
        np.testing.assert_array_equal(model.means_, expected.means_)
        np.testing.assert_array_equal(model.predict(given), expected.predict(x))
    assert GaussianMixture(2).fit(frame.fillna(0).astype("Float32")).means_.dtype == np.float32
    whole = np.ma.array([[1], [2], [-999], [9], [8]], mask=[[0], [0], [1], [0], [0]])
    assert sorted(GaussianMixture(2, random_state=0).fit(whole).means_.ravel()) == [1.5, 8.5]


@pytest.mark.parametrize(("covariance", "seed"), [("full", 5), ("full", 17), ("spherical", 17)])
def test_bounds_do_not_fall_where_nothing_is_added_to_the_variances(covariance, seed):
    rng = np.random.default_rng(seed)
    d, k, n = rng.integers(1, 6), rng.integers(2, 6), rng.integers(30, 400)
    means = rng.normal(0, 3, (k, d))
    x = np.concatenate([rng.normal(mean, rng.uniform(0.3, 2), (n // k + 1, d)) for mean in means])
    options = {"covariance_type": covariance, "reg_covar": 0, "init_params": "random", "tol": 1e-6, "max_iter": 300}
    model = GaussianMixture(k, random_state=seed, **options).fit(x)
    assert len(model.lower_bounds_) == model.n_iter_ > 2
    assert np.diff(model.lower_bounds_).min() > -1e-9
    assert model.lower_bound_ == pytest.approx(model.score(x), abs=1e-4)


def test_the_outliers_weight_is_taken_off_once_at_the_start():
    x, _ = samples(300)
    for given in ({}, {"weights_init": [0.5, 0.3, 0.2]}, {"means_init": TRUE.means}):
        start = GaussianMixture(3, outliers="uniform", random_state=0, max_iter=0, **given).fit(x)
        assert start.weights_.sum() + start.outlier_weight_ == pytest.approx(1)


def test_frozen_components_keep_the_degrees_of_freedom_given():
    x, _ = samples(500)
    options = {"means_init": TRUE.means, "precisions_init": np.linalg.inv(TRUE.covariances), "outliers": "student"}
    model = GaussianMixture(3, frozen=[0, 2], dof_init=[3.5, 5, 2000], **options).fit(x)
    np.testing.assert_allclose(model.dof_[[0, 2]], [3.5, 2000])
    assert model.dof_[1] > 5
    np.testing.assert_allclose(GaussianMixture(3, dof_init=4, max_iter=0, **options).fit(x).dof_, 4)


def test_outliers_in_the_data_s_units_are_drawn_and_have_a_box():
    x, _ = samples(500)
    x = x * [1, 100, 1] + [1000, 0, 0]
    x[::20] += 300
    model = GaussianMixture(3, outliers="uniform", random_state=0).fit(x)
    np.testing.assert_allclose(model.outlier_ranges_, np.ptp(x, axis=0), rtol=1e-3)
    np.testing.assert_allclose(model.outlier_center_, (x.min(axis=0) + x.max(axis=0)) / 2, rtol=1e-3)
    assert model.lower_bound_ == pytest.approx(model.score(x), abs=1e-3)
    drawn, components = model.sample(2000)
    assert (components == -1).mean() == pytest.approx(model.outlier_weight_, abs=0.02)
    assert drawn[components == -1, 1].std() == pytest.approx(model.outlier_ranges_[1] / np.sqrt(12), rel=0.2)
    again = GaussianMixture(3, outliers="uniform", random_state=0, warm_start=True).fit(x)
    wider = np.concatenate([x, x[:3] * 3])
    again.fit(wider)
    np.testing.assert_allclose(again.outlier_ranges_, np.ptp(wider, axis=0), rtol=1e-3)


@families
@pytest.mark.parametrize("few", [1, 3])
def test_a_class_that_shrinks_is_kept_under_warm_start(covariance, few, rng):
    classes = [rng.normal(center, 1, (1000, 3)) for center in (0, 15, -15)]
    means = np.array([[0.0] * 3, [15.0] * 3, [-15.0] * 3])
    model = GaussianMixture(3, covariance_type=covariance, means_init=means, warm_start=True, random_state=0)
    model.fit(np.concatenate(classes))
    model.fit(np.concatenate([*classes[:2], classes[2][:few]]))
    np.testing.assert_allclose(model.weights_[2] * (2000 + few), few, rtol=1e-6)
    np.testing.assert_allclose(model.means_[2], classes[2][:few].mean(axis=0), rtol=1e-6)


@pytest.mark.parametrize("covariance", ["full", "tied", "diag"])
def test_samples_of_units_that_lie_far_apart_are_spread_as_the_components(covariance):
    """Singular values of such covariances have no digits left for the narrow features."""
    x = np.random.default_rng(0).normal(size=(300, 3)) @ [[1, 0.5, 0.2], [0, 1, 0.4], [0, 0, 1]] * [1e-8, 1.0, 1e8]
    model = GaussianMixture(1, covariance_type=covariance, reg_covar=0, random_state=0).fit(x)
    drawn, components = model.sample(20_000)
    assert not components.any()
    np.testing.assert_allclose(drawn.std(axis=0), x.std(axis=0), rtol=0.03)
    if covariance != "diag":
        np.testing.assert_allclose(np.corrcoef(drawn.T), np.corrcoef(x.T), atol=0.03)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tol": 10**400}, "tol=10.* is not usable; use a number of at least 0"),
        ({"init_params": np.array([1, 2])}, r"init_params is an array of shape \(2,\); give one value"),
        ({"outliers": np.zeros((2, 2))}, r"outliers is an array of shape \(2, 2\); give one value"),
        ({"reg_covar": np.ma.masked}, "reg_covar is masked; give a value"),
        ({"means_init": "x"}, "means_init is no array of numbers: .*; give finite numbers"),
        ({"precisions_init": [10**400]}, "precisions_init is no array of numbers: .*; give finite numbers"),
        ({"dof_init": "x", "outliers": "student"}, "dof_init is no array of numbers: .*; give finite numbers"),
        ({"frozen": np.array(3)}, r"frozen=array\(3\) is not usable; give a list of numbers of components"),
    ],
)
def test_odd_values_are_refused_on_one_line(options, message):
    with pytest.raises(ParameterError, match=f"^{message}$"):
        GaussianMixture(2, **options).fit(np.arange(8.0)[:, None])


@pytest.mark.parametrize("count", ["x", float("nan"), None, np.array([1, 2]), 1.5])
def test_no_number_of_samples(count):
    with pytest.raises(ParameterError, match="n_samples"):
        GaussianMixture(random_state=0).fit(np.arange(8.0)[:, None]).sample(count)


def test_fractions_and_endless_iterations_are_numbers():
    x = np.random.default_rng(0).normal([[0.0], [9.0]], 1, (2, 50)).reshape(-1, 1)
    model = GaussianMixture(2, reg_covar=Fraction(1, 10**6), tol=Fraction(1, 1000), max_iter=10**400, random_state=0)
    plain = GaussianMixture(2, random_state=0).fit(x)
    np.testing.assert_array_equal(model.fit(x).means_, plain.means_)


@pytest.mark.parametrize("d", [1, 3])
@pytest.mark.parametrize("covariance", ["full", "diag"])
def test_a_prior_of_other_features_is_refused(d, covariance):
    """One of a single feature would be taken for all."""
    covariances = np.stack([np.eye(d)] * 2) if covariance == "full" else np.ones((2, d))
    prior = gmmseg.Prior(Mixture(np.full(2, 0.5), np.zeros((2, d)), covariances, covariance), 5, 5, 5)
    with pytest.raises(ParameterError, match=f"^prior is of {d} features, but X has 2; give a gmmseg.Prior of 2$"):
        GaussianMixture(2, prior=prior).fit(np.random.default_rng(0).normal(size=(20, 2)))
