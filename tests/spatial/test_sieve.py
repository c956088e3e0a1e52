"""sieve(): against one region at a time, and what holds of every result."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

import gmmseg.spatial.sieve
from gmmseg.spatial.sieve import sieve, untouched

SPREAD = 0x9E3779B97F4A7C15


def regions_of(labels):
    """Yield (label, mask) of every connected region with data."""
    for label in np.unique(labels[labels > 0]):
        parts, n = ndimage.label(labels == label)
        for number in range(1, n + 1):
            yield int(label), parts == number


def boundary(labels, region, areas):
    """Area that a region shares with each label around it."""
    shared = {}
    for axis, area in enumerate(areas):
        pairs = [np.moveaxis(each, axis, 0) for each in (labels, region)]
        for here, there in ((slice(1, None), slice(None, -1)), (slice(None, -1), slice(1, None))):
            touching = pairs[1][here] & ~pairs[1][there]
            for label in pairs[0][there][touching]:
                shared[int(label)] = shared.get(int(label), 0) + area
    shared.pop(0, None)
    return shared


def one_by_one(labels, min_size, areas):
    """The definition: the first of the small regions goes, until none can."""
    labels = labels.copy()
    while True:
        small = [each for each in regions_of(labels) if each[1].sum() < min_size]
        small.sort(key=lambda each: (each[1].sum(), int(np.flatnonzero(each[1])[0]) * SPREAD % 2**64))
        found = ((label, region, boundary(labels, region, areas)) for label, region in small)
        label, region, shared = next((each for each in found if each[2]), (0, None, None))
        if region is None:
            return labels
        labels[region] = min(shared, key=lambda other: (-shared[other], abs(other - label), other))


SHAPES = st.one_of(
    st.tuples(st.integers(1, 30)),
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 5)),
)
MAPS = st.tuples(SHAPES, st.integers(1, 5)).flatmap(
    lambda drawn: arrays(np.uint8, drawn[0], elements=st.integers(0, drawn[1]))
)


@given(MAPS, st.integers(1, 12), st.sampled_from([1, 5, 1 << 20]), st.sampled_from("CF"), st.integers(1, 3))
def test_as_one_region_at_a_time(labels, min_size, slab, order, threads):
    labels = np.asarray(labels, order=order)
    labels.flags.writeable = False
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gmmseg.spatial.sieve, "SLAB", slab)
        cleaned = sieve(labels, min_size, threads=threads)
    np.testing.assert_array_equal(cleaned, one_by_one(labels, min_size, [1] * labels.ndim))


@given(MAPS, st.integers(1, 12))
def test_what_is_promised(labels, min_size):
    cleaned = sieve(labels, min_size)
    np.testing.assert_array_equal(cleaned == 0, labels == 0)
    for _, region in regions_of(cleaned):
        assert region.sum() >= min_size or not boundary(cleaned, region, [1] * labels.ndim)
    for label, region in regions_of(labels):
        assert region.sum() < min_size or (cleaned[region] == label).all()
    np.testing.assert_array_equal(sieve(cleaned, min_size), cleaned)


@given(MAPS, st.integers(1, 12), st.integers(1, 12))
def test_a_size_and_then_a_larger_one_is_the_larger_one(labels, first, second):
    twice = sieve(sieve(labels, min(first, second)), max(first, second))
    np.testing.assert_array_equal(twice, sieve(labels, max(first, second)))


@pytest.mark.slow
@pytest.mark.parametrize("slab", [100, 1 << 20])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint32, np.int64])
def test_larger_maps_with_gaps_do_not_depend_on_slabs_order_and_threads(slab, dtype, rng, monkeypatch):
    labels = (ndimage.gaussian_filter(rng.normal(size=(28, 30)), 1) * 9 + 4).clip(0, 9).astype(dtype)
    expected = one_by_one(labels, 20, [1, 1])
    assert 0.05 < (expected != labels).mean() < 0.9
    monkeypatch.setattr(gmmseg.spatial.sieve, "SLAB", slab)
    for given_labels in (labels, np.asfortranarray(labels), np.repeat(labels, 2, axis=1)[:, ::2]):
        for threads in (1, 4):
            cleaned = sieve(given_labels, 20, threads=threads)
            np.testing.assert_array_equal(cleaned, expected)
            assert cleaned.dtype == dtype


def test_holes_islands_and_specks_on_a_border():
    labels = np.full((12, 12), 1, np.uint8)
    labels[2:10, 2:10] = 2
    labels[5, 5] = 1  # a hole
    labels[3:9, 9] = 3  # on the border between both, longer on the side of 1 by nothing: six and six, and its ends on 2
    labels[0, 0] = 0
    expected = np.where(labels == 3, 2, labels)
    expected[5, 5] = 2
    np.testing.assert_array_equal(sieve(labels, 7), expected)


def test_of_equal_boundaries_the_nearest_number_wins():
    assert sieve(np.uint8([5, 5, 4, 1, 1]), 2).tolist() == [5, 5, 5, 1, 1]
    assert sieve(np.uint8([5, 5, 3, 1, 1]), 2).tolist() == [5, 5, 1, 1, 1]


def test_a_region_between_others_of_a_class_joins_them():
    labels = np.uint8([[1, 1, 2, 1, 1], [3, 3, 3, 3, 3], [3, 3, 3, 3, 3]])
    assert sieve(labels, 5).tolist() == [[1] * 5, [3] * 5, [3] * 5]  # five together, so that nothing small is left
    assert sieve(labels, 6).tolist() == [[3] * 5] * 3


def test_what_touches_no_data_alone_stays():
    labels = np.uint8([[1, 0, 2, 2], [0, 0, 2, 2]])
    assert sieve(labels, 5).tolist() == labels.tolist()
    assert sieve(np.ones((3, 3), np.uint8), 50).tolist() == [[1] * 3] * 3


def test_a_checkerboard_and_noise_end(rng):
    board = np.indices((60, 60)).sum(axis=0) % 2 + 1
    assert all(region.sum() >= 10 for _, region in regions_of(sieve(board, 10)))
    noise = rng.integers(1, 255, (80, 80)).astype(np.uint8)
    assert min(region.sum() for _, region in regions_of(sieve(noise, 30))) >= 30
    assert len(np.unique(sieve(noise, 6400))) == 1


@pytest.mark.parametrize(
    ("spacing", "goes_to"), [((5.0, 1.0, 1.0), 1), ((0.4, 1.0, 1.0), 2), ((5e307, 1e307, 1e307), 1), (None, 1)]
)
def test_boundaries_are_measured_in_the_spacing(spacing, goes_to, rng):
    speck = np.zeros((3, 5, 5), np.uint8)
    speck[0], speck[1], speck[2] = 2, 1, 2  # one voxel thick: between slices of class 2, within a slice of class 1
    speck[1, 2, 2] = 3
    assert sieve(speck, 2, spacing=spacing)[1, 2, 2] == goes_to  # four faces, or two of 1 / 5 or 1 / 0.4 of their area
    labels = rng.integers(0, 4, (5, 6, 4)).astype(np.uint8)
    areas = [1, 1, 1] if spacing is None else [round(1000 * (min(spacing) / step)) for step in spacing]
    for volume in (labels, np.asfortranarray(labels)):
        np.testing.assert_array_equal(sieve(volume, 6, spacing=spacing), one_by_one(labels, 6, areas))


def test_in_place_and_nothing_to_do(rng):
    labels = rng.integers(0, 3, (30, 40)).astype(np.uint8)
    expected = sieve(labels, 9)
    untouched = labels.copy()
    assert sieve(labels, 1).tolist() == labels.tolist()
    assert sieve(labels, 1) is not labels
    np.testing.assert_array_equal(labels, untouched)
    assert sieve(labels, 9, out=labels) is labels
    np.testing.assert_array_equal(labels, expected)
    assert sieve(np.zeros((0, 4), np.uint8), 9).shape == (0, 4)
    assert sieve(np.zeros((4, 5), np.uint8), 9).tolist() == np.zeros((4, 5)).tolist()


def test_small_regions_without_a_stroke_are_found_where_every_class_has_strokes():
    labels = np.ones((40, 40), np.uint8)
    labels[5:15, 5:15], labels[30:33, 30:33], labels[30:34, 5:9] = 2, 2, 2
    labels[8:10, 8:10], labels[0, :3] = 1, 0
    strokes = np.zeros(labels.shape, np.uint8)
    strokes[20, 2:30], strokes[6, 6:9] = 1, 2
    found = untouched(labels, strokes, 2)
    wanted = np.zeros(labels.shape, np.uint8)
    wanted[30:33, 30:33], wanted[8:10, 8:10] = 2, 1  # 16 pixels of 96 are another object of the kind
    np.testing.assert_array_equal(found, wanted)
    np.testing.assert_array_equal(untouched(np.asfortranarray(labels), strokes, 2), wanted)
    assert untouched(labels, np.where(strokes == 2, 0, strokes), 2) is None  # of the second nothing is known
    assert untouched(labels, strokes, 3) is None
    strokes[31, 31] = 2
    wanted[30:33, 30:33] = 0
    np.testing.assert_array_equal(untouched(labels, strokes, 2), wanted)
    assert untouched(np.zeros((3, 4), np.uint8), np.ones((3, 4), np.uint8), 1) is None


def test_a_stroke_where_there_is_no_data_touches_nothing():
    labels = np.uint8([[2] * 30 + [0] + [1] * 30 + [2, 0, 1]])
    strokes = np.zeros_like(labels)
    strokes[0, [3, 40, 62]] = 2, 1, 2
    assert np.flatnonzero(untouched(labels, strokes, 2)).tolist() == [61]


def test_a_region_with_no_data_all_around_stays_of_its_class():
    """As the rows above some that a scanner lost: no region of the other class is there to which they could go."""
    labels = np.ones((30, 40), np.uint8)
    labels[10:25, 10:30], labels[1:3], labels[8, 5] = 2, 0, 2
    strokes = np.zeros_like(labels)
    strokes[27, 2:30], strokes[15, 12:20] = 1, 2
    found = untouched(labels, strokes, 2)
    assert np.argwhere(found).tolist() == [[8, 5]]
    labels[0, 3] = 2
    assert np.argwhere(untouched(labels, strokes, 2))[0].tolist() == [0, 0]  # now there is


def test_small_regions_of_a_volume_are_connected_through_faces():
    labels = np.ones((6, 6, 6), np.uint8)
    labels[:3, :3, :3] = labels[3, 3, 3] = 2
    strokes = np.zeros_like(labels)
    strokes[0, 0, 0], strokes[5, 5, 5] = 2, 1
    assert np.argwhere(untouched(labels, strokes, 2)).tolist() == [[3, 3, 3]]
