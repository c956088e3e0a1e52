"""segment(), fit() and apply(): from an image to labels."""

import itertools
import warnings
import weakref
from functools import partial

import numpy as np
import pytest
from detailed_pictures import enlarged, made
from regions import CASES, holes, outputs, scene, spatial

import gmmseg
from gmmseg import GmmsegError, Image, ParameterError, segmentation
from gmmseg.errors import DataWarning
from gmmseg.spatial.grain import Grain, put_together


def assert_consistent(seg):
    """What holds of every segmentation."""
    labels, soft, k = seg.labels, seg.probabilities, seg.model.k
    here = labels > 0
    assert labels.dtype == np.uint8
    assert labels.shape == seg.image.shape
    assert soft.shape == (k, *labels.shape)
    assert soft.dtype == np.float32
    np.testing.assert_array_equal(here, True if seg.image.valid is None else seg.image.valid)
    np.testing.assert_array_equal(labels[here], soft.argmax(axis=0)[here] + 1)
    np.testing.assert_allclose(soft.sum(axis=0)[here], 1, atol=1e-5)
    assert (soft[:, ~here] == 0).all()
    assert np.isfinite(seg.log_density[here]).all()
    assert np.isnan(seg.log_density[~here]).all()
    np.testing.assert_allclose(seg.uncertainty[here], 1 - soft.max(axis=0)[here], atol=1e-6)
    assert (seg.uncertainty[~here] == 0).all()
    assert sum(c.share for c in seg.classes) == pytest.approx(1 if here.any() else 0)
    assert [c.label for c in seg.classes] == list(range(1, k + 1))
    for c in seg.classes:
        assert c.share == pytest.approx((labels == c.label).sum() / max(1, here.sum()))
        np.testing.assert_array_equal(seg.mask(c.label), labels == c.label)
        assert tuple(c.means) == seg.model.plane_names


@pytest.mark.slow
def test_the_seed_decides_the_start_of_many_classes_and_nothing_else():
    _, image = scene("picture")
    models = [gmmseg.fit(image, 9, sample=500, seed=seed).mixture.means for seed in (0, 0, 1)]
    np.testing.assert_array_equal(models[0], models[1])
    assert not np.array_equal(models[0], models[2])
    few = [gmmseg.fit(image, 3, sample=500, seed=seed).mixture.means for seed in (0, 1)]
    np.testing.assert_array_equal(*few)


@pytest.mark.slow
def test_the_whole_image_may_be_the_sample():
    _, image = scene("grey")
    sizes = [gmmseg.fit(image, 3, sample=sample).means for sample in (None, 90 * 110, 10**9)]
    np.testing.assert_array_equal(sizes[0], sizes[1])
    np.testing.assert_array_equal(sizes[0], sizes[2])


