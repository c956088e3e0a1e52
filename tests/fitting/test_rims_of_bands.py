"""Rims of pictures of several features: pixels on blurred borders belong to the side that they have more of."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import ndimage

import gmmseg

SIDE = 192
GLASS = 24  # columns


def blurred(light: np.ndarray, seed: int, blur: float = 1.5, noise: float = 4) -> np.ndarray:
    """What a camera makes of light, of 8 bits."""
    seen = ndimage.gaussian_filter(light, (blur, blur, 0))
    return (seen + np.random.default_rng(seed).normal(0, noise, seen.shape)).round().clip(0, 255).astype(np.uint8)


def tissue(seed: int = 0, glass: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Nuclei of many shades in two stains that light has passed through, beside glass perhaps; and where they are."""
    rng, (rows, columns) = np.random.default_rng(seed), np.indices((SIDE, SIDE))
    nuclei = np.zeros(rows.shape)
    for y, x in itertools.product(range(16, SIDE, 32), range(16 + 32 * glass, SIDE, 32)):
        nuclei[(rows - y) ** 2 + (columns - x) ** 2 < rng.uniform(7, 10) ** 2] = rng.uniform(0.6, 1.4)
    density = nuclei[..., None] * [0.65, 0.70, 0.29] + 0.4 * np.array([0.07, 0.99, 0.11])
    density[:, : GLASS * glass] = 0
    return blurred(240 * np.exp(-density), seed), nuclei > 0


def dice(mask: np.ndarray, truth: np.ndarray) -> float:
    return float(2 * (mask & truth).sum() / (mask.sum() + truth.sum()))


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("features", [None, "rgb", "hed"])
def test_stained_nuclei_do_not_take_their_rims(seed: int, features: str | None) -> None:
    image, nuclei = tissue(seed)
    seg = gmmseg.segment(image, 2, features=features)
    found = max((seg.mask(label) for label in (1, 2)), key=lambda mask: dice(mask, nuclei))
    assert dice(found, nuclei) > 0.95
    assert found.sum() < 1.06 * nuclei.sum()
    plain = gmmseg.segment(image, 2, features=features, components=1)
    assert max(dice(plain.mask(label), nuclei) for label in (1, 2)) < 0.9


def test_nuclei_beside_glass_do_not_take_their_rims_either() -> None:
    image, nuclei = tissue(glass=True)
    seg = gmmseg.segment(image, 3)
    assert dice(seg.mask(1), nuclei) > 0.95
    assert seg.mask(1)[:, GLASS - 4 : GLASS + 4].mean() < 0.01
    assert seg.mask(3)[:, : GLASS - 4].all()
    assert dice(gmmseg.segment(image, 3, components=1).mask(1), nuclei) < 0.9


def test_a_rim_is_a_component_between_its_classes() -> None:
    model = gmmseg.segment(tissue()[0], 2).model
    assert model.memberships.tolist() == [[1, 0, 0], [0, 1, 1]]  # nuclei are the darker ones
    nuclei, ground, rim = model.mixture.means[:, 0]
    assert nuclei < rim < ground
    assert model.mixture.weights.sum() == pytest.approx(1)


def test_borders_of_even_classes_stay() -> None:
    light = np.full((SIDE, SIDE, 3), [60.0, 90, 120])
    light[:, SIDE // 2 :] = [160, 130, 100]
    assert gmmseg.segment(blurred(light, 0), 2).model.memberships is None


def test_a_texture_has_no_rims() -> None:
    """What varies beside an even ground, without objects that half a height could be told of."""
    rng = np.random.default_rng(0)
    light = np.full((SIDE, SIDE, 3), [60.0, 90, 120])
    grain = ndimage.gaussian_filter(rng.normal(0, 150, (SIDE, SIDE // 2, 1)), (1, 1, 0))
    light[:, SIDE // 2 :] = [130, 120, 100] + grain * [1, 0.8, 0.6]
    assert gmmseg.segment(blurred(light, 0), 2).model.memberships is None


def test_a_file_that_is_not_held_gives_the_same(tmp_path) -> None:
    image, nuclei = tissue()
    np.save(tmp_path / "tissue.npy", image)
    held = gmmseg.segment(image, 2)
    in_file = gmmseg.segment(tmp_path / "tissue.npy", 2, memory=1 << 17)
    assert not in_file.image.in_memory
    np.testing.assert_array_equal(in_file.labels, held.labels)
    assert dice(held.mask(1), nuclei) > 0.95


@pytest.mark.parametrize("hidden", [0, 255])
def test_pixels_behind_a_mask_change_nothing(hidden: int) -> None:
    image, nuclei = tissue()
    mask = np.ones(nuclei.shape, bool)
    mask[:, :50] = False
    seg = gmmseg.segment(np.where(mask[..., None], image, hidden).astype(np.uint8), 2, mask=mask)
    np.testing.assert_array_equal(seg.labels, gmmseg.segment(image, 2, mask=mask).labels)
    assert dice(seg.mask(1), nuclei & mask) > 0.95


def test_pixels_that_miss_a_band_are_left_out() -> None:
    image, nuclei = tissue()
    bands = image.astype(np.float32)
    bands[::7, ::5, 1] = np.nan
    seg = gmmseg.segment(bands, 2, channel_axis=-1, features="bands")
    known = np.isfinite(bands).all(axis=-1)
    assert seg.model.memberships is not None
    assert max(dice(seg.mask(label) & known, nuclei & known) for label in (1, 2)) > 0.95


def test_more_pixels_than_are_looked_at_are_told_by_squares() -> None:
    image, nuclei = (np.tile(each, (4, 4) + (1,) * (each.ndim - 2)) for each in tissue())
    seg = gmmseg.segment(image, 2)
    assert dice(seg.mask(1), nuclei) > 0.95
