"""A ground of few photons, or clipped at black, is one class, however its noise is counted."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import ndimage

import gmmseg

Made = tuple[np.ndarray, np.ndarray]


def discs(seed: int) -> tuple[np.random.Generator, np.ndarray, np.ndarray]:
    """Blurred discs of heights about 1; and where they are."""
    rng, (rows, columns) = np.random.default_rng(seed), np.indices((256, 256))
    light = np.zeros((256, 256))
    for y in range(16, 256, 32):
        for x in range(16, 256, 32):
            light[(rows - y) ** 2 + (columns - x) ** 2 < rng.uniform(7, 11) ** 2] = rng.uniform(0.6, 1.4)
    return rng, ndimage.gaussian_filter(light, 1.5), light > 0


def multiplied(seed: int) -> Made:
    """Photons that a camera multiplies, each by a chance of its own, above what it reads where there are none."""
    rng, light, truth = discs(seed)
    photons = rng.poisson(0.4 + 8 * light)
    gained = np.where(photons > 0, 30 * rng.gamma(np.maximum(photons, 1)), 0)
    return np.rint(gained + rng.normal(200, 6, light.shape)).astype(np.uint16), truth


def evened(seed: int) -> Made:
    """Photons in steps of 16, with uneven light: zeros are one value, and one photon is many."""
    rng, light, truth = discs(seed)
    y, x = np.meshgrid(*[np.linspace(-1, 1, 256)] * 2, indexing="ij")
    values = 16 * rng.poisson(0.8 + 7 * light) * (1 - 0.3 * (x**2 + y**2))
    return np.rint(values).clip(0, 255).astype(np.uint8), truth


def clipped(seed: int) -> Made:
    """Half of the ground's noise is below black."""
    rng, light, truth = discs(seed)
    return (3.0 * (rng.poisson(6 + 60 * light) - 6)).clip(0, 255).astype(np.uint8), truth


def textured(seed: int) -> Made:
    """Discs that differ from the ground by their noise, too: dim ones lie at random among it."""
    rng, light, truth = discs(seed)
    return rng.poisson(12 + 6 * light).astype(np.uint8), truth


def dice(mask: np.ndarray, truth: np.ndarray) -> float:
    return float(2 * (mask & truth).sum() / (mask.sum() + truth.sum()))


@pytest.mark.parametrize(("make", "least"), [(multiplied, 0.9), (evened, 0.85)])
@pytest.mark.parametrize("seed", range(2))
def test_what_noise_makes_of_the_ground_is_no_object(make: Callable[[int], Made], least: float, seed: int) -> None:
    image, truth = make(seed)
    seg, dark = gmmseg.segment(image, 2), gmmseg.segment(image.max() - image, 2)
    assert dice(seg.mask(2), truth) > least
    assert dice(gmmseg.segment(image, 2, components=1).mask(2), truth) < 0.75  # one Gaussian each
    np.testing.assert_array_equal(np.asarray(seg.model.memberships)[:, :3], [[1, 1, 0], [0, 0, 1]])
    assert dice(dark.mask(1), seg.mask(2)) > 0.98


def test_in_a_model_of_both_classes_all_is_kept(tmp_path) -> None:
    image, _ = multiplied(0)
    seg = gmmseg.segment(image, 2, threads=2)
    assert len(seg.classes) == 2
    np.testing.assert_allclose(seg.probabilities.sum(axis=0), 1, atol=1e-5)
    np.testing.assert_array_equal(gmmseg.segment(image, 2, threads=1).labels, seg.labels)
    seg.model.save(tmp_path / "photons.gmm.json")
    again = gmmseg.apply(gmmseg.load_model(tmp_path / "photons.gmm.json"), image)
    np.testing.assert_array_equal(again.labels, seg.labels)


@pytest.mark.parametrize(("make", "least"), [(clipped, 0.93), (evened, 0.84)])
@pytest.mark.parametrize("seed", range(2))
def test_the_ground_of_three_is_what_lies_among_the_next_class(
    make: Callable[[int], Made], least: float, seed: int
) -> None:
    image, truth = make(seed)
    assert dice(gmmseg.segment(image, 3).mask(3), truth) > least


def test_dim_objects_are_no_part_of_the_ground() -> None:
    image, truth = textured(0)
    seg = gmmseg.segment(image, 2)
    assert dice(seg.mask(2), truth) > dice(gmmseg.segment(image, 2, components=1).mask(2), truth) - 0.02
    assert dice(seg.mask(2), truth) > dice(gmmseg.segment(image, 3).mask(3), truth)


@pytest.mark.parametrize("values", [(0, 1), (0, 9)])
def test_two_values_at_random_are_two_classes(values: tuple[int, int]) -> None:
    image = np.random.default_rng(0).choice(np.array(values, np.uint8), (64, 64))
    np.testing.assert_array_equal(gmmseg.segment(image, 2, smooth=False).labels, 1 + (image == values[1]))
