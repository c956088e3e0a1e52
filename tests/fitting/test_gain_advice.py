"""Advice on the bias field: a gain is told from classes that lie, or blend, in different places."""

import warnings

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

import gmmseg
from gmmseg.fitting.gain_advice import gain_of

SHAPE = (56, 60, 64)


def _tissues(noise, gain):
    """Blobs of three intensities under a gain that rises by `gain` along the first axis, in the logarithm."""
    rng = np.random.default_rng(0)
    field = gaussian_filter(rng.normal(size=SHAPE), 4)
    truth = np.searchsorted(np.quantile(field, [0.3, 0.65]), field)
    along = np.linspace(-gain / 2, gain / 2, SHAPE[0])[:, None, None]
    return np.array([0.3, 0.6, 0.9])[truth] * np.exp(along) + rng.normal(0, noise, SHAPE)


def _head(noise):
    """Air, a ring of bone, soft tissue of two kinds on two sides; edges are blurred, so that voxels are mixed."""
    rng = np.random.default_rng(0)
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing="ij")
    radius = np.sqrt(z**2 / 2 + y**2 + x**2)
    inside = np.where(x < 0, 1.0, 1.3)
    values = np.select([radius < 0.7, radius < 0.88], [inside, 2.0], 0.0)
    return 1000 * (gaussian_filter(values, 1) + rng.normal(0, noise, SHAPE))


def _volume(values):
    return gmmseg.Image(values.astype("f4")[..., None], spacing=(1.0, 1.0, 1.0), name="t1.nii.gz")


def _advice(values, k=3, **asked):
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        gmmseg.segment(_volume(values), k, **asked)
    return [str(each.message) for each in heard if "--bias-field" in str(each.message)]


@pytest.mark.parametrize("noise", [0.03, 0.08])
def test_a_gain_is_named_with_its_size(noise):
    (said,) = _advice(_tissues(noise, 0.3))
    assert said.startswith("t1.nii.gz: one class is brighter by about ")
    assert "\n" not in said
    assert "bias_field=True" in said
    # From the lowest 5 % to the highest the gain is exp(0.3 * 0.9), 31 %; classes that it mixes up show less of it.
    assert 20 <= int(said.split(" about ")[1].split(" %")[0]) <= 33


@pytest.mark.parametrize("noise", [0.03, 0.08, 0.15])
def test_an_even_image_says_nothing(noise):
    assert _advice(_tissues(noise, 0)) == []
    assert _advice(_tissues(noise, 0.04)) == []


@pytest.mark.parametrize("k", [2, 3, 4])
@pytest.mark.parametrize("noise", [0.03, 0.15])
def test_classes_in_different_places_are_no_gain(noise, k):
    assert _advice(_head(noise), k) == []


def test_nothing_is_said_where_the_field_is_taken_out_or_nothing_is_known_of_places():
    values = _tissues(0.03, 0.3)
    assert _advice(values, bias_field=True) == []
    assert _advice(values, smooth=False) == []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gmmseg.segment(values.astype("f4"), 3, channel_axis=None)


def _scattered(along):
    """Two classes of 4000 voxels each in the same places, and what each is multiplied by along the first axis."""
    rng = np.random.default_rng(0)
    flat = rng.choice(np.prod(SHAPE), 8000, replace=False)
    place = np.unravel_index(flat, SHAPE)[0] / (SHAPE[0] - 1) - 0.5
    classes = np.repeat([1, 2], 4000)
    slopes = np.array(along)[classes - 1]
    return np.where(classes == 1, 100.0, 200.0) * (1 + slopes * place) + rng.normal(0, 5, 8000), classes, flat


def test_all_classes_have_to_show_it():
    assert gain_of(*_scattered((0.3, 0.3)), SHAPE) == pytest.approx(0.27, abs=0.02)
    assert gain_of(*_scattered((0.3, 0.0)), SHAPE) == 0
    assert gain_of(*_scattered((0.3, -0.3)), SHAPE) == 0
    assert gain_of(*_scattered((0.05, 0.05)), SHAPE) == 0


def test_what_is_shown_in_other_places_says_nothing():
    """Either class rises, but in its own half of the image: that may be two things that rise."""
    values, classes, flat = _scattered((0.6, 0.6))
    kept = (np.unravel_index(flat, SHAPE)[0] < SHAPE[0] // 2) == (classes == 1)
    assert gain_of(values, classes, flat, SHAPE) > 0.1
    assert gain_of(values[kept], classes[kept], flat[kept], SHAPE) == 0


def test_one_class_says_nothing():
    values, _, flat = _scattered((0.3, 0.3))
    assert gain_of(values, np.ones(len(values), int), flat, SHAPE) == 0
    few = slice(3800, 4400)  # 200 of one and 400 of the other
    many = _scattered((0.3, 0.3))
    assert gain_of(many[0][few], many[1][few], many[2][few], SHAPE) == 0
