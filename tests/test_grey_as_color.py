"""Grey values stored as red, green and blue give what the grey image gives, byte for byte, wherever they come from."""

import cv2
import numpy as np
import pytest
import rasterio
from PIL import Image as Pillow

import gmmseg
from gmmseg import Image
from gmmseg.io import read
from tests.shared.raster_windows import PLACE


def grey(dtype=np.uint8, seed=0):
    rng = np.random.default_rng(seed)
    truth = np.add.outer(np.arange(120) // 31, np.arange(150) // 43) % 3
    values = np.clip(np.array([60, 110, 160])[truth] + rng.normal(0, 9, truth.shape), 0, 255)
    return (values * (256 if dtype == np.uint16 else 1)).astype(dtype)


def colored(values):
    return np.repeat(values[..., None], 3, axis=-1)


def assert_same(one, other):
    assert one.model.recipe == other.model.recipe
    np.testing.assert_array_equal(one.labels, other.labels)
    np.testing.assert_array_equal(one.probabilities, other.probabilities)
    assert one.classes == other.classes


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_arrays(dtype):
    values = grey() / np.float32(255) if dtype == np.float32 else grey(dtype)
    assert_same(gmmseg.segment(values, 3), gmmseg.segment(colored(values), 3))


@pytest.mark.parametrize("options", [{"features": "intensity,xy"}, {"k": "auto"}, {"features": "bands,texture"}])
def test_options(options):
    options = {"k": 3} | options
    assert_same(gmmseg.segment(grey(), **options), gmmseg.segment(colored(grey()), **options))


@pytest.mark.parametrize("ending", ["png", "tif", "jpg"])
def test_files_of_pictures(tmp_path, ending):
    one, three = tmp_path / f"one.{ending}", tmp_path / f"three.{ending}"
    Pillow.fromarray(grey()).save(one)
    Pillow.fromarray(colored(grey())).save(three)
    assert (read(one).n_channels, read(three).n_channels) == (1, 3)
    for path in (one, three):
        gmmseg.segment(path, 3).save(path.with_suffix(".labels.png"))
    labels = [path.with_suffix(".labels.png").read_bytes() for path in (one, three)]
    assert labels[0] == labels[1]
    for path in (one, three):
        gmmseg.fit(path, 3).save(path.with_suffix(".json"))
    assert one.with_suffix(".json").read_bytes() == three.with_suffix(".json").read_bytes()


def test_transparent_pixels(tmp_path):
    alpha = np.where(np.arange(150) < 20, 0, 255).astype(np.uint8) * np.ones((120, 1), np.uint8)
    pixels = np.dstack([colored(grey()), alpha])
    pixels[5, 3, 1] += 40  # where nobody sees it
    cv2.imwrite(str(tmp_path / "rgba.png"), cv2.cvtColor(pixels, cv2.COLOR_RGBA2BGRA))
    expected = gmmseg.segment(grey(), 3, mask=alpha)
    assert_same(expected, gmmseg.segment(pixels, 3))
    assert_same(expected, gmmseg.segment(tmp_path / "rgba.png", 3))


def raster(path, values):
    n = values.shape[-1]
    profile = {"driver": "GTiff", "count": n, "height": 120, "width": 150, "dtype": values.dtype, **PLACE}
    profile |= {"tiled": True, "blockxsize": 32, "blockysize": 32, "photometric": "RGB" if n == 3 else "MINISBLACK"}
    with rasterio.open(path, "w", **profile) as file:
        file.write(np.moveaxis(values, -1, 0))
    return path


def test_rasters_that_stay_in_their_file(tmp_path):
    whole = raster(tmp_path / "one.tif", grey()[..., None])
    lazy = read(raster(tmp_path / "three.tif", colored(grey())), memory=0)
    assert (lazy.in_memory, lazy.n_channels, lazy.color) == (False, 3, True)
    assert_same(gmmseg.segment(whole, 3), gmmseg.segment(lazy, 3))
    model = gmmseg.fit(whole, 3)
    np.testing.assert_array_equal(gmmseg.apply(model, lazy).labels, gmmseg.apply(model, whole).labels)


@pytest.mark.parametrize("place", [(0, 0), (119, 149)])
def test_one_coloured_pixel_makes_a_picture_of_colour(tmp_path, place):
    pixels = colored(grey())
    pixels[*place, 2] += 1
    path = raster(tmp_path / "scene.tif", pixels)
    whole = gmmseg.segment(path, 3)
    assert whole.model.color
    assert str(whole.model.recipe) == "lab,xy"
    np.testing.assert_array_equal(gmmseg.segment(read(path, memory=0), 3).labels, whole.labels)


@pytest.mark.parametrize("features", ["rgb", "lab", "luv", "hsv", "hed"])
def test_a_space_of_colour_can_still_be_asked_for(features):
    found = gmmseg.segment(colored(grey()), 3, features=features)
    assert found.model.color
    assert np.linalg.cond(found.model.mixture.factors).max() < 1e4
    assert gmmseg.evaluate(found.labels, gmmseg.segment(grey(), 3).labels).rand_index > 0.98


def test_a_model_of_grey_takes_grey_stored_as_colour_and_no_other(tmp_path):
    model = gmmseg.fit(grey(), 3)
    np.testing.assert_array_equal(
        gmmseg.apply(model, colored(grey(seed=1))).labels, gmmseg.apply(model, grey(seed=1)).labels
    )
    pixels = colored(grey())
    pixels[0, 0, 0] += 1
    with pytest.raises(gmmseg.InputError, match="the model is for 1-channel"):
        gmmseg.apply(model, pixels)


def test_many_images_are_grey_where_all_are():
    images = [grey(seed=seed) for seed in range(3)]
    expected = gmmseg.fit(images, 3)
    for stored in ([colored(each) for each in images], [images[0], *map(colored, images[1:])]):
        np.testing.assert_array_equal(gmmseg.fit(stored, 3).means, expected.means)
    picture = colored(images[2])
    picture[..., 0] += 20
    for order in (slice(None), slice(None, None, -1)):
        model = gmmseg.fit([colored(images[0]), colored(images[1]), picture][order], 3)
        assert model.color
        assert gmmseg.apply(model, colored(images[0])).labels.any()


def test_the_number_of_classes_and_regions():
    assert gmmseg.choose_k(colored(grey()), max_k=4).k == gmmseg.choose_k(grey(), max_k=4).k
    np.testing.assert_array_equal(gmmseg.regions(colored(grey())).labels(), gmmseg.regions(grey()).labels())


def test_images_are_looked_at_once_more_only_where_the_first_is_grey():
    def opened(images):
        for image in images:
            seen.append(image.name)
            yield image

    class Counted(list):
        def __iter__(self):
            return opened(super().__iter__())

    seen = []
    gmmseg.fit(Counted(Image(grey(seed=n), name=str(n)) for n in range(3)), 3)
    assert seen == ["0", "1", "2"]


@pytest.mark.parametrize("channel", [0, 2])
def test_a_stain_shown_in_one_colour(tmp_path, channel):
    pixels = np.zeros((*grey().shape, 3), np.uint8)
    pixels[..., channel] = grey()
    seg = gmmseg.segment(pixels, 3)
    assert_same(gmmseg.segment(grey(), 3), seg)
    Pillow.fromarray(pixels).save(tmp_path / "stain.png")
    np.testing.assert_array_equal(gmmseg.apply(seg.model, tmp_path / "stain.png").labels, seg.labels)
    assert gmmseg.segment(pixels, 3, features="rgb").model.n_channels == 3
