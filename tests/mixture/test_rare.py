"""Classes of two samples in a thousand."""

import numpy as np
import pytest

from gmmseg import GaussianMixture, kernels
from gmmseg.mixture.em import Iteration, expectation_maximization
from gmmseg.mixture.parameters import Mixture
from gmmseg.mixture.rare import _promising, with_rare_classes


def classes(seed, n, d, *, rare=0.002, away=8.0):
    """Three round classes far apart, and a rare one so many spreads from the first: samples (n, d), class of each."""
    rng = np.random.default_rng([seed, 77])
    centers = np.concatenate([14 * np.eye(3, d), [14 * np.eye(1, d)[0] - away / np.sqrt(d)]])
    if d == 2:
        centers[2] = 0
    component = rng.permutation(np.r_[rng.integers(3, size=n - round(n * rare)), np.full(round(n * rare), 3)])
    spread = np.where(component == 3, 0.5, 1.0)
    return centers[component] + spread[:, None] * rng.normal(size=(n, d)), component


def climb(samples, weights, mixture, iterations):
    return expectation_maximization(samples, mixture, Iteration(max_iterations=iterations), weights=weights)


def is_found(labels, component):
    """Whether one of the labels is the rare class, but for a tenth."""
    found = labels == np.bincount(labels[component == 3], minlength=4).argmax()
    both, either = found & (component == 3), found | (component == 3)
    return both.sum() > 0.9 * either.sum()


@pytest.mark.parametrize(("n", "d"), [(10_000, 5), (50_000, 2)])
@pytest.mark.parametrize("seed", range(3))
def test_a_rare_class_is_a_component(n, d, seed):
    x, component = classes(seed, n, d)
    assert is_found(GaussianMixture(4, random_state=seed, tol=1e-5).fit_predict(x), component)


@pytest.mark.parametrize("covariance", ["full", "tied", "diag", "spherical"])
@pytest.mark.parametrize(("n", "d"), [(4000, 2), (4000, 5)])
@pytest.mark.parametrize("seed", range(3))
def test_a_class_of_eight_samples_is_a_component(n, d, seed, covariance):
    x, component = classes(seed, n, d)
    assert is_found(GaussianMixture(4, covariance_type=covariance, random_state=seed).fit_predict(x), component)


@pytest.mark.parametrize("outliers", [None, "uniform"])
@pytest.mark.parametrize("seed", range(4))
def test_two_rare_classes_are_two_components(seed, outliers):
    x, component = classes(seed, 10_000, 3)
    second = x[component == 3] + [0, 30, 20]
    model = GaussianMixture(5, outliers=outliers, random_state=seed).fit(np.r_[x, second])
    assert is_found(model.predict(x), component)
    own = model.predict(second)
    assert (own == own[0]).all()
    assert model.weights_[own[0]] == pytest.approx(0.002, rel=0.1)


@pytest.mark.parametrize("seed", range(6))
def test_three_rare_classes_are_three_components(seed):
    """Also where one light component is two of them, and two others share the third."""
    rng = np.random.default_rng([seed, 5])
    centers = np.array([[0.0, 0, 0], [14, 0, 0], [0, 14, 0], [-8, 0, 0], [14, 8, 0], [0, 14, 8]])
    component = rng.permutation(np.r_[rng.integers(3, size=20_000 - 120), np.repeat([3, 4, 5], 40)])
    x = centers[component] + np.where(component > 2, 0.5, 1.0)[:, None] * rng.normal(size=(20_000, 3))
    labels = GaussianMixture(6, random_state=seed, tol=1e-5).fit_predict(x)
    for rare in (3, 4, 5):
        assert is_found(labels, np.where(component == rare, 3, 0)), rare


