"""Copies of integers as floats are segmented as these; other floats, and what depends on units, as they are."""

import cv2
import numpy as np
import pytest
from detailed_pictures import enlarged, made

import gmmseg
from gmmseg.errors import DataWarning
from gmmseg.fitting.options import FitOptions
from gmmseg.fitting.stand_in import StandIn
from gmmseg.image import Image
from gmmseg.image.place import Place
from gmmseg.spatial.grain import Grain


def cells(rng, dtype=np.uint8):
    """Discs of few photons over a ground, and which pixels they are."""
    rows, columns = np.mgrid[:120, :130]
    inside = (rows % 40 - 20) ** 2 + (columns % 43 - 21) ** 2 < 130
    found = rng.poisson(np.where(inside, 9, 2)) + rng.normal(0, 0.4, inside.shape)
    return np.clip(np.rint(found * (1 if dtype == np.uint8 else 40)), 0, None).astype(dtype), inside


def colors(rng):
    inside = np.zeros((90, 100), bool)
    inside[20:60, 30:80] = True
    found = np.where(inside[..., None], (180, 90, 40), (60, 110, 150)) + rng.normal(0, 22, (90, 100, 3))
    return np.clip(np.rint(found), 0, 255).astype(np.uint8)


COPIES = {
    "cast": lambda n: n.astype(np.float32),
    "of white": lambda n: n / np.float32(np.iinfo(n.dtype).max),
    "of white, float64": lambda n: n / np.iinfo(n.dtype).max,
    "of the largest": lambda n: n / np.float32(n.max()),
    "standardized": lambda n: ((n - n.mean()) / n.std()).astype(np.float32),
}


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("k", [2, 3, "auto"])
def test_copies_have_the_labels_of_the_integers(rng, how, dtype, k):
    pixels, _ = cells(rng, dtype)
    floats = COPIES[how](pixels)
    found, asked = gmmseg.segment(floats, k), gmmseg.segment(pixels, k)
    np.testing.assert_array_equal(found.labels, asked.labels)
    np.testing.assert_allclose(found.probabilities, asked.probabilities, atol=1e-4)
    np.testing.assert_array_equal(gmmseg.apply(found.model, floats).labels, found.labels)
    gain = (floats.max() - floats.min()) / (int(pixels.max()) - pixels.min())
    np.testing.assert_allclose(np.diff(found.model.means[:, 0]), gain * np.diff(asked.model.means[:, 0]), rtol=1e-4)
    assert found.image.pixels.dtype == floats.dtype  # what is cut out, measured and saved is what was given


@pytest.mark.parametrize(
    "options",
    [
        {"bias_field": True},
        {"partial_volume": True},
        {"components": 2},
        {"smooth": False},
        {"outliers": "student"},
        {"features": "intensity,xy"},
    ],
    ids=str,
)
def test_whatever_is_asked_for(rng, options):
    pixels, _ = cells(rng, np.uint16)
    gain = np.linspace(0.6, 1.4, pixels.shape[1]) if "bias_field" in options else 1
    pixels = np.rint(pixels * gain).astype(np.uint16)
    asked = gmmseg.segment(pixels, 2, **options)
    found = gmmseg.segment(pixels / np.float32(65535), 2, **options)
    np.testing.assert_array_equal(found.labels, asked.labels)
    np.testing.assert_allclose(found.probabilities, asked.probabilities, atol=1e-4)


def test_with_gaps_masks_and_strokes(rng):
    pixels, inside = cells(rng)
    floats = pixels / np.float32(255)
    gap, mask = np.zeros(inside.shape, bool), np.ones(inside.shape, bool)
    gap[20:33, 50:70], mask[:, 100:] = True, False
    asked = gmmseg.segment(pixels, 2, mask=mask & ~gap)
    with pytest.warns(DataWarning, match="260 pixels are NaN"):
        found = gmmseg.segment(np.where(gap, np.float32(np.nan), floats), 2, mask=mask)
    np.testing.assert_array_equal(found.labels, asked.labels)
    strokes = np.zeros(inside.shape, np.uint8)
    strokes[20, 14:28], strokes[2, 5:90] = 1, 2
    asked, found = (gmmseg.segment(each, 2, scribbles=strokes) for each in (pixels, floats))
    np.testing.assert_array_equal(found.labels, asked.labels)


