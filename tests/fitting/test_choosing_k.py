"""How many classes an image has, and how many independent samples it is worth."""

import numpy as np
import pytest
from regions import scene
from scipy.ndimage import gaussian_filter

import gmmseg
from gmmseg.fitting.counting import LUMA_CHROMA


@pytest.mark.slow
@pytest.mark.parametrize("case", ["picture", "bands", "grey", "volume"])
def test_the_number_of_classes_is_chosen(case):
    options, image = scene(case)
    assert gmmseg.fit(image, k="auto", **options).k == 3


def test_neighbours_that_are_alike_are_fewer_samples(rng):
    from gmmseg.segmentation import choose_k

    noise = rng.normal(size=(120, 120))
    white, smooth = choose_k(noise, max_k=3), choose_k(gaussian_filter(noise, 1.5), max_k=3)
    # The third powers of the correlations of noise smoothed by s pixels add up to 4 pi s^2 / 3.
    assert smooth.effective == pytest.approx(120**2 * 3 / (4 * np.pi * 1.5**2), rel=0.2)
    assert 0.7 * 120**2 < white.effective <= 120**2


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("width", [0.0, 1.0, 3.0])
def test_noise_of_any_width_leaves_the_number_of_classes(rng, width, dtype):
    noise = gaussian_filter(rng.normal(size=(200, 200)), width)
    classes = np.arange(200) // 40 * 25 + 60  # five stripes, 5 standard deviations apart
    image = (classes + 5 * noise / noise.std()).astype(dtype)
    assert gmmseg.fit(image, k="auto").k == 5