def test_one_light_component_of_two_classes_becomes_two():
    x, component = classes(0, 30_000, 3)
    second = x[component == 3] + [0, 30, 20]
    planes = np.ascontiguousarray(np.r_[x, second].T)
    true = np.array([*(x[component == c].mean(axis=0) for c in range(4)), second.mean(axis=0)])
    both = np.r_[x[component == 3], second]
    start = Mixture(
        np.array([1 / 3, 1 / 6, 1 / 6, 1 / 3 - 0.004, 0.004]),
        np.array([*true[[0, 1, 1, 2]], both.mean(axis=0)]),
        np.stack([np.eye(3)] * 4 + [np.cov(both.T)]),
    )
    found = with_rare_classes(start, planes, None, climb, least=1e-4)
    places = ((found.means[:, None] - true) ** 2).sum(axis=-1).argmin(axis=1)
    assert sorted(places) == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(found.weights[places >= 3], 0.002, rtol=0.05)


@pytest.mark.parametrize("missing", [0.1, 0.3])
@pytest.mark.parametrize("seed", range(3))
def test_a_rare_class_is_a_component_where_features_are_missing(seed, missing):
    x, component = classes(seed, 10_000, 5)
    gaps = np.random.default_rng(seed).random(x.shape) < missing
    model = GaussianMixture(4, random_state=seed, tol=1e-5).fit(np.where(gaps, np.nan, x))
    assert is_found(model.predict(x), component)


@pytest.mark.parametrize(
    ("outliers", "errors"),
    # With 5 % of gross errors the likeliest four Student-t components are three and one for these.
    [("uniform", 0), ("uniform", 0.01), ("uniform", 0.05), ("student", 0), ("student", 0.01)],
)
@pytest.mark.parametrize(("n", "d"), [(4000, 5), (10_000, 2)])
def test_a_rare_class_is_neither_an_outlier_nor_a_tail(n, d, outliers, errors):
    x, component = classes(0, n, d)
    gross = np.random.default_rng(1).uniform(-20, 30, (round(n * errors), d))
    model = GaussianMixture(4, outliers=outliers, random_state=0, tol=1e-5, max_iter=300).fit(np.r_[x, gross])
    assert is_found(model.predict(x), component)


def test_gross_errors_alone_are_no_class():
    x, component = classes(0, 10_000, 2)
    some = x[component < 3]
    gross = np.random.default_rng(1).uniform(-20, 30, (200, 2))
    model = GaussianMixture(3, outliers="uniform", random_state=0).fit(np.r_[some, gross])
    means = [some[component[component < 3] == c].mean(axis=0) for c in range(3)]
    assert model.weights_.min() > 0.3
    np.testing.assert_allclose(np.sort(model.means_, axis=0), np.sort(means, axis=0), atol=0.1)


def test_a_rare_class_that_has_drawn_samples_of_others_to_itself_is_freed_of_them():
    x, component = classes(0, 30_000, 3)
    planes, true = np.ascontiguousarray(x.T), np.array([x[component == c].mean(axis=0) for c in range(4)])
    # The last component holds the rare class and a part of the first, as EM leaves it where it stops early.
    wide = Mixture(
        np.array([0.28, 1 / 3, 1 / 3, 0.0533]),
        np.array([*true[:3], 0.95 * true[0] + 0.05 * true[3]]),
        np.stack([np.eye(3)] * 3 + [3 * np.eye(3)]),
    )
    found = with_rare_classes(wide, planes, None, climb, least=1e-4)
    assert found.weights.min() == pytest.approx(0.002, abs=2e-4)
    np.testing.assert_allclose(found.means[found.weights.argmin()], true[3], atol=0.1)


@pytest.mark.parametrize("covariance", ["full", "tied", "diag", "spherical"])
def test_a_component_that_is_hardly_needed_moves_to_where_samples_lie_far_out(covariance):
    x, component = classes(0, 30_000, 3)
    true = [x[component == c].mean(axis=0) for c in range(4)]
    own = {"full": np.stack([np.eye(3)] * 4), "tied": np.eye(3), "diag": np.ones((4, 3)), "spherical": np.ones(4)}
    halved = Mixture(np.array([1 / 3, 1 / 6, 1 / 6, 1 / 3]), np.array(true)[[0, 1, 1, 2]], own[covariance], covariance)
    found = with_rare_classes(halved, np.ascontiguousarray(x.T), None, climb, least=1e-4)
    places = ((found.means[:, None] - np.array(true)) ** 2).sum(axis=-1).argmin(axis=1)
    assert sorted(places) == [0, 1, 2, 3]
    np.testing.assert_allclose(found.means, np.array(true)[places], atol=0.15)
    assert found.weights[places == 3] == pytest.approx(0.002, abs=5e-4)


