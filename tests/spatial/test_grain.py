"""Grain: enlarged pictures are told, put together to blocks, and go back to pixels."""

import cv2
import numpy as np
import pytest
from detailed_pictures import enlarged, made

from gmmseg.image import Image
from gmmseg.spatial.grain import Grain, grain_of, put_together


@pytest.mark.parametrize(
    ("how", "kind"),
    [
        (cv2.INTER_NEAREST, "nearest"),
        (cv2.INTER_AREA, "nearest"),
        (cv2.INTER_LINEAR, "linear"),
        (cv2.INTER_CUBIC, "cubic -0.75"),
        (cv2.INTER_LANCZOS4, "lanczos 4"),
    ],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_an_enlarged_picture_is_told_from_one_that_is_not(rng, how, kind, dtype):
    pixels = made(rng).astype(dtype)
    large = enlarged(pixels, how)
    kind = "linear, exact" if kind == "linear" and dtype != np.uint8 else kind
    assert grain_of(Image(pixels)) is None
    assert grain_of(Image(large)) == grain_of(Image(large[:, ::-1])) == Grain((0, 0), kind)
    assert grain_of(Image(large[3:, 5:])) == grain_of(Image(large[3:, :-5][:, ::-1])) == Grain((1, 1), kind)
    assert grain_of(Image(large[2:, 3:-1])) == grain_of(Image(large[:, 3:-1][:, ::-1])) == Grain((0, 1), kind)
    assert grain_of(Image(large).crop((slice(3, 170), slice(5, 200)))) == Grain((0, 0), kind)  # as of the whole
    assert grain_of(Image(made(rng, large.shape[:2]))) is None


def test_of_other_kinds_only_the_blocks_are_told(rng):
    pixels = made(rng, (130, 140))
    for how in (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4):
        stored = cv2.imencode(".jpg", enlarged(pixels, how), [cv2.IMWRITE_JPEG_QUALITY, 90])[1]
        assert grain_of(Image(cv2.imdecode(stored, cv2.IMREAD_COLOR))) == Grain()
    soft = cv2.GaussianBlur(enlarged(pixels), None, 0.5)
    assert grain_of(Image(soft)).kind is None
    larger = cv2.resize(pixels, None, fx=2.2, fy=2.2, interpolation=cv2.INTER_CUBIC)
    assert getattr(grain_of(Image(larger)), "kind", None) is None


def test_colours_from_0_to_1_are_told_like_those_of_8_bits(rng):
    pixels = made(rng)
    for how, kind in ((cv2.INTER_LINEAR, "linear"), (cv2.INTER_CUBIC, "cubic -0.75")):
        exact = enlarged(np.float32(pixels) / 255, how).clip(0, 1)
        rounded = enlarged(pixels, how) / 255
        for large in (exact, rounded):
            grain = grain_of(Image(large, color=True))
            assert grain.kind.removesuffix(", exact") == kind
            assert (grain.kind == kind) == (large is rounded or kind != "linear")
            found = put_together(Image(large, color=True), grain).array
            assert (np.abs(255 * found - pixels) < 1e-3).mean() > (0.9 if large is rounded else 0.999)


def test_noise_and_what_is_even_or_small_is_not_taken_for_enlarged(rng):
    assert grain_of(Image(rng.normal(0, 1, (200, 200, 1)))) is None
    assert grain_of(Image(np.full((200, 200, 3), 7, np.uint8))) is None
    assert grain_of(Image(enlarged(made(rng, (60, 90))))) is None
    assert grain_of(Image(np.zeros((130, 130, 130, 1), np.uint8))) is None
    smooth = cv2.GaussianBlur(rng.normal(0, 1, (200, 200)), None, 6)[..., None] + np.zeros(40)
    assert grain_of(Image(smooth)) is not None
    assert grain_of(Image(smooth + rng.normal(0, 0.02, smooth.shape))) is None  # of each channel, and not of their sum


def test_pixels_without_data_tell_nothing(rng):
    large = enlarged(made(rng))
    valid = np.ones(large.shape[:2], bool)
    valid[60:] = False
    noisy = np.where(valid[..., None], large, rng.integers(0, 255, large.shape, np.uint8))
    assert grain_of(Image(noisy)) is None
    assert grain_of(Image(noisy, valid=valid)) is not None
    assert grain_of(Image(large, valid=np.zeros_like(valid))) is None


def test_a_block_has_what_lies_in_its_middle():
    x, y = np.meshgrid(np.linspace(-1, 1, 24), np.linspace(-2, 2, 30))
    curved = 1 + x - 3 * x**2 * y + x**5 - y**4  # which is interpolated without error, beside the ends
    found = put_together(Image(curved[..., None]), Grain()).array[..., 0]
    middle = [(each[::2] + each[1::2]) / 2 for each in (x[0], y[:, 0])]
    x, y = np.meshgrid(*middle)
    expected = 1 + x - 3 * x**2 * y + x**5 - y**4
    np.testing.assert_allclose(found[1:-1, 1:-1], expected[1:-1, 1:-1], atol=1e-12)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int32, np.int64, np.uint64, np.float32])