# ---------------------------------------------------------------------------------------------------------------------
# What comes out
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize("masked", [False, True], ids=["all", "masked"])
@pytest.mark.parametrize("case", CASES)
def test_a_segmentation_is_consistent(case, masked, smooth):
    options, image = scene(case)
    mask = holes(spatial(case, image)) if masked else None
    seg = gmmseg.segment(image, 3, mask=mask, smooth=smooth, **options)
    assert_consistent(seg)
    np.testing.assert_array_equal(seg.labels > 0, True if mask is None else mask)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_classes_are_in_ascending_order_and_find_the_regions(case):
    options, image = scene(case)
    seg = gmmseg.segment(image, 3, **options)
    assert (np.diff(seg.model.means[:, 0]) > 0).all()
    region = (np.indices(seg.labels.shape).sum(axis=0) * 3 // (sum(seg.labels.shape) - 1)).clip(0, 2)
    assert (seg.labels == region + 1).mean() > 0.97


@pytest.mark.slow
@pytest.mark.parametrize("covariance", ["full", "tied", "diag", "spherical"])
def test_every_covariance(covariance):
    seg = gmmseg.segment(scene("picture")[1], 3, covariance=covariance)
    assert_consistent(seg)
    assert seg.model.mixture.covariance == covariance


def test_the_log_density_is_that_of_the_features_in_their_own_units():
    from scipy.special import logsumexp
    from scipy.stats import multivariate_normal

    _, image = scene("picture")
    seg = gmmseg.segment(image, 3, features="rgb")
    pixels = image.reshape(-1, 3).astype(float)
    weights, means, covariances = seg.model.mixture.weights, seg.model.means, seg.model.covariances
    parts = [
        np.log(w) + multivariate_normal(m, c).logpdf(pixels)
        for w, m, c in zip(weights, means, covariances, strict=True)
    ]
    np.testing.assert_allclose(seg.log_density.ravel(), logsumexp(parts, axis=0), rtol=1e-4, atol=1e-3)


def test_mean_colours_are_those_of_the_classes():
    image = np.zeros((30, 30, 3), np.uint8)
    image[:, 10:] = [200, 40, 20]
    image[:, 20:] = [250, 240, 230]
    seg = gmmseg.segment(image, 3, features="rgb", smooth=False)
    assert {c.color for c in seg.classes} == {(0, 0, 0), (200, 40, 20), (250, 240, 230)}
    assert [c.share for c in seg.classes] == pytest.approx([1 / 3] * 3)
    assert gmmseg.segment(image[..., 0], 2).classes[0].color is None


def test_what_the_fit_saw_is_gone_when_labels_are_made(monkeypatch):
    samples, left, fit = [], [], segmentation.fit_images

    def watched(*arguments):
        fitted = fit(*arguments)
        samples.append(weakref.ref(fitted.found.sample.planes))
        return fitted

    monkeypatch.setattr(segmentation, "fit_images", watched)
    options, image = scene("grey")
    gmmseg.segment(image, 3, progress=lambda done, of: left.append(samples[0]() is not None), **options)
    assert left
    assert not any(left)


@pytest.mark.slow
def test_the_image_is_not_changed():
    for case in CASES:
        options, image = scene(case, np.float64 if case != "picture" else np.uint8)
        before = image.copy()
        image.flags.writeable = False
        gmmseg.segment(image, 3, **options)
        np.testing.assert_array_equal(image, before)


def test_a_mask_of_a_class_needs_a_class():
    seg = gmmseg.segment(scene("grey")[1], 3)
    for label in (4, -1, 1.5, "1"):
        with pytest.raises(ParameterError, match=f"label={label!r}.*to 3"):
            seg.mask(label)
    assert not seg.mask(0).any()


# ---------------------------------------------------------------------------------------------------------------------
# Smoothing and position
# ---------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def two_classes():
    """A noisy disc and the truth."""
    rows, columns = np.mgrid[0:120, 0:120]
    truth = (rows - 60) ** 2 + (columns - 60) ** 2 < 40**2
    return (100 + 40 * truth + np.random.default_rng(0).normal(0, 20, truth.shape)).astype(np.float32), truth


def test_smoothing_lowers_the_error(two_classes):
    image, truth = two_classes
    errors = [((gmmseg.segment(image, 2, smooth=s).labels == 2) != truth).mean() for s in (0, 0.25, 0.5)]
    assert errors[0] > 0.1
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.02


def test_more_smoothing_leaves_fewer_boundaries(two_classes):
    boundaries = []
    for smooth in (0, 0.2, 0.4, 0.6, 0.8, 1):
        labels = gmmseg.segment(two_classes[0], 2, smooth=smooth).labels
        boundaries.append(sum(int((np.diff(labels.astype(int), axis=a) != 0).sum()) for a in (0, 1)))
    assert all(a >= b for a, b in itertools.pairwise(boundaries)), boundaries
    assert boundaries[-1] < boundaries[0] / 5


def test_smooth_false_is_none():
    _, image = scene("picture")
    assert gmmseg.fit(image, 3, smooth=False).strength == 0


def test_apply_may_smooth_otherwise_than_the_model():
    _, image = scene("picture")
    model = gmmseg.fit(image, 3, smooth=0.7)
    np.testing.assert_array_equal(
        gmmseg.apply(model, image, smooth=False).labels, gmmseg.segment(image, 3, smooth=False).labels
    )
    np.testing.assert_array_equal(gmmseg.apply(model, image).labels, gmmseg.segment(image, 3, smooth=0.7).labels)


def test_the_weight_of_position_matters():
    """Four equal squares of two colours: with much position the squares part, with little the colours do."""
    rng = np.random.default_rng(0)
    image = (60 * (np.indices((64, 64)).sum(axis=0) // 32 % 2)[..., None] + rng.normal(90, 12, (64, 64, 3))).astype(
        np.uint8
    )
    little, much = (gmmseg.segment(image, 4, features=f"lab,xy:{w}").labels for w in (0.1, 5))
    assert (little != much).mean() > 0.1

    def extent(labels):
        """Mean spread of the classes' places."""
        return np.mean([np.var(np.argwhere(labels == c), axis=0).sum() for c in np.unique(labels)])

    assert extent(much) < extent(little)


# ---------------------------------------------------------------------------------------------------------------------
# Images that leave little to do
# ---------------------------------------------------------------------------------------------------------------------


def with_warning(*arguments, match, **options):
    with pytest.warns(DataWarning, match=match) as caught:
        seg = gmmseg.segment(*arguments, **options)
    assert len(caught) == 1
    assert "\n" not in str(caught[0].message)
    assert caught[0].filename == __file__
    return seg


@pytest.mark.slow
@pytest.mark.parametrize(
    "image",
    [
        pytest.param(np.full((9, 11, 3), 77, np.uint8), id="colour"),
        pytest.param(np.full((9, 11), 2.5, np.float32), id="float"),
        pytest.param(np.zeros((9, 11, 3), np.uint16), id="black"),
        pytest.param(np.full((1, 1, 3), 9, np.uint8), id="one pixel"),
        pytest.param(np.full((1, 1), 1e30), id="one large number"),
    ],
)
@pytest.mark.parametrize("covariance", ["full", "tied", "diag", "spherical"])
def test_one_colour_is_one_class(image, covariance):
    seg = with_warning(image, 4, covariance=covariance, match="k=4 classes.* 1 distinct colour.*k=1 was used")
    assert seg.model.k == 1
    assert (seg.labels == 1).all()
    assert_consistent(seg)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(1, 50, 3), (50, 1, 3), (1, 50), (50, 1), (2, 2, 3), (3, 3)])
