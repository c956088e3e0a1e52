"""Classes together with their neighbours and a bias field."""

import itertools

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

import gmmseg
from gmmseg import io
from gmmseg.fitting.patches import Layout

LEVELS = np.array([50.0, 100.0, 150.0])


def blobs(shape, scale, seed=0):
    """A map of three classes of equal shares, of blobs of about this size."""
    field = gaussian_filter(np.random.default_rng(seed).normal(size=shape), scale)
    return np.searchsorted(np.quantile(field, [1 / 3, 2 / 3]), field)


def noisy(labels, noise, seed=1, gain=1.0):
    levels = LEVELS[labels] * gain
    return (levels + np.random.default_rng(seed).normal(0, noise, labels.shape)).astype(np.float32)


def gains(shape):
    y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape[-2:]), indexing="ij")
    logarithm = 0.5 * x + 0.3 * y - 0.3 * x * y
    return np.exp(np.broadcast_to(logarithm - logarithm.mean(), shape))


def accuracy(segmentation, truth):
    return (segmentation.labels - 1 == truth).mean()


@pytest.mark.parametrize(("shape", "scale"), [((300, 300), 6), ((32, 96, 96), 4)])
def test_neighbours_make_up_for_noise(shape, scale):
    truth = blobs(shape, scale)
    image = noisy(truth, 30)
    alone = gmmseg.segment(image, 3, channel_axis=None, smooth=False)
    heard = gmmseg.segment(image, 3, channel_axis=None)
    assert accuracy(alone, truth) < 0.75
    assert accuracy(heard, truth) > 0.95
    np.testing.assert_allclose(heard.model.means[:, 0], LEVELS, atol=3)
    np.testing.assert_allclose(np.sqrt(heard.model.covariances[:, 0, 0]), 30, rtol=0.1)
    np.testing.assert_allclose(heard.model.mixture.weights, 1 / 3, atol=0.05)


def test_the_strength_follows_the_image():
    """The larger the blobs, the stronger neighbours bind; least of all in noise."""
    found = [gmmseg.fit(noisy(blobs((300, 300), scale), 15), 3).strength for scale in (0.5, 1, 2, 4)]
    assert all(a < b for a, b in itertools.pairwise(found)), found
    shuffled = LEVELS[np.random.default_rng(0).integers(0, 3, (200, 200))]
    assert gmmseg.fit(shuffled + np.random.default_rng(1).normal(0, 5, (200, 200)), 3).strength < found[0]


def test_thick_slices_bind_less_across():
    """Voxels of 1 x 1 x 5 mm: labels change more between slices than within them."""
    truth = blobs((40, 60, 60), 2.5)[::5]
    image = noisy(truth, 25)
    thick = gmmseg.Image(image[..., None], spacing=(5.0, 1.0, 1.0))
    cubes = gmmseg.Image(image[..., None])
    assert accuracy(gmmseg.segment(thick, 3), truth) > accuracy(gmmseg.segment(cubes, 3), truth)


def test_nothing_leaks_through_the_mask():
    truth = blobs((120, 160), 6)
    image, mask = noisy(truth, 20), np.ones(truth.shape, bool)
    mask[:, 70:90] = False
    other = image.copy()
    other[~mask] = np.random.default_rng(5).uniform(-1e4, 1e4, int((~mask).sum()))
    found = [gmmseg.segment(each, 3, mask=mask, bias_field=True) for each in (image, other)]
    np.testing.assert_array_equal(found[0].probabilities, found[1].probabilities)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("threads", [2, 7])
def test_the_same_bytes(tmp_path, channels, threads):
    truth, gain = blobs((200, 300), 6), gains((200, 300))
    image = np.stack([noisy(truth, 10, seed, gain) for seed in range(channels)], -1)
    first = gmmseg.segment(image, 3, channel_axis=-1, bias_field=True, threads=1)
    again = gmmseg.segment(image, 3, channel_axis=-1, bias_field=True, threads=threads)
    np.testing.assert_array_equal(first.probabilities, again.probabilities)
    np.save(tmp_path / "image.npy", image)
    in_file = gmmseg.segment(tmp_path / "image.npy", 3, channel_axis=-1, bias_field=True, memory=1 << 18)
    assert not in_file.image.in_memory
    np.testing.assert_array_equal(first.labels, in_file.labels)
    np.testing.assert_array_equal(first.bias_field, in_file.bias_field)


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


