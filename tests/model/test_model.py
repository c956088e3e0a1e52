"""Model: what it says of itself, and the file it is saved to."""

from dataclasses import replace

import numpy as np
import pytest

import gmmseg
from gmmseg import Image, OutputError, io
from gmmseg.features import Recipe
from gmmseg.features.contrast import contrast
from gmmseg.labelling.layers import layer_named
from gmmseg.labelling.tiles import Rule, empty_layer, visit


def test_segment_is_fit_then_apply(image):
    model = gmmseg.fit(image, 3, seed=4)
    seg = gmmseg.segment(image, 3, seed=4)
    assert gmmseg.apply(model, image).labels.tobytes() == seg.labels.tobytes()
    np.testing.assert_array_equal(seg.model.means, model.means)


def test_means_and_covariances_are_in_the_features_own_units(image):
    seg = gmmseg.segment(image, 3, features="rgb", smooth=False)
    for label in (1, 2, 3):
        own = image[seg.mask(label)].astype(float)
        np.testing.assert_allclose(seg.model.means[label - 1], own.mean(axis=0), atol=4)
        np.testing.assert_allclose(np.diag(seg.model.covariances[label - 1]), own.var(axis=0), rtol=0.35)


def test_an_existing_file_is_kept_unless_told_otherwise(image, tmp_path):
    path = tmp_path / "model.json"
    path.write_text("mine")
    model = gmmseg.fit(image, 2)
    with pytest.raises(OutputError, match="model.json"):
        model.save(path)
    assert path.read_text() == "mine"
    model.save(path, overwrite=True)
    assert gmmseg.load_model(path).k == 2
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_named(image, tmp_path):
    with pytest.raises(OutputError, match="nowhere"):
        gmmseg.fit(image, 2).save(tmp_path / "nowhere" / "model.json")


def test_a_model_s_file_is_text_that_a_person_can_read(saved):
    content, _ = saved
    assert content["format"] == "gmmseg-model"
    assert content["features"] == "lab,xy:0.5"
    assert content["classes"] == ["class 1", "class 2", "class 3"]
    assert len(content["means"]) == 3


@pytest.mark.slow
@pytest.mark.parametrize("features", [None, "lab,texture"])
def test_a_window_with_the_halo_gets_the_labels_of_the_whole(features, pictures):
    image = io.read(pictures / "coffee.png").crop((slice(0, 150), slice(0, 200)))
    image = Image(image.array, color=True)
    model = gmmseg.fit(image, 4, features=features)
    halo = model.halo(image)
    assert (halo > model.halo(image, smoothed=False)) == (model.strength > 0)
    inner = (slice(60, 90), slice(70, 120))
    outer = tuple(slice(s.start - halo, s.stop + halo) for s in inner)
    rule = Rule(model, variation=contrast(image, model.recipe))
    layer = layer_named("labels")
    window = image.crop(tuple(slice(max(0, s.start), min(s.stop, n)) for s, n in zip(outer, image.shape, strict=True)))
    found = empty_layer(layer, model, window.shape)
    visit(window, rule, layer, found)
    start = window.origin
    local = tuple(slice(s.start - o, s.stop - o) for s, o in zip(inner, start, strict=True))
    np.testing.assert_array_equal(found[local], gmmseg.apply(model, image).labels[inner])


def test_a_model_is_one_line_to_look_at(image):
    model = gmmseg.fit(image, 3, features="lab,xy:0.5", class_names=["dark", "middle", "light"])
    assert repr(model) == "Model(k=3, features='lab,xy:0.5', covariance='full', classes=('dark', 'middle', ...))"
    assert repr(gmmseg.fit(image, 1, covariance="tied")) == (
        "Model(k=1, features='lab,xy', covariance='tied', classes=('class 1',))"
    )
    many = gmmseg.Mixture(np.full(255, 1 / 255), np.zeros((255, 5)), np.ones(255), "spherical")
    recipe = Recipe.parse("lab,luv,rgb,hsv,gray,bands,xy:0.123456789")
    names = tuple(f"class\n{i} of " + "many " * 40 for i in range(255))
    long = repr(replace(model, mixture=many, recipe=recipe, class_names=names))
    assert long.startswith("Model(k=255, features='lab,lu...3456789', ")
    assert len(long) <= 120
    assert "\n" not in long


@pytest.fixture
def scene(rng):
    """Two halves that differ in two named bands, and their values."""
    values = rng.normal(0, 1, (20, 30, 3)).astype(np.float32)
    values[:, 15:, 0] += 9
    values[:, 15:, 1] -= 9
    return Image(values, channel_names=("nir", "red", "green"), name="scene")


