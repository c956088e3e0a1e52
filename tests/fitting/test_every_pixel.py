"""Every pixel of images that are not in memory: the same sums whatever the chunks, and those of all pixels at once."""

from dataclasses import replace

import numpy as np
import pytest
from counted_sources import CountedSource

import gmmseg
from gmmseg import Image, ParameterError
from gmmseg.errors import InputError
from gmmseg.features import Recipe
from gmmseg.fitting.every_pixel import EveryPixel, _added
from gmmseg.image.windows import everything
from gmmseg.io.lazy import masked_lazily
from gmmseg.io.opening import open_image
from gmmseg.io.request import Reading
from gmmseg.mixture.parameters import Mixture
from gmmseg.mixture.statistics import measure

HOW = {"sample": None, "smooth": False, "channel_axis": -1}


def made_bands(n_missing=0):
    """Three classes in two bands of float32, some pixels without data, some with one band only."""
    rng = np.random.default_rng(0)
    classes = np.repeat(np.arange(3), 50)[None, :, None] * np.float32([30, -10])
    bands = (classes + rng.normal(0, 5, (100, 150, 2))).astype(np.float32)
    bands[30:40, :n_missing] = np.nan
    bands[90, :n_missing, 0] = np.nan
    return bands


@pytest.fixture(autouse=True)
def small_units(monkeypatch):
    monkeypatch.setattr("gmmseg.fitting.every_pixel._PIXELS", 12)
    monkeypatch.setattr("gmmseg.fitting.every_pixel._READ_AT_ONCE", 70_000)
    monkeypatch.setattr("gmmseg.fitting.survey._TO_BEGIN", 2000)


def of_every_pixel(bands, log=None):
    image = Image(CountedSource(bands, log=log))
    return EveryPixel(image, Recipe.default(image), np.array([10.0, -5.0]), np.array([20.0, 10.0]))


def some_mixture():
    return Mixture(np.full(2, 0.5), np.float64([[-0.5, 0.2], [1, -0.4]]), np.stack([np.eye(2)] * 2), "full")


@pytest.mark.parametrize("n_missing", [0, 60])
def test_the_sums_are_those_of_all_pixels_at_once(n_missing):
    bands = made_bands(n_missing)
    read = []
    found = of_every_pixel(bands, read).measured(some_mixture(), np.full(2, 0.01), 1)
    planes = (bands.reshape(-1, 2).T - np.float32([[10], [-5]])) / np.float32([[20], [10]])
    expected = measure(np.ascontiguousarray(planes), some_mixture(), noise=np.full(2, 0.01))
    assert found.weight == pytest.approx(100 * 150 - 10 * n_missing)
    for name in ("counts", "first", "second", "log_likelihood"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-6)
    assert len(read) == 2 * 2  # each window once


def test_parts_are_added_in_pairs():
    every = of_every_pixel(made_bands())
    parts = [measure(np.full((2, 1), n, np.float32), some_mixture()) for n in range(5)]
    assert _added(parts).weight == 5
    pairs = (parts[0] + parts[1]) + (parts[2] + parts[3])
    assert _added(parts).log_likelihood == (pairs + parts[4]).log_likelihood
    assert every.n_features == 2


def test_numbers_that_stand_for_missing_data_are_refused_where_no_sample_saw_them():
    bands = made_bands()
    bands[93, 45] = -3.4e38
    with pytest.raises(InputError, match="declare what stands for missing data"):
        of_every_pixel(bands).measured(some_mixture(), None, 1)


def same(a, b):
    return a.log_likelihood == b.log_likelihood and all(
        np.array_equal(getattr(a, name), getattr(b, name)) for name in ("counts", "first", "second")
    )


@pytest.mark.parametrize("chunks", [(100, 150, 2), (37, 64, 1), 20])
def test_the_same_sums_whatever_the_chunks(chunks):
    da = pytest.importorskip("dask.array")
    bands, mask = made_bands(60), np.ones((100, 150), np.uint8)
    mask[:, :9] = 0
    lazy = open_image(da.from_array(bands, chunks=chunks), Reading(channel_axis=-1))
    for image, of_mask in ((lazy, None), (masked_lazily(lazy, da.from_array(mask, chunks=50)), mask)):
        every = of_every_pixel(bands)
        expected = replace(every, image=every.image if of_mask is None else every.image.with_mask(of_mask))
        found = replace(every, image=image).measured(some_mixture(), None, 1)
        assert same(found, expected.measured(some_mixture(), None, 1))


def test_the_same_sums_by_workers():
    distributed = pytest.importorskip("distributed")
    from gmmseg.batch.cluster import Cluster  # here, after it is known that it is installed

    every = of_every_pixel(made_bands())
    with distributed.Client(processes=False, n_workers=1, dashboard_address=":0") as client:
        spread = replace(every, image=Cluster(client, 100).spread(every.image))
        found = spread.measured(some_mixture(), None, 1)
    assert same(found, every.measured(some_mixture(), None, 1))


def test_windows_are_read_with_what_texture_needs_around_them():
    bands = made_bands()[..., :1]
    recipe = Recipe.parse("intensity,texture")
    n = len(recipe.groups(Image(bands)))
    mixture = Mixture(np.ones(1), np.zeros((1, n)), np.eye(n)[None], "full")
    expected = measure(recipe.planes(Image(bands), everything((100, 150))), mixture)
    found = EveryPixel(Image(CountedSource(bands)), recipe, np.zeros(n), np.ones(n)).measured(mixture, None, 1)
    np.testing.assert_allclose(found.second, expected.second, rtol=1e-5)


@pytest.mark.slow
def test_the_classes_are_those_of_all_pixels():
    da = pytest.importorskip("dask.array")
    bands = made_bands()
    file, lazy = Image(CountedSource(bands)), da.from_array(bands, chunks=(37, 64, 1))
    found, again, sampled = (
        gmmseg.fit(image, 3, **HOW | {"sample": n}) for image, n in ((file, None), (lazy, None), (file, 500))
    )
    assert found.content == again.content
    whole = gmmseg.fit(bands, 3, **HOW)
    near, far = (np.abs(each.means - whole.means).max() for each in (found, sampled))
    assert near < 0.01 < far


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"components": 2, "smooth": 0}, "classes of several components are fitted to a sample"),
        ({"scribbles": np.eye(100, 150, dtype=np.uint8)}, "with scribbles or prior not every pixel of it is fitted"),
    ],
)
def test_what_is_of_a_sample_is_refused(more, words):
    with pytest.raises(ParameterError, match=words):
        gmmseg.fit(Image(CountedSource(made_bands())), 2, sample=None, **more)
    with pytest.raises(ParameterError, match="with other images"):
        gmmseg.fit([Image(CountedSource(made_bands()))] * 2, 2, sample=None)
    with pytest.raises(ParameterError, match="is not held in memory; give a number of pixels as sample"):
        gmmseg.choose_k(Image(CountedSource(made_bands())), sample=None)
