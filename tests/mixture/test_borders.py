"""Components that have no border between them."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from gmmseg.mixture.borders import Borders, without_borders


def borders_of(labels, planes, far=9):
    """Pairs of pixels of a labelled picture along both axes."""
    k, d = labels.max() + 1, len(planes)
    found = Borders(np.zeros((2, k, k)), np.zeros((k, k)), np.zeros((k, k, d)))
    for axis in (0, 1):
        own = np.moveaxis(labels, axis, 0)
        values = np.moveaxis(planes, axis + 1, 1)
        for lag in (1, 2):
            np.add.at(found.near[lag - 1], (own[:-lag], own[lag:]), 1)
        pair = own[:-far], own[far:]
        np.add.at(found.far, pair, 1)
        np.add.at(found.steps, pair, np.moveaxis(values[:, :-far] - values[:, far:], 0, -1))
    return found


def groups_of(labels, planes):
    parts = [planes[:, labels == i] for i in range(labels.max() + 1)]
    among, groups = without_borders(parts, borders_of(labels, planes))
    return among, sorted(sorted(group) for group in groups)


def strips(n=180, k=3):
    """Labels (n, n) of k strips from left to right."""
    return np.broadcast_to(np.arange(n) * k // n, (n, n))


@pytest.mark.parametrize("d", [1, 3])
def test_the_halves_of_a_texture_are_one_class(rng, d):
    labels, planes = strips().copy(), rng.normal(size=(d, 180, 180))
    planes[0] += 9.0 * labels
    texture = gaussian_filter(rng.normal(size=(180, 180)), 4)
    texture = np.where(labels == 1, texture / texture.std(), 0)
    planes[0] += 2 * texture
    labels[texture > 0] = 3
    assert groups_of(labels, planes) == (1, [[0], [1, 3], [2]])


def test_the_parts_of_a_shading_are_one_class(rng):
    ramp = np.broadcast_to(np.linspace(0, 12, 180), (180, 180))
    planes = (ramp + 0.3 * rng.normal(size=(180, 180)))[None]
    planes[:, :60] = 30 + rng.normal(size=(1, 60, 180))  # what has an edge
    labels = np.where(np.arange(180)[:, None] < 60, 4, np.digitize(planes[0], [3, 6, 9]))
    assert groups_of(labels, planes) == (0, [[0, 1, 2, 3], [4]])


def test_a_soft_edge_is_an_edge(rng):
    soft = 6 / (1 + np.exp(-(np.arange(180) - 90.0) / 1.5))
    planes = np.broadcast_to(soft, (1, 180, 180)) + rng.normal(size=(1, 180, 180))
    assert groups_of((planes[0] > 3).astype(int), planes) == (0, [[0], [1]])


@pytest.mark.parametrize("apart", [2, 4, 6])
def test_classes_that_are_strewn_anyhow_are_apart(rng, apart):
    planes = rng.normal(size=(1, 180, 180)) + apart * (rng.random((180, 180)) < 0.5)
    assert groups_of((planes[0] > apart / 2).astype(int), planes) == (0, [[0], [1]])


def test_classes_in_small_pieces_have_edges(rng):
    owner = np.kron(rng.random((60, 60)) < 0.5, np.ones((3, 3), bool))
    planes = rng.normal(size=(1, 180, 180)) + 5 * owner
    labels = (planes[0] > 2.5).astype(int)
    assert borders_of(labels, planes).among([0], [1]) > 0.1
    assert groups_of(labels, planes) == (0, [[0], [1]])


def test_too_few_pixels_tell_nothing(rng):
    labels, planes = strips(180, 2).copy(), rng.normal(size=(1, 180, 180))
    labels[:3, 80:84] = 2
    assert [2] in groups_of(labels, planes)[1]
    empty = Borders(np.zeros((2, 2, 2)), np.zeros((2, 2)), np.zeros((2, 2, 1)))
    parts = [np.zeros((1, 0)), rng.normal(size=(1, 50))]
    assert without_borders(parts, empty) == (0, [[0], [1]])
