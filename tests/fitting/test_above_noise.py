"""Of many channels those components are kept that stand above the noise."""

import json

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture

import gmmseg
from gmmseg import Image, InputError, ParameterError
from gmmseg.features import Recipe
from gmmseg.fitting.above_noise import learned
from tests.shared.counted_sources import CountedSource


def cube(rng, shape=(60, 70), channels=80, noise=0.02):
    """Pixels that mix three spectra, and which of these each has most of."""
    fields = np.stack([gaussian_filter(rng.normal(size=shape), 5) for _ in range(3)])
    shares = np.exp(4 * fields / fields.std())
    shares /= shares.sum(axis=0)
    spectra = 0.3 + 0.2 * np.cumsum(rng.normal(size=(3, channels)), axis=1) / np.sqrt(channels)
    pixels = np.einsum("krc,kb->rcb", shares, spectra) + rng.normal(0, noise, (*shape, channels))
    return pixels.astype(np.float32), shares.argmax(axis=0) + 1


def agreement(labels, truth):
    return gmmseg.evaluate(labels, truth).rand_index


def number(pixels, **options):
    return len(gmmseg.fit(pixels, 3, channel_axis=-1, **options).scale)


def test_two_components_span_the_mixtures_of_three_spectra(rng):
    pixels, truth = cube(rng)
    found = gmmseg.segment(pixels, 3, channel_axis=-1)
    assert str(found.model.recipe) == "pca"
    assert found.model.plane_names == ("component 1", "component 2")
    assert found.model.mixture.covariance == "tied"
    ten = PCA(10, random_state=0).fit_transform(pixels.reshape(-1, 80).astype(float))
    others = GaussianMixture(3, random_state=0).fit_predict(ten).reshape(truth.shape) + 1
    assert agreement(found.labels, truth) > max(0.97, agreement(others, truth))


@pytest.mark.parametrize("kind", ["spikes", "units", "dead", "rounded"])
def test_what_bands_are_like_does_not_matter(rng, kind):
    pixels, truth = cube(rng)
    if kind == "spikes":
        pixels[..., ::9] += 5 * rng.standard_t(2, size=pixels[..., ::9].shape)
    elif kind == "units":
        pixels = pixels * np.float32(10.0) ** rng.integers(-4, 5, 80) + np.float32(3)
    elif kind == "dead":
        pixels[..., 5:20], pixels[..., 30:40] = 7, np.nan
    else:
        pixels = (pixels * 80 + 80).clip(0, 255).astype(np.uint8)
    found = gmmseg.segment(pixels, 3, channel_axis=-1)
    assert len(found.model.scale) == 2
    assert agreement(found.labels, truth) > 0.96


def test_up_to_16_channels_stay_as_they_are(rng):
    pixels, _ = cube(rng, channels=17)
    assert str(gmmseg.fit(pixels[..., :16], 2, channel_axis=-1).recipe) == "bands"
    assert str(gmmseg.fit(pixels, 2, channel_axis=-1).recipe) == "pca"
    assert number(pixels, features="bands") == 17
    assert gmmseg.fit(pixels, 2, channel_axis=-1, features="bands").mixture.covariance == "full"
    assert gmmseg.fit(pixels, 2, channel_axis=-1, covariance="full").mixture.covariance == "full"


def test_no_more_than_16_components(rng):
    scores = gaussian_filter(rng.normal(size=(40, 50, 30)), (3, 3, 0)) * 1000
    assert number((scores @ rng.normal(size=(30, 60)) + rng.normal(size=(40, 50, 60))).astype(np.float32)) == 16


def test_they_go_with_position_and_texture_and_are_asked_for_by_name(rng):
    pixels, _ = cube(rng, channels=8)
    model = gmmseg.fit(pixels, 3, channel_axis=-1, features="pca,texture,xy")
    assert model.plane_names[:3] == ("component 1", "component 2", "local mean")
    assert model.plane_names[-2:] == ("x", "y")
    assert len(gmmseg.fit((pixels[..., :3].clip(0, 1) * 255).astype(np.uint8), 2, features="pca").scale) <= 3


