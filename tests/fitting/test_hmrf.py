"""Classes together with their neighbours."""

import itertools

import numpy as np
import pytest
from noisy_images import LEVELS, accuracy, blobs, gains, noisy
from scipy.ndimage import gaussian_filter

import gmmseg
from gmmseg.fitting.hmrf import Tied


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize(("noise", "scale", "right"), [(15, 0.5, 0.9), (15, 1, 0.93), (25, 1.5, 0.81), (25, 2, 0.86)])
def test_neighbours_decide_where_values_leave_it_open_and_not_where_they_blur(noise, scale, right):
    """Blobs of a pixel, clear values: heard, neighbours made .78 and .88 right; of larger ones in noise .78 unheard."""
    truth = blobs((300, 300), scale)
    assert (gmmseg.segment(noisy(truth, noise), 3).labels - 1 == truth).mean() > right


@pytest.mark.slow
def test_the_strength_follows_the_image():
    """The larger the blobs, the stronger neighbours bind, and of the smallest no more than usual; least in noise."""
    found = [gmmseg.fit(noisy(blobs((300, 300), scale), 15), 3).strength for scale in (0.5, 1, 2, 4)]
    assert found[:2] == [0.5, 0.5]
    assert all(a < b for a, b in itertools.pairwise(found[1:])), found
    shuffled = LEVELS[np.random.default_rng(0).integers(0, 3, (200, 200))]
    assert gmmseg.fit(shuffled + np.random.default_rng(1).normal(0, 5, (200, 200)), 3).strength < found[0]


@pytest.mark.slow
@pytest.mark.parametrize("bias_field", [False, True])
def test_a_large_volume_is_settled_on_small_cubes_and_then_on_a_third(monkeypatch, bias_field):
    settle, sizes, followed = Tied.settle, [], []

    def spied(self, scenes, mixture, strength, shading, **options):
        sizes.append(sum(len(scene.patches.flat) for scene in scenes))
        followed.append(0 if shading is None else len(shading.index))
        return settle(self, scenes, mixture, strength, shading, **options)

    monkeypatch.setattr(Tied, "settle", spied)
    truth = blobs((120, 120, 120), 4)
    image = noisy(truth, 12, gain=gains(truth.shape) if bias_field else 1)
    found = gmmseg.segment(image, 3, channel_axis=None, bias_field=bias_field)
    cubes, last = sizes[-2:]
    assert cubes < last / 3
    assert last < truth.size / 3
    assert (max(followed) > 0) == bias_field
    assert max(followed) < 40_000  # all that count are four times as many
    assert accuracy(found, truth) > 0.98


@pytest.mark.slow
def test_thick_slices_bind_less_across():
    """Voxels of 1 x 1 x 5 mm: labels change more between slices than within them."""
    truth = blobs((40, 60, 60), 2.5)[::5]
    image = noisy(truth, 25)
    thick = gmmseg.Image(image[..., None], spacing=(5.0, 1.0, 1.0))
    cubes = gmmseg.Image(image[..., None])
    assert accuracy(gmmseg.segment(thick, 3), truth) > accuracy(gmmseg.segment(cubes, 3), truth)


@pytest.mark.slow
def test_nothing_leaks_through_the_mask():
    truth = blobs((120, 160), 6)
    image, mask = noisy(truth, 20, gain=gains(truth.shape)), np.ones(truth.shape, bool)
    mask[:, 70:90] = False
    other = image.copy()
    other[~mask] = np.random.default_rng(5).uniform(-1e4, 1e4, int((~mask).sum()))
    found = [gmmseg.segment(each, 3, mask=mask, bias_field=True) for each in (image, other)]
    np.testing.assert_array_equal(found[0].probabilities, found[1].probabilities)


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 7])
def test_more_smoothing_never_harms_discs(seed):
    y, x = np.indices((200, 200)) - 100
    radius = np.hypot(y, x)
    truth = (radius < 60).astype(int) + (radius < 25)
    image = truth * 50 + 100 + np.random.default_rng(seed).normal(0, 20, truth.shape)
    knob = 0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5
    found = [accuracy(gmmseg.segment(image, 3, smooth=smooth), truth) for smooth in knob]
    # At next to no strength a few of the 40 000 pixels change sides by where EM has stopped.
    assert all(b > a - 1e-4 for a, b in itertools.pairwise(found)), found
    assert found[-1] - found[0] > 0.15
    assert found[-1] > 0.98


def test_pixels_without_neighbours_are_classified_as_they_are():
    truth = blobs((200, 200), 8)
    mask = np.zeros(truth.shape, bool)
    mask[::2, ::2] = True
    alone, heard = (gmmseg.segment(noisy(truth, 20), 3, mask=mask, smooth=smooth) for smooth in (False, True))
    assert heard.model.strength == 0
    assert (heard.labels == alone.labels).mean() > 0.99


def test_the_border_of_bright_spots_stays_where_it_is(rng):
    rows, columns = np.mgrid[:256, :256]
    spots = (rows % 51 - 25) ** 2 + (columns % 51 - 25) ** 2 < 7**2
    each = rng.uniform(150, 1200, (6, 6))[rows // 51, columns // 51]
    image = gaussian_filter(spots * each, 2) + rng.normal(0, 15, spots.shape)
    smoothed, plain = (gmmseg.segment(image, 2, smooth=smooth).labels == 2 for smooth in (True, False))
    assert spots.sum() < smoothed.sum() < plain.sum()
