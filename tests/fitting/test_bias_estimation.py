"""The bias field, estimated together with the classes."""

import warnings

import numpy as np
import pytest
from noisy_images import LEVELS, accuracy, blobs, gains, noisy
from scipy.ndimage import gaussian_filter

import gmmseg
from gmmseg import io


@pytest.mark.slow
@pytest.mark.parametrize(("shape", "scale"), [((300, 300), 8), ((24, 100, 100), 4)])
@pytest.mark.parametrize("smooth", [True, False])
def test_a_bias_field_is_taken_out(shape, scale, smooth):
    truth, gain = blobs(shape, scale), gains(shape)
    image = noisy(truth, 5, gain=gain)
    without = gmmseg.segment(image, 3, channel_axis=None, smooth=smooth)
    found = gmmseg.segment(image, 3, channel_axis=None, smooth=smooth, bias_field=True)
    assert accuracy(without, truth) < 0.9
    assert accuracy(found, truth) > 0.99
    assert np.std(np.log(found.bias_field / gain)) < 0.02
    np.testing.assert_allclose(found.corrected[..., 0] * found.bias_field, image, rtol=1e-5, atol=1e-3)
    np.testing.assert_allclose(found.model.means[:, 0], LEVELS, rtol=0.05)


@pytest.mark.slow
def test_bands_have_a_gain_each():
    truth, gain = blobs((200, 300), 6), gains((200, 300))
    image = np.stack([noisy(truth, 10, 1, gain), noisy(2 - truth, 10, 2, 1 / gain)], -1)
    found = gmmseg.segment(image, 3, channel_axis=-1, bias_field=True)
    assert accuracy(found, truth) > 0.99
    assert found.bias_field.shape == (200, 300, 2)
    logarithm = np.log(found.bias_field)
    assert np.corrcoef(logarithm[..., 0].ravel(), np.log(gain).ravel())[0, 1] > 0.99
    assert np.corrcoef(logarithm[..., 1].ravel(), np.log(gain).ravel())[0, 1] < -0.99


@pytest.mark.slow
def test_uneven_light_on_a_photograph(pictures):
    """Shade from left to right over a picture changes the classes; taken out, it hardly does."""
    picture = io.read(pictures / "coffee.png")
    gain = np.linspace(0.35, 1, picture.shape[1])[:, None]
    shaded = np.rint(picture.array * gain).astype(np.uint8)
    plain = gmmseg.segment(picture, 3, features="lab").labels
    kept = [
        (gmmseg.segment(shaded, 3, features="lab", bias_field=each).labels == plain).mean() for each in (False, True)
    ]
    assert 1 - kept[1] < 0.5 * (1 - kept[0])
    assert gmmseg.segment(shaded, 3, bias_field=True).corrected.dtype == np.uint8


