"""Results at half their resolution: against the same by hand."""

import warnings

import numpy as np
import pytest

from gmmseg.io.coarser import mean_of_four, most_frequent


def mode_by_hand(labels):
    rows, columns = (-(-n // 2) for n in labels.shape)
    out = np.zeros((rows, columns), np.uint8)
    for i in range(rows):
        for j in range(columns):
            four = [each for each in labels[2 * i : 2 * i + 2, 2 * j : 2 * j + 2].ravel().tolist() if each]
            out[i, j] = max(four, key=four.count, default=0)
    return out


@pytest.mark.parametrize("shape", [(30, 44), (31, 45), (1, 1), (2, 3)])
@pytest.mark.parametrize("least", [0, 1])
def test_the_most_frequent_label_stands_for_four(shape, least, rng):
    labels = rng.integers(least, 5, shape, np.uint8)
    np.testing.assert_array_equal(most_frequent(labels), mode_by_hand(labels))


def test_planes_are_made_coarser_one_by_one(rng):
    labels = rng.integers(1, 5, (2, 6, 8), np.uint8)
    np.testing.assert_array_equal(most_frequent(labels), [mode_by_hand(plane) for plane in labels])


@pytest.mark.parametrize("shape", [(6, 8, 3), (7, 9, 1)])
def test_the_mean_of_what_is_there_stands_for_four(shape, rng):
    values = rng.random(shape, np.float32)
    values[rng.random(shape) < 0.6] = np.nan
    expected = np.empty((-(-shape[0] // 2), -(-shape[1] // 2), shape[2]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of four that are missing
        for i, j in np.ndindex(expected.shape[:2]):
            expected[i, j] = np.nanmean(values[2 * i : 2 * i + 2, 2 * j : 2 * j + 2], axis=(0, 1))
    found = mean_of_four(values)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_whole_numbers_are_rounded():
    assert mean_of_four(np.uint16([[65535, 65535], [65535, 65533]])[..., None]).tolist() == [[[65535]]]
    assert mean_of_four(np.uint8([[1, 2], [0, 0]])[..., None]).tolist() == [[[1]]]
