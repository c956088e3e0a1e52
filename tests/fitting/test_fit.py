"""Fitting a model: the order of the classes, their number and names, and what is asked for beside them."""

import numpy as np
import pytest
from counted_sources import CountedSource
from detailed_pictures import enlarged, made
from noisy_images import LEVELS as BLOB_LEVELS
from noisy_images import blobs, few_photons, gains, noisy

import gmmseg
from gmmseg import Image, ParameterError
from gmmseg.errors import DataWarning
from gmmseg.evaluation import evaluate
from gmmseg.fitting.fit import Fitted, fit_images
from gmmseg.fitting.options import FitOptions, Hints
from gmmseg.image.sources import Completed
from gmmseg.spatial.grain import Grain

LEVELS = np.array([180.0, 20.0, 100.0])


@pytest.fixture
def scene(rng):
    """Three stripes, the brightest first: an image of floats, and the stripe of each pixel."""
    stripe = np.repeat([0, 1, 2], 30)[None].repeat(60, axis=0)
    values = LEVELS[stripe] + rng.normal(0, 4, stripe.shape)
    return Image(values[..., None].astype(np.float32), name="stripes"), stripe


def fitted(*images, **options):
    return fit_images(iter(images), len(images), FitOptions.of({"sample": 4000, **options}))


def test_classes_go_up_in_the_first_feature(scene):
    found = fitted(scene[0], k=3)
    assert isinstance(found, Fitted)
    np.testing.assert_allclose(found.model.means[:, 0], np.sort(LEVELS), atol=1)
    np.testing.assert_allclose(found.model.mixture.weights, 1 / 3, atol=0.03)
    assert found.model.class_names == ("class 1", "class 2", "class 3")
    assert found.bias is None
    assert found.found.image is scene[0]


def test_classes_go_down_in_the_first_feature_on_request(scene):
    image, stripe = scene
    assert fitted(image, k=3, order="dark").model.means[0, 0] < 30
    found = fitted(image, k=3, order="bright", class_names=("a", "b", "c"))
    np.testing.assert_allclose(found.model.means[:, 0], np.sort(LEVELS)[::-1], atol=1)
    assert found.model.class_names == ("a", "b", "c")  # names are in the order of the labels
    marks = np.zeros(stripe.shape, np.uint8)
    marks[::9, 5:25] = 2  # what strokes number stays
    means = fitted(image, k=3, order="bright", scribbles=marks).model.means[:, 0]
    np.testing.assert_allclose(means, [100, 180, 20], atol=2)


@pytest.mark.parametrize(("number", "row", "column"), [(1, 5, 10), (2, 20, 90), (3, 60, 90)])
def test_a_stroke_that_says_what_was_found_changes_nothing(number, row, column):
    """Of a class from dark to bright a stroke shows one end; as of another number, the numbers alone change."""
    y, x = np.mgrid[:80, :120]
    levels = np.where(x < 60, 60 + 0.5 * y, np.where(y < 40, 170, 215))[..., None] * (1, 0.9, 0.8)
    image = np.uint8(levels + np.random.default_rng(0).normal(0, 5, levels.shape))
    found = gmmseg.segment(image, 3).labels
    strokes = np.zeros(found.shape, np.uint8)
    strokes[row : row + 8, column : column + 8] = number
    assert (gmmseg.segment(image, 3, scribbles=strokes).labels == found).mean() > 0.99
    other = gmmseg.segment(image, 3, scribbles=3 * (strokes > 0)).labels
    assert (other[found == number] == 3).mean() > 0.99


def test_names_and_scribbles_go_to_the_classes_that_they_are_given(scene):
    image, stripe = scene
    marks = np.zeros(stripe.shape, np.uint8)
    marks[::9, 5:25] = 2  # the brightest shall be class 2
    found = fitted(image, k=3, scribbles=marks, class_names=("a", "bright", "c"))
    np.testing.assert_allclose(found.model.means[:, 0], [20, 180, 100], atol=2)
    assert found.model.class_names == ("a", "bright", "c")


