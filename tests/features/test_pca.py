"""Components of pixels: a linear map, of the channels that are known, however pixels are put together."""

import numpy as np
import pytest

from gmmseg import Image
from gmmseg.features.feature import Pixels
from gmmseg.features.pca import PrincipalComponents
from gmmseg.image.windows import everything


@pytest.fixture
def components(rng):
    axes = np.linalg.qr(rng.normal(size=(40, 3)))[0].T
    return PrincipalComponents(rng.normal(50, 9, 40), rng.uniform(0.5, 3, 40), axes, np.array([4e4, 9e3, 2e3]))


def pixels_of(components, rng, shape=(30, 20)):
    """Pixels of given components, and noise of variance 1."""
    known = rng.normal(size=(*shape, 3)) * np.sqrt(components.variance)
    noise = rng.normal(size=(*shape, 40))
    return known, ((known @ components.axes + noise) * components.scale + components.center).astype(np.float32)


def planes(components, values):
    image = Image(values)
    out = np.empty((3, image.n_pixels), np.float32)
    components.planes(Pixels(image, values, everything(image.shape)), 1.0, out)
    return out


def test_components_are_a_linear_map(components, rng):
    known, values = pixels_of(components, rng)
    values.flags.writeable = False
    scaled = (values.reshape(-1, 40) - components.center) / components.scale
    np.testing.assert_allclose(planes(components, values), components.axes @ scaled.T, rtol=1e-5, atol=1e-4)
    assert np.abs(planes(components, values) - known.reshape(-1, 3).T).std() < 1.1


@pytest.mark.parametrize("at_once", [40, 333, 4000])
def test_a_pixel_has_the_same_bits_wherever_it_is(components, rng, at_once, monkeypatch):
    _, values = pixels_of(components, rng)
    values[rng.random(values.shape) < 0.001] = np.nan
    expected = planes(components, values)
    order = rng.permutation(600)
    monkeypatch.setattr("gmmseg.features.pca._AT_ONCE", at_once)
    assert planes(components, values).tobytes() == expected.tobytes()
    shuffled = planes(components, values.reshape(600, 1, 40)[order])
    np.testing.assert_array_equal(shuffled, expected[:, order])


def test_where_channels_are_missing_the_others_decide(components, rng):
    known, values = pixels_of(components, rng)
    values[:10][rng.random((10, 20, 40)) < 0.3] = np.nan
    values[10, :] = np.inf
    values[11, 5, 1:] = np.nan
    found = planes(components, values).reshape(3, 30, 20)
    assert np.abs(found[:, :10] - np.moveaxis(known, -1, 0)[:, :10]).std() < 2
    assert np.isnan(found[:, 10]).all()
    assert np.isfinite(found[:, 11:]).all()
    assert np.abs(found[:, 11, 5]).max() < 4 * np.sqrt(components.variance).max()  # one channel says little


def test_channels_that_do_not_count_may_be_anything(components, rng):
    _, values = pixels_of(components, rng)
    components.axes[:, 7] = 0
    expected = planes(components, values)
    values[..., 7] = np.nan
    np.testing.assert_array_equal(planes(components, values), expected)


def test_another_number_of_channels_is_told(components):
    assert components.missing(Image(np.zeros((3, 4, 40), np.uint8))) == ""
    assert components.missing(Image(np.zeros((3, 4, 41), np.uint8))) == "40 channels"
    with pytest.raises(ValueError, match="not of as many channels"):
        PrincipalComponents(components.center[1:], components.scale, components.axes, components.variance)
