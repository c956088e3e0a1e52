"""Scribbles, prior maps, class names: what a person or an atlas says beforehand."""

import numpy as np
import pytest
from noisy_images import stripes

import gmmseg
from gmmseg import Image, io
from gmmseg.spatial.guidance import Guidance


@pytest.fixture(scope="module")
def scene():
    return stripes()


def strokes(truth, *given, step=9):
    """A few strokes: truth's class -> the number that the user gives it."""
    marks = np.zeros(truth.shape, np.uint8)
    for old, new in given:
        marks[::step][truth[::step] == old] = new
    return marks


def test_strokes_name_the_classes_and_hold(scene):
    image, truth = scene
    marks = strokes(truth, (1, 3), (2, 1), (3, 2))
    seg = gmmseg.segment(image, 3, scribbles=marks)
    np.testing.assert_array_equal(seg.labels[marks > 0], marks[marks > 0])
    wanted = np.array([0, 3, 1, 2])[truth]
    assert (seg.labels == wanted).mean() > 0.97
    soft = seg.probabilities
    assert (np.take_along_axis(soft, marks[None].astype(int) - 1, axis=0)[0][marks > 0] > 0.99999).all()
    np.testing.assert_array_equal(soft.argmax(axis=0) + 1, seg.labels)


@pytest.mark.parametrize("smooth", [False, True])
def test_strokes_hold_against_the_colour(scene, smooth):
    image, truth = scene
    marks = strokes(truth, (1, 1), (3, 2))
    marks[40, 80:90] = 1  # in the brightest stripe
    seg = gmmseg.segment(image, 2, scribbles=marks, smooth=smooth)
    np.testing.assert_array_equal(seg.labels[marks > 0], marks[marks > 0])


def test_classes_without_strokes_take_the_other_numbers(scene):
    image, truth = scene
    seg = gmmseg.segment(image, 3, scribbles=strokes(truth, (3, 1)))
    assert (seg.labels == np.array([0, 2, 3, 1])[truth]).mean() > 0.9
    means = seg.model.means[:, 0]
    assert means[0] > means[2] > means[1]


def test_strokes_help_where_colours_overlap():
    """Two classes of one colour but different spread: without strokes, luck decides which is which."""
    rng = np.random.default_rng(1)
    truth = np.repeat([1, 2], 50)[None].repeat(100, axis=0)
    image = (128 + rng.normal(0, 1, truth.shape) * np.where(truth == 1, 3, 30)).clip(0, 255).astype(np.uint8)
    seg = gmmseg.segment(image, 2, scribbles=strokes(truth, (1, 1), (2, 2), step=5))
    assert (seg.labels == truth).mean() > 0.9


def test_strokes_are_the_same_from_a_file(scene, tmp_path):
    image, truth = scene
    marks = strokes(truth, (1, 1), (2, 2), (3, 3))
    io.write_labels(tmp_path / "strokes.png", marks)
    one = gmmseg.segment(image, 3, scribbles=marks)
    np.testing.assert_array_equal(one.labels, gmmseg.segment(image, 3, scribbles=tmp_path / "strokes.png").labels)


def test_tiles_do_not_matter(scene, monkeypatch):
    image, truth = scene
    options = {"scribbles": strokes(truth, (1, 1), (3, 3)), "prior": np.random.default_rng(0).random((3, *truth.shape))}
    whole = gmmseg.segment(image, 3, threads=1, **options)
    monkeypatch.setattr("gmmseg.labelling.tiles.TILE_BYTES", 1 << 16)
    tiled = gmmseg.segment(image, 3, threads=3, **options)
    np.testing.assert_array_equal(whole.labels, tiled.labels)
    np.testing.assert_array_equal(whole.probabilities, tiled.probabilities)


def maps_of(truth, certainty=0.8):
    maps = np.full((3, *truth.shape), (1 - certainty) / 2)
    for k in range(3):
        maps[k][truth == k + 1] = certainty
    return maps


