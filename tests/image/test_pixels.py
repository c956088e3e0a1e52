"""Some pixels of an image, evenly spread."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gmmseg import Image
from gmmseg.image.pixels import places_alike, sample_pixels


@given(
    shape=st.sampled_from([(1, 1), (1, 37), (23, 17), (5, 6, 7)]),
    count=st.integers(1, 500),
    seed=st.integers(0, 100),
)
def test_one_pixel_in_each_of_equal_runs(shape, count, seed):
    pixels = np.arange(np.prod(shape)).reshape(*shape, 1)
    chosen, values, _ = sample_pixels(Image(pixels), count, np.random.default_rng(seed))
    np.testing.assert_array_equal(values[:, 0], chosen)
    assert len(chosen) == min(count, pixels.size)
    # Runs are equal to a pixel where their number does not divide that of the pixels.
    run = pixels.size / len(chosen)
    assert (np.abs(chosen - np.arange(len(chosen)) * run - run / 2) <= run / 2 + 1).all()


@given(count=st.integers(1, 3000), share=st.floats(0, 1), seed=st.integers(0, 100))
def test_about_as_many_valid_pixels_as_asked_for(count, share, seed):
    mask = np.random.default_rng(seed).random((60, 50)) < share
    chosen = sample_pixels(Image(np.zeros((60, 50, 1)), valid=mask), count, np.random.default_rng(seed)).flat
    assert mask.reshape(-1)[chosen].all()
    assert (np.diff(chosen) > 0).all()
    wanted = min(count, mask.sum())
    assert len(chosen) >= min(0.9 * count, wanted) - 4 * np.sqrt(wanted)
    # What the second look expects follows from what the first found, which for small counts is uncertain.
    assert len(chosen) <= 2 * count + 6 * np.sqrt(count) + 6


@pytest.mark.parametrize("count", [None, 391, 5000])
def test_every_pixel_where_none_are_left_out(count):
    flat = sample_pixels(Image(np.zeros((23, 17, 1))), count, np.random.default_rng(0)).flat
    np.testing.assert_array_equal(flat, np.arange(391))


def test_the_sample_follows_the_seed():
    image = Image(np.zeros((50, 60, 1)))
    first, again, other = (sample_pixels(image, 300, np.random.default_rng(s)).flat for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_part_of_the_image_has_its_share_of_the_sample():
    chosen = sample_pixels(Image(np.zeros((100, 100, 1))), 1000, np.random.default_rng(0)).flat
    index = np.unravel_index(chosen, (100, 100))
    assert (index[0] < 50).sum() == 500
    assert 400 < (index[1] < 50).sum() < 600


def test_a_single_valid_pixel_of_many_is_found():
    valid = np.zeros((900, 1100), bool)
    valid[517, 803] = True
    image = Image(np.arange(valid.size, dtype=np.uint32).reshape(900, 1100, 1), valid=valid)
    found = sample_pixels(image, 10, np.random.default_rng(0))
    assert found.flat.tolist() == found.values[:, 0].tolist() == [517 * 1100 + 803]


@pytest.mark.parametrize("shape", [(97,), (60, 91), (20, 31, 44), (1, 1), (1, 500)])
def test_places_are_alike_in_images_of_any_size_and_from_both_ends(shape):
    flat = places_alike(shape, 4096)
    assert len(flat) == 4096
    here = np.stack(np.unravel_index(flat, shape))
    twice = np.stack(np.unravel_index(places_alike(tuple(2 * n for n in shape), 4096), [2 * n for n in shape]))
    sides = np.array(shape)[:, None]
    assert np.abs((here + 0.5) / sides - (twice + 0.5) / (2 * sides)).max() <= (0.76 / sides).max()
    for axis, n in enumerate(shape):
        mirrored = here.copy()
        mirrored[axis] = n - 1 - here[axis]
        assert set(map(tuple, mirrored.T)) == set(map(tuple, here.T))


def test_any_first_part_of_the_places_is_even():
    for count in (64, 256, 1024):
        index = np.stack(np.unravel_index(places_alike((400, 600), 4096)[:count], (400, 600)))
        counts = np.histogram2d(*index, bins=(4, 4), range=((0, 400), (0, 600)))[0]
        np.testing.assert_allclose(counts, count / 16, atol=2 + count / 100)
