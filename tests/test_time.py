"""Time-lapses: one model for all frames, and each frame labelled as if it were alone."""

import numpy as np
import pytest
import tifffile
from microscope_files import write_imagej, write_ome

import gmmseg
from gmmseg.errors import InputError, ParameterError
from gmmseg.image import Image

LAYERS = ("labels", "probabilities", "uncertainty", "anomaly", "log_density")


def cells(n_frames=4, shape=(48, 64), seed=0):
    """Bright discs that move by more than their size from frame to frame, with noise and a few specks."""
    rng = np.random.default_rng(seed)
    movie = rng.normal(100, 14, (n_frames, *shape))
    rows, columns = np.mgrid[: shape[-2], : shape[-1]]
    for number in range(n_frames):
        inside = (rows - 12 - 8 * number % 30) ** 2 + (columns - 10 - 14 * number) ** 2 < 64
        movie[number][..., inside] += 60
    return movie


@pytest.fixture(scope="module")
def movie():
    return cells()


@pytest.fixture(scope="module")
def found(movie):
    return gmmseg.segment(movie, 2, axes="TYX")


@pytest.mark.parametrize("layer", LAYERS)
def test_a_frame_gets_what_it_gets_alone(movie, found, layer):
    assert found.labels.shape == movie.shape
    for number, frame in enumerate(movie):
        alone = getattr(gmmseg.apply(found.model, frame), layer)
        whole = getattr(found, layer)
        np.testing.assert_array_equal(whole[:, number] if layer == "probabilities" else whole[number], alone)


def test_regions_end_with_their_frame(movie, found):
    clean = found.clean(40)
    for number, frame in enumerate(movie):
        alone = gmmseg.apply(found.model, frame).clean(40)
        np.testing.assert_array_equal(clean.labels[number], alone.labels)
    with pytest.raises(ParameterError, match="image has 3072 pixels in a frame, fewer than a minimum size of 4000"):
        found.clean(4000)


def test_a_region_that_goes_on_in_time_is_small_in_each_frame():
    still = np.full((6, 20, 20), 10, np.uint8)
    still[:, :12] = 100
    still[:, 16, 5] = 100  # one pixel in each of six frames: as a volume it would be six
    found = gmmseg.segment(still, 2, axes="TYX", smooth=False)
    assert (found.labels[:, 16, 5] == 2).all()
    assert (found.clean(4).labels[:, 16, 5] == 1).all()
    assert (gmmseg.segment(still, 2, channel_axis=None, smooth=False).clean(4).labels[:, 16, 5] == 2).all()


def test_one_model_for_all_frames(movie, found):
    """The frame without a cell has one class, which no fit to it alone would give."""
    empty = np.concatenate([movie, cells(1)[:, ::-1] * 0 + np.random.default_rng(1).normal(100, 14, (1, 48, 64))])
    labels = gmmseg.segment(empty, 2, axes="TYX").labels
    assert (labels[-1] == 1).mean() > 0.99
    np.testing.assert_allclose(found.model.means.ravel(), [100, 160], atol=3)


def test_volumes_of_channels_over_time(rng):
    values = rng.normal(50, 5, (3, 2, 4, 16, 20))
    values[:, 1, :, :, 10:] += 40
    found = gmmseg.segment(values, 2, axes="TCZYX")
    assert found.labels.shape == (3, 4, 16, 20)
    assert found.probabilities.shape == (2, 3, 4, 16, 20)
    for number in range(3):
        alone = gmmseg.apply(found.model, values[number], axes="CZYX")
        np.testing.assert_array_equal(found.labels[number], alone.labels)


@pytest.mark.parametrize("layer", LAYERS)
def test_memory_changes_nothing(tmp_path, movie, layer):
    np.save(tmp_path / "movie.npy", movie.astype(np.float32))
    model = gmmseg.fit(tmp_path / "movie.npy", 2, axes="TYX", memory=1 << 16)
    whole = gmmseg.apply(model, tmp_path / "movie.npy", axes="TYX").clean(20)
    parts = gmmseg.apply(model, tmp_path / "movie.npy", axes="TYX", memory=1 << 16).clean(20)
    assert whole.image.in_memory
    assert not parts.image.in_memory
    for name, each in (("whole", whole), ("parts", parts)):
        each.save(tmp_path / f"{name}.npy", layer=layer)
    np.testing.assert_array_equal(np.load(tmp_path / "parts.npy"), np.load(tmp_path / "whole.npy"))
    if layer == "labels":
        assert [each.share for each in parts.classes] == [each.share for each in whole.classes]