@pytest.mark.slow
def test_of_many_bands_the_leading_ones_are_judged(rng):
    from gmmseg.segmentation import choose_k

    spectra = rng.uniform(0, 3, (3, 200))
    image = spectra[np.arange(50) // 17][:, None] + rng.normal(size=(50, 40, 200))
    choice = choose_k(image, max_k=6, channel_axis=-1, features="bands")
    assert (choice.k, choice.mixture.n_features) == (3, 16)
    choice = choose_k(image, max_k=6, channel_axis=-1)
    assert (choice.k, choice.mixture.n_features) == (3, 2)


@pytest.mark.slow
def test_missing_bands_leave_the_number_of_classes(rng):
    from gmmseg.segmentation import choose_k

    image = rng.normal(size=(60, 60, 4)) + (np.arange(60) // 20 * 6)[:, None, None]
    image[rng.random(image.shape) < 0.1] = np.nan
    choice = choose_k(image, max_k=6, channel_axis=-1)
    assert choice.k == 3
    assert choice.effective > 0.5 * 60**2  # the noise is white


@pytest.mark.slow
@pytest.mark.parametrize("name", ["exponential", "lognormal", "standard_t", "poisson"])
@pytest.mark.parametrize("channels", [1, 3])
def test_noise_of_any_kind_is_one_class(rng, name, channels):
    from gmmseg.segmentation import choose_k

    image = getattr(rng, name)(
        size=(128, 128, channels), **{"standard_t": {"df": 3}, "poisson": {"lam": 2}}.get(name, {})
    )
    choice = choose_k(image, channel_axis=-1, max_k=6)
    assert choice.k == 1
    assert choice.reason.startswith("1 class: ICL is lowest")


@pytest.mark.slow
@pytest.mark.parametrize("width", [1, 2])
@pytest.mark.parametrize("kind", [np.square, np.exp])
def test_blurred_noise_of_any_kind_is_one_class(rng, width, kind):
    """Its bumps hold together, but no farther than what they are made of does."""
    smooth = gaussian_filter(rng.normal(size=(200, 240)), width)
    image = kind(smooth / smooth.std())
    assert gmmseg.segment(image, "auto").model.k == 1
    assert gmmseg.segment(np.rint(20 * image).clip(0, 255).astype(np.uint8), "auto").model.k == 1


@pytest.mark.slow
@pytest.mark.parametrize("width", [3, 5])
@pytest.mark.parametrize("channels", [1, 3])
def test_wide_skewed_noise_is_one_class(rng, width, channels):
    """Its bumps hold together as far as objects might, but their borders are no edges."""
    smooth = gaussian_filter(rng.normal(size=(200, 240, channels)), (width, width, 0))
    image = np.exp(smooth / smooth.std())
    assert gmmseg.fit(image, k="auto", channel_axis=-1).k == 1
    assert gmmseg.fit(np.rint(20 * image).clip(0, 255).astype(np.uint8), k="auto", channel_axis=-1).k == 1


@pytest.mark.slow
def test_a_channel_without_values_tells_nothing_of_noise(rng):
    smooth = gaussian_filter(rng.normal(size=(200, 240)), 3)
    image = np.dstack([np.exp(smooth / smooth.std()), np.zeros_like(smooth)])
    assert gmmseg.fit(image, k="auto", channel_axis=-1).k == 1


@pytest.mark.slow
def test_skewed_noise_on_classes_leaves_their_number(rng):
    smooth = gaussian_filter(rng.normal(size=(240, 240)), 3)
    noise = np.exp(0.7 * smooth / smooth.std())
    assert gmmseg.fit(noise + np.arange(240) // 80 * 20, k="auto").k == 3


@pytest.mark.slow
def test_soft_spots_are_a_class_though_there_is_no_gap(rng):
    y, x = np.mgrid[:240, :240]
    spots = np.hypot(y % 40 - 20, x % 40 - 20) < 9
    image = np.where(spots, 30 + rng.exponential(30, spots.shape), rng.exponential(10, spots.shape))
    assert gmmseg.fit(gaussian_filter(image, 2), k="auto").k >= 2


@pytest.mark.slow
@pytest.mark.parametrize("scale", [1, 1 / 255])
def test_rounded_noise_is_one_class_as_floats_too(rng, scale):
    counts = rng.poisson(20, (160, 160))
    assert gmmseg.fit(counts.astype(np.uint8), k="auto").k == 1
    assert gmmseg.fit(counts * scale, k="auto").k == 1
    assert gmmseg.fit((counts * scale).astype(np.float32), k="auto").k == 1


def test_a_few_levels_of_floats_are_a_class_each(rng):
    assert gmmseg.fit(0.5 * rng.integers(0, 4, (60, 60)), k="auto").k == 4


def test_skewed_classes_are_one_each(rng):
    halves = np.where(np.arange(160) < 80, 0, 80)
    image = rng.exponential(10, (160, 160)) + halves
    found = gmmseg.segment(image, "auto", channel_axis=None)
    assert len(found.classes) == 2
    assert ((found.labels == 2) == (halves > 0)).mean() > 0.99


def test_two_bumps_are_two_classes_however_they_are_strewn(rng):
    image = rng.normal(size=(128, 128)) + 6 * (rng.random((128, 128)) < 0.3)
    assert gmmseg.fit(image, k="auto").k == 2


def test_a_tail_that_holds_together_is_a_class(rng):
    """The discs' values fall off as the background's do: there is no second bump."""
    image = rng.exponential(10, (160, 160))
    y, x = np.mgrid[:160, :160]
    discs = np.hypot(y % 40 - 20, x % 40 - 20) < 9
    image[discs] = 30 + rng.exponential(30, discs.sum())
    strewn = rng.permutation(image.ravel()).reshape(image.shape)
    found = gmmseg.segment(image, "auto", channel_axis=None)
    last = found.labels == len(found.classes)
    assert gmmseg.fit(strewn, k="auto", channel_axis=None).k == 1
    assert last[discs].mean() > 0.9
    assert last[~discs].mean() < 0.15


def test_the_few_colours_of_a_jpeg_are_no_classes(rng):
    """Sand of one colour, whose differences of colour are stored as whole numbers, and something on it."""
    lightness = rng.normal(120, 40, (160, 200))
    lightness = sum(np.roll(lightness, (i, j), (0, 1)) for i in range(2) for j in range(2)) / 4
    lightness[40:120, 50:90] += 80
    differences = rng.normal((-12, 6), 0.8, (80, 100, 2)).repeat(2, axis=0).repeat(2, axis=1)
    stored = np.round(np.dstack([lightness, differences]))
    image = np.round(stored @ LUMA_CHROMA.T).clip(0, 255).astype(np.uint8)
    assert gmmseg.segment(image, "auto").model.k == 2


def shaded_and_textured(rng):
    """Snow of three drifts that pass into each other, and on it a black square with white specks."""
    ramp = np.broadcast_to(
        np.interp(np.arange(240), [0, 50, 90, 150, 190, 240], [90, 90, 130, 130, 170, 170]), (240, 240)
    )
    image = ramp + rng.normal(0, 4, (240, 240))
    image[60:140, 60:140] = rng.normal(20, 3, (80, 80))
    return image.clip(0, 255).astype(np.uint8)


def test_the_parts_of_a_shading_are_one_class(rng, tmp_path):
    image = shaded_and_textured(rng)
    found = gmmseg.segment(image, "auto")
    choice = found.course.choice
    assert found.model.k == choice.k == 2 < choice.best.k == found.model.mixture.n_components
    assert choice.reason.startswith(f"2 classes of {choice.best.k} components: ICL is lowest")
    assert choice.reason.endswith("by passing into another without an edge.")
    assert repr(choice).startswith(f"Choice(k=2 of {choice.best.k} components, covariance='full'")
    assert sorted(sum(choice.groups, ())) == list(range(choice.best.k))
    assert " joined another: " in choice.reason
    truth = np.full(image.shape, 2)
    truth[60:140, 60:140] = 1
    assert (found.labels == truth).mean() > 0.995
    found.model.save(tmp_path / "model.json")
    again = gmmseg.apply(gmmseg.load_model(tmp_path / "model.json"), image)
    np.testing.assert_array_equal(again.labels, found.labels)
    np.testing.assert_array_equal(again.probabilities, found.probabilities)


def test_one_gaussian_a_class_is_for_who_asks_for_it(rng):
    model = gmmseg.fit(shaded_and_textured(rng), "auto", components=1)
    assert model.memberships is None
    assert model.k > 2


def test_names_and_order_are_of_classes(rng):
    image = shaded_and_textured(rng)
    model = gmmseg.fit(image, "auto", class_names=["snow", "bear"], order="bright")
    assert model.class_names == ("snow", "bear")
    assert model.means[0, 0] > model.means[1, 0]


def test_shares_are_of_classes_that_were_chosen(rng):
    found = gmmseg.segment(shaded_and_textured(rng), "auto", partial_volume=True)
    assert found.model.k == 2
    shares = found.probabilities
    assert shares.shape == (2, 240, 240)
    np.testing.assert_allclose(shares.sum(axis=0), 1, atol=1e-5)
    assert shares[0, 70:130, 70:130].mean() > 0.98
    assert shares[1, 150:].mean() > 0.98
