"""Classes of several Gaussians: told apart by strokes, or merged where they overlap."""

import numpy as np
import pytest

import gmmseg
from gmmseg import ParameterError
from gmmseg.fitting.options import FitOptions, Hints

COLORS = {"r": (220, 40, 40), "b": (40, 40, 220), "g": (40, 180, 40), "y": (200, 200, 60), "w": (245, 245, 245)}


@pytest.fixture
def flag(rng):
    """A red and blue object on green and yellow, with white below that no stroke touches."""
    names = np.full((90, 120), "g")
    names[:, 60:], names[70:] = "y", "w"
    truth = np.zeros(names.shape, bool)
    truth[20:60, 30:90] = True
    names[20:60, 30:60], names[20:60, 60:90] = "r", "b"
    image = np.stack([[COLORS[each] for each in row] for row in names]) + rng.normal(0, 12, (*names.shape, 3))
    strokes = np.zeros(names.shape, np.uint8)
    strokes[36:44, 40:80] = 1
    strokes[6:10, 10:110] = 2
    return image.clip(0, 255).astype(np.uint8), truth, strokes


@pytest.mark.parametrize("options", [{}, {"smooth": False}, {"components": 4}, {"outliers": "student"}])
@pytest.mark.parametrize("covariance", ["auto", "full", "tied"])
def test_strokes_tell_of_which_class_each_colour_is(flag, options, covariance):
    image, truth, strokes = flag
    found = gmmseg.segment(image, 2, scribbles=strokes, covariance=covariance, **options)
    assert (found.mask(1) == truth).mean() > 0.99
    assert found.mask(2)[75:].all()  # of the class whose strokes are the wider
    np.testing.assert_array_equal(found.labels[strokes > 0], strokes[strokes > 0])
    probabilities = found.probabilities
    np.testing.assert_allclose(probabilities.sum(axis=0), 1, atol=1e-5)
    assert (probabilities[0][truth] > 0.5).mean() > 0.99


def test_the_number_of_the_class_does_not_matter(flag):
    image, truth, strokes = flag
    swapped = np.array([0, 2, 1], np.uint8)[strokes]
    assert (gmmseg.segment(image, 2, scribbles=swapped).mask(2) == truth).mean() > 0.99


def test_one_gaussian_a_class_where_asked_or_where_strokes_tell_no_more(flag):
    image, _, strokes = flag
    assert gmmseg.fit(image, 2, scribbles=strokes, components=1).memberships is None
    assert gmmseg.fit(image, 3, scribbles=strokes).memberships is None
    assert gmmseg.fit(image, 2, scribbles=strokes).memberships.shape == (2, 8 + 16 + 24)
    short = np.where(np.arange(120) < 45, strokes, 0)  # 8 by 5 pixels tell less
    assert gmmseg.fit(image, 2, scribbles=short).memberships.shape == (2, 1 + 3 + 5)
    shorter = np.where(np.arange(90)[:, None] % 4 == 1, short, 0)
    assert gmmseg.fit(image, 2, scribbles=shorter).memberships is None
    assert gmmseg.fit(image, 2, scribbles=strokes, components=3).memberships.shape == (2, 2 + 4 + 6)


def test_merged_classes_go_by_the_order_that_is_asked_for(flag):
    image, options = flag[0][..., 0], {"components": 2, "smooth": False}
    dark, bright = (gmmseg.segment(image, 2, order=each, **options) for each in ("dark", "bright"))
    np.testing.assert_array_equal(bright.labels, 3 - dark.labels)
    assert image[bright.mask(1)].mean() > image[bright.mask(2)].mean()


