"""The calmest pixel near each of some: compiled and in NumPy, against loops that say what it is."""

from __future__ import annotations

import numpy as np
import pytest
from implementations import both, compiled

NEAR = (0, 0), (-1, -1), (-1, 1), (1, -1), (1, 1)
BESIDE = (-1, 0), (1, 0), (0, -1), (0, 1)


def problem(shape, dtype=np.uint8, missing=0.0, seed=0):
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, shape).astype(dtype)
    valid = rng.random(shape[:2]) >= missing if missing else None
    flat = rng.integers(0, shape[0] * shape[1], 500)
    for each in (pixels, flat, *([] if valid is None else [valid])):
        each.flags.writeable = False
    return pixels, valid, flat


def by_loops(pixels, valid, flat, scale):
    rows, columns, _ = pixels.shape
    known, values = np.ones((rows, columns), bool) if valid is None else valid, pixels / scale

    def change(y, x):
        if not (0 < y < rows - 1 and 0 < x < columns - 1):
            return np.inf
        if not all(known[y + dy, x + dx] for dy, dx in ((0, 0), *BESIDE)):
            return np.inf
        return np.abs(values[y + 1, x] - values[y - 1, x]).sum() + np.abs(values[y, x + 1] - values[y, x - 1]).sum()

    found = []
    for y, x in zip(*np.unravel_index(flat, (rows, columns)), strict=True):
        changes = [change(y + dy, x + dx) for dy, dx in NEAR]
        dy, dx = NEAR[int(np.argmin(changes))] if known[y, x] and min(changes) < np.inf else (0, 0)
        found.append((y + dy) * columns + x + dx)
    return np.array(found)


@both
@pytest.mark.parametrize("missing", [0.0, 0.1])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(20, 31, 3), (9, 40, 2), (5, 5, 3), (1, 30, 3), (30, 2, 4), (3, 3, 6)])
def test_the_calmest_near_is_that_of_loops(kernel, dtype, missing, shape):
    pixels, valid, flat = problem(shape, dtype, missing)
    for scale in np.ones(shape[2]), 2.0 ** np.arange(shape[2]):  # powers of two, of which sums are exact
        found = kernel.calmest(pixels, valid, flat, scale)
        np.testing.assert_array_equal(found, by_loops(pixels, valid, flat, scale))


@both
def test_a_border_pixel_goes_to_the_side_of_a_step_and_a_line_stays(kernel):
    row = 2 * 7 + np.arange(7)
    for line, values in (
        ([10, 10, 10, 60, 90, 90, 90], [10, 10, 10, 90, 90, 90, 90]),  # it has more of 90
        ([10, 10, 10, 40, 90, 90, 90], [10, 10, 10, 10, 90, 90, 90]),
        ([10, 10, 10, 99, 10, 10, 10], [10, 10, 10, 99, 99, 10, 10]),  # a line is between what is alike
    ):
        picture = np.tile(np.array(line, np.uint8)[None, :, None], (5, 1, 3))
        found = kernel.calmest(picture, None, row, np.ones(3))
        assert picture.reshape(-1, 3)[found, 0].tolist() == values
        assert (found // 7 <= 3).all()
        assert (found // 7 >= 1).all()


@both
def test_what_is_missing_is_never_calm(kernel):
    pixels, _, flat = problem((15, 16, 3), np.float32)
    holes = pixels.copy()
    holes[4:9, 5:9] = np.nan
    holes[12, 12, 1] = np.inf
    place = np.unravel_index(kernel.calmest(holes, None, flat, np.ones(3)), (15, 16))
    moved = np.ravel_multi_index(place, (15, 16)) != flat
    around = np.stack([holes[place[0][moved] + dy, place[1][moved] + dx] for dy, dx in BESIDE])
    assert moved.any()
    assert np.isfinite(around).all()


@compiled
def test_the_compiled_one_refuses_what_does_not_fit(kernel):
    pixels, _, flat = problem((6, 7, 3))
    turned = np.ones((7, 6), bool)
    for wrong in ((None, flat + 42, np.ones(3)), (None, flat % 42, np.ones(2)), (turned, flat % 42, np.ones(3))):
        with pytest.raises(ValueError, match="outside|unit|shapes"):
            kernel.calmest(pixels, *wrong)


@both
def test_white_noise_is_not_selected(kernel):
    noise = np.random.default_rng(0).normal(0, 1, (400, 400, 3)).astype(np.float32)
    found = noise.reshape(-1, 3)[kernel.calmest(noise, None, np.arange(160_000), np.ones(3))]
    np.testing.assert_allclose(found.var(axis=0), 1, atol=0.02)
    np.testing.assert_allclose((found**4).mean(axis=0), 3, atol=0.15)
