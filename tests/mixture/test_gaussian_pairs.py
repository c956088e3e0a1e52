"""Noise and objects, told apart by pairs of their values."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from gmmseg.mixture.gaussian_pairs import departure, normal_scores


def pairs(image, lag):
    """Normal scores of pixels and of those so much farther to the right."""
    here, there = image[:, :-lag].reshape(1, -1), image[:, lag:].reshape(1, -1)
    ranked = np.sort(image.reshape(1, -1), axis=1)
    return normal_scores(here, ranked)[0], normal_scores(there, ranked)[0]


def test_scores_are_those_of_a_gaussian_variable(rng):
    values = np.exp(rng.normal(size=(2, 4000)))
    values.setflags(write=False)
    scores = normal_scores(values, np.sort(values, axis=1))
    assert np.abs(scores - np.log(values)).max(where=np.abs(scores) < 2, initial=0) < 0.15
    assert scores.std(axis=1) == pytest.approx([1, 1], abs=0.01)
    # Equal values have equal scores, and what lies beyond all has the outermost.
    assert normal_scores(np.array([[5.0, 5.0, 9.0]]), np.array([[5.0, 5.0]]))[0, :2].tolist() == [0, 0]
    assert normal_scores(np.array([[9.0]]), np.array([[5.0, 6.0]]))[0, 0] == pytest.approx(0.6745, abs=1e-4)


@pytest.mark.parametrize("change", [np.asarray, np.exp, lambda z: -np.exp(-2 * z), np.cbrt])
def test_noise_is_no_departure_however_its_values_are_changed(rng, change):
    smooth = gaussian_filter(rng.normal(size=(256, 256)), 2)
    image = change(smooth / smooth.std())
    independent = image.size / (4 * np.pi * 2**2)
    assert max(departure(*pairs(image, lag)) for lag in (3, 4)) < 2 / np.sqrt(independent)


def test_objects_are_a_departure(rng):
    y, x = np.mgrid[:256, :256]
    discs = np.hypot(y % 40 - 20, x % 40 - 20) < 9
    image = rng.exponential(10, discs.shape)
    image[discs] = 30 + rng.exponential(30, discs.sum())  # no second bump
    assert departure(*pairs(image, 1)) > 5 / np.sqrt(2000)
    assert departure(*pairs(gaussian_filter(image, 2), 6)) > 5 / np.sqrt(1000)
    edges = np.where(x % 64 < 32, 0.0, 1.5) + rng.normal(size=discs.shape)
    assert departure(*pairs(gaussian_filter(edges, 1), 8)) > 4 / np.sqrt(1000)


def test_values_that_are_all_the_same_tell_nothing():
    same = normal_scores(np.full((1, 50), 7.0), np.full((1, 60), 7.0))[0]
    assert not same.any()
    assert departure(same, same) == 0
    assert normal_scores(np.full((1, 5), 7.0), np.zeros((1, 0))).tolist() == [[0] * 5]
