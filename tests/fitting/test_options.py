"""Options are checked once, for the library, the command line and batches alike."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

import gmmseg
from gmmseg import Image, ParameterError
from gmmseg.batch import plan
from gmmseg.cli import main
from gmmseg.effort import Effort
from gmmseg.fitting.options import MOST_CHOSEN, FitOptions, Hints
from gmmseg.io.request import Reading

WRONG = [
    ({"k": 0}, r'k=0 is not usable; use a whole number from 1 to 255, or "auto"'),
    ({"k": 256}, "k=256 is not usable"),
    ({"k": 2.5}, "k=2.5 is not usable"),
    ({"k": True}, "k=True is not usable"),
    ({"k": "many"}, "k='many' is not usable"),
    ({"sample": 0}, "sample=0 is not usable; use a whole number of at least 1"),
    ({"sample": "all"}, 'use a whole number of at least 1, "auto", or None for every pixel'),
    ({"seed": -1}, "seed=-1 is not usable"),
    ({"seed": None}, "seed=None is not usable; use a whole number of at least 0"),
    ({"covariance": "round"}, "round"),
    ({"features": "labb"}, "did you mean 'lab'"),
    ({"smooth": 1.5}, "smooth=1.5 is not a strength"),
    ({"bias_field": "yes"}, "bias_field='yes' is not usable; use True, False or \"auto\""),
    ({"bias_field": True, "features": "bands,texture"}, "leave texture out"),
    ({"outliers": "some"}, "outliers='some' is not known; use uniform or student, or None"),
    ({"order": "up"}, 'order=\'up\' is not known; use "dark" or "bright"'),
    ({"order": "bright", "prior": np.full((4, 4, 5), 0.25)}, "order='bright' does not go with prior, whose maps"),
    ({"class_names": ["a", "b"]}, "are not 4 names; give one a class, in the order of the labels, or k=2$"),
    ({"class_names": "abcd"}, "are not 4 names; give one a class, in the order of the labels$"),
    ({"class_names": 4}, "class_names=4 are not 4 names"),
    ({"class_names": ["a", "b", "c", " "]}, "are not 4 names"),
    ({"class_names": 4, "scribbles": np.ones((4, 5), int)}, "class_names=4 are not 4 names"),
    ({"class_names": ["a", " "], "scribbles": np.ones((4, 5), int)}, r"class_names=\['a', ' '\] are not 2 names"),
    ({"components": "x"}, "components='x' is not usable; use a whole number from 1 to 64"),
    ({"sample": np.True_}, "is not usable; use a whole number of at least 1"),
    ({"k": "auto", "scribbles": np.ones((4, 5), int)}, 'k="auto" does not go with scribbles or prior'),
]


@pytest.mark.parametrize(("parameters", "message"), WRONG)
def test_what_cannot_be_fitted_is_refused_before_anything_is_read(parameters, message, tmp_path):
    for source in (tmp_path / "missing.png", np.zeros((4, 5), np.uint8)):
        with pytest.raises(ParameterError, match=message):
            gmmseg.segment(source, **parameters)
    if "bias_field" not in parameters:
        with pytest.raises(ParameterError, match=message):
            gmmseg.fit(tmp_path / "missing.png", **parameters)


def test_a_batch_is_refused_as_a_whole(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((4, 5)))
    for parameters, message in (({"k": 0}, "k=0 is not usable"), ({"memory": 0}, "memory=0 is not usable")):
        with pytest.raises(ParameterError, match=message):
            plan(tmp_path, tmp_path / "out", parameters=parameters)
    with pytest.raises(ParameterError, match="smooth=2 is not a strength"):
        gmmseg.fit(np.uint8([[0, 200]]), k=2).save(tmp_path / "m.json")
        plan(tmp_path / "a.npy", tmp_path / "out", model=tmp_path / "m.json", parameters={"smooth": 2})


def test_the_command_line_says_the_same_in_its_own_words(tmp_path, capsys):
    gmmseg.io.write_rgb(tmp_path / "p.png", np.zeros((4, 5, 3), np.uint8))
    arguments = ["segment", str(tmp_path / "p.png"), "--class-names", "a,b", "-o", str(tmp_path / "l.png")]
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert "--class-names a,b are not 4 names" in error
    assert error.endswith("or k=2\n")
    assert not (tmp_path / "l.png").exists()


def test_numbers_of_numpy_are_those_of_python():
    image = np.arange(600, dtype=np.uint8).reshape(20, 30)
    right = gmmseg.segment(image, 2, components=2, sample=200, seed=3)
    found = gmmseg.segment(image, np.uint8(2), components=np.uint8(2), sample=np.float64(200), seed=np.int8(3))
    np.testing.assert_array_equal(found.probabilities, right.probabilities)
    assert FitOptions(k=np.uint8(200), components=np.uint8(2)).components * 200 == 400


def test_options_are_taken_from_the_parameters_of_segment():
    options = FitOptions.of({"k": 6, "smooth": 0.2, "prior_weight": 0.5, "threads": 2, "mask": None})
    assert (options.k, options.strength, options.hints.prior_weight) == (6, 0.2, 0.5)
    with pytest.raises(FrozenInstanceError):
        options.k = 3


def test_what_follows_from_options():
    assert FitOptions(k="auto").most_classes == MOST_CHOSEN
    assert FitOptions().names(2) == ("class 1", "class 2")
    assert FitOptions(k=2, class_names=[" sea ", "land"]).names(2) == ("sea", "land")
    assert FitOptions().hears_neighbours
    assert not FitOptions(smooth=False).hears_neighbours
    assert FitOptions(smooth=False, bias_field=True).hears_neighbours
    assert not FitOptions(features="bands,texture").hears_neighbours
    assert not Hints().given
    assert Hints(prior=np.ones((2, 4, 5))).given


@pytest.mark.parametrize(
    ("parameters", "message"),
    [({"memory": 0}, "memory=0"), ({"threads": 0}, "threads=0"), ({"threads": 1.5}, "threads=1.5")],
)
def test_effort_is_checked_where_it_is_made(parameters, message):
    with pytest.raises(ParameterError, match=f"{message} is not usable"):
        Effort(**parameters)


def test_reading_is_whole_images_unless_memory_is_given():
    assert Reading().memory is None
    assert Reading(memory=5).memory == 5


def images():
    yield np.uint8([[0, 0, 200]])
    yield np.uint8([[0, 200, 200]])


class Sized:
    """Images that are opened when they are asked for, and whose number is known before."""

    def __len__(self):
        return 2

    def __iter__(self):
        return images()


@pytest.mark.parametrize("kind", [images, lambda: list(images()), lambda: tuple(images()), Sized])
def test_any_iterable_of_images_can_be_fitted(kind):
    model = gmmseg.fit(kind(), k=2, smooth=False)
    np.testing.assert_allclose(model.mixture.weights, 0.5, atol=1e-6)


def test_paths_that_a_folder_globs(tmp_path):
    for number, image in enumerate(images()):
        np.save(tmp_path / f"{number}.npy", image)
    several = gmmseg.fit(tmp_path.glob("*.npy"), k=2, smooth=False)
    one = gmmseg.fit(tmp_path / "0.npy", k=2, smooth=False)
    np.testing.assert_allclose(several.mixture.weights, 0.5, atol=1e-6)
    np.testing.assert_allclose(one.mixture.weights, [2 / 3, 1 / 3], atol=1e-6)


def test_nothing_to_fit():
    for nothing in ([], iter(())):
        with pytest.raises(ParameterError, match="images is empty; give at least one image"):
            gmmseg.fit(nothing, k=2)


def test_rims_are_looked_for_where_nothing_is_said_of_what_there_is():
    strokes = np.ones((2, 2), np.uint8)
    assert FitOptions(2).has_rims
    assert FitOptions(3).has_rims
    assert not FitOptions(1).has_rims
    for said in (
        FitOptions(2, components=1),
        FitOptions(2, outliers="uniform"),
        FitOptions(2, partial_volume=True),
        FitOptions(2, features="intensity,texture"),
        FitOptions(2, hints=Hints(scribbles=strokes)),
    ):
        assert not said.has_rims


@pytest.mark.parametrize("name", ["k", "covariance", "bias_field", "outliers", "order", "weight", "features"])
def test_arrays_are_no_options(name):
    with pytest.raises(ParameterError, match=rf"^{name} is an array of shape \(2,\); give one value$"):
        FitOptions(**{name: np.array(["a", "b"])})


@pytest.mark.parametrize("names", [np.array(3), np.zeros((2, 2)), np.array([["a", "b"]])])
def test_arrays_that_are_no_list_are_no_names(names):
    with pytest.raises(ParameterError, match=r"^class_names=array\([^\n]*\) are not 2 names;"):
        FitOptions(k=2, class_names=names)


@pytest.mark.parametrize(
    ("labels", "options", "k"),
    [
        ([1, 2, 3, 4, 5], {}, 5),
        ([1, 5], {}, 5),
        ([1], {}, 2),  # what the strokes are on, and the rest
        ([255], {}, 2),  # a mask of 0 and 255
        ([1, 2], {"k": 3}, 3),
        ([1, 2], {"class_names": ["sky", "cell", "rim"]}, 3),
        ([1, 2], {"prior": np.full((4, 8, 8), 0.25)}, 4),
    ],
)
def test_where_nobody_says_how_many_there_are_as_many_classes_as_strokes(labels, options, k):
    image = Image(np.random.default_rng(0).integers(0, 255, (8, 8, 1)).astype(np.uint8), name="a")
    strokes = np.zeros((8, 8), np.uint8)
    strokes[0, : len(labels)] = labels
    given = FitOptions.of(options | {"scribbles": strokes})
    found = given.told(image)
    assert found.asked == found.most_classes == k
    assert len(found.names(k)) == k
    assert gmmseg.segment(image, **options, scribbles=strokes).model.k == k


def test_four_classes_are_usual():
    assert FitOptions().asked == FitOptions(k=None).asked == 4
    assert FitOptions.of({"prior": np.full((4, 8, 8), 0.25)}).asked == 4


@pytest.mark.parametrize(
    ("strokes", "message"),
    [
        (np.full((8, 8), "a"), "scribbles have dtype <U1"),
        (np.full((8, 8), 300), "scribbles have labels from 0 to 300, but k=255"),
        (np.zeros((8, 8), int), "there are no strokes in it"),
    ],
)
def test_strokes_that_are_none_are_refused_however_many_classes(strokes, message):
    with pytest.raises(gmmseg.errors.GmmsegError, match=message):
        gmmseg.segment(np.zeros((8, 8), np.uint8), scribbles=strokes)
    with pytest.raises(ParameterError, match="scribbles and prior are of one image, but there are 2"):
        gmmseg.fit([np.zeros((8, 8), np.uint8)] * 2, scribbles=strokes)