@pytest.mark.parametrize("features", [None, "lab", "rgb", "hsv", "hed", "intensity", "bands", "lab,texture"])
def test_colours_from_0_to_1(rng, features):
    pixels = colors(rng)
    asked = gmmseg.segment(pixels, 2, features=features)
    found = gmmseg.segment(pixels / 255, 2, features=features)
    assert (found.labels != asked.labels).mean() < 1e-3  # L*a*b* of floats and of integers differ in the last digits
    assert found.image.pixels.dtype == np.float64


def test_shaded_colours_from_0_to_1_are_fitted_as_their_integers(rng):
    pixels = colors(rng)
    own = Image(pixels / np.float32(255), color=True)
    found = StandIn.of(own, FitOptions(k=2, features="rgb", bias_field=True))
    np.testing.assert_array_equal(found.image.array, pixels, strict=True)


def test_a_model_of_one_image_hears_of_it_in_its_own_numbers(rng):
    pixels, _ = cells(rng)
    floats = pixels / np.float32(255)
    model, asked = gmmseg.fit([floats], 2), gmmseg.fit([pixels], 2)
    np.testing.assert_allclose(model.means * 255, asked.means, rtol=1e-5)
    np.testing.assert_allclose(model.training.gain, asked.training.gain, rtol=1e-3)
    assert model.training.gap == pytest.approx(asked.training.gap, abs=1e-4)
    np.testing.assert_array_equal(gmmseg.apply(model, floats).labels, gmmseg.segment(floats, 2).labels)


@pytest.mark.parametrize(
    ("options", "image", "stands_in"),
    [
        ({}, {}, True),
        ({"bias_field": True}, {}, True),
        ({"bias_field": True}, {"offset": 3.3}, False),  # a gain is of what is above 0
        ({}, {"place": Place(affine3d=np.eye(4))}, False),  # warnings name its numbers
        ({"features": "intensity,texture"}, {}, False),  # which do not move with the numbers
    ],
)
def test_what_depends_on_units_is_seen_in_its_own(rng, options, image, stands_in):
    pixels = cells(rng)[0][..., None] * np.float32(0.37) + np.float32(image.pop("offset", 0))
    own = Image(pixels, **image)
    found = StandIn.of(own, FitOptions(k=2, **options))
    assert found.whole is own
    assert (found.image is own) != stands_in
    cast = Image(np.rint(pixels), **image)
    assert StandIn.of(cast, FitOptions(k=2, **options)).image.pixels.dtype.kind in "iu"  # whose numbers are the same


def test_enlarged_copies_are_put_together_in_their_own_numbers_too(rng):
    large = enlarged(made(rng))
    for scale in (1, 1 / 255):
        image = Image(np.float32(large * scale))
        found = StandIn.of(image, FitOptions(k=2))
        if scale == 1:
            assert found.image.pixels.dtype == np.uint8
            assert found.blocks.shape == found.image.shape == tuple(n // 2 for n in image.shape)
            np.testing.assert_allclose(found.blocks.array, found.image.array, atol=0.5001)
        labels = gmmseg.segment(image, 2)
        np.testing.assert_array_equal(gmmseg.apply(labels.model, image).labels, labels.labels)


@pytest.mark.parametrize("how", [lambda n: n / np.float32(255), lambda n: n * 0.37 + 12])
def test_repeated_pixels_have_the_labels_of_the_integers(rng, how):
    pixels = enlarged(made(rng)[..., 0], cv2.INTER_NEAREST)
    asked, found = gmmseg.segment(pixels, 3), gmmseg.segment(how(pixels), 3)
    assert asked.model.grain == found.model.grain == Grain(kind="nearest")
    np.testing.assert_array_equal(found.labels, asked.labels)
    np.testing.assert_array_equal(gmmseg.apply(found.model, found.image).labels, asked.labels)


def test_blocks_of_integers_are_put_together_once(rng):
    found = StandIn.of(Image(enlarged(made(rng))), FitOptions(k=2))
    assert found.blocks is found.image
