"""sRGB to CIE L*a*b*: compiled and reference against scikit-image."""

import numpy as np
import pytest
from skimage.color import rgb2lab

from gmmseg import kernels
from gmmseg.kernels import reference

IMPLEMENTATIONS = [
    pytest.param(reference, id="reference"),
    pytest.param(
        kernels.native, id="native", marks=pytest.mark.skipif(kernels.native is None, reason="nothing was compiled")
    ),
]
both = pytest.mark.parametrize("kernel", IMPLEMENTATIONS)

# float32 holds an L of 100 to 4e-6; b is 200 times a difference of two cube roots near 1, each known to some 2e-7.
TOLERANCE = 2e-4


def table(dtype):
    """8 or 16-bit sRGB to linear light."""
    c = np.arange(np.iinfo(dtype).max + 1) / np.iinfo(dtype).max
    return np.where(c > 0.04045, ((c + 0.055) / 1.055) ** 2.4, c / 12.92).astype(np.float32)


def as_pixels(unit, dtype):
    """Pixels of a dtype from numbers 0 to 1."""
    dtype = np.dtype(dtype)
    return unit.astype(dtype) if dtype.kind == "f" else np.rint(unit * np.iinfo(dtype).max).astype(dtype)


def lab(kernel, pixels):
    out = np.full((3, pixels.shape[0] * pixels.shape[1]), np.nan, np.float32)
    kernel.lab(pixels, None if pixels.dtype.kind == "f" else table(pixels.dtype), out)
    return out


def expected(pixels):
    top = 1 if pixels.dtype.kind == "f" else np.iinfo(pixels.dtype).max
    return rgb2lab(pixels.astype(np.float64) / top).reshape(-1, 3).T


@both
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_lab_is_scikit_image_s(kernel, dtype):
    grid = np.linspace(0, 1, 32)
    unit = np.stack(np.meshgrid(grid, grid, grid), -1).reshape(64, 512, 3)
    pixels = as_pixels(unit, dtype)
    np.testing.assert_allclose(lab(kernel, pixels), expected(pixels), atol=TOLERANCE)


@both
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("size", [(1, 1), (3, 7), (2, 511), (2, 512), (1, 513), (700, 1)])
def test_any_number_of_pixels(kernel, size, dtype, rng):
    pixels = as_pixels(rng.random((*size, 3)), dtype)
    np.testing.assert_allclose(lab(kernel, pixels), expected(pixels), atol=TOLERANCE)


VIEWS = {
    "rows reversed": lambda p: p[::-1],
    "columns reversed": lambda p: p[:, ::-1],
    "channels reversed": lambda p: p[..., ::-1],
    "every third column": lambda p: p[:, ::3],
    "colour of RGBA": lambda p: np.concatenate([p, p[..., :1]], axis=-1)[..., :3],
    "channels first": lambda p: np.ascontiguousarray(np.moveaxis(p, -1, 0)).transpose(1, 2, 0),
    "turned": lambda p: p.transpose(1, 0, 2),
}


@both
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("view", VIEWS)
def test_any_strides(kernel, view, dtype, rng):
    pixels = VIEWS[view](as_pixels(rng.random((21, 40, 3)), dtype))
    assert not pixels.flags.c_contiguous
    pixels.flags.writeable = False
    np.testing.assert_array_equal(lab(kernel, pixels), lab(kernel, np.array(pixels, order="C")))
    np.testing.assert_allclose(lab(kernel, pixels), expected(pixels), atol=TOLERANCE)


@both
def test_grey_has_no_colour(kernel):
    grey = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    lightness, a, b = lab(kernel, grey)
    assert (np.diff(lightness) > 0).all()
    assert lightness[0] == pytest.approx(0, abs=TOLERANCE)
    assert lightness[-1] == pytest.approx(100, abs=TOLERANCE)
    # sRGB's white and D65 agree to four digits only.
    assert np.abs(np.stack([a, b])).max() < 0.02


@both
def test_floats_outside_the_range_are_clipped(kernel):
    pixels = np.array([[[-0.5, 0.2, 1.7], [2.0, 3.0, 4.0], [-1.0, -2.0, -0.001]]], np.float32)
    np.testing.assert_allclose(lab(kernel, pixels), lab(kernel, pixels.clip(0, 1)), atol=TOLERANCE)