def shaded_colors():
    """Squares of three colours under light that comes from the right, from 0 to 1, and which colour is where."""
    n = 120
    rows, columns = np.indices((n, n))
    truth = (columns // 15 + rows // 15 * 2 + rows * columns // 1700) % 3
    colors = np.array([[0.15, 0.20, 0.45], [0.25, 0.45, 0.20], [0.60, 0.35, 0.30]])
    gain = np.exp(0.8 * (columns / n - 0.5) + 0.4 * (rows / n - 0.5) ** 2)
    noise = np.random.default_rng(0).normal(0, 0.015, (n, n, 3))
    return np.clip(colors[truth] * gain[..., None] + noise, 1 / 255, 1), truth


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("features", ["rgb", "intensity", "bands", "lab", "hed", "rgb,xy:0.1"])
def test_colours_of_integers_have_the_labels_of_those_from_0_to_1(features, dtype, tmp_path):
    colors, truth = shaded_colors()
    white = np.iinfo(dtype).max
    integers = np.rint(colors * white).astype(dtype)
    found = gmmseg.segment(integers, 3, features=features, bias_field=True)
    floats = gmmseg.segment(integers / np.float32(white), 3, features=features, bias_field=True)
    other = gmmseg.segment(colors, 3, features=features, bias_field=True)  # no copy of integers
    for each in (found, floats, other):
        majority = np.array([np.bincount(truth[each.mask(label)]).argmax() for label in (1, 2, 3)])
        assert sorted(majority) == [0, 1, 2]  # in an order that the features decide
        assert (majority[each.labels - 1] == truth).mean() > 0.995
        assert (each.labels != found.labels).mean() < 1e-3
        np.testing.assert_allclose(each.bias_field, found.bias_field, rtol=5e-3)
    middle = np.array([found.corrected[found.mask(label)].mean(axis=0) for label in (1, 2, 3)])
    if features in ("rgb", "bands"):
        np.testing.assert_allclose(found.model.means, middle, rtol=0.03)  # in the file's own units
    assert found.corrected.dtype == dtype
    found.model.save(tmp_path / "model.json")
    again = gmmseg.apply(gmmseg.load_model(tmp_path / "model.json"), found.corrected)
    assert (again.labels != found.labels).mean() < 2e-3


def test_windows_of_shaded_colours_have_the_labels_of_the_whole(monkeypatch):
    colors, _ = shaded_colors()
    integers = np.rint(colors * 255).astype(np.uint8)
    whole = gmmseg.segment(integers, 3, features="rgb", bias_field=True, partial_volume=True)
    labels, shares = whole.labels, whole.probabilities
    monkeypatch.setattr("gmmseg.labelling.tiles.TILE_BYTES", 1 << 16)
    tiled = gmmseg.segment(integers, 3, features="rgb", bias_field=True, partial_volume=True)
    np.testing.assert_array_equal(tiled.labels, labels)
    np.testing.assert_array_equal(tiled.probabilities, shares)


def test_the_field_does_not_hang_on_the_seed(pictures):
    picture = io.read(pictures / "coffee.png")
    gain = np.linspace(0.35, 1, picture.shape[1])[:, None]
    shaded = np.rint(picture.array * gain).astype(np.uint8)
    one, two = (gmmseg.segment(shaded, 3, features="lab", bias_field=True, seed=seed) for seed in (0, 1))
    assert (one.labels == two.labels).mean() > 0.99
    np.testing.assert_allclose(one.bias_field, two.bias_field, rtol=0.02)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (noisy(blobs((200, 200), 4), 10), "no likelier"),
        (noisy(blobs((200, 200), 4), 10) - 120, "above 0"),
        (np.full((40, 50), 7.0), "no likelier"),
    ],
)
def test_a_field_that_explains_nothing_is_refused(image, reason):
    with pytest.warns(gmmseg.errors.DataWarning) as caught:
        found = gmmseg.segment(image, 3, bias_field=True)
    assert any("no bias field was taken out" in str(each.message) and reason in str(each.message) for each in caught)
    assert (found.bias_field == 1).all()
    np.testing.assert_array_equal(found.labels, gmmseg.segment(image, found.model.k).labels)


def nuclei(gain, seed):
    """Discs of unlike brightness and size at random places on a ground of 12 grey levels, and where they are."""
    rng = np.random.default_rng(seed)
    image, inside = np.full(gain.shape, 12.0), np.zeros(gain.shape, bool)
    places = np.indices(gain.shape)
    for _ in range(40):
        center, radius = rng.uniform((0, 0), gain.shape), rng.uniform(8, 18)
        disc = np.hypot(*(places - center[:, None, None])) < radius
        image[disc] = 12 + 40 * np.exp(rng.normal(0, 0.3))
        inside |= disc
    return np.rint((image * gain + rng.normal(0, 2, gain.shape)).clip(0)).astype(np.uint8), inside