def test_strokes_only_where_there_is_no_data_are_said(rng, recwarn):
    levels = np.repeat([40, 120, 200], 20) + rng.normal(0, 4, (30, 60))
    valid = np.ones(levels.shape, bool)
    valid[:10, :20] = valid[:10, 40:] = False
    image = Image(levels[..., None].astype(np.float32), valid=valid, name="scan")
    marks = np.zeros(levels.shape, np.uint8)
    marks[20:25, 5:15], marks[5:15, 45:55] = 1, 3
    gmmseg.segment(image, 3, scribbles=marks)
    assert not recwarn  # a part of the third class's is seen
    marks[2:5, 5:15], marks[10:15] = 2, 0
    with pytest.warns(DataWarning, match="scan: all strokes of classes 2, 3 are where there is no data, so nothing"):
        gmmseg.segment(image, 3, scribbles=marks)


def test_maps_number_the_classes(scene):
    image, stripe = scene
    maps = np.stack([np.where(stripe == each, 0.8, 0.1) for each in (0, 1, 2)])
    np.testing.assert_allclose(fitted(image, k=3, prior=maps).model.means[:, 0], LEVELS, atol=2)


def test_the_number_is_chosen_or_lowered_to_what_there_is(scene):
    assert fitted(scene[0], k="auto").model.k == 3
    steps = Image(np.repeat(np.array([3.0, 9.0], np.float32), 50).reshape(10, 10, 1), name="steps")
    with pytest.warns(DataWarning, match="steps: k=4 classes were asked for"):
        found = fitted(steps, k=4, class_names=("a", "b", "c", "d"))
    assert (found.model.k, found.model.class_names) == (2, ("a", "b"))


def test_the_strength_is_the_one_asked_for_or_estimated():
    truth = blobs((120, 120), 3)
    image = Image(noisy(truth, 20)[..., None].astype(np.float32))
    given = [fitted(image, k=3, smooth=smooth).model.strength for smooth in (False, 0.4, True)]
    assert given[:2] == [0, 0.4]
    assert 0.2 < given[2] < 1
    larger = Image(noisy(blobs((120, 120), 8), 20)[..., None].astype(np.float32))
    assert fitted(larger, k=3).model.strength > given[2]


def test_a_bias_field_is_found_with_the_classes(scene):
    gain = gains((120, 140))
    shaded = noisy(blobs((120, 140), 6), 5, gain=gain)
    found = fitted(Image(shaded[..., None].astype(np.float32)), k=3, bias_field=True)
    assert np.log(found.bias.gain() / gain).std() < 0.02
    np.testing.assert_allclose(found.model.means[:, 0], BLOB_LEVELS, rtol=0.05)
    with pytest.warns(DataWarning, match="stripes: no bias field was taken out: "):
        assert fitted(scene[0], k=3, bias_field=True).bias is None


def test_hints_are_of_one_image(scene):
    options = FitOptions(3, hints=Hints(scribbles=np.zeros((60, 90), np.uint8)))
    with pytest.raises(ParameterError, match="scribbles and prior are of one image, but there are 2"):
        fit_images(iter([scene[0]] * 2), 2, options)


@pytest.mark.parametrize("covariance", ["full", "tied", "diag", "spherical"])
def test_an_image_without_data_has_a_model_all_the_same(covariance):
    empty = Image(np.zeros((5, 6, 2), np.float32), valid=np.zeros((5, 6), bool), name="empty")
    with pytest.warns(DataWarning, match="empty: no pixel is valid; every label is 0"):
        model = fitted(empty, k=1, covariance=covariance).model
    assert model.mixture.covariance == covariance
    assert np.isfinite(model.mixture.log_density(np.zeros((2, 3)))).all()


@pytest.mark.slow
def test_threads_do_not_change_a_bit(scene):
    options = FitOptions(3, bias_field=True)
    for threads in (2, 5):
        with pytest.warns(DataWarning, match="no bias field"):
            one, many = (fit_images([scene[0]], 1, options, each).model for each in (1, threads))
        assert one.mixture.covariances.tobytes() == many.mixture.covariances.tobytes()
        assert one.strength == many.strength


def test_each_image_is_seen_once_with_the_recipe(scene):
    seen = []
    found = fit_images([scene[0]], 1, FitOptions(2), seen=lambda image, recipe: seen.append((image, recipe)))
    assert seen == [(scene[0], found.model.recipe)]


def nuclei(rng, levels):
    """Dim blobs on a background of three or four grey levels, and where they are."""
    rows, columns = np.mgrid[:160, :200]
    truth = np.zeros((160, 200), bool)
    for row in range(20, 160, 40):
        for column in range(20, 200, 40):
            truth |= (rows - row) ** 2 + (columns - column) ** 2 < 100
    values = np.where(truth, rng.normal(9, 3, truth.shape), rng.normal(1.2, 0.7, truth.shape))
    return (np.clip(np.round(values), 0, 255).astype(np.uint8) * levels).astype(np.uint8), truth