def test_thin_images(shape):
    image = np.zeros(shape, np.uint8)
    image.reshape(-1)[: image.size // 2] = 200
    seg = gmmseg.segment(image, 2)
    assert_consistent(seg)
    assert set(seg.labels.ravel()) == {1, 2}


def test_no_more_classes_than_colours():
    image = np.repeat(np.array([0, 100, 250], np.uint8), 40).reshape(10, 12)
    seg = with_warning(image, 7, smooth=False, match="k=7 classes.* 3 distinct colours.*k=3 was used")
    assert seg.model.k == 3
    np.testing.assert_array_equal(seg.labels.ravel(), np.repeat([1, 2, 3], 40))


@pytest.mark.parametrize("kind", ["alpha", "mask", "NaN"])
def test_an_image_without_a_valid_pixel(kind):
    image, mask = np.zeros((6, 7, 4), np.uint8), None
    if kind == "mask":
        image, mask = image[..., :3], np.zeros((6, 7), bool)
    elif kind == "NaN":
        image = np.full((6, 7), np.nan)
        with pytest.warns(DataWarning, match="42 pixels are NaN"):
            image = gmmseg.Image.from_array(image)
    seg = with_warning(image, 3, mask=mask, match="no pixel is valid; every label is 0")
    assert (seg.labels == 0).all()
    assert_consistent(seg)


@pytest.mark.slow
@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.filterwarnings("ignore:.*pixels are NaN")
def test_pixels_without_a_number_are_no_data(case, bad, smooth):
    options, image = scene(case, np.float32)
    image /= np.float32(255)
    index = np.random.default_rng(0).integers(0, image.size, 300)
    image.reshape(-1)[index] = bad
    seg = gmmseg.segment(image, 3, smooth=smooth, **options)
    axis = {"picture": -1, "bands": 0}.get(case)
    finite = np.isfinite(image)
    if case == "picture":  # a colour is missing as a whole, bands one by one
        finite = finite.all(axis=axis)
    elif case == "bands":
        assert (finite.any(axis=axis) != finite.all(axis=axis)).any()
        finite = finite.any(axis=axis)
    np.testing.assert_array_equal(seg.labels > 0, finite)
    assert_consistent(seg)


def test_masked_pixels_do_not_matter():
    _, image = scene("picture")
    mask = holes((90, 110))
    other = image.copy()
    other[~mask] = 255 - other[~mask]
    for a, b in zip(*(outputs(gmmseg.segment(i, 3, mask=mask)) for i in (image, other)), strict=True):
        np.testing.assert_array_equal(a, b)


def test_transparent_pixels_are_no_data():
    _, image = scene("picture")
    alpha = np.where(holes((90, 110)), 255, 0).astype(np.uint8)
    seg = gmmseg.segment(np.dstack([image, alpha]), 3)
    np.testing.assert_array_equal(seg.labels, gmmseg.segment(image, 3, mask=alpha).labels)
    assert_consistent(seg)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float32", "float64", "bool"])
def test_any_dtype(dtype):
    rng = np.random.default_rng(0)
    truth = np.arange(40) >= 20
    if dtype == "bool":
        image = np.broadcast_to(truth, (30, 40))
    else:
        image = (1000 * truth + rng.normal(2000, 50, (30, 40))) / (20 if dtype == "uint8" else 1)
    seg = gmmseg.segment(np.asarray(image).astype(dtype), 2)
    np.testing.assert_array_equal(seg.labels == 2, np.broadcast_to(truth, (30, 40)))
    assert_consistent(seg)


@pytest.mark.slow
@pytest.mark.parametrize("offset", [0, 1e4, -1e6])
def test_an_offset_of_the_numbers_changes_nothing(offset):
    _, image = scene("grey", np.float64)
    plain, moved = (gmmseg.segment(np.round(image) + o, 3).labels for o in (0, offset))
    assert (plain == moved).mean() > 0.999


@pytest.mark.slow
@pytest.mark.parametrize("factor", [1e-6, 1e-3, 1e6])
def test_the_unit_of_the_numbers_changes_nothing(factor):
    _, image = scene("grey", np.float64)
    plain, scaled = (gmmseg.segment(image * f, 3).labels for f in (1, factor))
    assert (plain == scaled).mean() > 0.999


@pytest.mark.slow
def test_as_many_classes_as_labels_can_hold(rng):
    image = rng.integers(0, 2**16, (80, 90), np.uint16)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gmmseg.GmmsegWarning)  # some of 255 classes may find too few samples
        seg = gmmseg.segment(image, 255, sample=4000)
    assert 200 < seg.model.k <= 255
    assert_consistent(seg)


