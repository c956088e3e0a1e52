"""The tree of regions, cut at any level."""

import numpy as np
import pytest
from scipy import ndimage

import gmmseg
from gmmseg.export import find_instances


@pytest.mark.slow
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


def test_files(tmp_path, coffee):
    coffee.save(tmp_path / "regions.png", n=12)
    coffee.save(tmp_path / "regions.tif", detail=0.5)
    np.testing.assert_array_equal(gmmseg.io.read_labels(tmp_path / "regions.png"), coffee.labels(n=12))
    for suffix in (".png", ".tif", ".npy", ".npz", ".nii"):
        coffee.save(tmp_path / f"few{suffix}", n=12)
        found = find_instances(gmmseg.io.read_labels(tmp_path / f"few{suffix}"))
        assert (found.kind, len(found)) == ("object", 12)
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


@pytest.mark.slow
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
