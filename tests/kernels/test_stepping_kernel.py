"""Numbers that a picture was enlarged from: compiled and reference find the same ones, within bounds."""

import numpy as np
import pytest
from implementations import both, compiled

from gmmseg import kernels
from gmmseg.kernels import reference


def bands(n):
    """Linear interpolation of n pixels to 2 n, the last ones repeated."""
    matrix = np.zeros((2 * n, n), np.float32)
    for i in range(n):
        for row, other in ((2 * i, max(i - 1, 0)), (2 * i + 1, min(i + 1, n - 1))):
            matrix[row, i] += 0.75
            matrix[row, other] += 0.25
    starts = np.clip(2 * np.arange(n) - 1, 0, 2 * n - 4).astype(np.int32)
    return matrix, starts, np.stack([matrix[s : s + 4, i] for i, s in enumerate(starts)])


def problem(rng, shape=(14, 19), by_axis=False):
    """A picture, one that is off by one here and there, and what the first is enlarged to."""
    (down, *rows), (along, *columns) = (bands(n) for n in shape)
    truth = rng.integers(20, 230, shape).astype(np.float32)
    wide = truth @ along.T
    large = down @ (np.floor(wide + 0.5) if by_axis else wide)
    start = truth + (rng.random(shape) < 0.1) * rng.choice([-1, 1], shape)
    return (
        truth,
        start.astype(np.float32),
        (large - np.float32(0.2), large + np.float32(0.2), *rows, *columns, (0.0, 255.0), by_axis),
    )


@both
@pytest.mark.parametrize("by_axis", [False, True])
def test_numbers_that_are_off_by_one_are_found(kernel, rng, by_axis):
    truth, start, known = problem(rng, by_axis=by_axis)
    found = start.copy()
    kernel.step_levels(found, *known, 8)
    assert (start != truth).mean() > 0.08
    assert (found != truth).mean() < 0.01
    exact = truth.copy()
    kernel.step_levels(exact, *known, 8)
    np.testing.assert_array_equal(exact, truth)


@both
def test_levels_stay_within_limits_and_sweeps_are_counted(kernel, rng):
    _, start, known = problem(rng)
    found = start.copy()
    kernel.step_levels(found, *known, 0)
    np.testing.assert_array_equal(found, start)
    far = np.full_like(known[0], 1000)
    kernel.step_levels(found, -far, -far, *known[2:6], (start.min() - 2.0, 255.0), False, 300)
    assert found.max() == start.min() - 2
    kernel.step_levels(found, -far, far, *known[2:6], (0.0, 255.0), False, 300)
    assert found.max() == start.min() - 2


@compiled
@pytest.mark.parametrize("by_axis", [False, True])
def test_the_compiled_kernel_finds_what_its_twin_finds(kernel, rng, by_axis):
    _, start, known = problem(rng, (40, 33), by_axis)
    found, expected = start.copy(), start.copy()
    kernel.step_levels(found, *known, 4)
    reference.step_levels(expected, *known, 4)
    np.testing.assert_array_equal(found, expected)


@compiled
def test_an_axis_that_is_not_enlarged_and_what_does_not_fit(kernel, rng):
    truth, start, known = problem(rng)
    none = np.arange(start.shape[1], dtype=np.int32), np.ones((start.shape[1], 1), np.float32)
    large = bands(len(truth))[0] @ truth
    found = start.copy()
    kernels.step_levels(found, large - 0.3, large + 0.3, *known[2:4], *none, (0.0, 255.0), False, 8)
    np.testing.assert_array_equal(found, truth)
    with pytest.raises(ValueError, match="beyond the picture"):
        kernel.step_levels(found, *known[:2], known[2] + np.int32(1), *known[3:], 8)
    with pytest.raises(ValueError, match="one start and one band"):
        kernel.step_levels(found, large[1:].copy(), large[1:].copy(), *known[2:], 8)
    with pytest.raises(ValueError, match="wider than 64"):
        kernel.step_levels(found, *known[:5], np.zeros((start.shape[1], 65), np.float32), *known[6:], 8)
    with pytest.raises(ValueError, match="bounds differ"):
        kernel.step_levels(found, large, large[1:].copy(), *known[2:], 8)