# ---------------------------------------------------------------------------------------------------------------------
# Many images
# ---------------------------------------------------------------------------------------------------------------------


def test_one_model_for_many_images_gives_each_class_one_number():
    rng = np.random.default_rng(0)
    dark, bright = (
        np.clip(rng.normal([[m] * 30 for m in levels], 3), 0, 255).astype(np.uint8)
        for levels in ([20, 90] * 10, [90, 200] * 10)
    )
    model = gmmseg.fit([dark, bright], 3, smooth=False)
    assert set(gmmseg.apply(model, dark).labels.ravel()) == {1, 2}
    assert set(gmmseg.apply(model, bright).labels.ravel()) == {2, 3}
    both = gmmseg.apply(model, np.concatenate([dark, bright]))
    np.testing.assert_array_equal(both.labels[:20], gmmseg.apply(model, dark).labels)


def test_the_sample_is_shared_out():
    rng = np.random.default_rng(0)
    images = [np.clip(rng.normal(m, 3, (100, 100)), 0, 255).astype(np.uint8) for m in (50, 150)]
    model = gmmseg.fit(tuple(images), 2, sample=100)
    np.testing.assert_allclose(model.mixture.weights, 0.5, atol=0.02)


@pytest.mark.parametrize("images", [[], ()])
def test_no_image_is_no_fit(images):
    with pytest.raises(ParameterError, match="images is empty"):
        gmmseg.fit(images)


