"""One model for many images: each has its say, one after the other, and a class has one number everywhere."""

import gc
import weakref

import numpy as np
import pytest

import gmmseg
from gmmseg import Image
from gmmseg.errors import ParameterError
from gmmseg.io import reading


def scene(shape, level, seed, dtype=np.uint8):
    """One class at a level, with noise of deviation 3."""
    noise = np.random.default_rng(seed).normal(level, 3, shape)
    return noise.round().astype(dtype) if np.dtype(dtype).kind == "u" else noise.astype(dtype)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("small", [(20, 20), (5, 8)])
def test_images_whose_values_are_counted_have_an_equal_say(dtype, small):
    images = [scene((200, 300), 50, 0, dtype), scene(small, 150, 1, dtype)]
    model = gmmseg.fit(images, 2)
    np.testing.assert_allclose(model.mixture.weights, 0.5, atol=0.01)
    np.testing.assert_allclose(model.means.ravel(), [50, 150], atol=1.5)


def test_masked_images_have_an_equal_say():
    pixels, mask = scene((100, 100), 150, 1), np.zeros((100, 100), bool)
    mask[40:60, 40:60] = True
    images = [Image.from_array(scene((100, 100), 50, 0)), Image.from_array(pixels, mask=mask)]
    np.testing.assert_allclose(gmmseg.fit(images, 2).mixture.weights, 0.5, atol=0.01)


def test_a_mask_of_each_image(tmp_path):
    images = [np.hstack([scene((40, 40), 50, 0), scene((40, 40), 150, 1)]) for _ in range(3)]
    right = np.arange(80) >= 40
    mask = np.broadcast_to(right, (40, 80))
    np.save(tmp_path / "left.npy", ~mask)
    model = gmmseg.fit(images, 2, mask=[mask, tmp_path / "left.npy", None])
    np.testing.assert_allclose(model.mixture.weights, 0.5, atol=0.01)
    model = gmmseg.fit(images, 2, mask=[mask, mask, None])
    np.testing.assert_allclose(model.mixture.weights, [1 / 6, 5 / 6], atol=0.01)
    assert gmmseg.fit(images, 1, mask=mask.tolist()).means[0, 0] == pytest.approx(150, abs=1)  # rows of one mask
    with pytest.raises(ParameterError, match="mask has 2 entries, but there are 3 images; give one an image"):
        gmmseg.fit(images, 2, mask=[mask, None])


def test_sampled_images_have_an_equal_say():
    images = [scene((200, 300), 50, 0, np.float32), scene((50, 60), 150, 1, np.float32)]
    model = gmmseg.fit(images, 2, sample=2000)
    np.testing.assert_allclose(model.mixture.weights, 0.5, atol=0.02)


def test_counted_and_sampled_images_have_an_equal_say():
    images = [scene((200, 300), 50, 0), scene((200, 300), 150, 1, np.float32)]
    np.testing.assert_allclose(gmmseg.fit(images, 2, sample=2000).mixture.weights, 0.5, atol=0.02)


def test_the_order_of_images_changes_nothing_that_matters():
    images = [scene((60, 70), level, seed) for seed, level in enumerate((150, 50, 100))]
    first, second = gmmseg.fit(images, 3), gmmseg.fit(images[::-1], 3)
    np.testing.assert_allclose(first.means, second.means, atol=0.1)
    np.testing.assert_allclose(first.mixture.weights, 1 / 3, atol=0.01)


def test_a_class_has_the_same_number_in_every_image(tmp_path):
    rng = np.random.default_rng(0)
    levels, paths = np.array([30, 90, 150, 210]), []
    for number, present in enumerate([(0, 1), (1, 2), (2, 3), (0, 3)]):
        truth = np.where(np.arange(60) < 30, *present)[None].repeat(50, axis=0)
        np.save(tmp_path / f"{number}.npy", (levels[truth] + rng.normal(0, 5, truth.shape)).astype(np.uint8))
        paths.append((tmp_path / f"{number}.npy", truth))
    model = gmmseg.fit([path for path, _ in paths], 4)
    for path, truth in paths:
        np.testing.assert_array_equal(gmmseg.apply(model, path).labels, truth + 1)


@pytest.mark.slow
def test_images_are_read_one_after_the_other(tmp_path, monkeypatch):
    alive, most, read = [], [], reading.read_with

    def watched(path, how):
        image = read(path, how)
        gc.collect()
        alive.append(weakref.ref(image))
        most.append(sum(each() is not None for each in alive))
        return image

    monkeypatch.setattr("gmmseg.io.opening.read_with", watched)
    paths = [tmp_path / f"{number}.npy" for number in range(9)]
    for number, path in enumerate(paths):
        np.save(path, scene((40, 50), 20 * number, number))
    gmmseg.fit(paths, 3)
    assert len(most) == 9
    assert max(most) <= 3  # the first, the one that is being sampled, and the one that is being read


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("smooth", [True, False])
def test_images_have_a_say_by_the_area_of_their_valid_pixels(dtype, smooth):
    large, small = scene((100, 200), 50, 0, dtype), scene((100, 100), 150, 1, dtype)
    mask = np.zeros((100, 100), bool)
    mask[:50] = True
    images = [Image.from_array(large), Image.from_array(small, mask=mask)]
    model = gmmseg.fit(images, 2, weight="area", smooth=smooth, sample=4000)
    np.testing.assert_allclose(model.mixture.weights, (0.8, 0.2), atol=0.01)
    np.testing.assert_allclose(gmmseg.fit(images, 2, smooth=smooth).mixture.weights, 0.5, atol=0.01)


def test_the_area_is_that_on_the_ground():
    images = [Image(scene((60, 60), 50, 0), spacing=(10, 10)), Image(scene((60, 60), 150, 1), spacing=(30, 30))]
    model = gmmseg.fit(images, 2, weight="area")
    np.testing.assert_allclose(model.mixture.weights, (0.1, 0.9), atol=0.01)
    with pytest.raises(gmmseg.ParameterError, match='weight=\'size\' is not known; use "equal" or "area"'):
        gmmseg.fit(images, 2, weight="size")
