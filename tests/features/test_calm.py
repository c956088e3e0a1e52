"""Calm pixels: those beside borders, told alike of any source."""

from __future__ import annotations

import numpy as np
import pytest

from gmmseg.features import Recipe, calm
from gmmseg.image import Image
from gmmseg.image.pixels import take_each


def found_in(image: Image, flat: np.ndarray):
    """The calm pixels near others, as whoever samples them takes them."""
    wanted = calm.wanted(image, flat)
    (taken,) = take_each(image, [wanted])
    return calm.calmest(image, flat, taken)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
@pytest.mark.parametrize("masked", [False, True])
def test_pixels_are_found_alike_in_any_source(dtype: type, masked: bool) -> None:
    rng = np.random.default_rng(0)
    array = rng.integers(0, 200, (20, 30, 4)).astype(dtype)
    mask = rng.random((20, 30)) > 0.1 if masked else None
    image = Image.from_array(array, channel_axis=-1, mask=mask)
    spread = Image.from_array(np.asfortranarray(array), channel_axis=-1, mask=mask)  # not in one piece
    flat = rng.permutation(600)
    one, two = found_in(image, flat), found_in(spread, flat)
    np.testing.assert_array_equal(one.flat, two.flat)
    np.testing.assert_array_equal(one.values, two.values)
    np.testing.assert_array_equal(one.values, array.reshape(600, 4)[one.flat])
    known = [np.ones(600, bool) if each.valid is None else each.valid for each in (one, two)]
    np.testing.assert_array_equal(*known)
    assert known[0].all() != masked
    rows, columns = (np.abs(a - b) for a, b in zip(divmod(one.flat, 30), divmod(flat, 30), strict=True))
    np.testing.assert_array_equal(rows, columns)  # itself, or at a corner
    assert set(rows) == {0, 1}


def test_masks_in_another_order_of_memory_are_heard() -> None:
    rng = np.random.default_rng(0)
    array, mask = rng.integers(0, 200, (20, 30, 3)).astype(np.uint8), rng.random((20, 30)) > 0.1
    flat = np.arange(600)
    one, two = (found_in(Image.from_array(array, mask=each), flat) for each in (mask, np.asfortranarray(mask)))
    np.testing.assert_array_equal(one.flat, two.flat)


def test_units_of_the_channels_change_nothing() -> None:
    array = np.random.default_rng(0).integers(0, 200, (20, 30, 3)).astype(np.float32)
    flat = np.arange(600)
    plain, scaled = (
        found_in(Image.from_array(array * np.float32(units), channel_axis=-1), flat).flat
        for units in ([1, 1, 1], [2**10, 1, 2**-8])
    )
    np.testing.assert_array_equal(plain, scaled)


def test_no_pixel_is_near_none() -> None:
    image = Image.from_array(np.zeros((5, 6, 3), np.int16), channel_axis=-1)
    assert len(found_in(image, np.zeros(0, np.intp)).flat) == 0


@pytest.mark.parametrize(
    ("channels", "recipe", "columns", "expected"),
    [
        (3, "rgb", 128, True),
        (3, "rgb", 127, False),
        (3, "intensity,xy", 128, False),
        (17, "bands", 128, False),
        (4, "bands", 128, True),
        (4, "bands,texture", 128, False),
    ],
)
def test_pictures_of_several_features_have_borders(channels, recipe, columns, expected) -> None:
    array = np.zeros((64, columns, channels), np.uint8)
    image = Image.from_array(array) if channels == 3 else Image.from_array(array, channel_axis=-1)
    assert calm.has_borders(image, Recipe.parse(recipe)) == expected


def test_volumes_have_none() -> None:
    volume = Image.from_array(np.zeros((4, 5, 6, 3), np.uint8), channel_axis=-1)
    assert not calm.has_borders(volume, Recipe.parse("bands"))
