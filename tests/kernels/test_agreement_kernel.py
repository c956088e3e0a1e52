"""How strongly neighbours agree: compiled and reference against float64, voxel by voxel."""

import numpy as np
import pytest
from implementations import both
from scipy.optimize import minimize_scalar

OFFSETS = np.array([[0, 0, 1], [0, 1, -1], [0, 1, 0], [1, -1, -1], [1, 0, 2]])
MOST, SETTLED, STEPS = 24.0, 1e-4, 50


def heard(q, guide, valid, strengths, sharpness):
    """What each voxel hears of the classes, of neighbours in its own patch."""
    found = np.zeros(q.shape)
    for patch, *place in np.argwhere(valid):
        for offset, strength in zip(OFFSETS, strengths, strict=True):
            for way in (1, -1):
                other = tuple(np.array(place) + way * offset)
                if min(other) >= 0 and all(np.less(other, valid.shape[1:])) and valid[patch, *other]:
                    apart = (sharpness * (guide[:, patch, *place] - guide[:, patch, *other])).astype(float)
                    edge = strength * (0.2 + 0.8 * max(1 - (apart**2).sum() / 8, 0) ** 8)
                    found[:, patch, *place] += edge * q[:, patch, *other]
    return found


def likeliest(said, q):
    """Total strength of the highest pseudo-likelihood of voxels (classes, n)."""

    def loss(total):
        given = total * said
        return np.log(np.exp(given - given.max(axis=0)).sum(axis=0)).sum() - (q * (given - given.max(axis=0))).sum()

    return minimize_scalar(loss, bounds=(0, MOST), method="bounded", options={"xatol": 1e-6}).x


@both
@pytest.mark.parametrize("shape", [(1, 1, 9, 70), (3, 2, 4, 30), (2, 4, 3, 5), (1, 1, 40, 41)])
@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("every", [True, False])
def test_it_is_that_of_the_highest_pseudo_likelihood(kernel, shape, classes, every):
    rng = np.random.default_rng(0)
    guide = rng.normal(size=(2, *shape)).astype(np.float32)
    smooth = np.cumsum(rng.normal(size=(classes, *shape)), axis=-1)  # neighbours agree, though not all of them
    q = np.exp(smooth - smooth.max(axis=0))
    q = (q / q.sum(axis=0)).astype(np.float32)
    valid = (rng.random(shape) < 0.8).astype(np.uint8)
    counted = np.ones_like(valid) if every else valid & (rng.random(shape) < 0.7)
    strengths, sharpness = (rng.random(5) / 5).astype(np.float32), np.array([0.5, 1.5], np.float32)
    own = counted.astype(bool)
    right = likeliest(heard(q, guide, valid, strengths, sharpness)[:, own], q[:, own].astype(float))
    assert right < MOST - 1
    assert right > 1 or shape == (3, 2, 4, 30)
    for each in (q, guide, valid, counted):
        each.flags.writeable = False
    for start in (0.0, 20.0):
        found = kernel.agreement(q, guide, valid, counted, OFFSETS, strengths, sharpness, start, MOST, SETTLED, STEPS)
        assert found == pytest.approx(right, rel=1e-3, abs=1e-3)


@both
def test_nobody_agrees_who_has_no_neighbour(kernel):
    q, guide = np.full((3, 1, 1, 4, 5), 1 / 3, np.float32), np.zeros((1, 1, 1, 4, 5), np.float32)
    table = OFFSETS[:3], np.ones(3, np.float32), np.ones(1, np.float32)
    lone, every = np.zeros((1, 1, 4, 5), np.uint8), np.ones((1, 1, 4, 5), np.uint8)
    lone[..., 1, 1] = lone[..., 3, 4] = 1
    assert kernel.agreement(q, guide, lone, every, *table, 12.0, MOST, SETTLED, STEPS) == 0
    assert kernel.agreement(q, guide, every, 0 * every, *table, 12.0, MOST, SETTLED, STEPS) == 0


@both
def test_it_stays_within_its_bounds(kernel):
    table = OFFSETS[:3], np.ones(3, np.float32), np.ones(1, np.float32)
    guide, every = np.zeros((1, 1, 1, 20, 30), np.float32), np.ones((1, 1, 20, 30), np.uint8)
    halves = np.zeros((2, 1, 1, 20, 30), np.float32)
    halves[0, ..., :15] = halves[1, ..., 15:] = 1
    assert kernel.agreement(halves, guide, every, every, *table, 0.5, 2.0, SETTLED, STEPS) == 2
    checks = np.indices((20, 30)).sum(axis=0) % 2
    strange = np.stack([checks, 1 - checks])[:, None, None].astype(np.float32)
    along = OFFSETS[[0, 2]], np.ones(2, np.float32), np.ones(1, np.float32)
    assert kernel.agreement(strange, guide, every, every, *along, 0.5, 2.0, SETTLED, STEPS) == 0