def test_no_class_is_given_up_for_a_rarer_one():
    x, component = classes(0, 30_000, 3)
    true = np.array([x[component == c].mean(axis=0) for c in range(3)])
    apart = Mixture(np.full(3, 1 / 3), true, np.stack([np.eye(3)] * 3))
    assert with_rare_classes(apart, np.ascontiguousarray(x.T), None, climb, least=1e-4) is apart


def test_no_trial_is_made_where_it_would_take_a_class_that_is_worth_more():
    rng = np.random.default_rng(3)
    x = np.r_[rng.normal(0, 1, (600, 3)), rng.normal(9, 1, (400, 3)), rng.normal([4, -9, 4], 0.5, (5, 3))]
    start = Mixture(np.array([0.6, 0.4]), np.array([[0.0] * 3, [9.0] * 3]), np.stack([np.eye(3)] * 2))
    tried = []

    def counted(samples, weights, mixture, iterations):
        tried.append(iterations)
        return climb(samples, weights, mixture, iterations)

    planes = np.ascontiguousarray(x.T)
    assert with_rare_classes(start, planes, None, counted, least=1e-3) is start
    assert not tried
    # A third component, which is half of one of the two, is free to go there.
    third = Mixture(np.array([0.6, 0.2, 0.2]), start.means[[0, 1, 1]], np.stack([np.eye(3)] * 3))
    found = with_rare_classes(third, planes, None, counted, least=1e-3)
    assert tried
    np.testing.assert_allclose(found.means[found.weights.argmin()], [4, -9, 4], atol=0.5)


def test_of_many_components_that_weigh_the_same_none_is_a_light_one():
    means = 8.0 * np.stack(np.meshgrid(np.arange(8), np.arange(8)), axis=-1).reshape(-1, 2)
    x = np.repeat(means, 100, axis=0) + np.random.default_rng(0).normal(size=(6400, 2)).clip(-3, 3)
    start = Mixture(np.full(64, 1 / 64), means, np.stack([np.eye(2)] * 64))
    tried = []
    planes = np.ascontiguousarray(x.T)
    assert (
        with_rare_classes(start, planes, None, lambda *given: tried.append(given) or climb(*given), least=1e-3) is start
    )
    assert not tried


def test_samples_of_the_mixture_itself_change_nothing():
    mixture = Mixture(np.array([0.5, 0.5]), np.array([[0.0, 0.0], [1.0, 3.0]]), np.stack([np.eye(2)] * 2))
    planes, _ = mixture.sample(30_000, np.random.default_rng(1))
    assert with_rare_classes(mixture, planes, None, climb, least=1e-4) is mixture


def test_a_weight_of_a_far_sample_counts_as_so_many_samples():
    rng = np.random.default_rng(0)
    halved = Mixture(np.full(2, 0.5), np.zeros((2, 2)), np.stack([np.eye(2)] * 2))
    planes = np.concatenate([rng.normal(size=(20_000, 2)), rng.normal(9, 0.5, (30, 2))]).T.copy()
    weights = np.r_[np.ones(20_000), np.full(30, 4.0)]
    assert with_rare_classes(halved, planes, np.ones(20_030), climb, least=0.005) is halved
    found = with_rare_classes(halved, planes, weights, climb, least=0.005)
    assert found.weights.min() == pytest.approx(120 / 20_120, rel=0.05)
    np.testing.assert_allclose(found.means[found.weights.argmin()], planes[:, 20_000:].mean(axis=1), atol=0.05)