@pytest.mark.slow
@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("seed", range(4))
def test_objects_are_no_gain(k, seed):
    """Bright objects lie and shine unevenly by chance; pixels of one object say so only once."""
    image, _ = nuclei(np.ones((300, 400)), seed)
    with pytest.warns(gmmseg.errors.DataWarning, match="no bias field was taken out: parts of the image"):
        found = gmmseg.segment(image, k, bias_field=True)
    assert (found.bias_field == 1).all()
    np.testing.assert_array_equal(found.labels, gmmseg.segment(image, k).labels)


@pytest.mark.slow
@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("seed", range(4))
def test_a_vignette_over_objects_is_found(k, seed):
    y, x = np.meshgrid(np.linspace(-1, 1, 300), np.linspace(-1, 1, 400), indexing="ij")
    gain = 1 - 0.3 * (x**2 + y**2)
    image, inside = nuclei(gain, seed)
    found = gmmseg.segment(image, k, bias_field=True)
    assert np.std(np.log(found.bias_field / gain)) < 0.05  # of 0.17
    assert ((found.labels > 1) == inside).mean() > 0.99


def counted(gain, seed, ground, contrast):
    """Ten discs of photons on a ground of few, rounded before a gain and after it, and where they are."""
    rng = np.random.default_rng(seed)
    light, inside, places = np.zeros(gain.shape), np.zeros(gain.shape, bool), np.indices(gain.shape)
    for _ in range(10):
        center, radius = rng.uniform((0, 0), gain.shape), rng.uniform(10, 20)
        disc = np.hypot(*(places - center[:, None, None])) < radius
        light[disc], inside[disc] = np.exp(rng.normal(0, 0.3)), True
    photons = rng.poisson(ground + contrast * gaussian_filter(light, 1.2)) + rng.normal(0, 1, gain.shape)
    return np.rint(np.rint(photons).clip(0) * gain).astype(np.uint8), inside


@pytest.mark.parametrize(("ground", "contrast"), [(3, 20), (12, 60)])
@pytest.mark.parametrize("seed", [2, 3, 7])
def test_vignettes_of_any_kind_over_few_photons_are_found(ground, contrast, seed):
    """What is 0 on a ground of three photons is as dim as what is 1, and hides no vignette; an even one has none."""
    y, x = np.meshgrid(np.linspace(-1, 1, 240), np.linspace(-1, 1, 320), indexing="ij")
    vignettes = {
        "none": np.ones(x.shape),
        "linear": 0.7 + 0.3 * x,
        "quadratic": 1 - 0.3 * (x**2 + y**2),
        "beside the middle": 1 - 0.14 * ((x - 0.5) ** 2 + (y + 0.4) ** 2),
        "bell": 0.4 + 0.6 * np.exp(-(x**2 + y**2) / 0.9),
    }
    dice = {}
    for name, gain in vignettes.items():
        image, inside = counted(gain, seed, ground, contrast)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", gmmseg.errors.DataWarning)  # of the one that has none
            found = gmmseg.segment(image, 2, bias_field=True)
        dice[name] = gmmseg.evaluate(found.labels, inside + 1).dice[2]
        assert np.std(np.log(found.bias_field / gain)) < (0.06 if name != "none" else 1e-6), name
    assert min(dice.values()) > dice["none"] - 0.01, dice
    assert dice["none"] > 0.94


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("seed", range(3))
def test_a_vignette_over_single_photons_is_found(k, seed):
    """Classes around 0 tell a gain by their spread, and a plane is enough where no more is there."""
    x = np.linspace(-1, 1, 320)
    rng, gain = np.random.default_rng(seed), np.broadcast_to(0.7 + 0.3 * x, (240, 320))
    _, inside = counted(np.ones(gain.shape), seed, 1, 20)
    image = rng.poisson(1 + 20 * gaussian_filter(inside.astype(float), 1.2))
    truth = inside + 1
    even, shaded = (
        gmmseg.segment(np.rint(image * each).astype(np.uint8), k, bias_field=each is gain)
        for each in (np.ones(gain.shape), gain)
    )
    right = [gmmseg.evaluate(np.where(each.labels == k, 2, 1), truth).dice[2] for each in (even, shaded)]
    assert np.std(np.log(shaded.bias_field / gain)) < 0.12  # of 0.26
    assert right[1] > right[0] - 0.02, right


