"""The mosaic's promise: a model holds all that is global, so that any window gets the labels of the whole."""

from dataclasses import replace

import numpy as np
import pytest
from mosaics import made_scene

import gmmseg
from gmmseg import Image
from gmmseg.errors import DataWarning
from gmmseg.features.contrast import contrast
from gmmseg.image.windows import tiles


def labels_by_tiles(model, scene, side):
    halo = model.halo(Image(scene))
    out = np.zeros(scene.shape[:2], np.uint8)
    for tile in tiles(out.shape, (side, side), halo):
        out[tile.inner] = gmmseg.apply(model, Image(scene[tile.outer])).labels[tile.local]
    return out


@pytest.mark.parametrize("side", [64, 5, 100])
def test_windows_with_a_halo_get_the_labels_of_the_mosaic(side, tmp_path):
    scene = made_scene()[: 64 if side == 5 else None, : 64 if side == 5 else None]
    gmmseg.fit(Image(scene), 3, features="bands").save(tmp_path / "land.gmm.json")
    model = gmmseg.load_model(tmp_path / "land.gmm.json")
    whole = gmmseg.apply(model, Image(scene)).labels
    assert model.strength > 0
    np.testing.assert_array_equal(labels_by_tiles(model, scene, side), whole)


def test_without_the_contrast_of_the_whole_windows_differ():
    scene = made_scene()
    model = replace(gmmseg.fit(Image(scene), 3, features="bands"), contrast=None)
    assert (labels_by_tiles(model, scene, 64) != gmmseg.apply(model, Image(scene)).labels).any()


def test_segment_and_apply_hear_neighbours_alike():
    scene = made_scene()
    found = gmmseg.segment(Image(scene), 3, features="bands")
    np.testing.assert_array_equal(gmmseg.apply(found.model, Image(scene)).labels, found.labels)
    np.testing.assert_array_equal(found.model.contrast, contrast(found.image, found.model.recipe))


def test_contrast_of_several_images_is_their_mean():
    calm, restless = made_scene()[:, :160], made_scene()[:, 160:]
    model = gmmseg.fit([Image(calm), Image(restless)], 3, features="bands")
    each = [contrast(Image(part), model.recipe) for part in (calm, restless)]
    np.testing.assert_allclose(model.contrast, np.mean(each, axis=0))


def test_an_image_without_data_has_no_contrast():
    with pytest.warns(DataWarning):
        assert gmmseg.fit(np.full((8, 8), np.nan), 1).contrast is None
