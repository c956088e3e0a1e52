"""How unusual a pixel is under a model, and models that allow for outliers."""

from dataclasses import replace

import numpy as np
import pytest
from noisy_images import stripes
from scipy.stats import chi2, f, kstest, norm

import gmmseg
from gmmseg import Mixture
from gmmseg.mixture.anomaly import p_values


@pytest.fixture(scope="module")
def scene():
    return stripes()


def test_anomaly_is_a_p_value(scene, pictures):
    image, _ = scene
    odd = image.copy()
    odd[50:54, 50:54] = 255
    seg = gmmseg.segment(odd, 3, outliers="uniform")
    assert np.median(seg.anomaly[50:54, 50:54]) < 1e-3
    usual = np.delete(seg.anomaly, np.s_[50:54], axis=0)
    assert 0.3 < np.median(usual) < 0.7
    assert (usual < 0.01).mean() < 0.03
    masked = gmmseg.segment(image, 3, mask=np.arange(100) < 50 * np.ones((80, 1)))
    assert np.isnan(masked.anomaly[:, 50:]).all()


@pytest.mark.parametrize("kind", ["uniform", "student"])
def test_outliers_are_kept_with_the_model(scene, tmp_path, kind):
    image, _ = scene
    seg = gmmseg.segment(image, 3, outliers=kind)
    seg.model.save(tmp_path / "m.json")
    back = gmmseg.load_model(tmp_path / "m.json")
    again = gmmseg.apply(back, image)
    np.testing.assert_array_equal(again.labels, seg.labels)
    np.testing.assert_array_equal(again.log_density, seg.log_density)
    assert np.isfinite(seg.log_density).all()


SINGLE = Mixture(np.ones(1), np.array([[1.0, -2.0]]), np.array([[[4.0, 1.0], [1.0, 2.0]]]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_p_value_is_the_tail_of_the_chi_squared_distribution(rng, dtype):
    planes = rng.normal(0, 3, (2, 50)).astype(dtype)
    offsets = planes - SINGLE.means[0][:, None]
    squared = (offsets * np.linalg.solve(SINGLE.covariances[0], offsets)).sum(axis=0)
    found = p_values(planes, SINGLE.arguments_of)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, chi2(2).sf(squared), rtol=1e-3 if dtype == np.float32 else 1e-9, atol=1e-7)


def test_p_values_of_samples_are_evenly_spread_whatever_is_missing(rng):
    planes = SINGLE.sample(4000, rng)[0]
    planes[0, ::3], planes[:, :10] = np.nan, np.nan
    found = p_values(planes, SINGLE.arguments_of, threads=2)
    assert np.isnan(found[:10]).all()
    np.testing.assert_allclose(np.quantile(found[10:], [0.1, 0.5, 0.9]), [0.1, 0.5, 0.9], atol=0.03)
    alone = p_values(np.array([[np.nan], [0.5]]), SINGLE.arguments_of)
    np.testing.assert_allclose(alone, chi2(1).sf(2.5**2 / 2), rtol=1e-9)


def test_components_have_their_say_by_the_posteriors():
    pair = Mixture(np.array([0.5, 0.5]), np.array([[0.0], [100.0]]), np.ones((2, 1, 1)))
    found = p_values(np.array([[0.0, 50, 98, 100]]), pair.arguments_of)
    np.testing.assert_allclose(found, [1, 0, chi2(1).sf(4), 1], atol=1e-9)


OVERLAPPING = {
    "nested": Mixture(np.array([0.7, 0.3]), np.zeros((2, 2)), np.array([np.eye(2), 9 * np.eye(2)])),
    "one feature": Mixture(np.array([0.5, 0.5]), np.array([[0.0], [2.0]]), np.ones((2, 1)), "diag"),
    "neighbours": Mixture(np.array([0.5, 0.5]), np.array([[0.0, 0.0], [1.5, 0.0]]), np.eye(2), "tied"),
    "Student-t": Mixture(
        np.array([0.6, 0.4]), np.array([[0.0, 0.0], [1.5, 0.0]]), np.ones(2), "spherical", np.array([3.0, 10.0])
    ),
}


@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize("name", OVERLAPPING)
def test_p_values_of_components_that_overlap_are_evenly_spread(rng, name, missing):
    mixture = OVERLAPPING[name]
    planes = mixture.sample(20_000, rng)[0]
    planes[rng.random(planes.shape) < missing] = np.nan
    found = p_values(planes, mixture.arguments_of)
    assert kstest(found[~np.isnan(found)], "uniform").statistic < 0.02


@pytest.mark.parametrize("d", [1, 2, 5])
def test_p_values_of_many_components_are_evenly_spread_to_a_hundredth(d):
    """Four turned components, each of another shape: few of the calibration's samples fall on any one overlap."""
    worst = []
    for seed in range(5):
        rng = np.random.default_rng([seed, d])
        axes = np.eye(d) + rng.normal(size=(4, d, d)) / np.sqrt(d)
        mixture = Mixture(rng.dirichlet(np.full(4, 3.0)), rng.normal(size=(4, d)), axes @ axes.transpose(0, 2, 1))
        found = p_values(mixture.sample(100_000, rng)[0], mixture.arguments_of)
        worst.append(kstest(found, "uniform").statistic)
    assert max(worst) < 0.01


@pytest.mark.slow
@pytest.mark.parametrize("name", OVERLAPPING)
def test_tails_of_p_values_are_as_heavy_as_they_say(rng, name):
    found = p_values(OVERLAPPING[name].sample(2_000_000, rng)[0], OVERLAPPING[name].arguments_of)
    for level in (1e-2, 1e-3, 1e-4):
        assert (found < level).mean() == pytest.approx(level, rel=0.25)


def test_p_values_agree_with_numerical_integration():
    """In one feature the probability of an average as small as at a place is the mass of all places where it is."""
    mixture = OVERLAPPING["one feature"]
    x = np.linspace(-12, 14, 200_001)
    densities = np.stack([norm(mean).pdf(x) for mean in (0, 2)])
    average = (densities * np.stack([2 * norm.sf(np.abs(x - mean)) for mean in (0, 2)])).sum(axis=0) / densities.sum(0)
    places = np.array([-6.0, -3.0, -1.0, 0.0, 1.5, 2.0, 4.5])
    mass = [densities.mean(axis=0)[average <= np.interp(p, x, average)].sum() * (x[1] - x[0]) for p in places]
    np.testing.assert_allclose(p_values(places[None], mixture.arguments_of), mass, rtol=0.15, atol=0.01)


def test_a_p_value_of_a_student_component_is_the_tail_of_the_f_distribution(rng):
    single = replace(SINGLE, dof=np.array([3.5]))
    planes = np.concatenate([rng.normal(0, 3, (2, 50)), [[1e3, 1e6], [0.0, 0.0]]], axis=1)
    offsets = planes - SINGLE.means[0][:, None]
    squared = (offsets * np.linalg.solve(SINGLE.covariances[0], offsets)).sum(axis=0)
    np.testing.assert_allclose(p_values(planes, single.arguments_of), f(2, 3.5).sf(squared / 2), rtol=1e-9)
