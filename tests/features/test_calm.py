"""Calm pixels: fits to several bands see the sides of borders, not what lies between them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import ndimage

import gmmseg
from gmmseg.features.calm import take_calm
from gmmseg.image import Image
from gmmseg.image.pixels import take_each

SIDE = 160


def fields(seed: int = 0, n_bands: int = 4, k: int = 5, blur: float = 1.2) -> tuple[np.ndarray, np.ndarray]:
    """A scene of fields of k kinds, blurred as by a sensor, of 8 bits; and their kinds."""
    rng, pixels = np.random.default_rng(seed), np.indices((SIDE, SIDE)).reshape(2, -1, 1)
    middles = rng.uniform(0, SIDE, (2, 1, 80))
    kinds = (np.arange(80) % k)[((pixels - middles) ** 2).sum(axis=0).argmin(axis=1)].reshape(SIDE, SIDE)
    spectra = rng.uniform(40, 180, (k, n_bands))
    light = ndimage.gaussian_filter(spectra[kinds] + rng.normal(0, 2, (SIDE, SIDE, n_bands)), (blur, blur, 0))
    return (light + rng.normal(0, 2, light.shape)).round().clip(0, 255).astype(np.uint8), kinds


def tissue(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Nuclei in two stains that light has passed through; and where they are."""
    rng, (rows, columns) = np.random.default_rng(seed), np.indices((192, 192))
    nuclei = np.zeros(rows.shape)
    for y, x in itertools.product(range(16, 192, 32), repeat=2):
        nuclei[(rows - y) ** 2 + (columns - x) ** 2 < rng.uniform(7, 10) ** 2] = rng.uniform(0.7, 1.3)
    density = nuclei[..., None] * [0.65, 0.70, 0.29] + 0.4 * np.array([0.07, 0.99, 0.11])
    light = ndimage.gaussian_filter(240 * np.exp(-density), (1.2, 1.2, 0))
    return (light + rng.normal(0, 4, light.shape)).round().clip(0, 255).astype(np.uint8), nuclei > 0


def right(labels: np.ndarray, kinds: np.ndarray) -> float:
    """Share of pixels in the class that most of their kind are in, where each class is of one kind."""
    counts = np.zeros((labels.max() + 1, kinds.max() + 1))
    np.add.at(counts, (labels.ravel(), kinds.ravel()), 1)
    own = counts.argmax(axis=0)
    return float(counts.max(axis=0).sum() / kinds.size) if len(set(own)) == len(own) else 0.0


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_fields_of_five_kinds_are_five_classes(seed: int) -> None:
    image, kinds = fields(seed)
    assert right(gmmseg.segment(image, 5, channel_axis=-1).labels, kinds) > 0.95


def test_mixed_pixels_were_likelier_than_two_of_the_kinds() -> None:
    plain = [gmmseg.segment(image, 5, channel_axis=-1, components=1).labels for image, _ in map(fields, range(3))]
    assert min(right(labels, fields(seed)[1]) for seed, labels in enumerate(plain)) < 0.9


@pytest.mark.parametrize("seed", [0, 1])
def test_stained_nuclei_are_as_large_as_they_are(seed: int) -> None:
    image, nuclei = tissue(seed)
    assert gmmseg.segment(image, 2).mask(1).sum() < 1.25 * nuclei.sum()
    assert gmmseg.segment(image, 2, components=1).mask(1).sum() > 1.25 * nuclei.sum()


def test_units_of_the_bands_change_nothing() -> None:
    image, kinds = fields()
    units = np.array([1, 1000, 0.01, 5], np.float32)
    assert right(gmmseg.segment(image * units, 5, channel_axis=-1).labels, kinds) > 0.95


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
@pytest.mark.parametrize("masked", [False, True])
def test_pixels_are_taken_alike_from_any_source(dtype: type, masked: bool) -> None:
    rng = np.random.default_rng(0)
    array = rng.integers(0, 200, (20, 30, 4)).astype(dtype)
    mask = rng.random((20, 30)) > 0.1 if masked else None
    image = Image.from_array(array, channel_axis=-1, mask=mask)
    spread = Image.from_array(np.asfortranarray(array), channel_axis=-1, mask=mask)  # not in one piece
    asked = np.arange(600), rng.integers(0, 600, 50), rng.integers(0, 600, 40)
    one, two = take_calm(image, asked), take_calm(spread, asked)
    for first, second in zip(one, two, strict=True):
        np.testing.assert_array_equal(first.flat, second.flat)
        np.testing.assert_array_equal(first.values, second.values)
        known = [np.ones(len(each.flat), bool) if each.valid is None else each.valid for each in (first, second)]
        np.testing.assert_array_equal(*known)
    np.testing.assert_array_equal(one[1].values, take_each(image, asked)[1].values)
    np.testing.assert_array_equal(one[0].values, array.reshape(600, 4)[one[0].flat])
    assert (np.abs(one[0].flat // 30 - asked[0] // 30) <= 1).all()
    assert (one[0].flat != asked[0]).any()


def test_pixels_behind_a_mask_change_nothing() -> None:
    image, _ = fields()
    mask = np.ones((SIDE, SIDE), bool)
    mask[:, :50] = False
    hidden = np.where(mask[..., None], image, 255).astype(np.uint8)
    each = [gmmseg.segment(some, 5, channel_axis=-1, mask=mask).labels for some in (image, hidden)]
    np.testing.assert_array_equal(*each)


def test_a_file_that_is_not_held_gives_the_same(tmp_path) -> None:
    image, _ = fields()
    np.save(tmp_path / "fields.npy", image)
    held = gmmseg.segment(image, 5, channel_axis=-1)
    in_file = gmmseg.segment(tmp_path / "fields.npy", 5, channel_axis=-1, memory=1 << 17)
    assert not in_file.image.in_memory
    np.testing.assert_array_equal(in_file.labels, held.labels)


def test_a_few_colors_are_counted_all_of_them() -> None:
    """A colour of a hundredth of a hundredth is a class, though a sample would hardly have it."""
    image = np.zeros((300, 300, 4), np.uint8)
    image[:, 150:] = [10, 90, 40, 7]
    image[100, 100:102] = [200, 20, 20, 80]
    labels = gmmseg.segment(image, 3, channel_axis=-1, smooth=False).labels
    assert np.unique(labels, return_counts=True)[1].tolist() == [44998, 45000, 2]