def test_enlarged_numbers_come_back_within_their_limits(rng, dtype):
    limits = np.finfo(np.float32) if dtype == np.float32 else np.iinfo(dtype)
    for value in (limits.min, limits.max):
        if dtype != np.float32:
            even = put_together(Image(np.full((6, 8, 2), value, dtype)), Grain()).array
            assert even.dtype == dtype
            assert np.abs(even.astype(object) - int(value)).max() <= limits.max >> 50
    low, high = (-100, 100) if limits.min else (0, 200)
    pixels = cv2.GaussianBlur(rng.uniform(low, high, (40, 50)), None, 0.5)
    large = enlarged(pixels)
    if dtype != np.float32:
        large = np.clip(np.rint(large), limits.min, limits.max)
    found = put_together(Image(large.astype(dtype)[..., None]), Grain()).array[..., 0]
    means = large.reshape(40, 2, 50, 2).mean(axis=(1, 3))
    error, of_means = ((each - pixels)[2:-2, 2:-2].std() for each in (found, means))
    assert 2 * error < of_means
    edges = np.full((20, 20, 1), limits.min if dtype != np.float32 else 0, dtype)
    edges[:, 10:] = limits.max if dtype != np.float32 else 1
    np.testing.assert_allclose(
        put_together(Image(edges), Grain()).array[:, :4].astype(float), float(edges[0, 0, 0]), atol=0.03
    )


def test_colour_stays_colour():
    edge = np.zeros((20, 24, 3), np.float32)
    edge[:, 12:] = 1
    found = put_together(Image(edge, color=True), Grain()).array
    assert found.min() == 0
    assert found.max() == 1


def test_what_is_missing_does_not_count():
    nan = np.nan
    pixels = np.float32([[1, 3, nan, nan], [5, 7, nan, nan], [1, nan, 9, 9], [3, 5, 9, 9]])[..., None]
    found = put_together(Image(pixels), Grain()).array[..., 0]
    np.testing.assert_array_equal(found, [[4, nan], [3, 9]])
    valid = np.array([[True, False], [False, False], [False, False], [False, False]])
    image = put_together(Image(np.uint8([[10, 99], [99, 99], [99, 99], [99, 99]])[..., None], valid=valid), Grain())
    assert image.array[..., 0].tolist() == [[10], [0]]
    assert image.valid.tolist() == [[True], [False]]


def test_blocks_of_a_window_are_those_of_the_whole(rng):
    pixels = made(rng, (31, 45))
    whole = Image(pixels, spacing=(2.0, 3.0))
    blocks = put_together(whole, Grain())
    assert blocks.shape == (16, 23)
    assert blocks.spacing == (4, 6)
    window = put_together(whole.crop((slice(5, 31), slice(8, 37))), Grain())
    assert (window.origin, window.extent) == ((2, 4), (16, 23))
    np.testing.assert_array_equal(window.array[2:, 1:-2], blocks.array[4:, 5:17])
    cut = put_together(whole, Grain((1, 0)))
    part = put_together(whole.crop((slice(5, 31), slice(8, 37))), Grain((1, 0)))
    assert (cut.shape, part.origin, part.extent) == ((16, 23), (3, 4), (16, 23))
    np.testing.assert_array_equal(part.array[1:-1, 1:-2], cut.array[4:15, 5:17])
