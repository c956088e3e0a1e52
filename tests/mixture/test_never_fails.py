"""Whatever finite numbers are given, a fit is a usable mixture, or one line says why not; NumPy never has to warn.

Samples are a base distribution with defects put into it, so that what goes wrong in practice is drawn often.
"""

import contextlib
import warnings
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gmmseg import GaussianMixture, GmmsegWarning, Mixture, ParameterError, Prior
from gmmseg.mixture.covariance import FAMILIES, inverse_of_lower
from gmmseg.mixture.em import Iteration, expectation_maximization
from gmmseg.mixture.moves import merge_down
from gmmseg.mixture.seeding import Seeding, seed_mixture

# ---------------------------------------------------------------------------------------------------------------------
# Samples: (rng, n, d) -> (n, d), then (rng, samples) -> samples for each defect
# ---------------------------------------------------------------------------------------------------------------------

BASES = {
    "normal": lambda rng, n, d: rng.normal(size=(n, d)),
    "clusters": lambda rng, n, d: rng.normal(0, 10, (3, d))[rng.integers(3, size=n)] + rng.normal(size=(n, d)),
    "grid": lambda rng, n, d: rng.integers(0, 3, (n, d)).astype(float),
    "heavy": lambda rng, n, d: rng.standard_cauchy((n, d)).clip(-1e6, 1e6),
    "points": lambda rng, n, d: rng.normal(size=(2, d))[rng.integers(2, size=n)],
    "constant": lambda rng, n, d: np.repeat(rng.normal(size=(1, d)), n, axis=0),
    "zero": lambda rng, n, d: np.zeros((n, d)),
}


def _missing(rng, x, share=0.3):
    return np.where(rng.random(x.shape) < share, np.nan, x)


def _mostly_missing(rng, x):
    return _missing(rng, x, 0.9)


def _missing_feature(rng, x):
    return np.where(np.arange(x.shape[1]) == rng.integers(x.shape[1]), np.nan, x)


def _missing_rows(rng, x):
    return np.where(rng.random((len(x), 1)) < 0.5, np.nan, x)


def _disjoint(rng, x):
    """Each sample has one feature, so that no two are ever seen together."""
    return np.where(rng.integers(x.shape[1], size=(len(x), 1)) == np.arange(x.shape[1]), x, np.nan)


