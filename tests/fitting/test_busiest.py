"""Large squares where pixels differ most."""

import numpy as np
import pytest

from gmmseg import Image
from gmmseg.fitting.busiest import busiest_squares


def within(layout, shape):
    """Which pixels of an image are in squares of it."""
    found = np.zeros(shape, bool)
    found.reshape(-1)[layout.flat[layout.usable]] = True
    return found


@pytest.mark.parametrize(("shape", "corner"), [((700, 650), (600, 500)), ((20, 300, 280), (5, 250, 40))])
def test_they_are_where_the_objects_are(shape, corner):
    values = np.full(shape, 100, np.uint16)
    spot = tuple(slice(i, i + 12) for i in corner)
    values[spot] = 300
    layout = busiest_squares(Image(values[..., None]), 1 << 17, 1)
    inside = within(layout, shape)
    assert inside[spot].mean() > 0.3
    assert inside.sum() <= 1 << 17


def test_what_is_not_known_does_not_count():
    values, valid = np.zeros((600, 600), np.float32), np.ones((600, 600), bool)
    values[20:40, 20:60] = 5
    values[400:] = np.nan
    values[400:450, 500:] = 1e6
    valid[400:] = False
    inside = within(busiest_squares(Image(values[..., None], valid=valid), 1 << 15, 1), valid.shape)
    assert inside[20:40, 20:60].any()
    assert not inside[400:].any()


def test_a_small_image_is_looked_at_whole():
    layout = busiest_squares(Image(np.zeros((6, 30, 40, 1), np.uint8)), 1 << 15, 2)
    np.testing.assert_array_equal(layout.flat, np.arange(6 * 30 * 40))


def test_so_many_of_them_and_no_more_than_there_are():
    image = Image(np.random.default_rng(0).normal(size=(400, 400, 1)).astype(np.float32))
    assert len(busiest_squares(image, 1 << 15, 3).axes[0]) == 3
    assert len(busiest_squares(image, 1 << 15, 99).axes[0]) == 16  # that overlap a little