@pytest.mark.parametrize("layer", ["labels", "probabilities"])
def test_many_small_frames_are_read_one_by_one(tmp_path, monkeypatch, layer):
    """Each is read once, however often its contrast and its pixels are asked for."""
    from gmmseg.io.array.sliced import SlicedArray

    np.save(tmp_path / "movie.npy", cells(40, (24, 32)).astype(np.float32))
    model = gmmseg.fit(tmp_path / "movie.npy", 2, axes="TYX")
    whole = gmmseg.apply(model, tmp_path / "movie.npy", axes="TYX")
    parts = gmmseg.apply(model, tmp_path / "movie.npy", axes="TYX", memory=150_000)
    assert not parts.image.in_memory
    read, windows = SlicedArray.read, []
    monkeypatch.setattr(SlicedArray, "read", lambda self, window: windows.append(window) or read(self, window))
    for name, each in (("whole", whole), ("parts", parts)):
        each.save(tmp_path / f"{name}.npy", layer=layer)
    np.testing.assert_array_equal(np.load(tmp_path / "parts.npy"), np.load(tmp_path / "whole.npy"))
    assert windows == [(slice(number, number + 1), slice(0, 24), slice(0, 32)) for number in range(40)]


def test_an_image_of_frames_is_as_many_images(movie):
    model = gmmseg.fit([Image.from_array(movie, axes="TYX"), movie[0]], 2)
    assert model.training.gain
    np.testing.assert_allclose(model.means.ravel(), [100, 160], atol=3)
    adapted = gmmseg.apply(model, movie * 1.5 + 30, axes="TYX", adapt=True)
    np.testing.assert_allclose(adapted.model.means.ravel(), [180, 270], atol=6)


def test_more_channels_than_features_are_taken_from_all_frames():
    rng = np.random.default_rng(0)
    spectra = rng.normal(0, 1, (3, 20, 24, 24))
    spectra[:, :, :, 12:] += np.linspace(5, 9, 20)[:, None, None]
    found = gmmseg.segment(spectra, 2, axes="TCYX")
    assert str(found.model.recipe) == "pca"
    np.testing.assert_array_equal(found.labels, np.where(np.arange(24) < 12, 1, 2) + np.zeros((3, 24, 1), int))


def test_numbers_of_classes(movie):
    assert gmmseg.choose_k(movie, axes="TYX", max_k=4).k == 2
    assert gmmseg.segment(movie, "auto", axes="TYX").model.k == 2


@pytest.mark.parametrize("options", [{"features": "bands,texture"}, {"features": "intensity,xy"}, {"smooth": 0}])
def test_features_of_the_neighbourhood_and_of_the_place_are_those_of_the_frame(movie, options):
    found = gmmseg.segment(movie, 3, axes="TYX", **options)
    for number, frame in enumerate(movie):
        np.testing.assert_array_equal(found.labels[number], gmmseg.apply(found.model, frame).labels)


def test_frames_without_data_are_left_out(movie):
    holes = movie.copy()
    holes[1] = np.nan
    with pytest.warns(gmmseg.errors.DataWarning) as warned:
        labels = gmmseg.segment(holes, 2, axes="TYX").labels
    assert any("image, frame 2: no pixel is valid" in str(each.message) for each in warned)
    assert (labels == 0).sum() == holes[1].size
    assert not labels[1].any()


def test_progress_counts_frames(movie, found):
    seen = []
    gmmseg.apply(found.model, movie, axes="TYX", progress=lambda done, total: seen.append((done, total)))
    assert seen == [(number + 1, 4) for number in range(4)]


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda m: gmmseg.segment(m, 2, axes="TYX", bias_field=True), ParameterError, "4 frames, but a bias field is"),
        (
            lambda m: gmmseg.segment(m, 2, axes="TYX", scribbles=np.zeros((48, 64), int)),
            ParameterError,
            "4 frames, but scribbles and prior are of one image; leave it out, or give one frame alone",
        ),
        (lambda m: gmmseg.regions(m, axes="TYX"), InputError, "image has 4 frames; regions are of a picture"),
        (lambda m: gmmseg.segment(m, 2, axes="TZYX"), ParameterError, r"axes='TZYX' does not fit image, which has 3"),
    ],
)
def test_what_is_of_one_image(movie, call, error, words):
    with pytest.raises(error, match=words) as caught:
        call(movie)
    assert "\n" not in str(caught.value)


