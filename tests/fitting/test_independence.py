"""Pixels that differ from their neighbours by noise alone, and classes that noise has cut."""

from __future__ import annotations

import numpy as np
import pytest
from noisy_images import blobs, few_photons, noisy
from scipy import ndimage

import gmmseg
from gmmseg import Image
from gmmseg.features import Recipe
from gmmseg.fitting.independence import are_one, mixing, without_noise
from gmmseg.fitting.patches import Layout
from gmmseg.fitting.scene import Scene
from gmmseg.mixture.parameters import Mixture
from gmmseg.spatial.smoothing import TYPICAL

FAR = Mixture(np.array([0.8, 0.2]), np.array([[100.0], [160.0]]), np.full((2, 1, 1), 400.0))


def scene_of(picture: np.ndarray) -> Scene:
    """A whole picture of one channel, as it is."""
    image, recipe = Image(picture.astype(np.float32)), Recipe.parse("intensity")
    layout = Layout.around(image.shape, np.arange(image.n_pixels), 1)
    values = image.array.reshape(-1, 1)[layout.flat]
    patches = layout.filled(values, None)
    return Scene(
        image, recipe, patches, recipe.planes_of(image, values, layout.flat), np.zeros(1), np.ones(1), np.ones(1)
    )


def dice(mask: np.ndarray, truth: np.ndarray) -> float:
    return float(2 * (mask & truth).sum() / (mask.sum() + truth.sum()))


def test_a_ground_of_few_photons_that_noise_has_cut_is_one() -> None:
    image, _ = few_photons(10, 1)
    mixture = Mixture(
        np.array([0.1, 0.5, 0.4]), np.array([[9.0], [0.0], [1.6]]), np.array([9, 0.1, 0.7]).reshape(3, 1, 1)
    )
    found = without_noise(scene_of(image), mixture, None)
    assert found is not None
    np.testing.assert_allclose(found.weights, [0.9, 0.1])
    ground = 0.4 * 1.6 / 0.9
    np.testing.assert_allclose(found.means[:, 0], [ground, 9])
    variance = (0.5 * (0.1 + ground**2) + 0.4 * (0.7 + (1.6 - ground) ** 2)) / 0.9
    np.testing.assert_allclose(found.covariances[:, 0, 0], [variance, 9])


def test_classes_that_are_something_of_their_own_stay() -> None:
    rng, (rows, columns) = np.random.default_rng(1), np.indices((256, 256))
    inside = (rows - 128) ** 2 + (columns - 128) ** 2 < 60**2
    assert without_noise(scene_of(100 + 60 * inside + rng.normal(0, 20, inside.shape)), FAR, None) is FAR


@pytest.mark.parametrize("texture", [1, 4])
def test_texture_is_no_noise(texture: float) -> None:
    field = ndimage.gaussian_filter(np.random.default_rng(2).normal(size=(256, 256)), texture)
    assert without_noise(scene_of(110 + 25 * field / field.std()), FAR, None) is None


def test_regions_of_two_pixels_in_noise_are_no_noise() -> None:
    mixture = Mixture(np.full(3, 1 / 3), np.array([[50.0], [100.0], [150.0]]), np.full((3, 1, 1), 225.0))
    assert without_noise(scene_of(noisy(blobs((256, 256), 1), 15)), mixture, None) is None


def test_one_class_cut_by_noise_has_no_neighbours_of_another() -> None:
    values = np.random.default_rng(3).normal(130, 30, (256, 256))
    assert without_noise(scene_of(values), FAR, None) is None


def test_mixing_is_in_parts_of_chance() -> None:
    labels = np.random.default_rng(4).choice([1, 2], (1, 400, 400), p=[0.7, 0.3])
    beside = np.zeros((3, 3), int)
    np.add.at(beside, (labels[..., 1:].ravel(), labels[..., :-1].ravel()), 1)
    assert mixing(beside, 1, 2) == mixing(beside, 2, 1) == pytest.approx(1, abs=0.01)
    assert mixing(np.array([[0, 0, 0], [0, 500, 5], [0, 5, 500]]), 1, 2) == pytest.approx(10 / 505)
    assert mixing(np.array([[0, 0, 0], [0, 5, 5], [0, 5, 5]]), 1, 2) == 0  # too few


@pytest.mark.parametrize(("light", "ground", "seed", "k"), [(6, 0.6, 0, 2), (6, 1, 0, 3), (6, 1, 1, 3)])
def test_neighbours_are_believed_where_there_are_few_photons(light: float, ground: float, seed: int, k: int) -> None:
    image, truth = few_photons(light, ground, seed)
    seg = gmmseg.segment(image, k)
    assert seg.model.strength > TYPICAL + 0.1
    assert dice(seg.mask(k), truth) > dice(gmmseg.segment(image, k, smooth=TYPICAL).mask(k), truth) + 0.005
    assert gmmseg.segment(image, k, smooth=TYPICAL).model.strength == TYPICAL


@pytest.mark.parametrize("seed", [0, 1])
def test_so_they_are_under_a_field(seed: int) -> None:
    image, truth = few_photons(20, 3, seed)
    shaded = np.rint(image * np.linspace(0.2, 0.5, 256)).astype(np.uint8)
    seg, usual = (gmmseg.segment(shaded, 2, bias_field=True, smooth=smooth) for smooth in (True, TYPICAL))
    assert seg.bias_field is not None
    assert seg.model.strength > TYPICAL + 0.1
    assert dice(seg.mask(2), truth) > dice(usual.mask(2), truth) + 0.002


def test_classes_at_random_among_each_other_are_one() -> None:
    rng = np.random.default_rng(5)
    labels = rng.choice([1, 3], (1, 200, 200)).astype(np.uint8)
    assert are_one(labels, 1, 3)
    assert are_one(labels, 3, 1)
    labels[..., :100], labels[..., 100:] = 1, 3
    assert not are_one(labels, 1, 3)


def test_classes_that_are_not_in_the_rows_looked_at_are_not_one() -> None:
    assert not are_one(np.ones((1, 20, 20), np.uint8), 3, 1)
    assert not are_one(np.zeros((2, 1, 1), np.uint8), 1, 2)


def test_a_picture_whose_bright_ground_is_in_no_fourth_row_is_segmented() -> None:
    rng = np.random.default_rng(6)
    truth = np.where(rng.random((100, 100)) < 0.5, 2, 3)
    truth[::4] = 1
    image = np.array([0, 40, 130, 200])[truth] + rng.normal(0, 3, truth.shape)
    found = gmmseg.segment(image.astype(np.uint8), 3, smooth=False)
    assert (found.labels == truth).mean() > 0.99
