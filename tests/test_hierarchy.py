"""regions(): a tree of connected regions."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from scipy import ndimage

import gmmseg
from gmmseg.evaluation import evaluate

IMAGES = Path(__file__).parents[1] / "images"


@pytest.fixture(scope="module")
def coffee():
    return gmmseg.regions(IMAGES / "coffee.png")


def quarters(rng, channels=3, noise=6.0):
    truth = np.ones((120, 160), np.uint8)
    truth[:60, 80:], truth[60:, :80], truth[60:, 80:] = 2, 3, 4
    means = rng.permuted(np.tile([[0.0], [50], [100], [150], [200]], channels), axis=0)
    return truth, np.clip(means[truth] + rng.normal(0, noise, (120, 160, channels)), 0, 255)


def test_every_level_holds_connected_regions_and_nests_in_the_coarser_ones(coffee):
    before = None
    for detail in (1.0, 0.6, 0.3, 0.1, 0.0):
        labels = coffee.labels(detail)
        assert labels.dtype == np.uint16
        assert labels.shape == (400, 600)
        numbers = np.unique(labels)
        np.testing.assert_array_equal(numbers, np.arange(1, coffee.count(detail) + 1))
        assert all(ndimage.label(labels == number)[1] == 1 for number in numbers[:40])
        if before is not None:
            pairs = np.unique(np.stack([before.ravel(), labels.ravel()]), axis=1)
            assert len(np.unique(pairs[0])) == pairs.shape[1]  # each finer region lies in one coarser one
        before = labels


def test_any_number_of_regions(coffee):
    for n in (1, 2, 7, 100, coffee.n_finest):
        assert coffee.labels(n=n).max() == n
    assert coffee.labels(n=10**6).max() == coffee.n_finest
    assert 300 < coffee.n_finest < 800


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("channels", [1, 3, 6])
def test_four_plain_regions_are_found(seed, channels):
    truth, picture = quarters(np.random.default_rng(seed), channels)
    image = picture.astype(np.uint8) if channels == 3 else picture
    tree = gmmseg.regions(image[..., 0] if channels == 1 else image, channel_axis=-1 if channels == 6 else "auto")
    assert evaluate(tree.labels(n=4), truth).covering > 0.99


def test_any_resolution_gives_about_the_same_regions():
    with Pillow.open(IMAGES / "coffee.png") as picture:
        small, large = (np.asarray(picture.resize(size).convert("RGB")) for size in ((300, 200), (600, 400)))
    coarse = gmmseg.regions(small).labels(n=8).repeat(2, 0).repeat(2, 1)
    assert evaluate(coarse, gmmseg.regions(large).labels(n=8)).covering > 0.7


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


def test_a_frame_is_no_region_of_its_own_before_what_it_frames():
    picture = np.full((120, 160, 3), 120, np.uint8)
    picture[40:80, 50:110] = 170
    picture[:2], picture[-2:], picture[:, :2], picture[:, -2:] = 0, 0, 0, 0
    labels = gmmseg.regions(picture).labels(n=2)
    assert labels[0, 0] == labels[20, 20] != labels[60, 80]


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


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (3, 3), (40, 40)])
def test_a_constant_picture_is_one_region(shape):
    tree = gmmseg.regions(np.full(shape, 7, np.uint8))
    assert tree.labels().max() == 1
    assert tree.labels(n=1).shape == shape


def test_files(tmp_path, coffee):
    coffee.save(tmp_path / "regions.png", n=12)
    coffee.save(tmp_path / "regions.tif", detail=0.5)
    np.testing.assert_array_equal(gmmseg.io.read_labels(tmp_path / "regions.png"), coffee.labels(n=12))
    np.testing.assert_array_equal(gmmseg.io.read_labels(tmp_path / "regions.tif"), coffee.labels(0.5))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"detail": 2}, "detail=2 is not usable; use a number from 0"),
        ({"detail": "fine"}, "detail='fine' is not usable"),
        ({"n": 0}, "n=0 is not usable"),
        ({"detail": 0.5, "n": 3}, "give one of them"),
    ],
)
def test_levels_that_there_are_not(coffee, options, words):
    with pytest.raises(gmmseg.ParameterError, match=words):
        coffee.labels(**options)


def test_volumes_and_nothing_are_refused():
    with pytest.raises(gmmseg.InputError, match="3 spatial axes"):
        gmmseg.regions(np.zeros((4, 5, 6)), channel_axis=None)
    with pytest.raises(gmmseg.InputError, match="no pixel is valid"):
        gmmseg.regions(np.zeros((4, 5)), mask=np.zeros((4, 5), bool))


def test_small_regions_go_to_their_neighbours(coffee, tmp_path):
    fine = coffee.labels(1.0)
    labels = coffee.labels(1.0, min_size=1000)
    sizes = np.bincount(labels.ravel())[1:]
    assert sizes.min() >= 1000
    assert labels.max() == len(sizes) < fine.max()
    first = [int(np.flatnonzero(labels == number)[0]) for number in range(1, labels.max() + 1)]
    assert first == sorted(first)
    for number in np.flatnonzero(np.bincount(fine.ravel()) >= 1000):
        assert len(np.unique(labels[fine == number])) == 1  # large regions lose nothing
    coffee.save(tmp_path / "r.png", detail=1.0, min_size=1000)
    np.testing.assert_array_equal(gmmseg.io.read_labels(tmp_path / "r.png"), labels)
    with pytest.raises(gmmseg.ParameterError, match="a minimum size of 5ha needs the size of a pixel"):
        coffee.labels(min_size="5ha")


def test_no_data_is_no_neighbour_of_small_regions():
    picture = np.zeros((60, 80, 3), np.uint8)
    picture[:, 40:] = 250
    mask = np.ones((60, 80), bool)
    mask[:, 8:12] = mask[30:, 12:20] = False
    tree = gmmseg.regions(picture, mask=mask)
    labels = tree.labels(1.0, min_size=700)
    np.testing.assert_array_equal(labels == 0, ~mask)
    assert labels.max() == len(np.unique(labels)) - 1
    assert (labels[:, :8] == labels[0, 0]).all()  # 480 pixels that touch nothing else


def test_a_tree_is_one_line_to_look_at(coffee):
    assert repr(coffee) == f"RegionTree(400 x 600 pixels, {coffee.n_finest} pieces)"
    assert repr(gmmseg.regions(np.zeros((20, 30), np.uint8), pieces=1)) == "RegionTree(20 x 30 pixels, 1 piece)"
