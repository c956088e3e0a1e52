"""regions(): a tree of connected regions."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

import gmmseg
from gmmseg.evaluation import evaluate

IMAGES = Path(__file__).parents[2] / "images"


def quarters(rng, channels=3, noise=6.0):
    truth = np.ones((120, 160), np.uint8)
    truth[:60, 80:], truth[60:, :80], truth[60:, 80:] = 2, 3, 4
    means = rng.permuted(np.tile([[0.0], [50], [100], [150], [200]], channels), axis=0)
    return truth, np.clip(means[truth] + rng.normal(0, noise, (120, 160, channels)), 0, 255)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("channels", [1, 3, 6])
def test_four_plain_regions_are_found(seed, channels):
    truth, picture = quarters(np.random.default_rng(seed), channels)
    image = picture.astype(np.uint8) if channels == 3 else picture
    tree = gmmseg.regions(image[..., 0] if channels == 1 else image, channel_axis=-1 if channels == 6 else "auto")
    assert evaluate(tree.labels(n=4), truth).covering > 0.99


@pytest.mark.slow
def test_any_resolution_gives_about_the_same_regions():
    with Pillow.open(IMAGES / "coffee.png") as picture:
        small, large = (np.asarray(picture.resize(size).convert("RGB")) for size in ((300, 200), (600, 400)))
    coarse = gmmseg.regions(small).labels(n=8).repeat(2, 0).repeat(2, 1)
    assert evaluate(coarse, gmmseg.regions(large).labels(n=8)).covering > 0.7


@pytest.mark.slow
def test_large_pictures_give_about_the_same_regions_with_their_own_size(coffee):
    with Pillow.open(IMAGES / "coffee.png") as picture:
        large = np.asarray(picture.resize((1503, 1001)).convert("RGB"))
    mask = np.ones((1001, 1503), bool)
    mask[:301, :400] = False
    labels = gmmseg.regions(large).labels(n=8)
    assert labels.shape == (1001, 1503)
    small = np.asarray(Pillow.fromarray(labels).resize((600, 400), Pillow.Resampling.NEAREST))
    assert evaluate(small, coffee.labels(n=8)).covering > 0.7
    masked = gmmseg.regions(large, mask=mask).labels()
    np.testing.assert_array_equal(masked > 0, mask)
    other = large.copy()
    other[~mask] = 0
    np.testing.assert_array_equal(gmmseg.regions(other, mask=mask).labels(), masked)


@pytest.mark.slow
@pytest.mark.parametrize("turned", [False, True])
def test_textures_of_the_same_mean_are_told_apart(turned):
    rng = np.random.default_rng(3)
    picture = np.full((120, 160), 128.0)
    picture[:, :80] += rng.choice([-40.0, 40.0], (120, 80))
    picture[:, 80:] += rng.normal(0, 4, (120, 80))
    truth = np.ones(picture.shape, np.uint8)
    truth[:, 80:] = 2
    picture, truth = (picture.T, truth.T) if turned else (picture, truth)
    assert evaluate(gmmseg.regions(picture).labels(n=2), truth).covering > 0.9


@pytest.mark.slow
def test_a_frame_is_no_region_of_its_own_before_what_it_frames():
    picture = np.full((120, 160, 3), 120, np.uint8)
    picture[40:80, 50:110] = 170
    picture[:2], picture[-2:], picture[:, :2], picture[:, -2:] = 0, 0, 0, 0
    labels = gmmseg.regions(picture).labels(n=2)
    assert labels[0, 0] == labels[20, 20] != labels[60, 80]


@pytest.mark.slow
def test_the_number_of_threads_changes_nothing(coffee):
    cv2 = pytest.importorskip("cv2")
    before = cv2.getNumThreads()
    try:
        cv2.setNumThreads(1)
        again = gmmseg.regions(IMAGES / "coffee.png")
    finally:
        cv2.setNumThreads(before)
    np.testing.assert_array_equal(again.pieces, coffee.pieces)
    np.testing.assert_array_equal(again.merges.heights, coffee.merges.heights)


@pytest.mark.slow
def test_outside_the_mask_there_is_nothing(rng):
    _, picture = quarters(rng)
    mask = np.ones((120, 160), bool)
    mask[:, 60:100] = False  # two parts that do not touch
    tree = gmmseg.regions(picture.astype(np.uint8), mask=mask)
    labels = tree.labels(n=1)
    assert (labels[~mask] == 0).all()
    assert labels.max() == 2
    assert set(np.unique(labels[:, :60])) == {1}
    assert (tree.labels(n=4)[mask] > 0).all()
    other = picture.copy()
    other[~mask] = 0
    np.testing.assert_array_equal(gmmseg.regions(other.astype(np.uint8), mask=mask).labels(), tree.labels())


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (3, 3), (40, 40)])
def test_a_constant_picture_is_one_region(shape):
    tree = gmmseg.regions(np.full(shape, 7, np.uint8))
    assert tree.labels().max() == 1
    assert tree.labels(n=1).shape == shape


def test_volumes_and_nothing_are_refused():
    with pytest.raises(gmmseg.InputError, match="3 spatial axes"):
        gmmseg.regions(np.zeros((4, 5, 6)), channel_axis=None)
    with pytest.raises(gmmseg.InputError, match="no pixel is valid"):
        gmmseg.regions(np.zeros((4, 5)), mask=np.zeros((4, 5), bool))
