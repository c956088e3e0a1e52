"""What is said of each class: counts and mean colours, window by window."""

import numpy as np
import pytest

import gmmseg
from gmmseg import Image
from gmmseg.labelling.summary import Tally, without_pixels
from gmmseg.records import replace


def halves(shape):
    return [(slice(0, shape[0] // 2), slice(0, shape[1])), (slice(shape[0] // 2, shape[0]), slice(0, shape[1]))]


def counted(tally, image, labels):
    for window in halves(labels.shape):
        tally.add(window, labels[window], tally.sample(window, image.array[window]))
    return tally


@pytest.mark.parametrize("k", [3, 8, 9, 255])  # few labels are counted otherwise than many
def test_labels_are_counted(rng, k):
    labels = rng.integers(0, k + 1, (60, 70)).astype(np.uint8)
    image = Image(np.zeros((60, 70, 1), np.uint8))
    tally = Tally(k, image)
    assert not tally.complete
    counted(tally, image, labels)
    np.testing.assert_array_equal(tally.counts, np.bincount(labels.ravel(), minlength=k + 1))
    assert tally.complete
    assert tally.colors == [None] * k


@pytest.mark.parametrize(("dtype", "white"), [("u1", 255), ("u2", 65535), ("f4", 1)])
def test_colours_are_the_means_of_classes_in_8_bits(rng, dtype, white):
    labels = rng.integers(0, 3, (40, 50)).astype(np.uint8)
    shares = np.array([[0, 0, 0], [0.2, 0.4, 0.6], [1, 0, 0.8]])
    pixels = (shares[labels] * white).astype(dtype)
    image = Image(pixels, color=True)
    tally = counted(Tally(3, image), image, labels)
    assert tally.colors[:2] == [(51, 102, 153), (255, 0, 204)]
    assert tally.colors[2] is None  # no pixel has the third
    np.testing.assert_array_equal(tally.counts, np.bincount(labels.ravel(), minlength=4))
    assert tally.complete
    other = Tally(3, image)
    other.join(tally.totals)
    assert (other.complete, other.colors) == (True, tally.colors)


def test_colours_are_rounded_to_even_and_stay_within_8_bits():
    image = Image(np.array([[[0.5 / 255, 1.5, -1.0], [2.5 / 255, 0.5, np.nan]]]), color=True)
    tally = counted(Tally(2, image), image, np.uint8([[1, 2]]))
    assert tally.colors == [(0, 255, 0), (2, 128, 0)]


def test_large_images_are_looked_at_on_an_even_grid():
    labels = np.ones((700, 800), np.uint8)
    pixels = np.zeros((700, 800, 3), np.uint8)
    image = Image(pixels, color=True)
    sizes = []
    for windows in (halves(labels.shape), [(slice(0, 700), slice(0, 800))]):
        tally = Tally(1, image)
        sample = [tally.sample(window, pixels[window]) for window in windows]
        sizes.append(sum(len(each) for each in sample))
        assert not any(np.shares_memory(each, pixels) for each in sample)
    assert sizes[0] == sizes[1] == 350 * 400  # each second row and column


def test_classes_without_pixels_are_named_where_others_have_some():
    found = gmmseg.segment(np.repeat(np.uint8([10, 90, 200]), 16).reshape(3, 16), 3)
    kept, empty = found.classes, [replace(each, share=0.0) for each in found.classes]
    assert without_pixels(kept) == without_pixels(empty) == []
    assert without_pixels([kept[0], empty[1], kept[2]])[0].startswith("no pixel is of class 2: fewer than 3 classes")
    assert without_pixels([empty[0], empty[1], kept[2]])[0].startswith("no pixel is of classes 1, 2: ")
