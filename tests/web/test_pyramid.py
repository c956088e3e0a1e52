"""Tiles of a raster that stays in its file: pictures from overviews, labels those of the whole."""

import base64
import io

import numpy as np
import pytest
import rasterio
from browsers import listened, serving
from PIL import Image as Pillow

import gmmseg
from gmmseg import ParameterError
from gmmseg.io.opening import Reading, open_image
from gmmseg.io.palette import palette
from gmmseg.web import preview as previews
from gmmseg.web import pyramid as module
from gmmseg.web.desk import Desk
from gmmseg.web.preview import Preview
from gmmseg.web.pyramid import Pyramid
from gmmseg.web.work import Work


@pytest.fixture
def scene(tmp_path):
    """scene.tif of 4 bands, 150 x 210 pixels in blocks of 64: two halves with noise, a corner without data."""
    values = np.full((4, 150, 210), 60, np.float32)
    values[:, :, 100:] = np.array([150, 120, 90, 200])[:, None, None]
    values += np.random.default_rng(0).normal(0, 25, values.shape)
    values = np.clip(values, 1, 255).astype(np.uint8)
    values[:, :20, :20] = 0
    path = tmp_path / "scene.tif"
    profile = {"driver": "GTiff", "width": 210, "height": 150, "count": 4, "dtype": "uint8"}
    profile |= {"nodata": 0, "photometric": "minisblack", "tiled": True, "blockxsize": 64, "blockysize": 64}
    place = rasterio.Affine(10, 0, 500_000, 0, -10, 5_000_000)
    with rasterio.open(path, "w", **profile, crs=32632, transform=place) as to:
        to.write(values)
    return path


@pytest.fixture
def small_memory(monkeypatch):
    """Images are left in their file, tiles are small, and so is the copy."""
    monkeypatch.setattr(previews, "MEMORY", 2000)
    monkeypatch.setattr(previews, "MOST_PIXELS", 2000)
    monkeypatch.setattr(module, "SIDE", 32)