def test_maps_weigh_with_the_colours(scene, tmp_path):
    image, truth = scene
    plain = gmmseg.segment(image, 3, smooth=False)
    guided = gmmseg.segment(image, 3, prior=maps_of(truth), smooth=False)
    accuracy = [(s.labels == truth).mean() for s in (plain, guided)]
    assert accuracy[1] > accuracy[0] + 0.02
    ignored = gmmseg.apply(plain.model, image, prior=maps_of(truth), prior_weight=0)
    np.testing.assert_array_equal(ignored.labels, plain.labels)
    strong = gmmseg.apply(plain.model, image, prior=maps_of(truth), prior_weight=1000)
    np.testing.assert_array_equal(strong.labels, truth)


@pytest.mark.parametrize("name", ["maps.npz", "maps.npy", "maps.tif"])
def test_maps_are_the_same_from_a_file(scene, tmp_path, name):
    image, truth = scene
    maps = maps_of(truth).astype(np.float32)
    io.write_probabilities(tmp_path / name, maps)
    one = gmmseg.segment(image, 3, prior=maps)
    np.testing.assert_array_equal(one.labels, gmmseg.segment(image, 3, prior=tmp_path / name).labels)


def test_where_maps_say_nothing_the_colours_decide(scene):
    image, truth = scene
    maps = np.zeros((3, *truth.shape))
    plain = gmmseg.segment(image, 3)
    np.testing.assert_array_equal(gmmseg.apply(plain.model, image, prior=maps).labels, plain.labels)


def test_maps_that_say_the_same_of_all_classes_leave_outliers_as_many(scene):
    image, truth = scene
    plain = gmmseg.segment(image, 3, outliers="uniform").model.mixture
    told = gmmseg.segment(image, 3, outliers="uniform", prior=np.full((3, *truth.shape), 1 / 3)).model.mixture
    assert abs(told.outlier_weight - plain.outlier_weight) < 0.01
    np.testing.assert_allclose(np.sort(told.weights), np.sort(plain.weights), atol=0.02)


def test_names_of_classes(scene):
    image, _ = scene
    seg = gmmseg.segment(image, 3, class_names=["soil", "grass", " snow "])
    assert [c.name for c in seg.classes] == ["soil", "grass", "snow"]
    assert seg.model.class_names == ("soil", "grass", "snow")


