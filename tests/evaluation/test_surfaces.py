"""Distances of surfaces, in physical units."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from gmmseg import ParameterError
from gmmseg.evaluation import surface_distance


def test_shifted_boxes():
    truth, ours = np.zeros((2, 12, 14, 16), bool)
    truth[3:8, 3:9, 4:10], ours[5:10, 3:9, 4:10] = True, True
    found = surface_distance(ours, truth, spacing=(2.5, 1, 0.5))
    assert found.hausdorff95 == pytest.approx(5)
    assert found.volume == found.true_volume == pytest.approx(5 * 6 * 6 * 1.25)
    assert found.difference == 0


def test_distances_are_those_between_all_voxels_of_the_surfaces():
    rng = np.random.default_rng(0)
    from scipy.ndimage import gaussian_filter

    ours, theirs = (gaussian_filter(rng.random((14, 15, 16)), 2) > 0.5 for _ in range(2))
    spacing = np.array([3, 1, 2])

    def surface(inside):
        padded = np.pad(inside, 1)
        around = [np.roll(padded, step, axis)[1:-1, 1:-1, 1:-1] for axis in range(3) for step in (1, -1)]
        return np.argwhere(inside & ~np.all(around, axis=0)) * spacing

    apart = cdist(surface(ours), surface(theirs))
    there, back = apart.min(axis=1), apart.min(axis=0)
    found = surface_distance(ours, theirs, spacing=spacing)
    assert found.hausdorff95 == pytest.approx(max(np.percentile(there, 95), np.percentile(back, 95)))
    assert found.average == pytest.approx(np.concatenate([there, back]).mean())
    assert found.difference == pytest.approx(ours.sum() / theirs.sum() - 1)


def test_empty_structures():
    nothing, all_of_it = np.zeros((4, 5), bool), np.ones((4, 5), bool)
    assert surface_distance(nothing, nothing).hausdorff95 == 0
    assert surface_distance(nothing, all_of_it).average == np.inf
    assert surface_distance(nothing, all_of_it).difference == -1
    assert surface_distance(all_of_it, nothing).difference == np.inf


def test_refusals():
    with pytest.raises(ParameterError, match="compare the same pixels"):
        surface_distance(np.ones((2, 3)), np.ones((3, 2)))
    with pytest.raises(ParameterError, match="give one size above 0 for each of 2 axes"):
        surface_distance(np.ones((2, 3)), np.ones((2, 3)), spacing=(1, 0))
