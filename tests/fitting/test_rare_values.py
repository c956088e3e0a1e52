"""Rare classes of images: objects of two pixels in a thousand, whose values lie far from all others."""

import numpy as np
import pytest

import gmmseg
from gmmseg.fitting.rare_values import with_rare_values
from gmmseg.fitting.survey import SurveyRequest, survey
from gmmseg.image import Image
from gmmseg.mixture.parameters import Mixture
from gmmseg.mixture.search import Seeding

NOISE = 6.0


def picture(seed, *, color, dtype="uint8", side=320, share=0.002, n_objects=1):
    """Two classes of half the pixels each in smooth shapes, eight deviations apart, and as far from one an object.

    Returns the image and the class of each pixel, 0 to 2.
    """
    rng = np.random.default_rng([seed, 5])
    y, x = np.mgrid[:side, :side] / side
    waves = [(a, b, rng.normal(), rng.uniform(0, 2 * np.pi)) for a in range(3) for b in range(3)]
    relief = sum(height * np.sin(2 * np.pi * (a * x + b * y) + phase) for a, b, height, phase in waves)
    truth = (relief > np.median(relief)).astype(int)
    for _ in range(n_objects):
        row, column = rng.uniform(0.1, 0.9, 2)
        truth[(y - row) ** 2 + (x - column) ** 2 < share / n_objects / np.pi] = 2
    if color:
        along = rng.normal(size=3)
        along /= np.linalg.norm(along)
        across = np.cross(along, rng.normal(size=3))
        across /= np.linalg.norm(across)
        centers = 110 + NOISE * np.stack([-4 * along, 4 * along, 4 * along + 8 * across])
    else:
        centers = 80 + NOISE * np.array([[0.0], [8.0], [16.0]])
    values = centers[truth] + rng.normal(0, NOISE, (side, side, len(centers[0])))
    values = values.clip(0, 255) / (1 if dtype == "uint8" else 255)
    values = values.round().astype(np.uint8) if dtype == "uint8" else values.astype(np.float32)
    return (values if color else values[..., 0]), truth


def overlap(labels, truth):
    """Intersection over union of the object and the class that has most of it."""
    own = labels == np.bincount(labels[truth == 2]).argmax()
    return (own & (truth == 2)).sum() / (own | (truth == 2)).sum()


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("color", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_a_small_object_is_a_class(seed, color, dtype):
    image, truth = picture(seed, color=color, dtype=dtype)
    assert overlap(gmmseg.segment(image, 3).labels, truth) > 0.95


@pytest.mark.parametrize(
    ("options", "made"),
    [
        ({"sample": 20_000}, {"side": 600}),
        ({"features": "lab"}, {}),
        ({"smooth": False}, {}),
        ({"seed": 3}, {"n_objects": 5}),
        ({"covariance": "tied"}, {}),
        ({"outliers": "student"}, {}),
    ],
    ids=lambda each: "".join(f"{name}={value}" for name, value in each.items()),
)
@pytest.mark.parametrize("seed", [0, 1, 5])
def test_it_is_one_whatever_else_is_asked_for(seed, options, made):
    image, truth = picture(seed, color=True, **made)
    assert overlap(gmmseg.segment(image, 3, **options).labels, truth) > 0.9


@pytest.mark.parametrize("color", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_outliers_do_not_have_it(seed, color):
    image, truth = picture(seed, color=color)
    assert overlap(gmmseg.segment(image, 3, outliers="uniform").labels, truth) > 0.9


@pytest.mark.parametrize(("share", "moves"), [(0.0, False), (0.002, True), (0.05, False)])
def test_a_start_moves_to_what_is_rare_alone(share, moves):
    image, truth = picture(0, color=True, share=share)
    found = survey([Image.from_array(image)], SurveyRequest(None, 50_000, k=3), np.random.default_rng(0))
    every = np.arange(truth.size)
    planes = found.recipe.planes_of(found.image, image.reshape(-1, 3), every)
    planes = (planes - found.center[:, None]) / found.scale[:, None]
    big = truth.reshape(-1)
    parts = [planes[:, big == 0], *np.array_split(planes[:, big == 1], 2, axis=1)]
    means, covariances = (np.stack([of(part) for part in parts]) for of in (lambda part: part.mean(axis=1), np.cov))
    start = Mixture(np.array([0.5, 0.25, 0.25]), means, covariances)
    moved = with_rare_values(found, start, Seeding(noise=found.noise))
    assert (moved is not start) == moves
    if moves:
        true = planes[:, big == 2].mean(axis=1)
        assert moved.weights.min() == pytest.approx(share, rel=0.1)
        np.testing.assert_allclose(moved.means[moved.weights.argmin()], true, atol=0.1)


@pytest.mark.parametrize(("deviations", "moves"), [(8.0, True), (5.0, False)])
def test_what_fades_into_another_class_is_none(deviations, moves):
    """A tail of the brighter class, as a highlight has it, against an object as bright."""
    rng = np.random.default_rng(0)
    image = np.repeat([[80.0, 160.0]], 200, axis=1) + rng.normal(0, 5, (200, 400))
    rare = rng.permutation(image[:, 200:].size)[:160]
    spread = 5 if moves else 15
    image[:, 200:].flat[rare] = 160 + 5 * deviations + rng.normal(0, spread, len(rare))
    found = survey([Image.from_array(image.astype(np.float32))], SurveyRequest(None, 50_000, k=3), rng)
    means = (np.array([[75.0], [85.0], [160.0]]) - found.center) / found.scale
    start = Mixture(np.array([0.25, 0.25, 0.5]), means, np.tile((5 / found.scale) ** 2, (3, 1))[..., None])
    assert (with_rare_values(found, start, Seeding(noise=found.noise)) is not start) == moves
