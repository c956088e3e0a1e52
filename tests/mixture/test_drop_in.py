"""GaussianMixture in programs that were written for scikit-learn's: only the import changes."""

import copy
import importlib
import pickle
import warnings

import numpy as np
import pytest
import sklearn.exceptions
from sklearn.base import clone
from sklearn.mixture import GaussianMixture as Oracle
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import gmmseg
from gmmseg import GaussianMixture

pytestmark = pytest.mark.usefixtures("one_blas_thread")

FAMILIES = ["full", "tied", "diag", "spherical"]
ATTRIBUTES = ["weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_"]


class Frame:
    """As much of a data frame as estimators look at."""

    def __init__(self, values, columns):
        self.values, self.columns, self.shape = np.asarray(values), columns, np.shape(values)

    def __array__(self, dtype=None, copy=None):
        return np.array(self.values, dtype)


@pytest.mark.slow
@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
@pytest.mark.parametrize("n_components", [1, 2, 3])
def test_scikit_learn_s_checks_of_estimators(n_components, covariance_type):
    model = GaussianMixture(n_components, covariance_type=covariance_type)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is no BaseEstimator, which would make scikit-learn a requirement
        results = check_estimator(model, on_skip=None, on_fail=None)
    assert [(r["check_name"], r["exception"]) for r in results if r["status"] == "failed"] == []
    assert sum(r["status"] == "passed" for r in results) > 30


TEXT_BOOK = """
import numpy as np
from sklearn.datasets import make_blobs
from {module} import GaussianMixture

X, y_true = make_blobs(n_samples=400, centers=3, cluster_std=0.60, random_state=0)
gmm = GaussianMixture(n_components=3, covariance_type="full", random_state=42)
gmm.fit(X)
labels = gmm.predict(X)
centers = gmm.means_
"""
DRAWING = """
import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt
plt.scatter(X[:, 0], X[:, 1], c=labels, s=40, cmap="viridis")
plt.scatter(gmm.means_[:, 0], gmm.means_[:, 1], c="red", s=200, alpha=0.75, marker="x")
plt.title("Gaussian mixture")
plt.savefig({path!r})
plt.close()
"""


