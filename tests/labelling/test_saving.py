"""Writing the bias field, and the image without it."""

import numpy as np
import pytest
import tifffile
from counted_sources import CountedSource
from PIL import Image as Pillow

from gmmseg import Image, io
from gmmseg.errors import OutputError
from gmmseg.image.place import Place
from gmmseg.labelling.saving import corrected, write_correction
from gmmseg.spatial.bias import BiasField


def field(image):
    """A gain that grows along the columns."""
    flat = BiasField.flat(image)
    coefficients = flat.coefficients.copy()
    coefficients[:, 0, 1] = 0.3
    return BiasField(coefficients, image.shape)


@pytest.fixture
def image(rng):
    return Image(rng.integers(50, 200, (20, 30, 1)).astype(np.uint8))


def save(path, image, bias, *, field=False, overwrite=False, **options):
    write_correction(path, image, bias, field=field, overwrite=overwrite, options=options)


def test_pixels_are_divided_by_the_gain_in_their_dtype(image):
    gain = field(image).gain()
    found = corrected(image, field(image))
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found[..., 0], np.clip(np.rint(image.array[..., 0] / gain), 0, 255))
    assert found.max() == 255  # where there is no room for more
    floats = Image(image.array.astype(np.float64))
    np.testing.assert_allclose(corrected(floats, field(image))[..., 0] * gain, floats.array[..., 0], rtol=1e-6)
    assert corrected(image, None) is image.array


def test_a_window_is_that_part_of_the_whole(image):
    window = (slice(3, 9), slice(10, 25))
    np.testing.assert_array_equal(corrected(image.crop(window), field(image)), corrected(image, field(image))[window])


@pytest.mark.parametrize("lazy", [False, True])
def test_files_of_numbers(tmp_path, image, lazy):
    bias, values = field(image), image.array
    source = Image(CountedSource(values), valid=np.arange(600).reshape(20, 30) > 5) if lazy else image
    save(tmp_path / "g.npy", source, bias, field=True)
    np.testing.assert_array_equal(np.load(tmp_path / "g.npy"), bias.gain(), strict=True)
    save(tmp_path / "c.npy", source, bias)
    found = np.load(tmp_path / "c.npy")
    assert found.dtype == np.float32
    valid = np.ones((20, 30), bool) if source.valid is None else source.valid
    np.testing.assert_array_equal(found[valid], corrected(image, bias)[..., 0][valid])
    assert np.isnan(found[~valid]).all()
    save(tmp_path / "f.npy", source, None, field=True)
    assert (np.load(tmp_path / "f.npy") == 1).all()


def test_channels_have_maps_of_their_own(tmp_path, rng):
    image = Image(rng.random((20, 30, 2)) + 1, channel_names=("near", "far"))
    save(tmp_path / "g.npz", image, field(image), field=True)
    found = io.read_probabilities(tmp_path / "g.npz")
    np.testing.assert_array_equal(found, np.moveaxis(field(image).gain(), -1, 0), strict=True)


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_colours_of_more_than_8_bits_stay_channels(tmp_path, rng, dtype):
    colors = rng.uniform(0.2, 0.7, (20, 30, 3))
    image = Image((colors * (1 if dtype == np.float32 else 65535)).astype(dtype), color=True)
    save(tmp_path / "a.tif", image, field(image))
    found = io.read(tmp_path / "a.tif")
    assert found.color == (dtype == np.uint16)  # of floats a file may have other than colours, and these are bands
    np.testing.assert_array_equal(found.array, corrected(image, field(image)), strict=True)


def test_pictures_stay_pictures(tmp_path, rng):
    pixels = rng.integers(50, 200, (20, 30, 3)).astype(np.uint8)
    valid = np.ones((20, 30), bool)
    valid[:2] = False
    image = Image(pixels, color=True, valid=valid)
    save(tmp_path / "a.png", image, field(image))
    found = np.array(Pillow.open(tmp_path / "a.png"))
    np.testing.assert_array_equal(found[2:], corrected(image, field(image))[2:])
    np.testing.assert_array_equal(found[:2], pixels[:2])  # there is no room for NaN
    whole = Image(pixels, color=True)
    save(tmp_path / "a.tif", whole, field(image))
    assert io.read(tmp_path / "a.tif").array.dtype == np.uint8
    save(tmp_path / "b.tif", image, field(image))
    numbers = tifffile.imread(tmp_path / "b.tif")
    assert numbers.dtype == np.float32
    np.testing.assert_array_equal(np.isnan(numbers), np.broadcast_to(~valid, (3, 20, 30)))
    with pytest.raises(OutputError, match=r"c\.png: a picture takes no options, and cog is given"):
        save(tmp_path / "c.png", image, field(image), cog=True)


def test_an_existing_file_is_kept_unless_told_otherwise(tmp_path, image):
    (tmp_path / "g.npy").write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        save(tmp_path / "g.npy", image, None, field=True)
    assert (tmp_path / "g.npy").read_text() == "mine"
    save(tmp_path / "g.npy", image, None, field=True, overwrite=True)
    assert np.load(tmp_path / "g.npy").shape == (20, 30)


def test_zeros_around_what_was_scanned_stay_zeros(tmp_path):
    pixels = np.full((4, 5, 6, 1), 100, np.float32)
    pixels[0], pixels[1] = 0, 7
    valid = np.ones((4, 5, 6), bool)
    valid[:2] = False
    place = Place(affine3d=((0, 0, 1, 0), (0, 1, 0, 0), (1, 0, 0, 0), (0, 0, 0, 1)), unit="mm")
    for given, around in ((place, 0), (None, np.nan)):
        image = Image(pixels, valid=valid, place=given)
        save(tmp_path / "c.npy", image, field(image), overwrite=True)
        found = np.load(tmp_path / "c.npy")
        np.testing.assert_array_equal(found[0], np.full((5, 6), around))
        assert np.isnan(found[1]).all()  # of a mask
        assert np.isfinite(found[2:]).all()
