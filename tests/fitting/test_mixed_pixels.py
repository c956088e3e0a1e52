"""Borders that are too many: fits to several bands see what lies beside them, and photographs all pixels."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import ndimage

import gmmseg
from gmmseg import Image

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
    assert gmmseg.segment(image, 2).mask(1).sum() < 1.1 * nuclei.sum()
    assert gmmseg.segment(image, 2, components=1).mask(1).sum() > 1.25 * nuclei.sum()


def test_units_of_the_bands_change_nothing() -> None:
    image, kinds = fields()
    units = np.array([1, 1000, 0.01, 5], np.float32)
    assert right(gmmseg.segment(image * units, 5, channel_axis=-1).labels, kinds) > 0.95


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


def test_a_texture_is_no_border() -> None:
    """Where calm pixels are like all others, classes are fitted to all."""
    rng, (rows, _) = np.random.default_rng(0), np.indices((160, 160))
    grain = ndimage.gaussian_filter(rng.normal(0, 40, (160, 160, 3)), (1, 1, 0))
    image = (
        (np.where(rows[..., None] < 80, [60, 90, 120], [160, 130, 100]) + grain).round().clip(0, 255).astype(np.uint8)
    )
    np.testing.assert_array_equal(gmmseg.segment(image, 2).labels, gmmseg.segment(image, 2, components=1).labels)


def test_two_images_of_fields_share_their_classes() -> None:
    (one, kinds), (two, others) = fields(), fields()
    model = gmmseg.fit([Image.from_array(each, channel_axis=-1) for each in (one, two[::-1].copy())], 5)
    labels = np.stack([gmmseg.apply(model, each, channel_axis=-1).labels for each in (one, two)])
    assert right(labels, np.stack([kinds, others])) > 0.95


def test_a_few_colors_are_counted_all_of_them() -> None:
    """A colour of a hundredth of a hundredth is a class, though a sample would hardly have it."""
    image = np.zeros((300, 300, 4), np.uint8)
    image[:, 150:] = [10, 90, 40, 7]
    image[100, 100:102] = [200, 20, 20, 80]
    labels = gmmseg.segment(image, 3, channel_axis=-1, smooth=False).labels
    assert np.unique(labels, return_counts=True)[1].tolist() == [44998, 45000, 2]
