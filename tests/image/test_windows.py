"""Windows over an image."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gmmseg.image.windows import strips, tile_sides, tiles

shapes = st.lists(st.integers(1, 30), min_size=1, max_size=3).map(tuple)


@given(shape=shapes, halo=st.integers(0, 9), data=st.data())
def test_inner_parts_cover_the_image_once_and_halos_end_at_its_border(shape, halo, data):
    sides = tuple(data.draw(st.integers(1, n)) for n in shape)
    covered, places = np.zeros(shape, int), np.arange(np.prod(shape)).reshape(shape)
    for tile in tiles(shape, sides, halo):
        covered[tile.inner] += 1
        assert tile.shape == places[tile.outer].shape
        np.testing.assert_array_equal(places[tile.outer][tile.local], places[tile.inner])
        for outer, inner, n in zip(tile.outer, tile.inner, shape, strict=True):
            assert outer.start == max(0, inner.start - halo)
            assert outer.stop == min(n, inner.stop + halo)
    assert (covered == 1).all()


@given(shape=shapes, pixels=st.integers(0, 5000), halo=st.integers(0, 9))
def test_sides_fit_the_image_and_are_wide_compared_with_the_halo(shape, pixels, halo):
    for side, n in zip(tile_sides(shape, pixels, halo), shape, strict=True):
        assert 1 <= side <= n
        assert side == n or side >= 12 * halo


def test_tiles_have_about_the_pixels_asked_for():
    for shape in ((10**4, 10**4), (500, 500, 500)):
        sides = tile_sides(shape, 10**6, 0)
        assert 0.5e6 < np.prod(sides) <= 10**6


@given(shape=shapes, halo=st.integers(0, 9), pixels=st.integers(1, 20_000), data=st.data())
def test_strips_cover_the_image_once_and_read_every_row_once(shape, halo, pixels, data):
    blocks = tuple(data.draw(st.integers(1, n + 3)) for n in shape)
    sweep = data.draw(st.integers(0, len(shape) - 1))
    covered = np.zeros(shape, int)
    for strip in strips(shape, blocks, sweep, pixels, halo):
        end = 0
        for tile in strip:
            covered[tile.inner] += 1
            for outer, inner, n in zip(tile.outer, tile.inner, shape, strict=True):
                assert outer.start <= max(0, inner.start - halo)
                assert outer.stop >= min(n, inner.stop + halo)
            along = tile.outer[sweep]
            assert along.stop > end  # something new, up to the end of a block
            assert along.stop == shape[sweep] or along.stop % min(blocks[sweep], shape[sweep]) == 0
            assert along.start <= end
            end = along.stop
        assert end == shape[sweep]
    assert (covered == 1).all()