def test_strokes_are_of_one_image_when_a_model_is_applied(movie, found):
    with pytest.raises(ParameterError, match="4 frames, but scribbles"):
        gmmseg.apply(found.model, movie, axes="TYX", scribbles=np.zeros((48, 64), int))


@pytest.mark.parametrize("memory", [1 << 30, 1 << 14])
def test_films_are_in_colour(tmp_path, rng, memory):
    film = rng.integers(0, 20, (3, 30, 40, 3)).astype(np.uint8)
    film[:, :, 20:, 0] += 180
    tifffile.imwrite(tmp_path / "film.tif", film, imagej=True, metadata={"axes": "TYXS"})
    found = gmmseg.segment(tmp_path / "film.tif", 2, features="lab", memory=memory)
    assert (found.image.time, found.image.color, found.image.in_memory) == (True, True, memory > 1 << 14)
    np.testing.assert_array_equal(found.labels, np.where(np.arange(40) < 20, 1, 2) + np.zeros((3, 30, 1), int))
    for number, frame in enumerate(film):
        np.testing.assert_array_equal(gmmseg.apply(found.model, frame).labels, found.labels[number])
    assert found.classes[1].color[0] > 150
    grey = np.repeat(film[..., :1], 3, axis=-1)
    assert gmmseg.segment(grey, 2, axes="TYXS").model.n_channels == 1


def test_files_say_it_themselves(tmp_path, movie, found):
    path = tmp_path / "movie.tif"
    tifffile.imwrite(path, movie.astype(np.float32), imagej=True, metadata={"axes": "TYX"})
    again = gmmseg.apply(found.model, path)
    np.testing.assert_array_equal(again.labels, found.labels)


def test_stacked_files_have_time_or_have_it_not(tmp_path, movie):
    for name, axes in (("a.tif", "TYX"), ("b.tif", "TYX"), ("c.tif", "ZYX")):
        tifffile.imwrite(tmp_path / name, movie.astype(np.float32), imagej=True, metadata={"axes": axes})
    stacked = gmmseg.segment(f"{tmp_path}/a.tif+{tmp_path}/b.tif", 2)
    assert (stacked.image.time, stacked.image.n_channels, stacked.labels.shape) == (True, 2, movie.shape)
    with pytest.raises(InputError, match=r"a\.tif is a time-lapse, but .*c\.tif is not; name the axes of both"):
        gmmseg.segment(f"{tmp_path}/a.tif+{tmp_path}/c.tif", 2)
    assert gmmseg.segment(f"{tmp_path}/a.tif+{tmp_path}/c.tif", 2, axes="TYX").image.time


@pytest.mark.parametrize("write", [write_imagej, write_ome])
def test_channels_over_time_are_matched_by_name(tmp_path, write):
    values = write(tmp_path / "a.tif", "TCYX")
    model = gmmseg.fit(tmp_path / "a.tif", 2)
    assert model.channel_names == ("DAPI", "GFP")
    for name, channels in (("turned.tif", ["GFP", "DAPI"]), ("other.tif", ["RFP", "DAPI"])):
        metadata = {"axes": "TCYX", "Labels": channels * 4}
        tifffile.imwrite(tmp_path / name, values[:, ::-1].copy(), imagej=True, metadata=metadata)
    found = gmmseg.apply(model, tmp_path / "turned.tif")
    assert found.image.channel_names == ("DAPI", "GFP")
    np.testing.assert_array_equal(found.labels, gmmseg.apply(model, tmp_path / "a.tif").labels)
    with pytest.raises(InputError, match=r"other\.tif has no channel 'GFP', as the model has; it has RFP, DAPI"):
        gmmseg.apply(model, tmp_path / "other.tif")
