"""Segmentations: cleaned, and as objects of other programs."""

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow
from pycocotools import mask as reference

import gmmseg
from gmmseg import io
from gmmseg.errors import ParameterError
from gmmseg.export import Place
from gmmseg.io.palette import palette
from gmmseg.measuring import class_table
from gmmseg.spatial.sieve import sieve


def test_labels_and_what_is_said_of_them(specks, tmp_path):
    found = gmmseg.segment(specks, k=4, smooth=False)
    before = found.labels.copy()
    cleaned = found.clean(40)
    np.testing.assert_array_equal(cleaned.labels, sieve(before, 40))
    np.testing.assert_array_equal(found.labels, before)
    assert len(cleaned.to_polygons()) < len(found.to_polygons())
    np.testing.assert_array_equal(cleaned.labels == 0, ~specks.valid)
    shares = np.bincount(cleaned.labels.ravel(), minlength=5)[1:] / specks.valid.sum()
    np.testing.assert_allclose([each.share for each in cleaned.classes], shares)
    np.testing.assert_array_equal(cleaned.mask(2), cleaned.labels == 2)
    np.testing.assert_array_equal(cleaned.probabilities, found.probabilities)
    cleaned.save(tmp_path / "labels.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "labels.npy"), cleaned.labels)
    np.testing.assert_array_equal(cleaned.clean(10).labels, cleaned.labels)
    np.testing.assert_array_equal(found.clean(10).clean(40).labels, cleaned.labels)


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    pixels = np.zeros((30, 40, 3), np.uint8)
    pixels[:, 20:] = 220
    pixels[5:10, 5:10] = 220
    Pillow.fromarray(pixels + np.random.default_rng(0).integers(0, 20, pixels.shape, np.uint8)).save(path)
    return gmmseg.segment(path, 2, features="lab", class_names=("dark", "bright"))


def test_coco(photo):
    data = photo.to_coco()
    assert data["images"] == [{"id": 1, "file_name": "photo.png", "width": 40, "height": 30}]
    assert [category["name"] for category in data["categories"]] == ["dark", "bright"]
    assert len(data["annotations"]) == 3
    for annotation in data["annotations"]:
        assert annotation["area"] == reference.area(annotation["segmentation"])
    assert len(photo.to_coco(instances="class")["annotations"]) == 2
    assert len(photo.to_coco(min_size=26)["annotations"]) == 2


def test_panoptic(photo):
    data, rgb = photo.to_panoptic()
    assert data["annotations"][0]["file_name"] == "photo_panoptic.png"
    assert rgb.shape == (30, 40, 3)
    assert rgb[7, 7, 0] == rgb[5, 5, 0] != rgb[0, 0, 0]


def test_polygons(photo):
    dark, spot, bright = sorted(photo.to_polygons(), key=lambda each: (each.label, each.exterior[0, 0]))
    assert (dark.name, spot.name, bright.name) == ("dark", "bright", "bright")
    assert len(dark.holes) == 1
    np.testing.assert_array_equal(np.sort(np.unique(dark.holes[0], axis=0), axis=0)[[0, -1]], [[5, 5], [10, 10]])


def test_geojson_is_where_the_image_is(tmp_path):
    path = tmp_path / "scene.tif"
    pixels = np.zeros((20, 20), np.uint8)
    pixels[:, 10:] = 200
    place = Place((0.5, 0.0, 10.0, 0.0, -0.5, 50.0), "EPSG:4326")
    keys = (1, 1, 0, 2, 1024, 0, 1, 2, 2048, 0, 1, 4326)
    tags = [
        (33550, "d", 3, (0.5, 0.5, 0.0), True),
        (33922, "d", 6, (0.0, 0.0, 0.0, 10.0, 50.0, 0.0), True),
        (34735, "H", len(keys), keys, True),
    ]
    noise = np.random.default_rng(0).integers(0, 20, pixels.shape, np.uint8)
    tifffile.imwrite(path, pixels + noise, extratags=tags)
    left, right = gmmseg.segment(path, 2).to_geojson()["features"]
    a, _, c, _, e, f = place.affine
    assert left["geometry"]["coordinates"] == [
        [[c, f], [c, f + 20 * e], [c + 10 * a, f + 20 * e], [c + 10 * a, f], [c, f]]
    ]
    area = class_table(gmmseg.segment(path, 2).labels, io.read(path), channels=False)["area_ha"][1]
    assert right["properties"] == {"label": 2, "class": "class 2", "pixels": 200, "area_ha": pytest.approx(area)}


def test_masks_by_number_name_or_several(specks):
    seg = gmmseg.segment(specks, k=3, class_names=["low", "mid", "high"])
    np.testing.assert_array_equal(seg.mask("mid"), seg.labels == 2)
    np.testing.assert_array_equal(seg.mask(["high", 1]), (seg.labels == 3) | (seg.labels == 1))
    np.testing.assert_array_equal(seg.mask(0), seg.labels == 0)
    with pytest.raises(ParameterError, match=r"label='mud' is no class of image; .* 1 \(low\), 2 \(mid\), 3 \(high\)$"):
        seg.mask("mud")


def test_the_color_of_the_map_stands_beside_the_mean(specks):
    seg = gmmseg.segment(specks, k=3)
    assert [each.map_color for each in seg.classes] == [tuple(color) for color in palette(3)[1:].tolist()]