def test_a_model_is_saved_with_them(rng, tmp_path):
    pixels, truth = cube(rng)
    found = gmmseg.segment(pixels, 3, channel_axis=-1)
    found.model.save(tmp_path / "m.json")
    again = gmmseg.apply(gmmseg.load_model(tmp_path / "m.json"), pixels, channel_axis=-1)
    np.testing.assert_array_equal(again.labels, found.labels)
    np.testing.assert_array_equal(again.probabilities, found.probabilities)
    other, truth = cube(np.random.default_rng(0))
    assert agreement(gmmseg.apply(found.model, other, channel_axis=-1).labels, truth) > 0.97
    with pytest.raises(InputError, match="the model is for 80-channel"):
        gmmseg.apply(found.model, pixels[..., 1:], channel_axis=-1)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (None, "'pca' is missing"),
        ({"center": [1.0]}, "pca.scale does not have the shape"),
        ({"axes": [[2.0] * 80] * 2}, "pca.axes holds something else"),
        ({"variance": []}, "pca.axes does not have the shape"),
        ({"scale": [0.0] * 80}, "pca.scale holds something else"),
    ],
)
def test_a_damaged_model_is_refused(rng, tmp_path, change, text):
    gmmseg.fit(cube(rng)[0], 3, channel_axis=-1).save(tmp_path / "m.json")
    content = json.loads((tmp_path / "m.json").read_text())
    assert content["version"] == 3
    if change is None:
        del content["pca"]
    else:
        content["pca"] |= change
    (tmp_path / "m.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=text):
        gmmseg.load_model(tmp_path / "m.json")


@pytest.mark.parametrize("gaps", [False, True])
def test_window_by_window_the_labels_are_those_of_the_whole(rng, gaps):
    pixels, truth = cube(rng)
    if gaps:
        pixels[rng.random(pixels.shape) < 0.02] = np.nan
        pixels[:20, :30] = np.nan
    whole = gmmseg.segment(Image(pixels, valid=np.isfinite(pixels).any(axis=-1)), 3)
    kept = gmmseg.segment(Image(CountedSource(pixels)), 3, memory=1 << 20)
    np.testing.assert_array_equal(kept.labels, whole.labels)
    np.testing.assert_array_equal(whole.labels == 0, np.isnan(pixels).all(axis=-1))
    filled = whole.labels > 0
    assert (whole.labels[filled] > 0).all()
    assert agreement(whole.labels[20:], truth[20:]) > 0.96


def test_images_of_mostly_no_data_are_known_by_the_rest(rng):
    pixels, truth = cube(rng, (150, 160))
    mask = np.zeros(truth.shape, bool)
    mask[40:80, 100:140] = True
    found = gmmseg.segment(pixels, 3, channel_axis=-1, mask=mask)
    assert len(found.model.scale) == 2
    assert agreement(found.labels[mask], truth[mask]) > 0.95


def test_every_image_has_a_say(rng):
    pixels, truth = cube(rng, (60, 60))
    flat = np.broadcast_to(pixels[truth == 1].mean(axis=0), pixels.shape)
    plain = (flat + rng.normal(0, 0.02, pixels.shape)).astype(np.float32)
    for images in ([plain, pixels], [pixels, plain]):
        model = gmmseg.fit(images, 3, channel_axis=-1)
        assert len(model.scale) == 2
    with pytest.raises(ParameterError, match="image and image are of different kinds"):
        gmmseg.fit([pixels, pixels[..., 1:]], 3, channel_axis=-1)


def test_images_that_say_nothing(rng):
    with pytest.warns(gmmseg.errors.DataWarning, match="only 1 distinct colour"):
        assert (gmmseg.segment(np.full((9, 9, 30), 5, np.uint8), 3, channel_axis=-1).labels == 1).all()
    with pytest.warns(gmmseg.errors.DataWarning, match="no pixel is valid"):
        empty = gmmseg.segment(np.ones((9, 9, 30)), 3, channel_axis=-1, mask=np.zeros((9, 9), bool))
    assert not empty.labels.any()
    one = gmmseg.segment(rng.random((1, 2, 30)), 2, channel_axis=-1)
    np.testing.assert_array_equal(np.unique(one.labels), [1, 2])
    assert learned(Recipe.parse("bands"), []) == Recipe.parse("bands")


def test_the_same_bytes_each_time_and_brighter_classes_come_later(rng):
    pixels, _ = cube(rng)
    pixels[:30] += 1
    found = [gmmseg.segment(pixels, 2, channel_axis=-1, threads=threads) for threads in (1, 3)]
    assert found[0].probabilities.tobytes() == found[1].probabilities.tobytes()
    assert pixels[found[0].labels == 2].mean() > pixels[found[0].labels == 1].mean()