@pytest.mark.slow
def test_the_text_book_program_runs_with_its_import_changed(tmp_path):
    from sklearn.metrics import adjusted_rand_score

    ours, theirs = {}, {}
    exec(TEXT_BOOK.format(module="gmmseg"), ours)
    exec(TEXT_BOOK.format(module="sklearn.mixture"), theirs)
    assert adjusted_rand_score(ours["labels"], theirs["labels"]) == 1
    assert ours["labels"].dtype == theirs["labels"].dtype
    order, theirs_order = ours["centers"][:, 0].argsort(), theirs["centers"][:, 0].argsort()
    np.testing.assert_allclose(ours["centers"][order], theirs["centers"][theirs_order], atol=0.01)  # both stop at tol
    if importlib.util.find_spec("matplotlib"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # matplotlib's own
            exec(DRAWING.format(path=str(tmp_path / "figure.png")), ours)
        assert (tmp_path / "figure.png").stat().st_size > 1000


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("covariance", FAMILIES)
def test_attributes_have_scikit_learn_s_types_and_shapes(blobs, covariance, dtype):
    x = blobs(300)[0].astype(dtype)
    ours = GaussianMixture(4, covariance_type=covariance, random_state=0).fit(x)
    theirs = Oracle(4, covariance_type=covariance, random_state=0).fit(x)
    for name in ATTRIBUTES:
        assert (getattr(ours, name).dtype, getattr(ours, name).shape) == (dtype, getattr(theirs, name).shape), name
    assert {n for n in vars(theirs) if n.endswith("_")} == {n for n in vars(ours) if n.endswith("_")}
    assert len(ours.lower_bounds_) == ours.n_iter_
    assert ours.lower_bound_ == ours.lower_bounds_[-1]
    for method in ("predict", "predict_proba", "score_samples"):
        a, b = getattr(ours, method)(x), getattr(theirs, method)(x)
        assert (a.dtype, a.shape) == (b.dtype, b.shape), method


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("covariance", FAMILIES)
def test_a_model_put_together_by_hand_does_what_scikit_learn_s_does(blobs, covariance, dtype):
    x = blobs(300)[0].astype(dtype)
    theirs = Oracle(4, covariance_type=covariance, random_state=3).fit(x)
    ours = GaussianMixture(4, covariance_type=covariance, random_state=3)
    for name in ("weights_", "means_", "covariances_", "precisions_cholesky_"):
        setattr(ours, name, getattr(theirs, name))
    exact = 1e-10 if dtype == np.float64 else 2e-4
    np.testing.assert_array_equal(ours.predict(x), theirs.predict(x))
    np.testing.assert_allclose(ours.predict_proba(x), theirs.predict_proba(x), atol=exact)
    np.testing.assert_allclose(ours.score_samples(x), theirs.score_samples(x), rtol=exact)
    for method in ("score", "bic", "aic"):
        assert getattr(ours, method)(x) == pytest.approx(getattr(theirs, method)(x), rel=exact)
    drawn = ours.sample(100)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # scikit-learn's, of covariances rounded to float32
        expected = theirs.sample(100)
    for mine, peer in zip(drawn, expected, strict=True):
        np.testing.assert_allclose(mine, peer, rtol=exact)
        assert mine.dtype == peer.dtype


def test_samples_follow_numpy_s_global_seed(blobs):
    model = GaussianMixture(2, random_state=0).fit(blobs(100)[0]).set_params(random_state=None)
    state = np.random.get_state()  # noqa: NPY002
    try:
        np.random.seed(5)  # noqa: NPY002
        first = model.sample(5)[0]
        np.random.seed(5)  # noqa: NPY002
        np.testing.assert_array_equal(model.sample(5)[0], first)
        assert not np.array_equal(model.sample(5)[0], first)
    finally:
        np.random.set_state(state)  # noqa: NPY002


@pytest.mark.slow
def test_meta_estimators_take_it(blobs):
    x = blobs(300, 2, 3)[0]
    search = GridSearchCV(GaussianMixture(random_state=0), {"n_components": [1, 3], "covariance_type": FAMILIES}, cv=3)
    search.fit(x)
    assert search.best_params_["n_components"] == 3
    assert isinstance(search.best_estimator_, GaussianMixture)
    assert np.isfinite(cross_val_score(GaussianMixture(2, random_state=0), x, cv=3)).all()
    chain = make_pipeline(StandardScaler(), GaussianMixture(2, random_state=0))
    chain.set_params(gaussianmixture__n_components=3)
    assert set(chain.fit(x).predict(x)) == {0, 1, 2}
    assert chain.score(x) == pytest.approx(chain[-1].score(chain[0].transform(x)))
    assert "GaussianMixture" in chain._repr_html_()


@pytest.mark.slow
@pytest.mark.parametrize("twin", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_of_a_fitted_model_say_the_same(blobs, twin):
    x = blobs(200)[0]
    model = GaussianMixture(3, random_state=0).fit(x)
    np.testing.assert_array_equal(twin(model).predict_proba(x), model.predict_proba(x))
    assert not hasattr(clone(model), "means_")


def test_sample_weights_are_routed_as_requested(blobs):
    x = blobs(200)[0]
    weights = np.r_[np.ones(100), np.zeros(100)]
    with sklearn.config_context(enable_metadata_routing=True):
        request = clone(GaussianMixture(2, random_state=0).set_fit_request(sample_weight=True))
        chain = make_pipeline(request).fit(x, sample_weight=weights)
        with pytest.raises(ValueError, match="sample_weight"):
            make_pipeline(GaussianMixture(2)).fit(x, sample_weight=weights)
    alone = GaussianMixture(2, random_state=0).fit(x, sample_weight=weights)
    np.testing.assert_array_equal(chain[-1].means_, alone.means_)


def test_errors_and_warnings_are_scikit_learn_s_as_well(blobs):
    with pytest.raises(sklearn.exceptions.NotFittedError, match="not fitted yet. Call 'fit'") as caught:
        GaussianMixture().predict([[1.0]])
    assert isinstance(caught.value, gmmseg.GmmsegError)
    with pytest.warns(sklearn.exceptions.ConvergenceWarning, match="did not converge") as warned:
        GaussianMixture(3, max_iter=1, random_state=0).fit(blobs(100)[0])
    assert isinstance(warned[0].message, gmmseg.errors.ConvergenceWarning)
    for fault in (caught.value, warned[0].message):  # as worker processes hand them over
        again = pickle.loads(pickle.dumps(fault))
        assert (type(again), str(again)) == (type(fault), str(fault))


@pytest.mark.slow
def test_without_scikit_learn_errors_are_gmmseg_s_own(fresh_python):
    code = """
import sys, warnings, gmmseg
from gmmseg.errors import ConvergenceWarning
try:
    gmmseg.GaussianMixture().predict([[1.0]])
except AttributeError as fault:
    print(isinstance(fault, gmmseg.GmmsegError))
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    gmmseg.GaussianMixture(2, max_iter=1).fit([[1.0], [2.0], [5.0], [6.0]])
print([w.category is ConvergenceWarning for w in caught], "sklearn" in sys.modules)
"""
    assert fresh_python(code).splitlines() == ["True", "[True] False"]


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([[0.5], [0.5]], r"'weights' should have the shape of \(2,\), but got \(2, 1\)"),
        ([1.25, 1.75], r"range \[0, 1\], but got max value 1.75000, min value 1.25000"),
        ([-0.5, 0.75], r"range \[0, 1\], but got max value 0.75000, min value -0.50000"),
        ([0.25, 0.5], r"normalized, but got sum\(weights\) = 0.75000"),
    ],
)
def test_unusable_starting_weights_are_refused_in_scikit_learn_s_words(weights, message, blobs):
    with pytest.raises(gmmseg.ParameterError, match=message):
        GaussianMixture(2, weights_init=weights).fit(blobs(50)[0])


