"""Restarts: the frame in which fits are made, starts of every kind, and the likeliest fit of several."""

import itertools

import numpy as np
import pytest

from gmmseg import GaussianMixture
from gmmseg.errors import ConvergenceWarning, ParameterError
from gmmseg.mixture.em import expectation_maximization
from gmmseg.mixture.estimator.restarts import Restarts
from gmmseg.mixture.estimator.validation import initial_values


def restarts(rows, k=3, *, weights=None, **parameters):
    model = GaussianMixture(k, random_state=0, **parameters)
    return Restarts(model, rows, weights, initial_values(model, rows.shape[1]), missing=bool(np.isnan(rows).any()))


def in_own_units(made, fit):
    return fit.mixture.transform(made.scale, made.center)


def test_fits_are_made_in_a_frame_in_which_no_sum_cancels(blobs):
    rows = blobs(300, 2)[0] * [1e-3, 1e4] + [1e6, -5e7]
    before = rows.copy()
    made = restarts(rows)
    np.testing.assert_array_equal(rows, before)
    np.testing.assert_allclose(made.planes * made.scale[:, None] + made.center[:, None], rows.T, rtol=1e-12)
    assert np.abs(made.planes).max() < 20
    np.testing.assert_allclose(made.regularization, 1e-6 / made.scale**2)
    common = restarts(rows, covariance_type="spherical")
    assert common.scale[0] == common.scale[1]  # one variance for all features has one unit
    single = restarts(rows.astype(np.float32))
    assert single.planes.dtype == np.float32


@pytest.mark.parametrize("init", ["kmeans", "k-means++", "random", "random_from_data"])
def test_every_start_leads_to_a_fit(blobs, init):
    rows = blobs(400, 2, 3)[0]
    fit = restarts(rows, init_params=init).best(None)
    assert fit.mixture.n_components == 3
    assert np.diff(fit.history).min() > -1e-9


def test_the_likeliest_of_several_fits_stays(blobs):
    rows = blobs(400, 2, 8, apart=2.0)[0]
    options = {"init_params": "random_from_data", "max_iter": 300}
    alone = [restarts(rows, 8, **options, n_init=n).best(None).history[-1] for n in (1, 2, 5)]
    assert alone[0] <= alone[1] <= alone[2]


def test_given_values_are_where_the_fit_starts(blobs):
    rows = blobs(300, 2, 2)[0]
    given = {
        "weights_init": [0.25, 0.75],
        "means_init": [[1.0, 2.0], [3.0, 4.0]],
        "precisions_init": np.stack([np.eye(2), 4 * np.eye(2)]),
    }
    made = restarts(rows, 2, max_iter=0, **given)
    start = in_own_units(made, made.best(None))
    np.testing.assert_allclose(start.means, given["means_init"], atol=1e-10)
    np.testing.assert_allclose(start.weights, [0.25, 0.75])
    np.testing.assert_allclose(start.covariances, [np.eye(2), np.eye(2) / 4], atol=1e-10)


@pytest.mark.parametrize("covariance", ["full", "tied", "diag", "spherical"])
@pytest.mark.parametrize(
    "names",
    [
        ("weights",),
        ("means",),
        ("precisions",),
        ("weights", "means"),
        ("means", "precisions"),
        ("weights", "precisions"),
    ],
)
def test_what_is_given_and_what_is_not_are_of_the_same_components(covariance, names):
    rng = np.random.default_rng(0)
    sizes, spreads = np.array([600, 200, 1200]), np.array([1.0, 4.0, 0.3])
    means = np.array([[0.0, 0.0], [40.0, 0.0], [0.0, 40.0]])
    rows = np.concatenate([rng.normal(m, s, (n, 2)) for n, m, s in zip(sizes, means, spreads, strict=True)])
    precisions = 1 / spreads**2
    own = {"diag": np.outer(precisions, [1, 1]), "full": precisions[:, None, None] * np.eye(2), "tied": np.eye(2)}
    values = {"weights": sizes / 2000, "means": means, "precisions": own.get(covariance, precisions)}
    for order in itertools.permutations(range(3)):
        given = {name: values[name] if values[name].shape == (2, 2) else values[name][list(order)] for name in names}
        made = restarts(rows, 3, max_iter=0, covariance_type=covariance, **{f"{n}_init": v for n, v in given.items()})
        start = in_own_units(made, made.best(None))
        if "means" in names:
            np.testing.assert_array_equal(start.means.round(9), means[list(order)])
        whose = [int(np.linalg.norm(means - mean, axis=1).argmin()) for mean in start.means]
        assert sorted(whose) == [0, 1, 2]
        np.testing.assert_allclose(start.weights, values["weights"][whose], atol=0.01)
        if names != ("precisions",):
            assert whose == list(order)
        if covariance != "tied":
            np.testing.assert_allclose(start.covariances.reshape(3, -1)[:, 0], spreads[whose] ** 2, rtol=0.2)


