"""Numbers that a picture was enlarged from linearly: the likeliest of all that fit, by compiled and reference alike."""

import numpy as np
import pytest
from implementations import both, compiled

from gmmseg.kernels import reference

LIMITS = 0.0, 255.0


def enlarged(pixels, rounding):
    """Linear interpolation to twice the size, the last pixels repeated: rounded by axis, once, or with bits dropped."""
    wide = along(pixels.astype(int), 1)
    if rounding == 0:
        return ((along(((wide + 2) >> 2), 0) + 2) >> 2).astype(np.float32)
    if rounding == 1:
        return ((along(wide, 0) + 8) >> 4).astype(np.float32)
    before, after = np.vstack([wide[:1], wide[:-1]]), np.vstack([wide[1:], wide[-1:]])
    rows = [((3 * wide >> 2) + (other >> 2) + 2) >> 2 for other in (before, after)]
    return np.stack(rows, axis=1).reshape(2 * len(wide), -1).astype(np.float32)


def along(pixels, axis):
    """Four times what lies a quarter of a pixel before and after each."""
    lines = np.moveaxis(pixels, axis, 0)
    before, after = np.concatenate([lines[:1], lines[:-1]]), np.concatenate([lines[1:], lines[-1:]])
    both = np.stack([3 * lines + before, 3 * lines + after], axis=1).reshape(2 * len(lines), *lines.shape[1:])
    return np.moveaxis(both, 0, axis)


def halved(kernel, picture, rounding, limits=LIMITS):
    picture, out = np.ascontiguousarray(picture), np.empty([n // 2 for n in picture.shape], np.float32)
    picture.setflags(write=False)
    kernel.halve(picture, rounding, limits, out)
    return out


@both
@pytest.mark.parametrize(("rounding", "right"), [(0, 0.9), (1, 0.955), (2, 0.97)])
@pytest.mark.parametrize("rough", [False, True])
def test_nearly_all_that_can_be_told_is_right(kernel, rng, rounding, right, rough):
    steps = rng.integers(0, 256, (60, 70)) if rough else 100 + np.cumsum(rng.integers(-3, 4, (60, 70)), axis=1)
    pixels = steps.clip(0, 255)
    found = halved(kernel, enlarged(pixels, rounding), rounding)
    assert (found == pixels).mean() > right
    assert np.abs(found - pixels).max() <= 2


@both
def test_what_fits_alone_is_found(kernel):
    """Numbers of two rows or columns that are the same everywhere leave no choice."""
    for value in (0, 1, 130, 255):
        for rounding in (0, 1, 2):
            even = np.full((20, 26), value, np.float32)
            assert (halved(kernel, even, rounding) == value).all()


@both
@pytest.mark.parametrize("rounding", [0, 1, 2])
@pytest.mark.parametrize("limits", [(-np.inf, np.inf), (-300.0, 1e6)])
def test_numbers_of_other_ranges(kernel, rng, rounding, limits):
    pixels = rng.integers(-200, 1000, (40, 30)) * (1 if rounding == 0 else 900)
    found = halved(kernel, enlarged(pixels.clip(*limits), rounding), rounding, limits)
    assert (found == pixels.clip(*limits)).mean() > 0.88
    assert found.min() >= limits[0]


@both
@pytest.mark.parametrize("rounding", [0, 1, 2])
def test_where_a_picture_was_changed_the_rest_is_found_as_before(kernel, rng, rounding):
    pixels = rng.integers(20, 230, (60, 64))
    whole = enlarged(pixels, rounding)
    changed = whole.copy()
    changed[50:62, 40:60] = rng.integers(0, 256, (12, 20))
    found, other = halved(kernel, whole, rounding), halved(kernel, changed, rounding)
    away = np.ones(pixels.shape, bool)
    away[25 - 8 : 31 + 8, 20 - 8 : 30 + 8] = False
    np.testing.assert_array_equal(other[away], found[away])
    assert (other >= 0).all()
    assert (other <= 255).all()


@both
@pytest.mark.parametrize("rounding", [0, 1, 2])
def test_a_window_has_the_numbers_of_the_whole(kernel, rng, rounding):
    picture = enlarged(rng.integers(0, 256, (120, 110)), rounding)
    whole, window = halved(kernel, picture, rounding), halved(kernel, picture[40:160, 30:140].copy(), rounding)
    np.testing.assert_array_equal(window[16:-16, 16:-16], whole[36:64, 31:54])


@compiled
@pytest.mark.parametrize("rounding", [0, 1, 2])
@pytest.mark.parametrize("shape", [(0, 3), (1, 1), (1, 17), (23, 1), (40, 33)])
def test_the_compiled_kernel_finds_what_its_twin_finds(kernel, rng, rounding, shape):
    fitting = enlarged(rng.integers(0, 256, shape), rounding) if shape[0] else np.empty((0, 6), np.float32)
    noise = rng.integers(0, 256, [2 * n for n in shape]).astype(np.float32)
    for picture in (fitting, noise):
        found, expected = (halved(each, picture, rounding) for each in (kernel, reference))
        np.testing.assert_array_equal(found, expected)


@compiled
def test_what_does_not_fit_is_refused(kernel):
    with pytest.raises(ValueError, match="twice as large"):
        kernel.halve(np.zeros((4, 4), np.float32), 0, LIMITS, np.zeros((2, 3), np.float32))
    with pytest.raises(ValueError, match="0, 1 or 2"):
        kernel.halve(np.zeros((4, 4), np.float32), 3, LIMITS, np.zeros((2, 2), np.float32))