@pytest.mark.parametrize("level", [0, 1, 2])
def test_labels_of_tiles_are_those_of_the_whole_file(scene, small_memory, level, tmp_path):
    preview = Preview(scene)
    found = preview.segment(Work({"k": 3}), whole=True)
    gmmseg.segment(scene, 3).save(tmp_path / "labels.tif")
    with rasterio.open(tmp_path / "labels.tif") as file:
        expected = file.read(1)
    step, side = 1 << level, 32 << level
    assert np.unique(expected).tolist() == [0, 1, 2, 3]
    for row in range(-(-150 // side)):
        for column in range(-(-210 // side)):
            part = expected[row * side : (row + 1) * side, column * side : (column + 1) * side]
            there = [np.minimum(np.arange(0, n, step) + step // 2, n - 1) for n in part.shape]
            content, _ = preview.tile((level, row, column), found)
            np.testing.assert_array_equal(np.frombuffer(content, np.uint8), part[np.ix_(*there)].ravel())


def test_what_is_tried_is_of_a_small_copy_and_of_tiles_by_its_model(scene, small_memory):
    preview = Preview(scene)
    found = preview.segment(Work({"k": 2}))
    assert preview.shape == (150, 210)
    assert found.labels.shape == preview.small.shape == (38, 53)
    expected = gmmseg.apply(found.model, scene).labels
    content, _ = preview.tile((0, 2, 3), found)
    np.testing.assert_array_equal(np.frombuffer(content, np.uint8).reshape(32, 32), expected[64:96, 96:128])


def test_pictures_come_from_overviews(scene, small_memory):
    with rasterio.open(scene, "r+") as file:
        file.build_overviews([2, 4])
    image = open_image(scene, Reading(memory=1000))
    pixels, valid = image.pixels.thinned((slice(0, 128), slice(0, 128)), (32, 32))
    with rasterio.open(scene, overview_level=1) as file:
        expected = np.moveaxis(file.read()[:, :32, :32], 0, -1)
    np.testing.assert_array_equal(valid, (expected != 0).all(axis=-1))
    np.testing.assert_array_equal(pixels[valid], expected[valid])
    with rasterio.open(scene) as file:
        assert (np.moveaxis(file.read()[:, 2:128:4, 2:128:4], 0, -1) != expected)[valid].mean() > 0.5  # of every pixel


def test_files_without_overviews_are_read_by_strips(scene, small_memory, monkeypatch):
    monkeypatch.setattr(module, "_STRIP_BYTES", 5000)
    image = open_image(scene, Reading(memory=1000))
    pixels, valid = Pyramid(image, 2000)._strips((slice(0, 150), slice(7, 210)), 4)
    whole = image.crop((slice(0, 150), slice(7, 210)))
    np.testing.assert_array_equal(pixels[:37, :50], whole.array[2::4, 2::4][:37, :50])
    np.testing.assert_array_equal(pixels[37, 50], whole.array[149, 202])
    np.testing.assert_array_equal(valid[:37, :50], whole.valid[2::4, 2::4][:37, :50])


def test_tones_are_those_of_the_small_copy(scene, small_memory):
    pyramid = Preview(scene).pyramid
    picture = pyramid.picture((0, 2, 5))
    assert picture.shape == (32, 32, 3)
    low, high = np.quantile(pyramid.small.array[pyramid.small.valid][:, :3], (0.02, 0.98), axis=0)
    with rasterio.open(scene) as file:
        values = np.moveaxis(file.read([1, 2, 3]), 0, -1)[64:96, 160:192]
    expected = np.clip((values - low) / (high - low), 0, 1) * 255
    assert np.abs(picture - expected).max() <= 0.51


@pytest.mark.parametrize("at", [(0, 5, 0), (0, 0, 7), (9, 0, 0), (-1, 0, 0), (0, -1, 0), (0, 0), ()])
def test_tiles_that_there_are_not(scene, small_memory, at):
    with pytest.raises(ParameterError, match="tile="):
        Preview(scene).tile(at)


def test_coarse_levels_and_pictures_have_no_labels_of_tiles(scene, small_memory, tmp_path):
    preview = Preview(scene)
    preview.pyramid.levels = 5
    with pytest.raises(ParameterError, match="level=3 has no labels"):
        preview.tile((3, 0, 0), preview.segment(Work({"k": 2})))
    with pytest.raises(ParameterError, match="leave them out"):
        preview.tile((0, 0, 0), preview.segment(Work({"k": 2, "min_size": 200})))
    Pillow.new("L", (3, 3)).save(tmp_path / "a.png")
    with pytest.raises(ParameterError, match="has no tiles"):
        Preview(tmp_path / "a.png").tile((0, 0, 0))


@pytest.fixture
def desk(scene, small_memory, tmp_path):
    found = Desk(scene, tmp_path)
    found.do({"step": {"do": "set", "option": "k", "value": 3}})
    return found


def test_the_desk_has_tiles_and_says_what_there_is_not(desk):
    assert desk.state({})["image"]["tiles"] == {"side": 32, "levels": 3, "exact": 2}
    stroke = {"do": "stroke", "class": 1, "size": 3, "points": [[1, 1]]}
    with pytest.raises(ParameterError, match=r"not on scene\.tif, which is larger than memory"):
        desk.do({"step": stroke})
    with pytest.raises(ParameterError, match=r"not of scene\.tif, which is larger than memory"):
        desk.do({"step": {"do": "set", "option": "detail", "value": 0.5}})
    with pytest.raises(ParameterError, match="ticket=4 is stale"):
        desk.tile((0, 0, 0), 4)


@pytest.fixture
def served(desk):
    with serving(desk) as server:
        yield server


@pytest.mark.slow
def test_tiles_are_seen_and_all_pixels_go_to_a_file(chromium, served, tmp_path):
    page, said = listened(chromium)
    page.goto(served.address)
    page.wait_for_selector("body[data-ready]")
    page.locator("#opacity").fill("1")
    page.locator("#contours").uncheck()
    assert page.locator("#correct").is_hidden()
    page.keyboard.press("Shift+Enter")
    page.wait_for_selector("#saved:has-text('saved scene_labels.tif by:')")
    page.wait_for_selector("#status:has-text('3 classes of all pixels')")
    with rasterio.open(tmp_path / "scene_labels.tif") as file:
        labels = file.read(1)
    drawn = _settled(page)
    page.close()
    scale = min(drawn.shape[1] / 210, drawn.shape[0] / 150)
    rows = (np.arange(drawn.shape[0]) + 0.5) / scale - (drawn.shape[0] / scale - 150) / 2
    columns = (np.arange(drawn.shape[1]) + 0.5) / scale - (drawn.shape[1] / scale - 210) / 2
    inside = [(each >= 0) & (each < n) for each, n in ((rows, 150), (columns, 210))]
    expected = labels[np.ix_(rows[inside[0]].astype(int), columns[inside[1]].astype(int))]
    seen = drawn[np.ix_(*inside)]
    alike = (seen == palette(3)[expected]).all(axis=-1)[expected > 0]
    assert alike.mean() > 0.999  # but for edges that fall between two pixels of the screen
    assert [each for each in said if "400 (Bad Request)" not in each] == []  # labels of classes that were found before


def _settled(page):
    """What is drawn once all tiles have come."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    page.wait_for_selector("#picture[aria-busy=false]")
    url = page.evaluate("() => document.getElementById('picture').toDataURL()")
    return np.asarray(Pillow.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB"))
