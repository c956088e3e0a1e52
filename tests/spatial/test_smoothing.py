"""Smoothing: the knob, the neighbours, and what they do to one tile."""

import numpy as np
import pytest

from gmmseg.kernels.neighbours import overlap
from gmmseg.spatial.smoothing import HALO, Smoothing, share_power


@pytest.mark.parametrize(("strength", "error", "power"), [(0, 0.2, 1), (0.8, 0, 1), (0.8, 0.001, 1), (0.8, 0.1, 0)])
def test_shares_count_without_neighbours_and_where_classes_are_apart(strength, error, power):
    assert share_power(strength, error) == pytest.approx(power, abs=0.01)


@pytest.mark.parametrize(
    ("spacing", "count"), [((1.0, 1.0), 4), ((1.0, 1.0, 1.0), 13), ((5.0, 1.0, 1.0), 13), ((2.0,), 1)]
)
def test_one_of_each_pair_of_opposite_neighbours(spacing, count):
    offsets, weights = Smoothing(0.5, np.ones(1), spacing).neighbours
    assert offsets.shape == (count, 3)
    everyone = {tuple(o) for o in offsets} | {tuple(-o) for o in offsets}
    assert len(everyone) == 2 * count
    assert (0, 0, 0) not in everyone
    assert (np.abs(offsets) <= 1).all()
    assert (offsets[:, : 3 - len(spacing)] == 0).all()
    assert (weights > 0).all()


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (4.0, 1.0, 1.0)])
def test_nearer_neighbours_count_for_more_and_the_whole_stays_the_same(spacing):
    offsets, weights = Smoothing(0.5, np.ones(1), spacing).neighbours
    distance = np.linalg.norm(offsets * np.array((1.0,) * (3 - len(spacing)) + spacing), axis=1)
    np.testing.assert_allclose(weights * distance, weights[0] * distance[0], rtol=1e-5)
    equal = Smoothing(0.5, np.ones(1), (1.0,) * len(spacing)).neighbours[1]
    assert weights.sum() == pytest.approx(equal.sum(), rel=1e-5)


@pytest.mark.parametrize("size", [1e308, 1e-308, 2.0**-1074])
def test_sizes_whose_squares_no_number_holds_count_by_their_proportions(size):
    np.testing.assert_array_equal(
        Smoothing(0.5, np.ones(1), (size, size)).neighbours[1], Smoothing(0.5, np.ones(1), (1.0, 1.0)).neighbours[1]
    )
    _, weights = Smoothing(0.5, np.ones(1), (size, 1.0)).neighbours
    assert np.isfinite(weights).all()
    assert weights.sum() == pytest.approx(Smoothing(0.5, np.ones(1), (1.0, 1.0)).neighbours[1].sum())


def test_the_neighbours_say_grows_with_the_knob():
    totals = [Smoothing(s, np.ones(1), (1.0, 1.0)).neighbours[1].sum() for s in (0.1, 0.3, 0.5, 1.0)]
    assert (np.diff(totals) > 0).all()


def noisy(shape, seed=0):
    """Posteriors of two halves with one pixel in ten wrong, and a guide that shows the halves."""
    rng = np.random.default_rng(seed)
    truth = np.indices(shape)[-1] >= shape[-1] // 2
    believed = truth ^ (rng.random(shape) < 0.1)
    first = np.where(believed, 0.2, 0.8).astype(np.float32)
    return truth, np.stack([first, 1 - first]), (truth + rng.normal(0, 0.2, shape))[None].astype(np.float32)


@pytest.mark.parametrize("shape", [(30, 40), (8, 12, 14)])
def test_lone_pixels_follow_their_neighbours(shape):
    truth, posterior, guide = noisy(shape)
    labels, soft = np.empty(shape, np.uint8), np.empty((2, *shape), np.float32)
    smoothing = Smoothing(0.5, np.ones(1), (1.0,) * len(shape))
    smoothing.apply(posterior, guide, None, tuple(slice(0, n) for n in shape), labels=labels, probabilities=soft)
    before, after = ((p.argmax(axis=0) != truth).mean() for p in (posterior, soft))
    assert after < before / 10
    np.testing.assert_array_equal(labels, soft.argmax(axis=0) + 1)


def test_the_inner_part_of_a_tile_with_its_halo_is_that_of_the_whole():
    shape = (40, 50)
    _, posterior, guide = noisy(shape)
    valid = np.random.default_rng(1).random(shape) < 0.9
    smoothing = Smoothing(0.6, np.ones(1), (1.0, 1.0))
    labels = np.empty(shape, np.uint8)
    smoothing.apply(posterior, guide, valid, (slice(0, 40), slice(0, 50)), labels=labels)
    outer, inner = (slice(10, 40), slice(5, 50)), (slice(HALO, 22), slice(HALO, 37))
    part = np.empty((22 - HALO, 37 - HALO), np.uint8)
    arrays = (np.ascontiguousarray(a[..., *outer]) for a in (posterior, guide, valid))
    smoothing.apply(*arrays, inner, labels=part)
    np.testing.assert_array_equal(part, labels[outer][inner])


@pytest.mark.parametrize("shape", [(1, 48, 64), (5, 8, 8, 16)], ids=["a picture", "cubes"])
def test_the_fitted_strength_has_the_highest_pseudo_likelihood(shape):
    """Against all strengths of a grid, neighbour by neighbour."""
    rng = np.random.default_rng(0)
    spacing = (1.0,) * (len(shape) - 1 - (shape[0] == 1))
    smoothing = Smoothing(0.9, np.ones(1), spacing)
    truth = rng.integers(0, 3, shape)
    truth[..., 4:] = np.where(rng.random(truth[..., 4:].shape) < 0.55, truth[..., :-4], truth[..., 4:])
    truth = np.repeat(truth[..., ::2], 2, axis=-1)
    q = np.moveaxis(np.eye(3, dtype=np.float32)[truth] * 0.9 + np.float32(0.1 / 3), -1, 0)
    guide, valid = rng.normal(0, 0.4, (1, *shape)).astype(np.float32), rng.random(shape) < 0.9
    counted = valid & (rng.random(shape) < 0.8)
    found = smoothing.fitted(q, guide, valid, counted)

    said, (offsets, weights) = np.zeros(q.shape), Smoothing(1.0, np.ones(1), spacing).neighbours
    for offset, weight in zip(offsets, weights / 24, strict=True):
        here, there = overlap(offset)
        left = np.clip(1 - (guide[0][here] - guide[0][there]) ** 2 / 8, 0, 1) ** 8
        edge = weight * (0.2 + 0.8 * left) * (valid[here] & valid[there])
        said[here] += edge * q[there]
        said[there] += edge * q[here]
    said, own = said[:, counted], q[:, counted]

    def likelihood(strength):
        score = 24 * strength**2 * said
        top = score.max(axis=0)
        return (own * (score - top - np.log(np.exp(score - top).sum(axis=0)))).sum()

    grid = np.linspace(0, 1, 201)
    best = grid[np.argmax([likelihood(strength) for strength in grid])]
    assert 0.05 < best < 0.95
    assert found.strength == pytest.approx(best, abs=0.01)
    assert smoothing.fitted(q, guide, np.zeros_like(valid), counted).strength == 0
    assert smoothing.fitted(q, guide, valid, np.zeros_like(valid)).strength == 0