def test_bands_have_a_gain_each():
    truth, gain = blobs((200, 300), 6), gains((200, 300))
    image = np.stack([noisy(truth, 10, 1, gain), noisy(2 - truth, 10, 2, 1 / gain)], -1)
    found = gmmseg.segment(image, 3, channel_axis=-1, bias_field=True)
    assert accuracy(found, truth) > 0.99
    assert found.bias_field.shape == (200, 300, 2)
    logarithm = np.log(found.bias_field)
    assert np.corrcoef(logarithm[..., 0].ravel(), np.log(gain).ravel())[0, 1] > 0.99
    assert np.corrcoef(logarithm[..., 1].ravel(), np.log(gain).ravel())[0, 1] < -0.99


def test_uneven_light_on_a_photograph(pictures):
    """Shade from left to right over a picture changes the classes; taken out, it hardly does."""
    picture = io.read(pictures / "coffee.png")
    gain = np.linspace(0.35, 1, picture.shape[1])[:, None]
    shaded = np.rint(picture.array * gain).astype(np.uint8)
    plain = gmmseg.segment(picture, 3, features="lab").labels
    kept = [
        (gmmseg.segment(shaded, 3, features="lab", bias_field=each).labels == plain).mean() for each in (False, True)
    ]
    assert kept[1] > kept[0] + 0.1
    assert gmmseg.segment(shaded, 3, bias_field=True).corrected.dtype == np.uint8


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


def test_shares_of_a_masked_volume():
    """Patches of volumes: shares are those of the volume, though patches lie on valid voxels alone."""
    truth = blobs((48, 80, 80), 5)
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in truth.shape), indexing="ij")
    mask = z**2 + y**2 + x**2 < 0.8
    found = gmmseg.segment(noisy(truth, 25), 3, channel_axis=None, mask=mask)
    assert (found.labels[mask] - 1 == truth[mask]).mean() > 0.95
    np.testing.assert_allclose(found.model.mixture.weights, np.bincount(truth[mask]) / mask.sum(), atol=0.04)


@pytest.mark.parametrize("shape", [(5,), (3, 4), (2000,), (500, 500), (3, 300, 300), (80, 90, 100), (1, 1, 5)])
def test_patches_lie_within_the_image(shape):
    n = int(np.prod(shape))
    layout = Layout.around(shape, np.arange(0, n, max(1, n // 500)), 1)
    assert layout.flat.min() >= 0
    assert layout.flat.max() < n
    assert len(layout.flat) == len(layout.usable) == len(layout.inner)
    assert (layout.inner <= layout.usable).all()
    filled = layout.filled(np.zeros((len(layout.flat), 1)), None)
    assert int(np.prod(filled.shape)) == len(layout.flat)
    parts = filled.parts(8)
    assert parts[0].start == 0
    assert parts[-1].stop == filled.shape[0]
    assert all(a.stop == b.start for a, b in itertools.pairwise(parts))


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


@pytest.mark.parametrize("seed", [1, 7])
def test_more_smoothing_never_harms_discs(seed):
    y, x = np.indices((200, 200)) - 100
    radius = np.hypot(y, x)
    truth = (radius < 60).astype(int) + (radius < 25)
    image = truth * 50 + 100 + np.random.default_rng(seed).normal(0, 20, truth.shape)
    knob = 0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5
    found = [accuracy(gmmseg.segment(image, 3, smooth=smooth), truth) for smooth in knob]
    assert all(b > a for a, b in itertools.pairwise(found)), found
    assert found[-1] > 0.98


def test_pixels_without_neighbours_are_classified_as_they_are():
    truth = blobs((200, 200), 8)
    mask = np.zeros(truth.shape, bool)
    mask[::2, ::2] = True
    alone, heard = (gmmseg.segment(noisy(truth, 20), 3, mask=mask, smooth=smooth) for smooth in (False, True))
    assert heard.model.strength == 0
    assert (heard.labels == alone.labels).mean() > 0.99


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
        # A uniform component takes what a gain has moved for errors, and lets the field see less of it.
        assert right[1] > (right[0] if outliers == "uniform" else 0.97), right


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


def test_a_band_without_data_has_no_gain():
    image = np.random.default_rng(0).random((60, 60, 2), np.float32) + 1
    image[..., 1] = np.nan
    with pytest.warns(gmmseg.errors.DataWarning, match="leave it out"):
        assert (gmmseg.segment(image, 2, bias_field=True, channel_axis=-1).bias_field == 1).all()


def test_a_field_ends_where_the_mask_does():
    """Far from valid pixels a polynomial would take any value."""
    truth, gain = blobs((300, 300), 4), gains((300, 300))
    mask = np.zeros(truth.shape, bool)
    mask[20:90, 20:90] = True
    found = gmmseg.segment(noisy(truth, 5, gain=gain), 3, mask=mask, bias_field=True).bias_field
    inside = np.log(found[mask])
    assert inside.min() - 0.2 < np.log(found).min() < np.log(found).max() < inside.max() + 0.2