@pytest.mark.slow
def test_data_frames_keep_their_column_names(blobs):
    x = blobs(100)[0]
    frame = Frame(x, ["red", "green", "blue"])
    model = GaussianMixture(2, random_state=0).fit(frame)
    assert (model.feature_names_in_.dtype, list(model.feature_names_in_)) == (object, frame.columns)
    np.testing.assert_array_equal(model.predict(frame), GaussianMixture(2, random_state=0).fit_predict(x))
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        model.predict(x)
    with pytest.raises(gmmseg.ParameterError, match="must be in the same order"):
        model.predict(Frame(x, frame.columns[::-1]))
    with pytest.raises(gmmseg.ParameterError, match="unseen at fit time:\n- nir\nFeature.*now missing:\n- blue\n"):
        model.predict(Frame(x, ["red", "green", "nir"]))
    with pytest.raises(TypeError, match="are of type int"):
        model.fit(Frame(x, ["red", "green", 3]))
    assert not hasattr(model.fit(x), "feature_names_in_")
    with pytest.warns(UserWarning, match="X has feature names, but GaussianMixture was fitted without"):
        model.predict(frame)


@pytest.mark.parametrize(
    ("x", "kind", "message"),
    [
        (np.ones((4, 2)) + 1j, ValueError, "Complex data not supported"),
        (np.array([["1", "x"]] * 4), ValueError, "no array of numbers.*'x'"),
        (np.array([[1, {}]] * 4, object), TypeError, "not a number.*'dict'"),
        ([[1.0, 2.0], [3.0]], ValueError, "as many numbers for each sample"),
    ],
)
def test_what_is_no_number_is_refused(x, kind, message):
    with pytest.raises(gmmseg.ParameterError, match=message) as caught:
        GaussianMixture().fit(x)
    assert isinstance(caught.value, kind)


def test_sparse_samples_are_refused():
    import scipy.sparse

    with pytest.raises(TypeError, match="sparse.*toarray"):
        GaussianMixture().fit(scipy.sparse.csr_array(np.eye(4)))


@pytest.mark.parametrize(
    ("parameter", "value"),
    [("verbose_interval", 0), ("verbose", -1), ("warm_start", "yes"), ("tol", "1"), ("random_state", -1)],
)
def test_what_scikit_learn_refuses_is_refused(parameter, value, blobs):
    for model in (GaussianMixture(), Oracle()):
        with pytest.raises(ValueError, match=parameter if isinstance(model, GaussianMixture) else None):
            model.set_params(**{parameter: value}).fit(blobs(20)[0])


def test_setting_an_unknown_parameter_sets_none():
    model = GaussianMixture(2)
    with pytest.raises(ValueError, match="Invalid parameter 'components'"):
        model.set_params(n_components=5, components=3)
    assert model.n_components == 2


@pytest.mark.slow
@pytest.mark.parametrize("verbose", [0, 1, 2])
def test_verbose_tells_what_scikit_learn_s_tells(verbose, blobs, capsys):
    x, options = blobs(200)[0], {"tol": 0, "max_iter": 6, "verbose": verbose, "verbose_interval": 2, "n_init": 2}
    said = []
    for cls in (GaussianMixture, Oracle):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            cls(2, random_state=0, **options).fit(x)
        said.append(
            ["".join(c for c in line if c not in "-0123456789.") for line in capsys.readouterr().out.split("\n")]
        )
    assert said[0] == said[1]
    assert len(said[0]) == (11 if verbose else 1)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("covariance", FAMILIES)
def test_a_warm_start_on_settled_parameters_settles_at_once(blobs, covariance, dtype):
    x = blobs(400)[0].astype(dtype)
    model = GaussianMixture(4, covariance_type=covariance, warm_start=True, random_state=0).fit(x)
    before = model.lower_bound_
    assert (model.fit(x).n_iter_, model.converged_) == (1, True)
    assert model.lower_bound_ >= before - 1e-5
    with pytest.raises(gmmseg.ParameterError, match="2 features, but warm_start goes on from a fit of 3"):
        model.fit(x[:, :2])


def test_a_float32_model_of_nearly_collinear_samples_goes_on(rng):
    line = rng.normal(size=(500, 1)) * 1000
    x = (line * [1, 2, 3] + 1e-2 * rng.normal(size=(500, 3))).astype(np.float32)
    model = GaussianMixture(2, random_state=0, warm_start=True, tol=1e-9, max_iter=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gmmseg.GmmsegWarning)
        model.fit(x).fit(x)
    assert np.isfinite(model.score(x))
    assert np.isfinite(model.sample(20)[0]).all()


@pytest.mark.slow
def test_components_that_cannot_be_told_apart_are_refused_only_without_regularisation():
    x = np.repeat([[0.0, 0.0], [1.0, 1.0]], 5, axis=0)
    with pytest.raises(gmmseg.ParameterError, match="ill-defined empirical covariance.*only 2 can be told apart"):
        GaussianMixture(4, reg_covar=0, random_state=0).fit(x)
    with pytest.warns(gmmseg.errors.DataWarning, match="only 2 distinct"):
        model = GaussianMixture(4, random_state=0).fit(x)
    assert np.isfinite(model.score(x))
