"""Images without a valid pixel: all labels are 0 and one warning says so; among others they are left out of the fit."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

import gmmseg
from gmmseg import Image, InputError
from gmmseg.errors import GmmsegWarning
from gmmseg.io.opening import Reading, open_image

MEMORY = 1 << 20  # of which files take more than half
NOTHING = "no pixel is valid; every label is 0"

# Larger than all patches together, and than half of the memory: spatial shape, channels, dtype, axis of the channels.
KINDS = {
    "one channel": ((700, 800), 1, np.uint8, "auto"),
    "colour": ((700, 800), 3, np.uint8, "auto"),
    "bands": ((700, 800), 5, np.uint16, -1),
    "floats": ((700, 800), 1, np.float32, "auto"),
    "volume": ((90, 90, 90), 1, np.uint8, None),
    "small": ((20, 30), 1, np.uint8, "auto"),
    "small volume": ((8, 9, 10), 1, np.uint8, None),
}
OPTIONS = {
    "nothing": {},
    "no smoothing": {"smooth": 0},
    "k": {"k": "auto"},
    "one class": {"k": 1},
    "bias field": {"bias_field": True},
    "texture": {"features": "bands,texture"},
    "position": {"features": "bands,xy"},
    "sample": {"sample": 50},
    "spherical": {"covariance": "spherical"},
    "tied": {"covariance": "tied"},
    "uniform": {"outliers": "uniform"},
    "student": {"outliers": "student"},
}


def pixels_of(kind, rng):
    shape, channels, dtype, axis = KINDS[kind]
    return (rng.random((*shape, channels) if channels > 1 else shape) * 200).astype(dtype), axis


@pytest.fixture(params=["memory", "file"])
def empty(request, tmp_path, rng):
    """Give an image of a kind, in memory or in a file, as arguments of `segment`, and its spatial shape."""

    def give(kind):
        pixels, axis = pixels_of(kind, rng)
        shape = KINDS[kind][0]
        options = {"mask": np.zeros(shape, np.uint8), "channel_axis": axis, "memory": MEMORY}
        if request.param == "memory":
            return {"image": pixels, **options}, shape
        np.save(tmp_path / "empty.npy", pixels)
        if "small" not in kind:
            assert not open_image(tmp_path / "empty.npy", Reading(channel_axis=axis, memory=MEMORY // 2)).in_memory
        return {"image": tmp_path / "empty.npy", **options}, shape

    return give


def with_warnings(call):
    """What a call returns, and the messages of its warnings, all of them ours."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = call()
    assert all(issubclass(each.category, GmmsegWarning) for each in caught)
    return result, [str(each.message) for each in caught]


def two_halves(shape=(60, 80), name="halves.tif", seed=0):
    pixels = np.random.default_rng(seed).normal(50, 5, shape)
    pixels[..., shape[-1] // 2 :] += 100
    return replace(Image.from_array(pixels, channel_axis=None if len(shape) == 3 else "auto"), name=name)


def hole(shape=(700, 800), name="hole.tif"):
    return replace(two_halves(shape), valid=np.zeros(shape, bool), name=name)


# ---------------------------------------------------------------------------------------------------------------------
# One image
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("kind", ["one channel", "small volume"])
def test_every_label_is_0_and_one_warning_says_so(empty, kind, options):
    arguments, shape = empty(kind)
    seg, messages = with_warnings(lambda: gmmseg.segment(**{"k": 3, **arguments, **OPTIONS[options]}))
    np.testing.assert_array_equal(seg.labels, np.zeros(shape, np.uint8))
    assert len(messages) == 1
    assert messages[0].endswith(NOTHING)
    assert not seg.probabilities.any()


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_whatever_its_kind(empty, kind):
    arguments, shape = empty(kind)
    seg, messages = with_warnings(lambda: gmmseg.segment(k=4, **arguments))
    assert seg.labels.shape == shape
    assert not seg.labels.any()
    assert [message.partition(": ")[2] for message in messages] == [NOTHING]
    model, messages = with_warnings(lambda: gmmseg.fit(arguments.pop("image"), 4, **arguments))
    assert model.k == seg.model.k == 1
    assert [message.partition(": ")[2] for message in messages] == [NOTHING]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["one channel", "small", "volume"])
def test_what_was_said_of_its_pixels_keeps_the_number_of_classes(empty, kind):
    arguments, shape = empty(kind)
    strokes = np.zeros(shape, np.uint8)
    strokes.flat[:3] = 1, 2, 3
    for guides in ({"prior": np.ones((3, *shape))}, {"scribbles": strokes}):
        seg, messages = with_warnings(lambda guides=guides: gmmseg.segment(k=3, **arguments, **guides))
        assert not seg.labels.any()
        assert seg.model.k == 3
        assert [message.partition(": ")[2] for message in messages] == [NOTHING]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["floats", "small"])
@pytest.mark.parametrize("where", ["memory", "file"])
def test_no_number_is_no_data(kind, where, tmp_path):
    shape = KINDS[kind][0]
    pixels = np.full(shape, np.nan, np.float32)
    np.save(tmp_path / "nan.npy", pixels)
    source = pixels if where == "memory" else tmp_path / "nan.npy"
    for bias_field in (False, True):
        seg, messages = with_warnings(
            lambda bias_field=bias_field: gmmseg.segment(source, 3, bias_field=bias_field, memory=MEMORY)
        )
        assert not seg.labels.any()
        assert sum(message.endswith(NOTHING) for message in messages) == 1
        assert all(message.endswith((NOTHING, "their label is 0")) for message in messages)


