"""What is drawn on an Axes: contours hold the share they promise, densities integrate, curves mark their best."""

import numpy as np
import pytest
import sklearn.mixture
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.transforms import Affine2D
from scipy.integrate import trapezoid
from scipy.stats import chi2

import gmmseg
from gmmseg import plot
from gmmseg.errors import ParameterError
from gmmseg.io.palette import palette
from gmmseg.mixture.covariance import FAMILIES
from gmmseg.mixture.em import Fit
from gmmseg.mixture.parameters import Mixture

N = 20_000


@pytest.fixture
def ax():
    return Figure().subplots()


@pytest.fixture(params=sorted(FAMILIES))
def mixture(request):
    """Three components of three features; those of free scale differ by 12 orders of magnitude."""
    rng = np.random.default_rng(1)
    roots = rng.normal(size=(3, 3, 3)) + 1.5 * np.eye(3)
    full = roots @ roots.transpose(0, 2, 1)
    covariances = {
        "full": full,
        "tied": full[0],
        "diag": np.diagonal(full, axis1=1, axis2=2).copy(),
        "spherical": np.array([0.5, 1.0, 4.0]),
    }[request.param]
    plain = Mixture(np.array([0.2, 0.3, 0.5]), rng.normal(0, 5, (3, 3)), covariances, request.param)
    if request.param == "spherical":
        return plain
    return plain.transform(np.array([1e6, 1.0, 1e-6]), np.array([3e5, 0.0, 1e-6]))


def contours(ax):
    return [patch.get_path() for patch in ax.patches if isinstance(patch, PathPatch)]


@pytest.mark.slow
@pytest.mark.parametrize("features", [(0, 1), (2, 0)])
@pytest.mark.parametrize("probability", [0.1, 0.5, 0.95])
def test_contours_hold_their_share_of_the_component_s_samples(ax, mixture, features, probability):
    plot.ellipses(ax, mixture, features=features, probability=probability)
    drawn = contours(ax)
    assert len(drawn) == 3
    for component, contour in enumerate(drawn):
        samples, _ = mixture.select([component]).sample(N, np.random.default_rng(component))
        rows = samples[list(features)].T
        # In units in which both features are some 1000 wide, as paths are flattened to about a unit.
        view = Affine2D().translate(*-rows.mean(axis=0)).scale(*(1000 / rows.std(axis=0)))
        inside = contour.transformed(view).contains_points(view.transform(rows)).mean()
        assert abs(inside - probability) < 4 * np.sqrt(probability * (1 - probability) / N)