def test_images_of_different_kinds_are_refused():
    with pytest.raises(ParameterError, match="different kinds"):
        gmmseg.fit([scene("picture")[1], np.zeros((5, 5), np.uint8)], 2, features="intensity")
    model = gmmseg.fit(scene("picture")[1], 2)
    with pytest.raises(GmmsegError, match="model is for colour images.*this image is 1-channel"):
        gmmseg.apply(model, np.zeros((5, 5)))


# ---------------------------------------------------------------------------------------------------------------------
# Parameters
# ---------------------------------------------------------------------------------------------------------------------
USELESS = [
    *(("k", k, "from 1 to 255") for k in (0, -3, 256, 1000, "x", 2.5, True, float("nan"), float("inf"), [3])),
    *(("smooth", s, "from 0 to 1") for s in (2, -0.5, "a", None, float("nan"))),
    *(("features", f, "use any of rgb, lab") for f in ("lba", "", "lab,xyz")),
    *(("covariance", c, "full, tied, diag, spherical") for c in ("ful", "", None)),
    *(("sample", s, "at least 1") for s in (0, -5, 1.5, "all", True)),
    *(("seed", s, "at least 0") for s in (-1, 0.5, "x", None)),
    *(("threads", t, "at least 1") for t in (0, -2, 1.5, True, "2")),
    *(("channel_axis", a, "") for a in ("first", 1.5, 7)),
]


@pytest.mark.parametrize(("name", "value", "remedy"), USELESS)
def test_a_useless_parameter_is_named_with_its_value_and_a_remedy(name, value, remedy):
    with pytest.raises(ParameterError) as caught:
        gmmseg.segment(scene("picture")[1], **{name: value})
    message = str(caught.value)
    assert f"{name}={value!r}" in message
    assert remedy in message
    assert "\n" not in message


@pytest.mark.slow
@pytest.mark.parametrize(("k", "family"), [(np.int64(3), "full"), (np.uint8(3), "tied"), (3.0, "diag")])
def test_whole_numbers_of_any_kind_will_do(k, family):
    assert gmmseg.fit(scene("picture")[1], k, covariance=family).k == 3


@pytest.mark.parametrize("mask", [np.ones((3, 3)), np.ones((90, 110)), np.ones((90, 110, 3), bool)])
def test_a_mask_that_does_not_fit_is_refused(mask):
    with pytest.raises(ParameterError, match="mask has"):
        gmmseg.segment(scene("picture")[1], mask=mask)


@pytest.mark.parametrize("model", ["land.gmm.json", np.zeros((3, 3)), None])
def test_what_is_no_model_is_not_applied(model):
    with pytest.raises(ParameterError, match=f"model is of type {type(model).__name__}; give what .*load_model"):
        gmmseg.apply(model, scene("picture")[1])


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(GmmsegError, match="nowhere.png"):
        gmmseg.segment(tmp_path / "nowhere.png")