def test_as_many_components_as_there_are_colours():
    image = np.zeros((30, 30), np.uint8)
    image[:, 10:], image[:, 20:] = 90, 200
    strokes = np.zeros(image.shape, np.uint8)
    strokes[4:10, 2:28] = np.repeat([1, 2, 1], [8, 10, 8])
    labels = gmmseg.segment(image, 2, scribbles=strokes, smooth=False).labels
    np.testing.assert_array_equal(labels, np.array([1, 2, 1])[np.arange(30) // 10][None].repeat(30, axis=0))


@pytest.mark.parametrize("threads", [1, 3])
def test_files_windows_and_threads_do_not_matter(flag, tmp_path, threads):
    image, _, strokes = flag
    model = gmmseg.fit(image, 2, scribbles=strokes, threads=threads)
    model.save(tmp_path / "model.json")
    loaded = gmmseg.load_model(tmp_path / "model.json")
    found, again = (gmmseg.apply(each, image, threads=threads) for each in (model, loaded))
    assert found.probabilities.tobytes() == again.probabilities.tobytes()
    whole = gmmseg.segment(image, 2, scribbles=strokes)
    assert gmmseg.apply(loaded, image, scribbles=strokes).labels.tobytes() == whole.labels.tobytes()
    np.save(tmp_path / "a.npy", image)
    streamed = gmmseg.apply(loaded, tmp_path / "a.npy", memory=1)
    streamed.save(tmp_path / "labels.tif")
    np.testing.assert_array_equal(gmmseg.io.read_labels(tmp_path / "labels.tif"), found.labels)


def test_specks_in_the_colours_of_the_object_are_not_of_it_and_another_object_is(flag, tmp_path):
    image, truth, strokes = flag
    specks = np.zeros(truth.shape, bool)
    specks[30:36, 96:102], specks[8:13, 60:66], specks[50:56, 20:25] = True, True, True
    other = np.zeros(truth.shape, bool)
    other[10:64, 2:18] = True  # more than a third of the object
    image[specks] = image[44:45, 40:41]
    image[other] = image[20:60, 31:55].reshape(-1, 3)[: other.sum()]
    marks = np.where(specks, 0, strokes)
    found = gmmseg.segment(image, 2, scribbles=marks)
    assert not found.mask(1)[specks].any()
    assert found.mask(1)[other].mean() > 0.95
    assert (found.mask(1) == (truth | other)).mean() > 0.99
    np.testing.assert_array_equal(found.probabilities.argmax(axis=0) + 1, found.labels)
    for options in ({"smooth": False}, {"features": "lab"}):  # neither neighbours nor places are heard
        assert gmmseg.segment(image, 2, scribbles=marks, **options).mask(1)[specks].any()
    np.save(tmp_path / "a.npy", image)
    streamed = gmmseg.apply(found.model, tmp_path / "a.npy", scribbles=marks, memory=1)
    streamed.save(tmp_path / "labels.tif")
    np.testing.assert_array_equal(gmmseg.io.read_labels(tmp_path / "labels.tif"), found.labels)


def test_classes_are_described_by_what_they_are_made_of(flag):
    image, truth, strokes = flag
    found = gmmseg.segment(image, 2, scribbles=strokes, features="rgb")
    model = found.model
    assert model.k == 2
    for row, mask in enumerate((truth, ~truth)):
        np.testing.assert_allclose(model.means[row], image[mask].mean(axis=0), atol=8)
        np.testing.assert_allclose(model.covariances[row], np.cov(image[mask].T), rtol=0.2, atol=400)
    np.testing.assert_allclose(model.weights, [truth.mean(), 1 - truth.mean()], atol=0.05)


def test_a_class_that_is_no_gaussian(rng):
    """A ring around a disc of one colour plane: by two Gaussians the ring is cut, by eight that overlap it is not."""
    angle, radius = rng.uniform(0, 2 * np.pi, (100, 120)), np.where(np.arange(120) < 60, 0, 8)
    planes = radius * np.stack([np.cos(angle), np.sin(angle)]) + rng.normal(0, 1, (2, 100, 120))
    truth = np.repeat([False, True], 60)[None].repeat(100, axis=0)
    options = {"channel_axis": 0, "smooth": False}
    one, several = (gmmseg.segment(planes, 2, components=components, **options).labels == 2 for components in (1, 8))
    right = [max((mask == truth).mean(), (mask != truth).mean()) for mask in (one, several)]
    assert right[1] > 0.99
    assert right[0] < right[1]


def test_what_takes_a_class_for_one_gaussian_is_refused_with_several():
    for options in ({"k": "auto"}, {"bias_field": True}, {"hints": Hints(prior=np.ones((2, 4, 4)))}):
        with pytest.raises(ParameterError, match="components=2 does not go with"):
            FitOptions(**{"k": 2, **options}, components=2)
    with pytest.raises(ParameterError, match="components=0"):
        FitOptions(components=0)
    with pytest.raises(ParameterError, match="components=64 of k=100 classes are 6400 Gaussians, at most 2048"):
        FitOptions(k=100, components=64)


def test_several_components_need_strokes_of_every_class_or_of_none(flag):
    image, _, strokes = flag
    with pytest.raises(ParameterError, match="components=2 needs scribbles of every class, and class 2 has none"):
        gmmseg.segment(image, 2, scribbles=np.where(strokes == 1, strokes, 0), components=2)
    with pytest.raises(ParameterError, match="class 3 has none"):
        gmmseg.segment(image, 3, scribbles=strokes, components=2)
    assert (gmmseg.segment(image, 1, scribbles=np.minimum(strokes, 1), components=2).labels == 1).all()
