"""What neighbours say, and how strongly they agree: compiled and reference against float64."""

import numpy as np
import pytest
from implementations import both


@both
@pytest.mark.parametrize("n", [1, 15, 512, 1027])
@pytest.mark.parametrize("classes", [1, 2, 5])
@pytest.mark.parametrize("total", [0.0, 3.0, 24.0])
def test_mean_and_variance_are_those_of_the_classes(kernel, n, classes, total):
    said = np.random.default_rng(n).uniform(-1, 0, (classes, n))
    said -= said.max(axis=0)
    said[-1, ::7] = -40  # a class that no neighbour has
    said[0, ::7] = 0
    given = said.astype(np.float32)
    given.flags.writeable = False
    p = np.exp(total * given.astype(float))
    p /= p.sum(axis=0)
    mean = (p * given).sum(axis=0)
    variance = (p * (given - mean) ** 2).sum(axis=0)
    np.testing.assert_allclose(kernel.agreement(given, total), (mean.sum(), variance.sum()), rtol=1e-5, atol=1e-5 * n)


@both
@pytest.mark.parametrize("shape", [(1, 1, 9, 70), (1, 1, 1, 1), (3, 2, 4, 1), (2, 4, 3, 5)])
def test_each_voxel_hears_its_neighbours_in_its_own_patch(kernel, shape):
    rng = np.random.default_rng(0)
    q, guide = rng.random((3, *shape)).astype(np.float32), rng.normal(size=(2, *shape)).astype(np.float32)
    valid = (rng.random(shape) < 0.8).astype(np.uint8)
    offsets = np.array([[0, 0, 1], [0, 1, -1], [0, 1, 0], [1, -1, -1], [1, 0, 2]])
    strengths, sharpness = rng.random(5).astype(np.float32), np.array([0.5, 1.5], np.float32)
    expected = np.zeros(q.shape)
    for patch, *place in np.argwhere(valid):
        for offset, strength in zip(offsets, strengths, strict=True):
            for way in (1, -1):
                other = tuple(np.array(place) + way * offset)
                if min(other) >= 0 and all(np.less(other, shape[1:])) and valid[patch, *other]:
                    apart = (sharpness * (guide[:, patch, *place] - guide[:, patch, *other])).astype(float)
                    edge = strength * (0.2 + 0.8 * max(1 - (apart**2).sum() / 8, 0) ** 8)
                    expected[:, patch, *place] += edge * q[:, patch, *other]
    for each in (q, guide, valid):
        each.flags.writeable = False
    found = kernel.said(q, guide, valid, offsets, strengths, sharpness)
    np.testing.assert_allclose(found, expected.reshape(3, -1), rtol=1e-5, atol=1e-5)