def test_a_number_in_words_is_refused():
    with pytest.raises(ParameterError, match='or "auto"'):
        gmmseg.segment(np.zeros((4, 4)), k="four")


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint16", "list"])
def test_colours_of_any_integers_have_the_labels_of_bytes(dtype):
    _, image = scene("picture")
    wide = image.tolist() if dtype == "list" else image.astype(dtype)
    model = gmmseg.fit(image, 3)
    np.testing.assert_array_equal(gmmseg.segment(wide, 3).labels, gmmseg.segment(image, 3).labels)
    np.testing.assert_array_equal(gmmseg.apply(model, wide).labels, gmmseg.apply(model, image).labels)
    assert gmmseg.fit([wide], 3).mixture.means.tolist() == model.mixture.means.tolist()
    np.testing.assert_array_equal(gmmseg.regions(wide).labels(n=5), gmmseg.regions(image).labels(n=5))
    assert gmmseg.choose_k(wide, max_k=3).k == gmmseg.choose_k(image, max_k=3).k


@pytest.mark.parametrize("kind", ["array", "path", "nibabel"])
def test_zeros_around_a_stripped_brain_are_no_data(tmp_path, kind):
    nib = pytest.importorskip("nibabel")
    brain = np.zeros((20, 22, 24), np.float32)
    brain[4:-4, 4:-4, 4:-4] = np.repeat([60, 120], 6)[:, None, None] + np.random.default_rng(0).normal(
        0, 5, (12, 14, 16)
    )
    scan = nib.Nifti1Image(brain, np.eye(4))
    scan.to_filename(tmp_path / "brain.nii")
    image = {"array": brain, "path": tmp_path / "brain.nii", "nibabel": scan}[kind]
    axis = {"channel_axis": None} if kind == "array" else {}
    labels = gmmseg.segment(image, 2, nodata=0, **axis).labels
    np.testing.assert_array_equal(labels > 0, brain != 0)
    assert len(np.unique(labels[4:10, 4:-4, 4:-4])) == len(np.unique(labels[10:16, 4:-4, 4:-4])) == 1
    if kind == "array":  # of which nobody says that it is a scan
        return
    with pytest.warns(
        DataWarning, match=r"are 0, its corners too.*; where that is background, use --nodata 0 \(nodata=0\), or give"
    ):
        gmmseg.segment(image, 2, **axis)


@pytest.mark.parametrize("kind", ["array", "path", "Image"])
def test_every_function_takes_a_number_for_no_data_as_segment_does(tmp_path, kind):
    picture = np.zeros((40, 50), np.uint8)
    picture[5:-5, 5:-5] = np.repeat([60, 120], 20) + np.random.default_rng(0).integers(-9, 9, (30, 40))
    kept = gmmseg.Image.from_array(picture) if kind == "Image" else picture
    path = tmp_path / "picture.npy"
    np.save(path, picture)
    image = {"path": path}.get(kind, kept)
    segmented = gmmseg.segment(image, 2, nodata=0)
    model = gmmseg.fit([image, image], 2, nodata=0)
    labels = gmmseg.apply(model, image, nodata=0).labels
    np.testing.assert_array_equal(labels, segmented.labels)
    np.testing.assert_array_equal(labels > 0, picture > 0)
    assert gmmseg.apply(model, image).labels.all(), "without the number zeros are dark pixels"
    assert gmmseg.choose_k(image, max_k=4, nodata=0).k == 2
    assert gmmseg.choose_k(image, max_k=4).k > 2
    np.testing.assert_array_equal(gmmseg.regions(image, nodata=0).labels(n=2) > 0, picture > 0)
    for call in (gmmseg.fit, gmmseg.choose_k, gmmseg.regions, partial(gmmseg.apply, model)):
        with pytest.raises(ParameterError, match="has 1 channels, but nodata has 2 numbers"):
            call(image, nodata=[0, 1])


def test_a_number_is_chosen_for_blocks_where_pixels_hold_no_detail_of_their_own(rng):
    pixels = enlarged(made(rng))
    found = gmmseg.choose_k(pixels, max_k=3, covariance="full")
    own = put_together(Image(pixels, color=True), Grain((0, 0), "cubic -0.75"))
    blocks = gmmseg.choose_k(own, max_k=3, covariance="full")
    assert [each.icl for each in found.candidates] == [each.icl for each in blocks.candidates]