def test_contours_lie_at_the_chi_squared_radius(ax, mixture):
    plot.ellipses(ax, mixture, features=(1, 2), probability=(0.95, 0.5))
    dense = mixture.family.dense(mixture.covariances, 3, 3)[:, 1:, 1:]
    for number, contour in enumerate(contours(ax)):
        component, probability = number // 2, (0.95, 0.5)[number % 2]
        on_curve = np.array(
            [points[-2:] for points, code in contour.iter_segments(curves=True) if code != contour.CLOSEPOLY]
        )
        offset = (on_curve - mixture.means[component, 1:]) / np.sqrt(np.diagonal(dense[component]))
        correlation = dense[component] / np.sqrt(np.outer(*[np.diagonal(dense[component])] * 2))
        squared = (offset * np.linalg.solve(correlation, offset.T).T).sum(axis=1)
        assert len(squared) > 8
        np.testing.assert_allclose(squared, chi2.ppf(probability, 2), rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("covariance", sorted(FAMILIES))
def test_scikit_learn_s_estimator_is_drawn_as_ours(ax, covariance):
    x = np.random.default_rng(0).normal([[0, 0, 0], [9, 5, 1]], 1, (100, 2, 3)).reshape(-1, 3)
    theirs = sklearn.mixture.GaussianMixture(2, covariance_type=covariance, random_state=0).fit(x)
    plot.ellipses(ax, theirs)
    dense = Mixture(theirs.weights_, theirs.means_, theirs.covariances_, covariance)
    other = Figure().subplots()
    plot.ellipses(other, dense)
    for one, two in zip(contours(ax), contours(other), strict=True):
        np.testing.assert_array_equal(one.vertices, two.vertices)


def test_scatter_colours_points_by_class(ax):
    rng = np.random.default_rng(0)
    x = rng.normal([[0.0, 0.0, 0.0], [30.0, 50.0, 90.0]], 1.0, (300, 2, 3)).reshape(-1, 3)
    x[:7, 1] = np.nan
    x.setflags(write=False)
    model = gmmseg.GaussianMixture(2, random_state=0).fit(x[7:])
    plot.scatter(ax, model, x, features=(2, 1))
    points = ax.collections[0]
    offsets = np.asarray(points.get_offsets())
    expected = {tuple(row): label for row, label in zip(x[7:, [2, 1]], model.predict(x[7:]), strict=True)}
    assert len(offsets) == len(expected) == 593
    colors = palette(2)[1:] / 255
    labels = [expected[tuple(row)] for row in offsets]
    np.testing.assert_allclose(points.get_facecolors()[:, :3], colors[labels])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("feature 2", "feature 1")
    discs = [line for line in ax.lines if line.get_marker() == "o"]
    np.testing.assert_allclose([to_rgb(disc.get_color()) for disc in discs], colors)
    np.testing.assert_allclose([disc.get_xydata()[0] for disc in discs], model.means_[:, [2, 1]])
    assert [text.get_text() for text in ax.texts] == ["1", "2"]
    plot.scatter(ax, model, x, points=50)
    assert len(ax.collections[-1].get_offsets()) <= 50


def test_a_mixture_takes_planes(ax):
    mixture = Mixture(np.ones(1), np.zeros((1, 2)), np.ones((1, 2)), "diag")
    planes = np.random.default_rng(0).normal(size=(2, 30)).astype(np.float32)
    plot.scatter(ax, mixture, planes)
    assert len(ax.collections[0].get_offsets()) == 30


@pytest.mark.parametrize("whole", [False, True])
def test_densities_add_up_over_a_histogram_of_the_same_area(ax, whole):
    rng = np.random.default_rng(0)
    mixture = Mixture(
        np.array([0.3, 0.7]), np.array([[20.0, 0.0], [90.0, 0.0]]), np.array([[16.0, 1.0], [400.0, 1.0]]), "diag"
    )
    planes, _ = mixture.sample(30_000, rng)
    plot.density(ax, mixture, np.rint(planes) if whole else planes)
    *components, total = [line.get_xydata() for line in ax.lines if line.get_marker() == "None"]
    np.testing.assert_allclose(total[:, 1], sum(each[:, 1] for each in components))
    for each, weight in zip(components, mixture.weights, strict=True):
        assert trapezoid(each[:, 1], each[:, 0]) == pytest.approx(weight, abs=0.01)
    heights, edges, _ = ax.patches[0].get_data()
    assert (heights * np.diff(edges)).sum() == pytest.approx(1, abs=0.003)
    middles = (edges[1:] + edges[:-1]) / 2
    assert np.abs(np.interp(middles, *total.T) - heights).max() < 0.15 * heights.max()
    if whole:
        assert (np.diff(edges) % 1 == 0).all()
        assert (edges % 1 == 0.5).all()


@pytest.mark.parametrize("step", [1.0, 1 / 255, 1 / 30, 40.0])
def test_evenly_spaced_values_are_shared_out_evenly(ax, step):
    values = (np.arange(30_000) % 30 * step - 7 * step).astype(np.float32)
    plot.density(ax, Mixture(np.ones(1), np.zeros((1, 1)), np.ones((1, 1)), "diag"), values[None])
    heights, edges, _ = ax.patches[0].get_data()
    counts = heights * np.diff(edges) * len(values)
    np.testing.assert_allclose(counts[:-1], counts[0])  # the last bin may reach beyond the last value
    assert counts.sum() == pytest.approx(len(values))


@pytest.mark.parametrize("value", [0.0, 7.0, 0.3])
def test_a_constant_feature_has_a_histogram(ax, value):
    mixture = Mixture(np.ones(1), np.array([[value]]), np.array([[1e-4]]), "diag")
    plot.density(ax, mixture, np.full((1, 50), value))
    heights, edges, _ = ax.patches[0].get_data()
    assert (heights * np.diff(edges)).sum() == pytest.approx(1)


def test_criteria_ring_the_least_value(ax):
    plot.criteria(ax, [4, 1, 2, 3], chosen=3, BIC=[7.0, 9.0, 5.0, 6.0], ICL=[1.0, 9.0, np.nan, 2.0])
    rings = {tuple(line.get_xydata()[0]) for line in ax.lines if str(line.get_markerfacecolor()) == "none"}
    assert rings == {(2.0, 5.0), (4.0, 1.0)}
    assert ax.lines[0].get_xdata().tolist() == [1, 2, 3, 4]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["BIC", "ICL", "chosen: 3"]


def test_history_of_a_fit_an_estimator_or_numbers(ax):
    x = np.random.default_rng(0).normal([[0], [3]], 1, (200, 2, 1)).reshape(-1, 1)
    model = gmmseg.GaussianMixture(2, random_state=0).fit(x)
    fit = Fit(Mixture(np.ones(1), np.zeros((1, 1)), np.ones((1, 1)), "diag"), (-3.0, -2.0, -1.5), True)
    for source, expected in ((model, model.lower_bounds_), (fit, fit.history), ([-2.0, -1.0], [-2.0, -1.0])):
        plot.history(ax, source)
        assert ax.lines[-1].get_ydata().tolist() == list(expected)
        assert ax.lines[-1].get_xdata().tolist() == list(range(1, len(expected) + 1))


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (lambda ax, m: plot.ellipses(ax, m, probability=1.0), "probability=1.0 is not usable"),
        (lambda ax, m: plot.ellipses(ax, m, probability=()), "probability"),
        (
            lambda ax, m: plot.ellipses(ax, m, features=(0, 3)),
            "features=3 is not usable; use a name or a number from 0",
        ),
        (lambda ax, m: plot.ellipses(ax, m, features=(0, -1)), "features=-1"),
        (lambda ax, m: plot.ellipses(ax, m, features=(0,)), "give two"),
        (
            lambda ax, m: plot.ellipses(ax, m, features=("feature 0", "q")),
            "'q' is not in the model; use any of feature 0",
        ),
        (
            lambda ax, m: plot.ellipses(ax, gmmseg.GaussianMixture()),
            "GaussianMixture is no fitted mixture; call its fit",
        ),
        (lambda ax, m: plot.ellipses(ax, 3), "int is no fitted mixture; give a Model"),
        (lambda ax, m: plot.scatter(ax, m, np.zeros((2, 9))), "2 features, the mixture has 3"),
        (lambda ax, m: plot.density(ax, m, np.zeros(9)), "1 axes"),
        (lambda ax, m: plot.criteria(ax, [1, 2]), "no criterion is given"),
        (lambda ax, m: plot.criteria(ax, [1, 2], BIC=[1.0]), "BIC has shape"),
        (lambda ax, m: plot.criteria(ax, [1, 2], BIC=[np.nan, np.inf]), "BIC has no finite value"),
        (lambda ax, m: plot.history(ax, []), "holds no history"),
        (lambda ax, m: plot.history(ax, gmmseg.GaussianMixture()), "GaussianMixture holds no history"),
    ],
)
def test_what_cannot_be_drawn(ax, draw, words):
    mixture = Mixture(np.ones(1), np.zeros((1, 3)), np.ones((1, 3)), "diag")
    with pytest.raises(ParameterError, match=words.replace("(", r"\(")):
        draw(ax, mixture)