@pytest.mark.parametrize("shape", ["linear", "quadratic"])
def test_objects_much_fainter_than_the_shading_are_found(shape):
    """What the vignette spreads the values over says nothing of how exactly they are known once it is out."""
    truth = blobs((300, 300), 4) > 1
    y, x = np.meshgrid(*[np.linspace(-1, 1, 300)] * 2, indexing="ij")
    gain = 0.75 + 0.25 * x if shape == "linear" else 1 - 0.3 * (x**2 + y**2)
    whole = 33_000 + 60 * truth + np.random.default_rng(0).normal(0, 10, truth.shape)
    found = gmmseg.segment(np.rint(whole * gain).astype(np.uint16), 2, bias_field=True)
    assert gmmseg.evaluate(found.labels, truth + 1).dice[2] > 0.98
    assert np.std(np.log(found.bias_field / gain)) < 3e-4


@pytest.mark.parametrize(("size", "taken"), [(12, False), (60, True)])
def test_a_ground_that_is_slightly_uneven_is_left_as_it_is(size, taken):
    """By less than a hundredth, unless that is more than its noise."""
    truth = blobs((300, 300), 4) > 1
    uneven = size * np.linspace(-1, 1, 300)
    whole = 33_000 + uneven + 60 * truth + np.random.default_rng(0).normal(0, 10, truth.shape)
    image = np.rint(whole).astype(np.uint16)
    if taken:
        found = gmmseg.segment(image, 2, bias_field=True)
        assert np.std(found.bias_field * 33_000 - uneven) < 2
    else:
        with pytest.warns(gmmseg.errors.DataWarning, match="varies by 0.0.*leave it out"):
            found = gmmseg.segment(image, 2, bias_field=True)
        assert (found.bias_field == 1).all()


def test_a_vignette_is_taken_from_a_ground_that_is_slightly_uneven():
    """What is less than a hundredth, and less than noise, is left as it is under a vignette as without one."""
    truth = blobs((300, 300), 4) > 1
    x = np.linspace(-1, 1, 300)
    uneven, gain = 12 * (x**2 - 1 / 3), 0.7 + 0.3 * x
    whole = 33_000 + uneven + 60 * truth + np.random.default_rng(0).normal(0, 10, truth.shape)
    found = gmmseg.segment(np.rint(whole * gain).astype(np.uint16), 2, bias_field=True)
    left = 33_000 * np.log(found.bias_field / gain)
    assert np.std(left) < 0.5 * np.std(uneven)
    assert gmmseg.evaluate(found.labels, truth + 1).dice[2] > 0.98


@pytest.mark.slow
def test_surroundings_of_zeros_do_not_hide_a_field():
    """As of a brain whose skull was stripped: no gain can be seen on what is 0."""
    truth, gain = blobs((160, 200), 6), gains((160, 200))
    image = noisy(truth, 5, gain=gain)
    y, x = np.mgrid[-1:1:160j, -1:1:200j]
    inside = x**2 + y**2 < 0.4
    image[~inside] = 0
    found = gmmseg.segment(image, 4, bias_field=True)
    assert (found.labels[inside] - 2 == truth[inside]).mean() > 0.99
    assert (found.labels[~inside] == 1).mean() > 0.99
    difference = np.log(found.bias_field / gain)[inside]
    assert difference.std() < 0.02
    assert abs(np.log(found.bias_field)[inside].mean()) < 0.02


