"""Which images a model explains, and how it is adapted to those of another gain and offset."""

import json
from dataclasses import replace

import numpy as np
import pytest

import gmmseg
from gmmseg import Image, InputError, ParameterError
from gmmseg.io.opening import open_image
from gmmseg.model import Training
from gmmseg.model.adapting import Fitness, adapt, explains, look, remember

SHARES = (0.2, 0.3, 0.5)


def land(shape=(120, 160), shares=SHARES, seed=0):
    """Four bands, float32, of three classes in blocks of 4 x 4 pixels."""
    rng = np.random.default_rng(seed)
    blocks = rng.choice(len(shares), (shape[0] // 4, shape[1] // 4), p=shares)
    region = blocks.repeat(4, axis=0).repeat(4, axis=1)
    means = np.array([[40, 30, 20, 10], [70, 60, 90, 150], [120, 140, 130, 80]])
    noise = rng.normal(0, 1, (*shape, 4)) @ np.array([[5, 3, 2, 0], [0, 4, 3, 1], [0, 0, 4, 2], [0, 0, 0, 6]])
    return (means[region] + noise).astype(np.float32)


def bands(pixels, **options):
    return Image.from_array(pixels, channel_axis=-1, **options)


@pytest.fixture(scope="module")
def model():
    fitted = gmmseg.fit(land(), 3, channel_axis=-1, class_names=("water", "grass", "city"))
    return remember(fitted, [look(bands(land()), fitted.recipe)], None)


def equal_share(first, second):
    return np.mean(first.labels == second.labels)


LIKE = {
    "the image itself": land(),
    "another of its kind": land(seed=1),
    "another size": land((48, 80), seed=2),
    "other shares of classes": land(shares=(0.5, 0.3, 0.2), seed=3),
    "noise of a fifth more": land() + np.random.default_rng(4).normal(0, 3.3, land().shape).astype(np.float32),
    "some missing bands": np.where(np.random.default_rng(5).random(land().shape) < 0.2, np.nan, land()),
}
UNLIKE = {
    "gain": land() * 1.3,
    "offset": land() + 20,
    "inverted": 255 - land(),
    "bands reversed": land()[..., ::-1],
    "8 bits as 16": land() * 257,
    "8 bits of 16": land() / 257,
    "another scene": np.random.default_rng(6).normal(100, 50, land().shape),
    "constant": np.full_like(land(), 70),
    "some missing bands, and a gain": np.where(np.random.default_rng(5).random(land().shape) < 0.2, np.nan, 2 * land()),
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*are NaN")
@pytest.mark.parametrize("kind", LIKE)
def test_images_of_the_same_kind_are_explained(model, kind):
    fitness = explains(model, bands(LIKE[kind]))
    assert (fitness.explained, fitness.reason) == (True, "")


@pytest.mark.filterwarnings("ignore:.*are NaN")
@pytest.mark.parametrize("kind", UNLIKE)
def test_images_of_another_kind_are_not(model, kind):
    fitness = explains(model, bands(UNLIKE[kind]))
    assert not fitness.explained
    assert fitness.reason.startswith("its pixels ") or "of its pixels" in fitness.reason
    assert "\n" not in fitness.reason


def test_the_figures_say_how_unlike(model):
    same, moved = explains(model, bands(land(seed=1))), explains(model, bands(land(seed=1) + 20))
    assert abs(same.gap) < 0.1
    assert same.unusual < 0.01
    assert same.spread == pytest.approx(1, abs=0.1)
    assert moved.unusual > 0.9
    assert moved.gap > 1
    assert "are unlike every class" in moved.reason
    assert explains(model, bands(land() / 257)).spread < 1e-3 or explains(model, bands(land() / 257)).unusual > 0.9


@pytest.mark.slow
def test_all_of_one_value_in_a_class_is_no_photograph():
    pixels = np.random.default_rng(0).integers(0, 256, (80, 80, 3), np.uint8)
    model = gmmseg.fit(pixels, 3)
    dark = explains(model, Image.from_array(pixels.astype(np.uint16) * 2))
    assert "times less within a class" in dark.reason
    assert explains(model, Image.from_array(pixels.astype(np.uint16) * 257)).explained


@pytest.mark.slow
@pytest.mark.parametrize("outliers", ["uniform", "student"])
@pytest.mark.parametrize("covariance", ["full", "tied", "diag", "spherical"])
def test_any_mixture_explains_what_it_was_fitted_to(outliers, covariance):
    pixels = land((60, 80))
    pixels[np.random.default_rng(0).random((60, 80)) < 0.03] = 1000
    model = gmmseg.fit(pixels, 3, channel_axis=-1, outliers=outliers, covariance=covariance)
    model = remember(model, [look(bands(pixels), model.recipe)], None)
    assert explains(model, bands(pixels[::2])).explained
    assert not explains(model, bands(pixels * 2)).explained


@pytest.mark.filterwarnings("ignore:.*are NaN")
def test_no_valid_pixel_is_nothing_to_explain(model):
    nothing = explains(model, bands(np.full((6, 5, 4), np.nan, np.float32)))
    assert nothing == Fitness(0.0, 0.0, 1.0, 1.0, "")
    assert adapt(model, bands(np.full((6, 5, 4), np.nan, np.float32))).center.tobytes() == model.center.tobytes()


def test_images_of_other_channels_are_refused(model):
    for call in (explains, adapt):
        with pytest.raises(InputError, match="the model is for 4-channel images with features bands, this image is 3-"):
            call(model, bands(land()[..., :3], name="rgb.tif"))


def test_pictures_and_volumes_are_told_apart():
    model = gmmseg.fit(np.eye(9), 2, features="intensity,xy")
    with pytest.raises(InputError, match="for 1-channel, 2-D images .*, this image is 1-channel, 3-D; fit a model"):
        explains(model, Image.from_array(np.zeros((4, 4, 4)), channel_axis=None))


def test_training_images_that_differ_allow_for_others_that_do(model):
    parts = [land((40, 40), shares, seed) for seed, shares in enumerate(np.eye(3)[:, [2, 0, 1]] * 0.97 + 0.01)]
    fitted = gmmseg.fit([bands(part) for part in parts], 3)
    remembered = remember(fitted, [look(bands(part), fitted.recipe) for part in parts], (30.0, 30.0))
    assert remembered.training.gap > 0
    assert remembered.training.spacing == (30.0, 30.0)
    assert all(explains(remembered, bands(part)).explained for part in parts)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spacing", "words"),
    [((30, 30), ""), ((45, 45), ""), ((90, 90), "3 times coarser"), ((30, 10), "3 times finer"), (None, "")],
)
def test_another_resolution(model, spacing, words):
    known = replace(model, training=Training((30.0, 30.0)))
    image = replace(bands(land()), spacing=spacing)
    assert words in explains(known, image).reason
    assert explains(known, image).explained == (words == "")
    assert explains(replace(model, training=None), image).explained


def test_the_same_seed_gives_the_same(model):
    image = bands(land(seed=8) * 1.1)
    assert explains(model, image) == explains(model, image)
    assert explains(model, image) != explains(model, image, seed=1)
    assert adapt(model, image).scale.tobytes() == adapt(model, image).scale.tobytes()


def test_training_is_saved_and_checked(model, tmp_path):
    known = replace(model, training=Training((30.0, 20.0), 0.25, 0.125))
    known.save(tmp_path / "m.json")
    assert gmmseg.load_model(tmp_path / "m.json").training == known.training
    content = json.loads((tmp_path / "m.json").read_text())
    assert content["version"] == 1
    for damage in ({"gap": -1}, {"gap": "small"}, {"spacing": [0, 1]}, {"unusual": 2}, {"gap": float("nan")}):
        changed = {**content, "training": {**content["training"], **damage}}
        (tmp_path / "d.json").write_text(json.dumps(changed))
        with pytest.raises(InputError, match="d.json: not a usable model"):
            gmmseg.load_model(tmp_path / "d.json")
    del content["training"]
    (tmp_path / "old.json").write_text(json.dumps(content))
    assert gmmseg.load_model(tmp_path / "old.json").training is None


@pytest.mark.slow
@pytest.mark.parametrize(("gain", "offset"), [(1.3, 20), (0.7, 0), (2, -50), (0.5, 60), (257, 0), (1, -25), (0.01, 1)])
@pytest.mark.parametrize("shares", [SHARES, (0.6, 0.3, 0.1), (0.02, 0.08, 0.9)], ids=str)
def test_an_adapted_model_gives_the_labels_of_the_original(model, gain, offset, shares):
    pixels = land(shares=shares, seed=9)
    original, other = bands(pixels), bands(pixels * np.float32(gain) + np.float32(offset))
    adapted = adapt(model, other)
    assert equal_share(gmmseg.apply(model, original), gmmseg.apply(adapted, other)) > 0.99
    assert adapted.class_names == ("water", "grass", "city")
    np.testing.assert_allclose(adapted.means, gain * model.means + offset, atol=1.5 * gain)
    np.testing.assert_array_equal(adapted.mixture.weights, model.mixture.weights)
    assert explains(adapted, other).explained
    assert not explains(model, other).explained


def test_each_band_has_its_own_gain_and_offset(model):
    gains, offsets = np.float32([1.2, 0.8, 1.0, 2.0]), np.float32([5, 10, -10, 30])
    adapted = adapt(model, bands(land(seed=3) * gains + offsets))
    np.testing.assert_allclose(adapted.scale / model.scale, gains, rtol=0.03)
    np.testing.assert_allclose(adapted.center - gains * model.center, offsets, atol=3)


def test_an_unchanged_image_keeps_its_labels(model):
    image = bands(land(seed=1))
    assert equal_share(gmmseg.apply(model, image), gmmseg.apply(adapt(model, image), image)) > 0.99


@pytest.mark.slow
@pytest.mark.parametrize("name", ["coffee.png", "chelsea.png", "camera.png", "L7_ETMs.tif"])
def test_an_unchanged_picture_keeps_its_labels(pictures, name):
    image = open_image(pictures / name)
    model = gmmseg.fit(image, 4)
    assert equal_share(gmmseg.apply(model, image), gmmseg.apply(adapt(model, image), image)) > 0.99


@pytest.mark.slow
@pytest.mark.parametrize("label", [0, 1, 2])
@pytest.mark.parametrize("gain", [1, 1.1])
def test_an_image_of_one_class_is_not_stretched_over_all(model, label, gain):
    only = bands(land(shares=np.eye(3)[label], seed=2) * np.float32(gain))
    labels = gmmseg.apply(adapt(model, only), only).labels
    assert (labels == label + 1).mean() > 0.99


def test_integers_that_clip(model):
    pixels = land(seed=5)
    clipped = np.clip(pixels * 1.3 + 40, 0, 220).astype(np.uint8)
    assert (clipped == 220).mean() > 0.05
    adapted = adapt(model, bands(clipped))
    assert equal_share(gmmseg.apply(model, bands(pixels)), gmmseg.apply(adapted, bands(clipped))) > 0.98


# What is a gain of red, green and blue is not quite one of L*, a* and b*.


@pytest.mark.slow
@pytest.mark.parametrize(("features", "least"), [("rgb", 0.995), ("rgb,xy", 0.995), ("lab", 0.98), ("lab,xy", 0.98)])
def test_colour(pictures, features, least):
    original = open_image(pictures / "coffee.png")
    model = gmmseg.fit(original, 4, features=features)
    darker = Image.from_array((original.array * 0.8).astype(np.uint8))
    adapted = adapt(model, darker)
    before, after = (equal_share(gmmseg.apply(m, darker), gmmseg.apply(model, original)) for m in (model, adapted))
    assert after > least
    assert before < 0.95
    position = np.array(model.groups) < 0
    np.testing.assert_array_equal(adapted.center[position], model.center[position])
    np.testing.assert_array_equal(adapted.scale[position], model.scale[position])


def test_constant_bands_keep_gain_and_offset(model):
    flat = land(seed=2)
    flat[..., 1] = 50
    adapted = adapt(model, bands(flat))
    assert (adapted.scale[1], adapted.center[1]) == (model.scale[1], model.center[1])
    constant = adapt(model, bands(np.full((9, 9, 4), 50.0)))
    np.testing.assert_array_equal(constant.scale, model.scale)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*are NaN")
def test_missing_bands_do_not_hinder(model):
    pixels = land(seed=5) * np.float32(1.5) + 10
    pixels[np.random.default_rng(0).random(pixels.shape) < 0.2] = np.nan
    adapted = adapt(model, bands(pixels))
    np.testing.assert_allclose(adapted.scale / model.scale, 1.5, rtol=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("outliers", ["uniform", "student"])
def test_gross_errors_do_not_hinder(outliers):
    rng = np.random.default_rng(0)

    def with_errors(pixels):
        return np.where(rng.random(pixels.shape[:2])[..., None] < 0.03, np.float32(600), pixels)

    model = gmmseg.fit(with_errors(land()), 3, channel_axis=-1, outliers=outliers)
    adapted = adapt(model, bands(with_errors(land(seed=3)) * np.float32(1.3) + 20))
    np.testing.assert_allclose(adapted.scale / model.scale, 1.3, rtol=0.03)


def test_an_adapted_model_can_be_saved(model, tmp_path):
    image = bands(land(seed=3) * np.float32(1.3) + 20)
    adapted = adapt(model, image)
    adapted.save(tmp_path / "m.json")
    loaded = gmmseg.load_model(tmp_path / "m.json")
    assert gmmseg.apply(loaded, image).labels.tobytes() == gmmseg.apply(adapted, image).labels.tobytes()


def test_several_images_have_one_gain_and_offset(model):
    parts = [bands(land(seed=seed) * np.float32(1.3) + 5) for seed in (5, 6)]
    together, alone = adapt(model, parts), adapt(model, parts[0])
    np.testing.assert_allclose(together.scale, alone.scale, rtol=0.05)
    np.testing.assert_array_equal(adapt(model, parts[:1]).scale, alone.scale)
    with pytest.raises(ParameterError, match="holds no image to adapt the model to"):
        adapt(model, [])


def test_what_is_an_edge_follows_the_gain():
    pixels = np.random.default_rng(0).normal(100, 5, (64, 64))
    pixels[:, 32:] += 60
    model = gmmseg.fit(pixels, 2)
    stretched = gmmseg.fit(pixels * 1.3 + 20, 2)
    adapted = adapt(model, Image.from_array(pixels * 1.3 + 20))
    np.testing.assert_allclose(adapted.contrast, stretched.contrast, rtol=1e-3)