BAD = {
    "shape": ({"scribbles": np.ones((3, 3), int)}, r"scribbles have shape \(3, 3\).*give one label a pixel"),
    "label": ({"scribbles": np.full((80, 100), 4)}, "labels from 0 to 4, but k=3; use 0 to k"),
    "dtype": ({"scribbles": np.zeros((80, 100))}, "scribbles have dtype float64"),
    "maps": ({"prior": np.ones((2, 80, 100))}, r"prior has shape \(2, 80, 100\).*one map a class"),
    "parameters": (
        {"prior": gmmseg.Prior(gmmseg.Mixture(np.ones(1), np.zeros((1, 1)), np.ones((1, 1)), "diag"))},
        r"prior is a Prior, but .* map of probabilities \(k, \*spatial\), \(3, 80, 100\); gmmseg.Prior is of Gaussian",
    ),
    "complex": ({"prior": np.ones((3, 80, 100), complex)}, "prior has dtype complex128, but .* one map a class"),
    "negative": ({"prior": -np.ones((3, 80, 100))}, "prior has negative numbers"),
    "infinite": ({"prior": np.full((3, 80, 100), np.inf)}, r"prior has .* numbers above 1e\+30; give probabilities"),
    "beyond float32": ({"prior": np.full((3, 80, 100), 1e300)}, r"numbers above 1e\+30"),
    "sum beyond float32": ({"prior": np.full((3, 80, 100), 3e38, np.float32)}, r"numbers above 1e\+30"),
    "not a number": ({"prior": np.full((3, 80, 100), np.nan)}, "prior has negative numbers, NaN"),
    "large weight": ({"prior": np.ones((3, 80, 100)), "prior_weight": 10**400}, r"use a number from 0 to 1e\+30"),
    "weight beyond float32": ({"prior": np.ones((3, 80, 100)), "prior_weight": 1e39}, r"=1e\+39 is not usable"),
    "weight": ({"prior": np.ones((3, 80, 100)), "prior_weight": -1}, "prior_weight=-1 is not usable"),
    "names": ({"class_names": ["a", "b"]}, "are not 3 names"),
    "outliers": ({"outliers": "none"}, "outliers='none' is not known; use uniform or student"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_used_is_refused(scene, case):
    options, message = BAD[case]
    with pytest.raises(gmmseg.ParameterError, match=message):
        gmmseg.segment(scene[0], 3, **options)


def test_strokes_are_of_one_image(scene):
    image, truth = scene
    with pytest.raises(gmmseg.ParameterError, match="there are 2; fit one at a time"):
        gmmseg.fit([image, image], 3, scribbles=strokes(truth, (1, 1)))


def test_priors_of_scribbles_rule_out_and_those_of_maps_weigh():
    image = Image(np.zeros((1, 3, 1), np.uint8))
    marks = np.array([[0, 2, 0]])
    maps = np.array([[[3.0, 1, 0]], [[1.0, 1, 0]]])
    where = (slice(0, 1), slice(0, 3))
    alone = Guidance.of(image, 2, marks, None, 1).log_prior(2, where)
    assert alone[:, 0].tolist() == [0, 0]
    assert alone[1, 1] == 0 > alone[0, 1] + 1e5
    both = Guidance.of(image, 2, marks, maps, 0.5)
    # Maps need not sum to 1, and where all of them are 0 they say nothing.
    np.testing.assert_allclose(np.exp(both.log_prior(2, where))[:, [0, 2]], np.sqrt([[1.5, 1], [0.5, 1]]), rtol=1e-6)
    np.testing.assert_array_equal(both.log_prior(2, where)[:, 1], alone[:, 1])
    np.testing.assert_array_equal(both.log_prior(2, (np.array([0]), np.array([2]))), both.log_prior(2, where)[:, 2:])
    assert Guidance.of(image, 2, None, None, 1) is None


def test_classes_that_are_given_or_more_likely_than_all_others():
    image = Image(np.zeros((1, 4, 1), np.uint8))
    maps = np.array([[[0.6, 0.4, 0.2, 0.9]], [[0.2, 0.4, 0.3, 0.05]], [[0.2, 0.2, 0.5, 0.05]]])
    where = (slice(0, 1), slice(0, 4))
    assert Guidance.of(image, 3, None, maps, 1).classes(where).tolist() == [1, 0, 0, 1]
    assert Guidance.of(image, 3, np.array([[0, 3, 0, 2]]), maps, 1).classes(where).tolist() == [1, 3, 0, 2]
    assert Guidance.of(image, 3, np.array([[0, 3, 0, 2]]), None, 1).classes(where).tolist() == [0, 3, 0, 2]


def test_the_outermost_class_has_strokes_spread_widely_or_near_the_frame():
    marks = np.zeros((60, 80), np.uint8)
    marks[28:32, 20:60], marks[[3, 56], 5:75] = 1, 2  # around it
    assert Guidance(marks).outermost() == 2
    marks[marks == 2] = 0
    marks[3:6, 40:70] = 2  # on one side only, and less widely spread than the object's
    assert Guidance(marks).outermost() == 2
    assert Guidance(np.select([marks > 0], [3 - marks]).astype(np.uint8)).outermost() == 1
    marks[56, 5:75] = 3
    assert Guidance(marks).outermost() == 3
    assert Guidance(marks[None]).outermost() == 3