@pytest.mark.slow
@pytest.mark.parametrize("covariance", ["full", "tied", "diag", "spherical"])
@pytest.mark.parametrize("outliers", [None, "uniform", "student"])
def test_guidance_goes_with_a_bias_field(covariance, outliers):
    truth, gain = blobs((100, 120), 8), gains((100, 120))
    image = noisy(truth, 5, gain=gain)
    strokes = np.zeros(truth.shape, np.uint8)
    for number, level in enumerate((2, 0, 1), 1):
        where = np.argwhere(truth == level)[::50]
        strokes[tuple(where.T)] = number
    numbers, options = np.array([2, 3, 1])[truth], {"covariance": covariance, "outliers": outliers}
    maps = np.stack([np.where(truth == level, 0.5, 0.25) for level in (2, 0, 1)])
    for guide in ({"scribbles": strokes}, {"prior": maps}):
        without, found = (gmmseg.segment(image, 3, **guide, **options, bias_field=each) for each in (False, True))
        right = [(each.labels == numbers).mean() for each in (without, found)]
        assert right[1] > 0.99, right


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::gmmseg.errors.DataWarning")
@pytest.mark.parametrize(
    "image",
    [
        np.uint8([[9]]),
        np.full((7, 1), 3.0),
        np.random.default_rng(0).integers(0, 255, (60, 60, 3)).astype(np.uint8),
        np.float32([[np.nan, 2], [1, np.nan]]),
        np.random.default_rng(0).random((40, 40)) * 1e20,
    ],
    ids=["one pixel", "constant", "noise", "gaps", "large"],
)
@pytest.mark.parametrize("k", [1, 3])
def test_odd_images_have_a_result_and_no_wild_gain(image, k):
    found = gmmseg.segment(image, k, bias_field=True)
    assert found.labels.max() >= 1
    assert 0.05 < found.bias_field.min() <= found.bias_field.max() < 20


def tissues(shape):
    """A ball of three classes, brighter at one end, in zeros; and the classes, from 1."""
    place, rng = np.indices(shape) / np.reshape(shape, (3, 1, 1, 1)), np.random.default_rng(0)
    truth = np.where(np.linalg.norm(place - 0.5, axis=0) > 0.4, 0, 1 + blobs(shape, 2))
    image = np.array([0, 20, 55, 85])[truth] * np.exp(0.4 * (place[0] - 0.5)) + rng.normal(0, 5, shape) * (truth > 0)
    return image.astype(np.float32), truth


@pytest.mark.slow
def test_channels_that_are_the_same_have_their_classes():
    image, truth = tissues((40, 40, 40))
    found = gmmseg.segment(np.stack([image, image], axis=-1), 3, channel_axis=-1, nodata=0, bias_field=True)
    assert (found.labels == truth).mean() > 0.99


@pytest.mark.slow
def test_zeros_around_a_scan_are_no_reason_for_a_warning():
    """Their class has no spread but what is added to it, and that is another one for each of the fits."""
    image, truth = tissues((64, 64, 64))
    found = gmmseg.segment(image, 3, channel_axis=None, bias_field=True)
    assert ((found.labels == 1) == (truth == 0)).mean() > 0.99


def test_a_band_without_data_has_no_gain():
    image = np.random.default_rng(0).random((60, 60, 2), np.float32) + 1
    image[..., 1] = np.nan
    with pytest.warns(gmmseg.errors.DataWarning, match="leave it out"):
        assert (gmmseg.segment(image, 2, bias_field=True, channel_axis=-1).bias_field == 1).all()


@pytest.mark.slow
def test_a_field_ends_where_the_mask_does():
    """Far from valid pixels a polynomial would take any value."""
    truth, gain = blobs((300, 300), 4), gains((300, 300))
    mask = np.zeros(truth.shape, bool)
    mask[20:90, 20:90] = True
    found = gmmseg.segment(noisy(truth, 5, gain=gain), 3, mask=mask, bias_field=True).bias_field
    inside = np.log(found[mask])
    assert inside.min() - 0.2 < np.log(found).min() < np.log(found).max() < inside.max() + 0.2