@pytest.mark.slow
def test_a_warm_start_goes_on_and_is_a_single_one(blobs):
    rows = blobs(300)[0]
    model = GaussianMixture(3, random_state=0, n_init=4).fit(rows)
    made = Restarts(model, rows, None, {}, missing=False)
    fit = made.best(model._last_mixture(3))
    assert (fit.converged, len(fit.history)) == (True, 1)  # it had settled
    unit = np.log(made.scale).sum()
    assert fit.history[-1] - unit >= model.lower_bound_ - 1e-9


def test_weights_count_samples_that_often(blobs, rng):
    rows, times = blobs(200, 2, 2)[0], rng.integers(1, 4, 200)
    given = {"means_init": rows[:2], "weights_init": [0.5, 0.5], "precisions_init": np.stack([np.eye(2)] * 2)}
    weighted = restarts(rows, 2, weights=times.astype(float), **given)
    repeated = restarts(np.repeat(rows, times, axis=0), 2, **given)
    found, expected = (in_own_units(made, made.best(None)) for made in (weighted, repeated))
    np.testing.assert_allclose(found.means, expected.means, rtol=1e-6)
    np.testing.assert_allclose(found.covariances, expected.covariances, rtol=1e-5, atol=1e-8)


def test_components_may_collapse_only_where_variances_are_regularised():
    rows = np.repeat([[0.0, 0.0], [1.0, 1.0]], 10, axis=0)
    with pytest.raises(ParameterError, match="ill-defined empirical covariance.*only 2 can be told apart"):
        restarts(rows, 4, reg_covar=0).best(None)


@pytest.mark.filterwarnings("ignore::gmmseg.errors.DataWarning")
@pytest.mark.parametrize("seed", [18, 21])
def test_a_component_without_volume_is_no_error_of_algebra(seed):
    """Samples so far out that components for them collapse, also while a start is looked for."""
    rng = np.random.default_rng(seed)
    far = (rng.normal(size=(400, 3)) / np.sqrt(rng.chisquare(1, (400, 1)))).astype(np.float32)
    with pytest.raises(ParameterError, match="ill-defined empirical covariance"):
        restarts(far, 8, reg_covar=0).best(None)


def test_a_fall_that_only_rounding_explains_leads_to_float64():
    """Components of three samples of two features, whose likelihood rises by less than float32 can tell."""
    rng = np.random.default_rng([0, 498, 1])
    means, weights = rng.normal(0, 3, (8, 2)), 0.6 ** np.arange(8)
    of = rng.choice(8, 50, p=weights / weights.sum())
    x = means[of] + rng.normal(size=(50, 2)) * (10.0 ** rng.normal(0, 0.5, (8, 1)))[of]
    model = GaussianMixture(8, reg_covar=0, max_iter=200, random_state=498).fit(x.astype(np.float32))
    assert model.n_iter_ > 1
    assert np.diff(model.lower_bounds_).min() > -1e-8


def test_how_a_fit_went_is_told_as_far_as_it_is_asked(blobs, capsys):
    rows = blobs(200)[0]
    restarts(rows, n_init=2).best(None)
    assert capsys.readouterr().out == ""
    restarts(rows, n_init=2, verbose=1, verbose_interval=1, tol=0, max_iter=2).best(None)
    assert capsys.readouterr().out.splitlines() == [
        line
        for turn in (0, 1)
        for line in (
            f"Initialization {turn}",
            "  Iteration 1",
            "  Iteration 2",
            "Initialization did not converge.",
        )
    ]