@pytest.mark.slow
@pytest.mark.parametrize("blocks", [{}, {"tiled": True, "blockxsize": 256, "blockysize": 256}])
def test_a_raster_of_no_data_too(tmp_path, blocks, rng):
    import rasterio

    options = {"driver": "GTiff", "dtype": "uint16", "nodata": 0, "width": 800, "height": 700, "count": 3, **blocks}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(tmp_path / "empty.tif", "w", **options) as raster:
            raster.write(np.zeros((3, 700, 800), np.uint16))
    seg, messages = with_warnings(lambda: gmmseg.segment(tmp_path / "empty.tif", 4, memory=MEMORY))
    assert messages == [f"{tmp_path / 'empty.tif'}: {NOTHING}"]
    seg.save(tmp_path / "labels.tif")
    assert not gmmseg.io.read_labels(tmp_path / "labels.tif").any()


@pytest.mark.slow
def test_a_model_of_others_gives_it_0(empty):
    model = gmmseg.fit(two_halves(), 2)
    for kind in ("one channel", "small"):
        arguments, shape = empty(kind)
        for options in ({}, {"adapt": True}, {"smooth": 0}):
            np.testing.assert_array_equal(gmmseg.apply(model, **arguments, **options).labels, np.zeros(shape))


def test_there_is_nothing_to_choose_from_nor_to_cut(empty):
    for kind in ("one channel", "small"):
        arguments, _ = empty(kind)
        with pytest.raises(InputError, match="no pixel is valid, so there are no classes to choose from"):
            gmmseg.choose_k(**arguments)
        arguments.pop("memory")
        with pytest.raises(InputError, match="no pixel is valid, so there are no regions"):
            gmmseg.regions(**arguments)


@pytest.mark.slow
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("where", [(slice(233, 234), slice(266, 267)), (slice(600, 650), slice(700, 800))])
def test_few_valid_pixels_are_labelled(options, where):
    """A single pixel, which a look for neighbours misses, or a corner: hardly any tile holds one."""
    valid = np.zeros((700, 800), bool)
    valid[where] = True
    image = replace(two_halves((700, 800)), valid=valid)
    seg, _ = with_warnings(lambda: gmmseg.segment(image, **{"k": 2, **OPTIONS[options], "sample": None}))
    np.testing.assert_array_equal(seg.labels > 0, valid)


# ---------------------------------------------------------------------------------------------------------------------
# Among others
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("options", ["nothing", "no smoothing", "k", "position", "sample"])
@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("large", [False, True])
def test_it_is_left_out_of_a_fit_and_named(options, place, large):
    images = [two_halves(seed=1), two_halves(seed=2)]
    images.insert(place, hole((700, 800) if large else (20, 30)))
    model, messages = with_warnings(lambda: gmmseg.fit(images, **{"k": 2, **OPTIONS[options]}))
    assert messages == ["hole.tif: no pixel is valid; it was left out of the fit"]
    labels = gmmseg.apply(model, images[2 if place == 0 else 0]).labels
    assert (labels[:, :40] == 1).mean() > 0.95
    assert (labels[:, 40:] == 2).mean() > 0.95


@pytest.mark.slow
def test_the_others_are_fitted_as_without_it():
    others = [two_halves(seed=seed) for seed in range(4)]
    alone = gmmseg.fit(others, 2, smooth=0)
    model, _ = with_warnings(lambda: gmmseg.fit([*others, hole()], 2, smooth=0, sample=125_000))
    np.testing.assert_allclose(model.means, alone.means, rtol=1e-5)
    np.testing.assert_allclose(model.covariances, alone.covariances, rtol=1e-4)
    np.testing.assert_allclose(model.training.gain, alone.training.gain, rtol=1e-3)


@pytest.mark.slow
def test_it_is_left_out_of_a_fit_to_files_and_volumes(tmp_path, rng):
    for shape in ((700, 800), (90, 90, 90)):
        axis = None if len(shape) == 3 else "auto"
        full, nothing = two_halves(shape).array[..., 0].astype(np.float32), np.full(shape, np.nan, np.float32)
        for name, pixels in (("a", nothing), ("b", full), ("c", nothing)):
            np.save(tmp_path / f"{name}.npy", pixels)
        paths = [tmp_path / f"{name}.npy" for name in "abc"]
        model, messages = with_warnings(
            lambda paths=paths, axis=axis: gmmseg.fit(paths, 2, memory=MEMORY, channel_axis=axis)
        )
        assert messages == [f"{path}: no pixel is valid; it was left out of the fit" for path in (paths[0], paths[2])]
        np.testing.assert_allclose(model.means[:, 0], [50, 150], atol=2)


def test_texture_is_of_the_others():
    model, messages = with_warnings(lambda: gmmseg.fit([two_halves(), hole()], 2, features="bands,texture"))
    assert messages == ["hole.tif: no pixel is valid; it was left out of the fit"]
    np.testing.assert_allclose(model.means, gmmseg.fit(two_halves(), 2, features="bands,texture").means, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("options", ["nothing", "no smoothing", "k", "texture"])
def test_where_all_are_empty_one_warning_says_so(options):
    images = [hole(name="a.tif"), hole((20, 30), name="b.tif"), hole(name="c.tif")]
    model, messages = with_warnings(lambda: gmmseg.fit(images, **{"k": 3, **OPTIONS[options]}))
    assert messages == [f"a.tif: {NOTHING}"]
    assert model.k == 1
    assert not gmmseg.apply(model, images[1]).labels.any()


def test_its_kind_has_to_be_that_of_the_others():
    bands = Image(np.zeros((20, 30, 2), np.uint8), valid=np.zeros((20, 30), bool), name="bands.tif")
    for images in ([bands, two_halves()], [two_halves(), bands]):
        with pytest.raises(gmmseg.ParameterError):
            gmmseg.fit(images, 2)