@pytest.mark.skipif(kernels.native is None, reason="without compiled kernels the loop does it")
@pytest.mark.parametrize("covariance", ["full", "diag", "spherical"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("k", "rare", "weighted"), [(4, 0.004, False), (5, 0.01, True), (3, 0.0, False), (2, 0.01, True)]
)
def test_one_call_finds_the_ways_that_the_loop_does(monkeypatch, rng, covariance, dtype, k, rare, weighted):
    """Of mixtures that have missed the rare class, and of those with light components, which may be two classes."""
    x, _ = classes(1, 9000, 3, rare=rare)
    planes = np.ascontiguousarray(x.T, dtype)
    weights = rng.uniform(0.5, 2, planes.shape[1]).astype(dtype) if weighted else None
    numbers = []
    for shares in (np.full(k, 1 / k), np.r_[np.full(2, 0.01), np.full(k - 1, 0.98)][:k]):
        means = planes[:, rng.integers(3000, size=k)].T.astype(np.float64)
        whole = {"full": np.eye(3), "diag": np.ones(3), "spherical": 1.0}[covariance]
        start = Mixture(shares / shares.sum(), means, np.stack([np.asarray(whole)] * k), covariance)
        fit = expectation_maximization(planes, start, Iteration(max_iterations=4), weights=weights)
        given = fit.mixture, planes, weights, (0.0005, 0.02, 1e-4)
        at_once = list(_promising(*given))
        with monkeypatch.context() as patched:
            patched.setattr(kernels, "outlying", lambda *_: None)
            one_by_one = list(_promising(*given))
        numbers.append(len(at_once))
        assert len(at_once) == len(one_by_one)
        for found, right in zip(at_once, one_by_one, strict=True):
            for name in ("weights", "means", "covariances"):
                np.testing.assert_allclose(getattr(found[0], name), getattr(right[0], name), rtol=1e-9, atol=1e-9)
            np.testing.assert_array_equal(found[1].planes, right[1].planes)
            np.testing.assert_allclose(found[1].weights, right[1].weights, rtol=1e-6)
            assert found[1].n_far == right[1].n_far
            assert found[1].weights.dtype == dtype
            assert found[2:] == right[2:]
    assert max(numbers) > 0 or k != 4


@pytest.mark.skipif(kernels.native is None, reason="without compiled kernels the loop does it")
def test_missing_features_are_left_to_the_loop(rng):
    planes = rng.normal(size=(2, 500))
    start = np.full(2, 0.5), np.array([[0.0, 0], [5, 5]]), np.ones((2, 2)), "diag"
    rest = (1e-3, 0.02, 1e-4, 0.02, 5e-4, 0.2, 25.0), (1024, 4096, 3), 1
    assert kernels.outlying(planes, None, start, *rest) == []
    planes[1, 7] = np.nan
    assert kernels.outlying(planes, None, start, *rest) is None
    with pytest.raises(ValueError, match="one weight for each"):
        kernels.outlying(planes, np.ones(3), start, *rest)


@pytest.mark.skipif(kernels.native is None, reason="the reference takes any array")
@pytest.mark.parametrize("weights", [np.ones(1000)[::2], np.ones(500, np.float32)])
def test_weights_that_the_kernels_would_copy_are_refused(rng, weights):
    """Nobody would keep the copy while they read it."""
    planes = rng.normal(size=(2, 500))
    start = np.full(2, 0.5), np.array([[0.0, 0], [5, 5]]), np.ones((2, 2)), "diag"
    rest = (1e-3, 0.02, 1e-4, 0.02, 5e-4, 0.2, 25.0), (1024, 4096, 3), 1
    with pytest.raises(ValueError, match="contiguous"):
        kernels.outlying(planes, weights, start, *rest)
    with pytest.raises(ValueError, match="contiguous"):
        kernels.climb(planes, weights, start, np.zeros(2), None, (0.0, 1e-9, 0.0), 3, 0, 1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_weights_of_any_layout_and_type_find_the_same_rare_class(dtype):
    x, _ = classes(1, 9000, 3, rare=0.01)
    planes = np.ascontiguousarray(x.T, np.float32)
    weights = 1 + (np.arange(planes.shape[1]) % 3).astype(np.float32)
    shares, means = np.full(4, 0.25), planes[:, [1, 2000, 4000, 6000]].T.astype(np.float64)
    start = Mixture(shares, means, np.ones((4, 3)), "diag")

    found = [
        with_rare_classes(start, planes, own, climb, least=0.0005, most=0.02)
        for own in (weights, weights.astype(dtype).repeat(2)[::2])
    ]
    np.testing.assert_array_equal(found[0].means, found[1].means)
    np.testing.assert_array_equal(found[0].weights, found[1].weights)