def _duplicated(rng, x):
    return x[np.sort(rng.integers(max(1, len(x) // 4), size=len(x)))]


def _constant_feature(rng, x):
    return np.where(np.arange(x.shape[1]) == rng.integers(x.shape[1]), rng.normal() * 100, x)


def _collinear(rng, x):
    return np.c_[x[:, :-1], x[:, :-1].sum(axis=1)] if x.shape[1] > 1 else x


def _nearly_collinear(rng, x):
    return x[:, :1] + 1e-9 * x


def _extreme(rng, x):
    return np.where(np.arange(len(x))[:, None] == rng.integers(len(x)), 1e9 * x, x)


def _offset(rng, x):
    return x + 10.0 ** rng.uniform(3, 16, x.shape[1])


def _neighbours(rng, x):
    """Samples that differ in their last bits."""
    return np.nan_to_num(x[:1], nan=1.0) * (1 + rng.integers(0, 4, x.shape) * np.finfo(float).eps)


def _units(rng, x):
    return x * 10.0 ** rng.uniform(-12, 12, x.shape[1])


DEFECTS = {
    f.__name__.strip("_"): f
    for f in (
        _missing,
        _mostly_missing,
        _missing_feature,
        _missing_rows,
        _disjoint,
        _duplicated,
        _constant_feature,
        _collinear,
        _nearly_collinear,
        _extreme,
        _offset,
        _neighbours,
        _units,
    )
}

WEIGHTS = {
    "none": lambda rng, n: None,
    "counts": lambda rng, n: rng.integers(0, 4, n),
    "half": lambda rng, n: (np.arange(n) % 2).astype(float),
    "one": lambda rng, n: (np.arange(n) == rng.integers(n)).astype(float),
    "ratios": lambda rng, n: 10.0 ** rng.uniform(-30, 30, n),
    "tiny": lambda rng, n: np.full(n, 1e-300),
    "zero": lambda rng, n: np.zeros(n),
}

DTYPES = ("f8", "f4", "f2", "?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8")


@dataclass(frozen=True)
class Data:
    """How samples and their weights are made; small enough to be read in a failing example."""

    n: int = 40
    d: int = 2
    seed: int = 0
    base: str = "normal"
    defects: tuple[str, ...] = ()
    power: int = 0  # of ten: the samples' magnitude
    dtype: str = "f8"
    weights: str = "none"

    def make(self):
        """Samples (n, d) and weights (n,) or None."""
        rng = np.random.default_rng(self.seed)
        x = BASES[self.base](rng, self.n, self.d)
        for name in self.defects:
            x = DEFECTS[name](rng, x)
        x = x * 10.0**self.power
        return _cast(x, np.dtype(self.dtype)), WEIGHTS[self.weights](rng, self.n)


def _cast(x, dtype):
    """The samples as near as this type holds them: cut to its range, and without missing features if it has none."""
    if dtype.kind == "f":
        return np.clip(x, -float(np.finfo(dtype).max) / 4, float(np.finfo(dtype).max) / 4).astype(dtype)
    whole = np.rint(np.nan_to_num(x))
    if dtype.kind == "b":
        return whole > 0
    bounds = np.iinfo(dtype)
    inside = np.clip(whole, float(bounds.min), float(bounds.max))
    return np.where(inside >= float(bounds.max), bounds.max, np.where(inside < 2.0**63, inside, 0).astype(dtype))


datasets = st.builds(
    Data,
    n=st.one_of(st.integers(1, 6), st.integers(1, 150)),
    d=st.one_of(st.integers(1, 4), st.integers(1, 12)),
    seed=st.integers(0, 2**16),
    base=st.sampled_from(sorted(BASES)),
    defects=st.lists(st.sampled_from(sorted(DEFECTS)), max_size=3, unique=True).map(tuple),
    power=st.one_of(st.just(0), st.integers(-30, 30)),
    dtype=st.one_of(st.sampled_from(("f8", "f4")), st.sampled_from(DTYPES)),
    weights=st.one_of(st.just("none"), st.sampled_from(sorted(WEIGHTS))),
)


@contextlib.contextmanager
def only_own_warnings():
    """Let gmmseg's warnings pass; every other one is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", GmmsegWarning)
        yield


# ---------------------------------------------------------------------------------------------------------------------
# The estimator
# ---------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wish:
    """What is asked of GaussianMixture."""

    k: int = 1
    covariance: str = "full"
    init: str = "kmeans"
    outliers: str | None = None
    reg_covar: float = 1e-6
    n_init: int = 1

    def model(self):
        return GaussianMixture(
            self.k,
            covariance_type=self.covariance,
            init_params=self.init,
            outliers=self.outliers,
            reg_covar=self.reg_covar,
            n_init=self.n_init,
            max_iter=20,
            random_state=0,
            threads=1,
        )


wishes = st.builds(
    Wish,
    k=st.one_of(st.integers(1, 5), st.integers(1, 64)),
    covariance=st.sampled_from(sorted(FAMILIES)),
    init=st.sampled_from(["kmeans", "k-means++", "random", "random_from_data"]),
    outliers=st.sampled_from([None, "uniform", "student"]),
    reg_covar=st.sampled_from([1e-6, 1e-6, 0.0, 1e-12, 1.0]),
    n_init=st.sampled_from([1, 1, 2]),
)


def usable(x, weights):
    """How many samples have a feature and a weight."""
    known = ~np.isnan(x.astype(np.float64)).all(axis=1)
    return int((known if weights is None else known & (weights > 0)).sum())


def check_mixture(weights, means, covariances, factors, outlier_weight, covariance):
    """Finite, with proportions that sum to one and precision factors of positive diagonal."""
    for name, array in (
        ("weights", weights),
        ("means", means),
        ("covariances", covariances),
        ("precision factors", factors),
    ):
        assert np.isfinite(array).all(), name
    assert (weights >= 0).all()
    assert outlier_weight >= 0
    assert weights.sum(dtype=np.float64) + outlier_weight == pytest.approx(1, abs=1e-5)
    square = covariance in ("full", "tied")
    for array in (covariances, factors):
        assert (np.diagonal(array, axis1=-2, axis2=-1) if square else array).min() > 0


def check_model(model, covariance):
    """The same of a fitted estimator, whose history and precisions are finite too."""
    parts = model.weights_, model.means_, model.covariances_, model.precisions_cholesky_
    check_mixture(*parts, getattr(model, "outlier_weight_", 0.0), covariance)
    assert np.isfinite(model.precisions_).all()
    assert np.isfinite(model.lower_bounds_).all()


def check_answers(model, x):
    """What a fitted model says of samples is finite, in range, and the same by every method."""
    k, missing = len(model.weights_), np.isnan(x.astype(np.float64)).all(axis=1)
    soft, labels, scores = model.predict_proba(x), model.predict(x), model.score_samples(x)
    assert soft.shape == (len(x), k)
    assert np.isfinite(soft).all()
    assert (soft >= 0).all()
    np.testing.assert_allclose(soft.sum(axis=1), 1, atol=1e-4)
    assert ((labels >= 0) & (labels < k)).all()
    assert (labels[missing] == 0).all()
    rows = np.flatnonzero(~missing)
    assert (soft[rows, labels[rows]] >= soft[rows].max(axis=1) - 1e-5).all()
    assert np.isfinite(scores).all()
    assert (scores[missing] == 0).all()
    p = model.p_values(x)
    assert np.isnan(p[missing]).all()
    assert ((p[rows] >= 0) & (p[rows] <= 1)).all()
    drawn, components = model.sample(5)
    assert np.isfinite(drawn).all()
    lowest = 0 if getattr(model, "outlier_ranges_", None) is None else -1
    assert ((components >= lowest) & (components < k)).all()


def check_fit(data, wish):
    x, weights = data.make()
    with only_own_warnings():
        try:
            model = wish.model().fit(x, sample_weight=weights)
        except ParameterError as refusal:
            assert "\n" not in str(refusal)
            no_weight = weights is not None and not weights.any()
            alike = wish.reg_covar == 0 and "can be told apart" in str(refusal)
            assert no_weight or alike or usable(x, weights) < wish.k, str(refusal)
            return
        assert 1 <= len(model.weights_) <= wish.k
        assert len(model.means_) == len(model.weights_)
        check_model(model, wish.covariance)
        check_answers(model, x)


@pytest.mark.slow
@given(data=datasets, wish=wishes)
@settings(max_examples=120)
@example(  # as many samples with a weight as components is too few of them
    Data(n=5, base="grid", seed=5, weights="counts"), Wish(k=5, covariance="diag", init="random_from_data")
)
@example(Data(n=4, d=4, seed=52819, power=19, dtype="f4", weights="ratios"), Wish(k=4, init="random_from_data"))
@example(  # covariances that float32 cannot hold, too large or too small
    Data(n=34, d=3, seed=19181, defects=("collinear", "extreme", "missing"), power=29, dtype="f4"),
    Wish(covariance="diag", outliers="uniform", reg_covar=1.0),
)
@example(
    Data(n=2, d=1, seed=65536, base="clusters", power=-27, dtype="f4"),
    Wish(k=2, covariance="tied", init="random", outliers="uniform", reg_covar=0.0),
)
@example(  # factors rounded to float32
    Data(n=122, d=5, seed=4667, base="heavy", defects=("collinear", "missing", "missing_rows"), dtype="f4"),
    Wish(k=4, outliers="uniform", reg_covar=0.0),
)
@example(  # a constant feature whose variance is rounding, 1e-150
    Data(n=4, d=9, seed=15, base="grid", weights="counts"), Wish(k=4, reg_covar=0.0)
)
@example(  # merging components without volume
    Data(n=150, d=9, seed=19071, base="points", defects=("duplicated",), power=11),
    Wish(k=5, covariance="tied", reg_covar=1.0),
)
@example(  # sums of float32 samples far apart
    Data(n=43, d=4, seed=23, base="heavy", defects=("duplicated",), power=22, dtype="f4"),
    Wish(k=42, covariance="diag", init="random", outliers="uniform"),
)
@example(  # weights that leave one sample alone
    Data(n=4, d=11, seed=2847, base="grid", power=27, weights="ratios"),
    Wish(k=2, init="random_from_data", outliers="uniform", n_init=2),
)
@example(  # regression of missing features on others that depend on each other
    Data(n=139, d=3, seed=579, base="clusters", defects=("nearly_collinear", "constant_feature", "missing"), power=17),
    Wish(k=60, init="k-means++", reg_covar=0.0, n_init=2),
)
def test_every_fit_is_usable_or_refused_in_one_line(data, wish):
    check_fit(data, wish)


@pytest.mark.slow
@pytest.mark.parametrize("outliers", [None, "uniform", "student"])
@pytest.mark.parametrize("covariance", sorted(FAMILIES))
@pytest.mark.parametrize("far", [1e10, 1e20, 1e30])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_sample_far_out_does_not_spoil_the_fit(dtype, far, covariance, outliers):
    x = np.random.default_rng(0).normal(size=(10_001, 3)).astype(dtype)
    x[5], x[7, 1] = far, -far  # more samples than the frame looks at, and these are not among them
    with only_own_warnings():
        model = GaussianMixture(3, covariance_type=covariance, outliers=outliers, random_state=0, max_iter=10).fit(x)
        check_model(model, covariance)
        check_answers(model, x)


@pytest.mark.parametrize("far", [1e141, -1e200, 1.7e308])
def test_numbers_whose_squares_do_not_exist_are_refused(far):
    x = np.random.default_rng(0).normal(size=(10_001, 3))
    x[5, 1], x[3, 2] = far, np.nan
    with only_own_warnings(), pytest.raises(ParameterError, match=r"X reaches .*; divide X"):
        GaussianMixture(2).fit(x)
    x[5, 1] = np.copysign(np.inf, far)
    with only_own_warnings(), pytest.raises(ParameterError, match="X contains infinity"):
        GaussianMixture(2).fit(x)


def test_a_tiny_variance_beside_large_ones_is_inverted_to_the_last_digit():
    lower = np.array([[[1e-77, 0.0, 0.0], [3.0, 1e-3, 0.0], [1.0, 2.0, 4.0]]])
    np.testing.assert_allclose(inverse_of_lower(lower) @ lower, np.eye(3)[None], rtol=1e-15, atol=1e-12)
    assert inverse_of_lower(lower)[0, 0, 0] == pytest.approx(1e77)


def test_a_marginal_of_features_that_nearly_depend_on_each_other_keeps_its_digits():
    roots = np.array([[[1.0, 0.0, 0.0], [1.0, 1e-9, 0.0], [0.5, 0.0, 1.0]]])
    whole = Mixture(np.ones(1), np.zeros((1, 3)), roots @ roots.swapaxes(1, 2))
    with pytest.raises(np.linalg.LinAlgError):
        _ = whole.factors
    exact = whole.of_precisions(np.linalg.inv(roots).swapaxes(1, 2))
    expected = [[[1.0, 0.0], [-1e9, 1e9]]]
    np.testing.assert_allclose(exact.marginal(np.array([0, 1])).factors, expected, rtol=1e-6)


def test_components_without_volume_are_merged_down_to_as_many_as_wanted():
    flat = Mixture(np.full(6, 1 / 6), np.zeros((6, 2)), np.zeros((6, 2, 2)))
    with only_own_warnings():
        merged = merge_down(flat, 2)
    assert merged.n_components == 2
    assert merged.weights.sum() == pytest.approx(1)


# ---------------------------------------------------------------------------------------------------------------------
# EM itself
# ---------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Order:
    """What is asked of EM, beyond the samples; noise and regularization are in units of the samples' variance."""

    k: int = 1
    covariance: str = "full"
    outliers: str | None = None
    regularization: float = 1e-6
    noise: float = 0.0
    log_prior: str = "none"
    strength: float | None = None  # of the prior
    frozen: bool = False
    starts: int | None = None


orders = st.builds(
    Order,
    k=st.one_of(st.integers(1, 4), st.integers(1, 40)),
    covariance=st.sampled_from(sorted(FAMILIES)),
    outliers=st.sampled_from([None, "uniform", "student"]),
    regularization=st.sampled_from([1e-6, 1e-6, 0.0, 1.0]),
    noise=st.sampled_from([0.0, 0.0, 1e-4, 1.0]),
    log_prior=st.sampled_from(["none", "none", "soft", "hard", "excluded"]),
    strength=st.sampled_from([None, None, 0.0, 1.0, 1e6]),
    frozen=st.booleans(),
    starts=st.sampled_from([None, 1]),
)


def log_priors(kind, k, planes):
    """Logarithms of prior probabilities (K, n): even ones, one component for each sample, or one component for none."""
    n, rng = planes.shape[1], np.random.default_rng(1)
    if kind == "none":
        return None
    if kind == "soft":
        return np.log(rng.dirichlet(np.ones(k), n).T + 1e-12).astype(planes.dtype)
    ruled_out = rng.integers(k, size=n) != np.arange(k)[:, None] if kind == "hard" else np.arange(k)[:, None] > 0
    return np.where(ruled_out, -1e6, 0.0).astype(planes.dtype)[:, :n] * np.ones(n, planes.dtype)


def check_em(data, order):
    rows, weights = data.make()
    if rows.dtype != np.float32 or np.nanmax(np.abs(rows), initial=0) > 1e15:  # whose squares float32 does not hold
        rows = rows.astype(np.float64)
    planes = np.ascontiguousarray(rows.T)
    if order.k > usable(rows, weights):
        return
    weights = None if weights is None else (weights / weights.max()).astype(planes.dtype)
    unit = 100.0**data.power
    added = {"regularization": order.regularization * unit, "noise": order.noise * unit}
    with only_own_warnings():
        seeding = Seeding(order.covariance, outliers=order.outliers, starts=order.starts, **added)
        start = seed_mixture(planes, order.k, np.random.default_rng(0), seeding, weights=weights)
        k = start.n_components
        prior = order.strength
        fit = expectation_maximization(
            planes,
            start,
            Iteration(max_iterations=20, **added),
            weights=weights,
            log_prior=log_priors(order.log_prior, k, planes),
            prior=None if prior is None else Prior(replace(start, dof=None, outlier_ranges=None), prior, prior, prior),
            frozen=(0,) if order.frozen and order.covariance != "tied" else (),
        )
        mixture = fit.mixture
        check_mixture(
            mixture.weights,
            mixture.means,
            mixture.covariances,
            mixture.factors,
            mixture.outlier_weight,
            order.covariance,
        )
        assert np.isfinite(fit.history).all()
        soft = mixture.posterior(planes)
        assert np.isfinite(soft).all()
        np.testing.assert_allclose(soft.sum(axis=0), 1, atol=1e-4)
        assert np.isfinite(mixture.log_density(planes)).all()
        labels = mixture.classify(planes)
        assert ((labels >= 0) & (labels < mixture.n_components)).all()


@pytest.mark.slow
@given(data=datasets, order=orders)
@settings(max_examples=120)
@example(  # components of one common covariance stay as many as the prior knows
    Data(n=15, d=1, seed=1, base="grid"),
    Order(k=15, covariance="tied", regularization=1.0, log_prior="excluded", strength=1e6, starts=1),
)
@example(  # samples that all weigh nothing among those that have the same features
    Data(n=3, d=8, seed=198, base="zero", defects=("missing",), dtype="f4", weights="half"),
    Order(covariance="tied", outliers="student", log_prior="hard", strength=0.0),
)
@example(  # merging components without volume
    Data(n=72, d=5, seed=2274, base="zero", defects=("missing_rows", "offset"), dtype="u8"),
    Order(k=2, outliers="student", log_prior="hard", strength=1.0, frozen=True),
)
@example(  # the most crowded samples all weigh nothing
    Data(n=6, d=7, seed=180, dtype="u1", weights="one"), Order(covariance="tied", outliers="student", log_prior="soft")
)
@example(  # the most crowded samples have no feature at all
    Data(n=127, d=1, seed=4272, base="clusters", defects=("duplicated", "mostly_missing", "extreme"), power=-23),
    Order(k=4, covariance="tied", outliers="student", regularization=1.0, noise=1.0, log_prior="excluded"),
)
def test_every_em_ends_in_a_usable_mixture(data, order):
    check_em(data, order)