@pytest.mark.parametrize("levels", [1, 3])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_no_class_shrinks_onto_a_grey_level(rng, levels, seed):
    """A density has no upper bound where values repeat: without intervals a class of one level has the best of all."""
    image, truth = nuclei(rng, levels)
    labels = gmmseg.segment(image, 2, seed=seed, smooth=False).labels
    found = labels == 2
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.97


@pytest.mark.parametrize(("kind", "most"), [(bool, 1), (np.uint8, 1), (np.uint8, 2), (np.int32, 2)])
def test_each_value_of_a_mask_or_a_map_is_a_class(kind, most):
    rows, columns = np.indices((60, 90))
    values = (columns // 30 + (rows < 20)).clip(0, most).astype(kind)
    labels = gmmseg.segment(values, k=most + 1, smooth=False).labels
    np.testing.assert_array_equal(labels, values.astype(np.uint8) + 1)
    frames = np.stack([values, values[::-1]])
    np.testing.assert_array_equal(gmmseg.segment(frames, k=most + 1, smooth=False, axes="TYX").labels[0], labels)


def test_contrast_that_was_stretched_changes_no_label(rng):
    image, _ = nuclei(rng, 1)
    stretched = np.round(image * 2.55).astype(np.uint8)  # gaps of two and three levels
    plain, wide = (gmmseg.segment(each, 2, smooth=False).labels for each in (image, stretched))
    assert (plain != wide).mean() < 0.01


@pytest.mark.parametrize("kind", ["poisson", "rounded", "stretched", "colour"])
def test_noise_of_integers_is_one_class(rng, kind):
    image = {
        "poisson": lambda: rng.poisson(20, (120, 120)).astype(np.uint8),
        "rounded": lambda: rng.normal(100, 0.8, (120, 120)).round().astype(np.uint8),
        "stretched": lambda: (rng.normal(60, 8, (120, 120)).round() * 2.55).round().astype(np.uint8),
        "colour": lambda: rng.normal(100, 2, (120, 120, 3)).round().astype(np.uint8),
    }[kind]()
    assert gmmseg.choose_k(image).k == 1


@pytest.mark.parametrize("with_maps", [False, True], ids=["alone", "maps"])
@pytest.mark.parametrize("gain", [0.0, 0.4], ids=["even", "gain"])
def test_a_few_bright_voxels_change_no_mask_where_outliers_are_expected(gain, with_maps):
    """0.07 % of a volume, four times as bright as anything else; and no bias field."""
    truth = blobs((40, 44, 48), 3)
    slope = np.exp(gain * np.linspace(-1, 1, 48, dtype=np.float32))
    clean = (noisy(truth, 12.0) * slope).astype(np.float32)
    dirty, bright = clean.copy(), np.random.default_rng(1).choice(clean.size, clean.size * 7 // 10_000, replace=False)
    dirty.reshape(-1)[bright] = 4 * clean.max()
    options = {"channel_axis": None, "bias_field": gain > 0}
    if with_maps:
        options["prior"] = np.stack([np.where(truth == label, 0.6, 0.2) for label in (0, 1, 2)])
    expected = gmmseg.segment(clean, 3, **options).labels
    seg = gmmseg.segment(dirty, 3, outliers="uniform", **options)
    found = seg.labels
    if gain:  # as steep from end to end as the one that there is: bright voxels do not bend it
        field = np.log(seg.bias_field).mean(axis=(0, 1))
        assert np.ptp(field - gain * np.linspace(-1, 1, 48)) < 0.05
    if not with_maps:
        assert (gmmseg.segment(dirty, 3, **options).labels == expected).mean() < 0.9
    for label in (1, 2, 3):
        both = ((found == label) & (expected == label)).sum()
        assert 2 * both / ((found == label).sum() + (expected == label).sum()) > 0.99


@pytest.mark.parametrize(
    ("k", "passes"),
    [(2, 1), pytest.param("auto", 2, marks=pytest.mark.slow)],  # one more tells how alike neighbours are
)
def test_a_file_is_read_once(monkeypatch, k, passes):
    monkeypatch.setattr("gmmseg.image.sources._READ_AT_ONCE", 1 << 30)
    bands = np.repeat(np.float32([0, 30]), 75)[:, None] + np.random.default_rng(0).normal(0, 3, (100, 150, 2))
    read = []
    model = gmmseg.fit(Image(Completed(CountedSource(bands.astype(np.float32), log=read))), k)
    assert len(read) == passes
    assert model.content == gmmseg.fit(Image(bands.astype(np.float32)), k).content


@pytest.mark.parametrize(("dtype", "n_channels"), [("uint8", 1), ("uint8", 2), ("uint16", 1)])
@pytest.mark.parametrize("masked", [False, True])
def test_values_are_counted_in_the_one_pass(monkeypatch, dtype, n_channels, masked):
    monkeypatch.setattr("gmmseg.image.sources._READ_AT_ONCE", 1500)
    rng = np.random.default_rng(0)
    values = np.repeat([60, 130], 75)[:, None] + rng.normal(0, 9, (100, 150, n_channels))
    valid = rng.random((100, 150)) < 0.95 if masked else None
    source = CountedSource(values.astype(dtype))
    n_windows = len(Image(Completed(source)).windows())
    model = gmmseg.fit(Image(Completed(source), valid=valid), 2)
    assert len(source.log) == n_windows >= 10
    assert model.content == gmmseg.fit(Image(values.astype(dtype), valid=valid), 2).content
    source.log.clear()
    gmmseg.segment(Image(Completed(source), valid=valid), 2)
    assert len(source.log) == n_windows


@pytest.mark.parametrize(("how", "kind"), [(0, "nearest"), (1, "linear"), (2, "cubic -0.75"), (4, "lanczos 4")])
def test_an_enlarged_picture_has_the_classes_of_the_picture(how, kind):
    pixels = made(np.random.default_rng(3), (130, 170))
    own, other = gmmseg.segment(pixels, 2), gmmseg.segment(enlarged(pixels, how), 2)
    assert (own.model.grain, other.model.grain) == (None, Grain((0, 0), kind))
    assert evaluate(other.labels, own.labels.repeat(2, axis=0).repeat(2, axis=1)).adjusted_rand_index > 0.97
    assert fit_images([Image(enlarged(pixels), color=True)], 1, FitOptions(k=2)).found.image.shape == (260, 340)


@pytest.mark.filterwarnings("ignore:.*draw a stroke there")  # strokes on two places that are alike
def test_what_is_said_of_single_pixels_is_not_put_together():
    pixels = enlarged(made(np.random.default_rng(3)))
    strokes = np.zeros(pixels.shape[:2], np.uint8)
    strokes[40, 30:90], strokes[120, 30:90] = 1, 2
    for options in ({"scribbles": strokes}, {"partial_volume": True}):
        assert gmmseg.segment(pixels, 2, **options).model.grain is None
    with pytest.warns(DataWarning, match="no bias field was taken out"):
        assert gmmseg.segment(pixels, 2, bias_field=True).model.grain is None
    assert gmmseg.fit([pixels, pixels], 2).grain is None  # several have but one model, and each its own grain
    assert gmmseg.fit(pixels, 2).grain == Grain((0, 0), "cubic -0.75")


@pytest.mark.parametrize("options", [{"k": 3}, {"k": 2, "components": 4}, {"k": 2, "bias_field": True}])
@pytest.mark.parametrize(("dtype", "least"), [(np.int16, 0), (np.int32, 0), (np.int64, -300), (">i2", -300)])
def test_the_same_integers_have_the_same_labels_in_any_type(options, dtype, least):
    image, _ = few_photons(20, 1)
    if "bias_field" in options and least:
        least = 0  # a gain is of what begins at 0
    found = gmmseg.segment(image.astype(dtype) + np.dtype(dtype).type(least), **options)
    np.testing.assert_array_equal(found.labels, gmmseg.segment(image, **options).labels)


def test_a_ground_that_was_clipped_at_0_is_no_class_of_its_own_in_floats_either(rng):
    """Of a copy of integers, more than half of them 0, a class of zeros would gain without end."""
    rows, columns = np.mgrid[:120, :120]
    truth = (rows - 60) ** 2 + (columns - 60) ** 2 < 24**2
    levels = np.where(truth, rng.normal(12, 2, truth.shape), rng.normal(0.3, 1, truth.shape)).round().clip(0)
    for image in (levels.astype(np.int16), levels, np.float32(levels / 255)):
        found = gmmseg.segment(image, 2, smooth=False)
        assert (found.mask(2) == truth).mean() > 0.99
