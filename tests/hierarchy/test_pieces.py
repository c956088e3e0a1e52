"""Edges, and the pieces between them."""

import numpy as np
import pytest
from scipy import ndimage

from gmmseg.hierarchy.pieces import gradient, histogram_difference, pieces_of


@pytest.mark.parametrize("strength", [gradient, histogram_difference])
@pytest.mark.parametrize("turned", [False, True])
def test_an_edge_is_strongest_where_it_is_and_a_plain_picture_has_none(strength, turned):
    guide = np.zeros((40, 60, 2), np.float32)
    np.testing.assert_allclose(strength(guide, 1.0), 0, atol=1e-3)
    guide[:, 30:, 1] = 20
    guide = np.ascontiguousarray(guide.swapaxes(0, 1)) if turned else guide
    guide.setflags(write=False)
    profile = strength(guide, 1.0).mean(axis=1 if turned else 0)
    assert profile.argmax() in (29, 30)
    assert profile[30] > 20 * profile[:10].max()


def test_the_histogram_is_less_misled_by_texture_than_the_gradient_is(rng):
    """Salt and pepper beside a plain field of its mean: how much the border stands out from the texture."""
    guide = np.zeros((60, 120, 1), np.float32)
    guide[:, :60, 0] = rng.choice([-20, 20], (60, 60))

    def border_to_texture(strength):
        found = strength(guide, 1.0)
        return found[:, 58:62].mean() / found[:, 10:50].mean()

    assert border_to_texture(histogram_difference) > 4 > 1 > border_to_texture(gradient)


def test_pieces_are_connected_and_about_as_many_as_asked_for(rng):
    edges = ndimage.gaussian_filter(rng.random((80, 120)), 2)
    pieces = pieces_of(edges, 60, None)
    numbers = np.unique(pieces)
    np.testing.assert_array_equal(numbers, np.arange(len(numbers)))
    assert 40 < len(numbers) < 90
    assert all(ndimage.label(pieces == number)[1] == 1 for number in numbers)


def test_islands_that_no_square_starts_in_are_pieces_of_their_own():
    valid = np.zeros((30, 30), bool)
    valid[2:4, 2:4], valid[13:17, 13:17] = True, True
    pieces = pieces_of(np.zeros((30, 30)), 1, valid)
    np.testing.assert_array_equal(pieces >= 0, valid)
    assert pieces[2, 2] != pieces[14, 14]