@pytest.mark.parametrize("d", [12, 20])
def test_a_likelihood_that_float32_is_too_coarse_for_rises_in_float64(d):
    """Axes of a thousandth of the longest: rounding of products hides what an iteration gains."""
    for seed in range(3):
        rng = np.random.default_rng(seed)
        axes = np.linalg.qr(rng.normal(size=(d, d)))[0] * np.geomspace(1, 1e-3, d)
        x = ((rng.normal(size=(400, d)) + 2 * rng.integers(2, size=(400, 1))) @ axes.T).astype(np.float32)
        model = GaussianMixture(2, reg_covar=0, tol=1e-7, max_iter=300, random_state=0).fit(x)
        assert np.diff(model.lower_bounds_).min(initial=0) > -1e-7
        assert model.converged_
        assert model.means_.dtype == np.float32


@pytest.fixture
def dtypes(monkeypatch):
    """Those of the samples of each run of EM from a start, as they come, but for single steps."""
    found = []

    def recorded(planes, *args, iteration, **given):
        found.extend([planes.dtype] if iteration.max_iterations > 1 else [])
        return expectation_maximization(planes, *args, iteration=iteration, **given)

    monkeypatch.setattr("gmmseg.mixture.estimator.restarts.expectation_maximization", recorded)
    return found


@pytest.mark.parametrize(
    ("kind", "covariance", "dtype"),
    [
        ("few samples", "full", np.float64),
        ("few samples", "diag", np.float32),
        ("few samples", "tied", np.float32),
        ("a sum of two features", "full", np.float64),
        ("a sum of two features", "tied", np.float64),
        ("a sum of two features", "diag", np.float32),
        ("independent", "full", np.float32),
    ],
)
def test_what_float32_is_too_coarse_for_is_iterated_in_float64_at_once(dtypes, kind, covariance, dtype):
    """Thirty samples of a component in forty dimensions, or dependent features: covariances without an inverse."""
    rng = np.random.default_rng(1)
    n, d = (60, 40) if kind == "few samples" else (600, 5)
    x = rng.normal(size=(n, d)) + 10 * rng.integers(2, size=(n, 1))
    if kind == "a sum of two features":
        x[:, 4] = x[:, 0] + x[:, 1]
    model = GaussianMixture(2, covariance_type=covariance, random_state=0).fit(x.astype(np.float32))
    assert dtypes == [dtype]
    assert model.converged_
    assert model.means_.dtype == np.float32
    exact = GaussianMixture(2, covariance_type=covariance, random_state=0).fit(x.astype(np.float32).astype(np.float64))
    assert model.lower_bound_ == pytest.approx(exact.lower_bound_, abs=1e-3 * abs(exact.lower_bound_))
    np.testing.assert_allclose(model.weights_, exact.weights_, atol=1e-4)


@pytest.mark.parametrize(("copies", "dtype"), [(10, np.float64), (1, np.float32)])
def test_rows_that_repeat_are_told_from_as_many_that_do_not(dtypes, rng, copies, dtype):
    """Of 200 rows of either class, by 30 features, 20 differ: too few for a covariance, though they count ten times."""
    rows = np.repeat(rng.normal(size=(400 // copies, 30)), copies, axis=0)
    rows[200:] += 6
    x = rng.permutation(rows).astype(np.float32)
    model = GaussianMixture(2, random_state=0).fit(x)
    assert dtypes == [dtype]
    assert np.diff(model.lower_bounds_).min() > -1e-3
    exact = GaussianMixture(2, random_state=0).fit(x.astype(np.float64))
    assert model.lower_bound_ == pytest.approx(exact.lower_bound_, abs=1e-3)


def test_without_a_tolerance_a_fall_by_rounding_calls_for_nothing(dtypes):
    """At the top the likelihood in float32 falls as often as it rises."""
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(3000, 6)) + 3 * rng.integers(2, size=(3000, 1))).astype(np.float32)
    given = {"weights_init": [0.5, 0.5], "means_init": [[0.0] * 6, [3.0] * 6], "precisions_init": [np.eye(6)] * 2}
    with pytest.warns(ConvergenceWarning):
        model = GaussianMixture(2, tol=0, max_iter=60, **given).fit(x)
    assert np.diff(model.lower_bounds_).min() < 0
    assert dtypes == [np.float32]
