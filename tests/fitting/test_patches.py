"""Patches: where they lie, and that shares are those of the image."""

import numpy as np
import pytest
from noisy_images import blobs, noisy

import gmmseg
from gmmseg.fitting.patches import Layout


@pytest.mark.slow
def test_shares_of_a_masked_volume():
    """Patches of volumes: shares are those of the volume, though patches lie on valid voxels alone."""
    truth = blobs((48, 80, 80), 5)
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in truth.shape), indexing="ij")
    mask = z**2 + y**2 + x**2 < 0.8
    found = gmmseg.segment(noisy(truth, 25), 3, channel_axis=None, mask=mask)
    assert (found.labels[mask] - 1 == truth[mask]).mean() > 0.95
    np.testing.assert_allclose(found.model.mixture.weights, np.bincount(truth[mask]) / mask.sum(), atol=0.04)


@pytest.mark.parametrize("shape", [(5,), (3, 4), (2000,), (500, 500), (3, 300, 300), (80, 90, 100), (1, 1, 5)])
def test_patches_lie_within_the_image(shape):
    n = int(np.prod(shape))
    layout = Layout.around(shape, np.arange(0, n, max(1, n // 500)), 1)
    assert layout.flat.min() >= 0
    assert layout.flat.max() < n
    assert len(layout.flat) == len(layout.usable) == len(layout.inner)
    assert (layout.inner <= layout.usable).all()
    filled = layout.filled(np.zeros((len(layout.flat), 1)), None)
    assert int(np.prod(filled.shape)) == len(layout.flat)
    parts = filled.parts(8)
    assert 1 <= len(parts) <= 8
    index = np.concatenate([part.reshape(-1) for part in parts])
    np.testing.assert_array_equal(np.sort(index[filled.valid[index]]), np.flatnonzero(filled.valid))


@pytest.mark.parametrize("shape", [(30, 40, 50), (100, 110, 120)])
def test_voxels_have_the_neighbours_in_parts_that_they_have_in_the_image(shape):
    """Side by side, between voxels that are not valid: next to a valid voxel is the one next to it in the image."""
    layout = Layout.regular(shape, np.arange(np.prod(shape)).reshape(shape) % 7 > 0, 1)
    patches = layout.filled(np.zeros((len(layout.flat), 1)), layout.flat % 7 > 0)
    pairs = [0, 0]
    for part in patches.parts(5):
        for axis, step in enumerate((shape[1] * shape[2], shape[2], 1)):
            along = np.moveaxis(part, axis, 0)
            both = patches.valid[along[1:]] & patches.valid[along[:-1]]
            pairs[0] += int(both.sum())
            assert (patches.flat[along[1:]] - patches.flat[along[:-1]] == step)[both].all()
    stacked = np.arange(len(patches.flat)).reshape(patches.shape)
    for axis in range(3):
        along = patches.valid[np.moveaxis(stacked, axis, 0)]
        pairs[1] += int((along[1:] & along[:-1]).sum())
    assert pairs[0] == pairs[1] > 0


def shaded_tissues(shape):
    """Return a volume of three classes in noise, under a gain, and which of its voxels are masked in."""
    truth = blobs(shape, 6)
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    gain = np.exp(0.3 * (z - 0.5 * y**2 + 0.5 * z * x))
    values = np.array([0.3, 0.55, 0.85])[truth] * gain + np.random.default_rng(3).normal(0, 0.08, shape)
    return values.astype(np.float32), z**2 + y**2 + (x - 0.1) ** 2 < 0.8


@pytest.mark.slow
@pytest.mark.parametrize("bias_field", [False, True])
def test_volumes_of_classes_do_not_depend_on_the_order_of_the_axes(bias_field):
    values, mask = shaded_tissues((110, 111, 124))

    def numbers(turn, seed=0):
        found = gmmseg.segment(
            np.ascontiguousarray(turn(values)), 3, channel_axis=None, mask=turn(mask), bias_field=bias_field, seed=seed
        )
        return np.bincount(found.labels.ravel(), minlength=4)[1:]

    expected = numbers(lambda array: array)
    for turn in (np.flipud, np.transpose, lambda array: np.flip(array.transpose(1, 0, 2), 2)):
        np.testing.assert_allclose(numbers(turn), expected, rtol=0.005)
    np.testing.assert_allclose(numbers(lambda array: array, seed=4), expected, rtol=0.005)


@pytest.mark.parametrize("shape", [(40, 50, 60), (120, 110, 100), (6, 500, 500)])
def test_regular_patches_lie_where_there_are_valid_voxels(shape):
    valid = np.zeros(shape, bool)
    valid[:, shape[1] // 4 : -5, 20:-9] = True
    layout = Layout.regular(shape, valid, 1)
    patches = layout.filled(np.zeros((len(layout.flat), 1)), valid.reshape(-1)[layout.flat])
    assert patches.valid.reshape(len(layout.axes[0]), -1).any(axis=1).all()
    used = layout.flat[layout.usable]
    assert len(np.unique(used)) == len(used)
    index, known, counted = patches.telling()
    assert index.shape == known.shape == counted.shape
    assert counted.any()
    assert (counted <= known).all()
    assert (known <= patches.valid[index]).all()


def test_all_of_a_picture_tells_how_much_neighbours_agree():
    """Not its top alone, which may be sky."""
    shape = (600, 900)
    places = np.random.default_rng(0).permutation(int(np.prod(shape)))
    layout = Layout.around(shape, places[:4096], 1)
    patches = layout.filled(np.zeros((len(layout.flat), 1)), np.ones(len(layout.flat), bool))
    index, _, counted = patches.telling()
    rows = np.histogram(layout.flat[index[counted]] // shape[1], 4, (0, shape[0]))[0]
    assert rows.min() > 0.8 * rows.max()
    assert index.size < len(layout.flat) / 4


def test_cubes_are_patches_of_the_same_pixels():
    """Small cubes in the middle of regular patches: their own coordinates, and no pixel counts that misses others."""
    shape = (95, 96, 110)
    valid = np.ones(shape, bool)
    valid[:40] = False
    layout = Layout.regular(shape, valid, 1)
    values = np.random.default_rng(0).random((int(np.prod(shape)), 1))
    patches = layout.filled(values[layout.flat], valid.reshape(-1)[layout.flat])
    cubes = patches.in_cubes(patches.told)
    assert 4 * len(cubes.flat) < len(patches.flat)
    np.testing.assert_array_equal(cubes.values, values[cubes.flat])
    z, y, x = (along[:, None] for along in cubes.axes)
    where = z.swapaxes(1, 2)[..., None] * shape[1] + y[..., None]
    np.testing.assert_array_equal((where * shape[2] + x[:, :, None]).reshape(-1), cubes.flat)
    counted = cubes.weights.reshape(cubes.told.shape).copy()
    inner = (slice(None), *[slice(1, 6)] * 3)
    np.testing.assert_array_equal(counted[inner], valid.reshape(-1)[cubes.flat].reshape(counted.shape)[inner])
    counted[inner] = 0
    assert not counted.any()
    np.testing.assert_array_equal(cubes.told.reshape(-1), np.arange(len(cubes.flat)))


def test_some_patches_are_the_same_whatever_the_order_of_the_axes():
    shape, found = (100, 110, 120), []
    values = np.arange(np.prod(shape)).reshape(shape)
    for turned in (values, values.transpose(2, 0, 1), values[::-1, :, ::-1]):
        layout = Layout.regular(turned.shape, None, 1)
        patches = layout.filled(turned.reshape(-1)[layout.flat][:, None], None)
        some, index = patches.some(len(patches.flat) // 4)
        assert 0.15 < len(index) / len(patches.flat) < 0.35
        assert some.shape[0] * some.shape[1] * some.shape[2] == len(index) == len(some.values)
        np.testing.assert_array_equal(some.values, patches.values[index])
        np.testing.assert_array_equal(some.flat, patches.flat[index])
        told = index[some.told]
        np.testing.assert_array_equal(told, patches.told[np.isin(patches.told[:, 0, 0, 0], told[:, 0, 0, 0])])
        assert len(told) == len(some.axes[0])
        found.append(np.unique(some.values[some.valid]))
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


@pytest.mark.parametrize("shape", [(200, 300), (30, 40, 50)])
def test_zeros_of_noise_are_scattered_and_those_around_an_object_are_not(rng, shape):
    layout = Layout.around(shape, rng.permutation(int(np.prod(shape)))[:4096], 1)
    filled = layout.filled(np.zeros((len(layout.flat), 1)), None)
    noise = (rng.random(shape) < 0.3).reshape(-1)[layout.flat]
    outside = (sum((2 * at / n - 1) ** 2 for at, n in zip(np.indices(shape), shape, strict=True)) > 0.5).reshape(-1)
    assert filled.scattered(noise, len(shape))
    assert not filled.scattered(outside[layout.flat], len(shape))
    assert not filled.scattered(np.zeros(len(layout.flat), bool), len(shape))


def test_squares_are_the_whole_of_a_small_picture_and_lie_evenly_in_a_large_one():
    np.testing.assert_array_equal(Layout.squares((30, 40)).flat, np.arange(1200))
    shape, found = (1400, 1500), []
    values = np.arange(np.prod(shape)).reshape(shape)
    for turned in (values, values.T, values[::-1, ::-1]):
        layout = Layout.squares(turned.shape)
        assert layout.sides == (127, 127)
        assert len(np.unique(layout.flat)) == len(layout.flat) <= 1.2 * (1 << 20)
        found.append(np.sort(turned.reshape(-1)[layout.flat]))
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_squares_of_a_volume_are_boxes_of_which_there_is_room_for_several():
    shape = (7, 300, 200)
    values = np.arange(np.prod(shape)).reshape(shape)
    layout = Layout.squares(shape, 1 << 17)
    assert layout.sides == (8, 47, 47)  # with a plane after each
    patches = layout.filled(values.reshape(-1)[layout.flat, None], None)
    boxes = len(patches.axes[0])
    assert (patches.depth, patches.shape) == (8, (8 * boxes, 47, 47))
    assert 2 <= boxes <= 8
    found = patches.values.reshape(boxes, 8, 47, 47)
    for one, *starts in zip(found, *(along[:, 0] for along in patches.axes), strict=True):
        part = tuple(slice(i, i + side) for i, side in zip(starts, (7, 47, 47), strict=True))
        np.testing.assert_array_equal(one[:7], values[part])
    assert not patches.valid.reshape(found.shape)[:, 7].any()
    assert patches.valid.reshape(found.shape)[:, :7].all()
    assert Layout.squares((600, 700, 800)).sides == (50, 49, 49)
    assert len(Layout.squares((600, 700, 800)).flat) < 1.3 * (1 << 20)
    assert len(Layout.squares(shape).flat) == values.size
