"""Texture: compiled and reference give the same bits, and both what the definition says."""

import numpy as np
import pytest
from implementations import both, compiled

from gmmseg.kernels import reference

LEVELS = np.array([[1, 1], [2, 2], [4, 4]])
GRIDS = [
    ((61,), [[1], [2], [4]], [4]),
    ((33, 47), [[1, 1], [2, 2], [4, 4], [8, 8]], [8, 8]),
    ((20, 15), [[1, 0], [2, 0], [4, 1]], [4, 0]),
    ((1, 1), [[1, 1], [2, 2], [4, 4]], [4, 4]),
    ((7, 9, 11), [[1, 1, 1], [2, 2, 2], [4, 4, 4]], [4, 4, 4]),
    ((7, 9, 11), [[0, 1, 1], [0, 2, 2], [1, 4, 4]], [1, 4, 4]),
]


def reach(steps, shift):
    return steps[0] + np.maximum(steps[1], 1) + steps.sum(axis=0) + shift + shift // 2


def texture(kernel, values, known, steps, shift, slopes=None):
    shape = np.array(values.shape) - 2 * reach(steps, shift)
    slopes = np.ones(len(shape), np.float32) if slopes is None else slopes
    out = np.full((2 + len(shape) * (len(shape) + 1) // 2, *shape), -1, np.float32)
    for each in (values, known):
        if each is not None:
            each.flags.writeable = False
    kernel.texture(values, known, steps, shift, slopes, out)
    return out


@compiled
@pytest.mark.parametrize(("shape", "steps", "shift"), GRIDS)
@pytest.mark.parametrize("share", [None, 0.9, 0.5, 0.01])
def test_compiled_and_reference_give_the_same_bits(kernel, shape, steps, shift, share, rng):
    steps, shift = np.array(steps), np.array(shift)
    padded = tuple(np.array(shape) + 2 * reach(steps, shift))
    values, known = rng.normal(50, 20, padded).astype(np.float32), None
    if share is not None:
        known = (rng.random(padded) < share).astype(np.float32)
        values *= known
    slopes = rng.uniform(0.2, 1, len(shape)).astype(np.float32)
    ours, theirs = (texture(each, values, known, steps, shift, slopes) for each in (kernel, reference))
    np.testing.assert_array_equal(ours, theirs)
    assert np.isfinite(ours).any() or share == 0.01


@both
def test_all_known_is_as_nothing_unknown(kernel, rng):
    values = rng.normal(50, 20, (60, 62)).astype(np.float32)
    plain = texture(kernel, values, None, LEVELS, np.array([4, 4]))
    np.testing.assert_array_equal(plain, texture(kernel, values, np.ones_like(values), LEVELS, np.array([4, 4])))


@both
def test_a_ramp_has_no_energy_and_one_direction(kernel):
    y, x = np.mgrid[:50, :60].astype(np.float32)
    for values, expected in ((x, (1, 0)), (y, (-1, 0)), (x + y, (0, 1)), (x - y, (0, -1))):
        mean, fine, coarse, cosine, sine = texture(kernel, values, None, LEVELS, np.array([0, 0]))
        np.testing.assert_allclose(mean, values[10:-10, 10:-10], atol=1e-4)
        assert max(fine.max(), coarse.max()) < 1e-9
        np.testing.assert_allclose(cosine, expected[0], atol=1e-5)
        np.testing.assert_allclose(sine, expected[1], atol=1e-5)


@pytest.mark.slow
@both
def test_energies_are_those_of_white_noise(kernel, rng):
    # One and two smoothings by (1, 2, 1)/4 along each axis, and what is left of unit noise by their differences.
    first = np.outer([1, 2, 1], [1, 2, 1]) / 16
    second = np.zeros((7, 7))
    for a in (0, 2, 4):
        for b in (0, 2, 4):
            second[a : a + 3, b : b + 3] += first * np.outer([1, 2, 1], [1, 2, 1])[a // 2, b // 2] / 16
    delta = np.zeros((3, 3))
    delta[1, 1] = 1
    wide = np.pad(first, 2)
    expected = ((delta - first) ** 2).sum(), ((wide - second) ** 2).sum()
    values = rng.standard_normal((1000, 1000)).astype(np.float32)
    out = texture(kernel, values, None, LEVELS, np.array([0, 0]))
    np.testing.assert_allclose(out[1:3].mean(axis=(1, 2)), expected, rtol=0.01)
    np.testing.assert_allclose(out[[0, 3, 4]].mean(axis=(1, 2)), 0, atol=0.01)


@both
def test_directions_of_a_volume_are_of_one_length(kernel):
    steps = np.array([[1, 1, 1], [2, 2, 2], [1, 1, 1]])
    grid = np.stack(np.meshgrid(*[np.arange(20.0)] * 3, indexing="ij"))
    for direction in np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 1, 1], [3, -2, 1]]):
        values = np.tensordot(direction / np.linalg.norm(direction), grid, 1).astype(np.float32)
        turned = texture(kernel, values, None, steps, np.array([0, 0, 0]))[3:]
        np.testing.assert_allclose((turned**2).sum(axis=0), 4 / 3, rtol=1e-4)


@both
def test_windows_keep_clear_of_a_border(kernel, rng):
    values = np.concatenate([rng.normal(0, 1, (120, 60)), rng.normal(0, 8, (120, 60))], axis=1).astype(np.float32)
    steps = np.array([[1, 1], [2, 2], [4, 4], [8, 8]])
    between = []
    for shift in ([0, 0], [8, 8]):
        margin = reach(steps, np.array(shift))[0]
        fine = texture(kernel, np.pad(values, margin, mode="symmetric"), None, steps, np.array(shift))[1]
        between.append(((fine > 2 * fine[:, :30].mean()) & (fine < fine[:, -30:].mean() / 2)).mean())
    assert between[1] < 0.5 * between[0]


@compiled
@pytest.mark.parametrize("grown", [1, -1, 2])
def test_what_does_not_fit_is_refused(kernel, grown):
    steps, shift = LEVELS, np.array([4, 4])
    out = np.empty((5, 10, 10), np.float32)
    values = np.zeros(np.array((10, 10)) + 2 * reach(steps, shift) + [0, grown], np.float32)
    with pytest.raises(ValueError, match="do not reach around the output"):
        kernel.texture(values, None, steps, shift, np.ones(2, np.float32), out)