def test_channels_are_taken_by_name(scene, tmp_path):
    model = gmmseg.fit(scene, 2)
    assert model.channel_names == ("nir", "red", "green")
    model.save(tmp_path / "m.json")
    loaded = gmmseg.load_model(tmp_path / "m.json")
    assert loaded.channel_names == model.channel_names
    expected = gmmseg.apply(model, scene).labels
    more = np.concatenate([scene.array[..., ::-1], np.zeros((20, 30, 1), np.float32)], -1)
    names = ("B03/green", "B04/red", "B08/nir", "B11/swir1")
    for image in (scene.select("green,nir,red"), Image(more, channel_names=names)):
        np.testing.assert_array_equal(gmmseg.apply(loaded, image).labels, expected)
    with pytest.raises(gmmseg.InputError, match="x has no channel 'nir', as the model has; it has blue, red, green"):
        gmmseg.apply(loaded, Image(scene.array, channel_names=("blue", "red", "green"), name="x"))


def test_without_names_channels_are_taken_by_their_order(scene):
    unnamed = Image(scene.array)
    expected = gmmseg.apply(gmmseg.fit(unnamed, 2), scene).labels
    np.testing.assert_array_equal(gmmseg.apply(gmmseg.fit(scene, 2), unnamed).labels, expected)
    assert gmmseg.fit(unnamed, 2).channel_names == ()


def test_images_of_one_fit_agree_by_name(scene):
    model = gmmseg.fit([scene, scene.select("red,green,nir")], 2)
    np.testing.assert_array_equal(gmmseg.apply(model, scene).labels, gmmseg.apply(gmmseg.fit(scene, 2), scene).labels)
    with pytest.raises(gmmseg.InputError, match="y has no channel 'nir', as scene has"):
        gmmseg.fit([scene, Image(scene.array, channel_names=("a", "red", "green"), name="y")], 2)


def test_only_of_scenes_the_model_says_which_channels_are_read(scene, tmp_path):
    model = gmmseg.fit(scene, 2)
    safe = tmp_path / "S2A_MSIL2A_20230605T101559_N0509_R065_T32TLQ_20230605T150000.SAFE"
    safe.mkdir()
    np.save(tmp_path / "a.npy", scene.array)
    assert model.channels_in(safe) == ("nir", "red", "green")
    assert model.channels_in(tmp_path / "a.npy") is None
    assert model.channels_in(scene) is None
    assert replace(model, channel_names=()).channels_in(safe) is None


def test_principal_components_are_of_channels_by_name(rng):
    values = rng.normal(0, 1, (20, 30, 18)) + rng.normal(0, 9, (20, 30, 1)) * np.arange(18)
    image = Image(values, channel_names=tuple(f"{n} nm" for n in range(400, 418)))
    turned = image.select([*range(18, 0, -1)])
    one, other = gmmseg.fit([image, image], 2), gmmseg.fit([image, turned], 2)
    assert other.channel_names == image.channel_names
    np.testing.assert_allclose(one.recipe.pca.axes, other.recipe.pca.axes, atol=1e-9)


def test_a_moved_model_is_of_moved_numbers(rng):
    pixels = np.where(np.arange(60) < 30, 10.0, 90.0) + rng.normal(0, 8, (50, 60))
    model = gmmseg.fit(pixels, 2, features="intensity,xy")
    moved = model.moved(3.0, 3.0 * model.center + 7)
    np.testing.assert_allclose(moved.means[:, 0], 3 * model.means[:, 0] + 7)
    np.testing.assert_array_equal(moved.means[:, 1:], model.means[:, 1:])  # where they lie is the same
    np.testing.assert_allclose(moved.contrast, 9 * model.contrast)
    np.testing.assert_array_equal(gmmseg.apply(moved, 3 * pixels + 7).labels, gmmseg.apply(model, pixels).labels)


def test_how_neighbours_are_heard_is_made_once_for_each_spacing(rng):
    noisy = rng.normal(0, 1, (24, 24)) + 3 * (np.arange(24) > 11)
    model = gmmseg.fit(noisy, 2)
    assert model.contrast is not None
    first, other = model.smoothing((1.0, 1.0), None), model.smoothing((2.0, 1.0), None)
    assert model.smoothing((1.0, 1.0), None) is first
    assert (first.strength, other.spacing) == (model.strength, (2.0, 1.0))
    np.testing.assert_allclose(first.sharpness, np.sqrt(0.25 / model.contrast.sum()), rtol=1e-6)
    measured = replace(model, contrast=None)
    np.testing.assert_allclose(measured.smoothing((1.0, 1.0), 4 * model.contrast).sharpness, first.sharpness / 2)
