"""Texture: planes of a window, of single pixels and around what is masked; and textures told apart."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from skimage import data

import gmmseg
from gmmseg import Image
from gmmseg.features import Recipe, texture

TEXTURE = Recipe.parse("texture")


def whole(image):
    return tuple(slice(0, n) for n in image.shape)


def planes(image, window=None):
    window = whole(image) if window is None else window
    return TEXTURE.planes(image, window).reshape(-1, *(s.stop - s.start for s in window))


def grating(shape, angle, period, rng):
    y, x = np.mgrid[: shape[0], : shape[1]]
    phase = (x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / period
    return 120 + 30 * np.sin(phase) + rng.normal(0, 15, shape)


def mosaic(sources, seed):
    """Cells around random points, three of each source; pixels and truth."""
    rng = np.random.default_rng(seed)
    shape = sources[0].shape
    points = rng.uniform(0, shape, (3 * len(sources), 2))
    y, x = np.mgrid[: shape[0], : shape[1]]
    truth = ((y[..., None] - points[:, 0]) ** 2 + (x[..., None] - points[:, 1]) ** 2).argmin(axis=-1) % len(sources)
    return np.clip(np.choose(truth, sources), 0, 255).round().astype(np.uint8), truth


def accuracy(labels, truth):
    counts = np.histogram2d(labels.ravel(), truth.ravel(), [np.arange(1, labels.max() + 2), np.arange(truth.max() + 2)])
    return counts[0][linear_sum_assignment(-counts[0])].sum() / truth.size


# ---------------------------------------------------------------------------------------------------------------------
# Windows and pixels
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(data=st.data(), masked=st.booleans(), kind=st.sampled_from(["gray", "colour", "bands", "volume"]))
def test_a_window_has_the_bits_of_the_whole(data, masked, kind):
    rng = np.random.default_rng(3)
    shape = {"gray": (97, 131), "colour": (83, 75), "bands": (41, 150), "volume": (13, 37, 29)}[kind]
    pixels = rng.normal(300, 90, (*shape, {"colour": 3, "bands": 4}.get(kind, 1))).astype(np.float32)
    if kind == "colour":
        pixels = rng.integers(0, 256, pixels.shape, np.uint8)
    elif masked:
        pixels[pixels > 500] = np.nan
    valid = rng.random(shape) < 0.9 if masked else None
    image = Image(pixels, color=kind == "colour", valid=valid, spacing=(3.0, 1.0, 1.0) if kind == "volume" else None)
    starts = [data.draw(st.integers(0, n - 1)) for n in shape]
    window = tuple(slice(a, data.draw(st.integers(a + 1, n))) for a, n in zip(starts, shape, strict=True))
    expected = planes(image)[:, *window]
    np.testing.assert_array_equal(planes(image, window), expected)
    # What was read of a larger image, with context, is as good.
    reach = TEXTURE.context(image)
    outer = tuple(slice(max(s.start - reach, 0), min(s.stop + reach, n)) for s, n in zip(window, shape, strict=True))
    inner = tuple(slice(s.start - o.start, s.stop - o.start) for s, o in zip(window, outer, strict=True))
    np.testing.assert_array_equal(planes(image.crop(outer), inner), expected)


@pytest.mark.parametrize("shape", [(300, 280), (700,), (20, 60, 50)])
def test_single_pixels_have_the_bits_of_the_whole(shape, rng):
    image = Image(rng.integers(0, 4096, (*shape, 2), np.uint16))
    flat = rng.integers(0, image.n_pixels, 300)
    recipe = Recipe.parse("bands,texture,xy")
    everything = recipe.planes(image, whole(image))
    for threads in (1, 2, 7):
        found = recipe.planes_of(image, image.take(flat)[0], flat, threads=threads)
        np.testing.assert_array_equal(found, everything[:, flat])
    assert recipe.planes_of(image, image.take(flat[:0])[0], flat[:0]).shape == (len(everything), 0)


@pytest.mark.slow
def test_a_file_is_read_once_for_all_pixels(rng):
    class Recorded:
        blocks, sweep, dtype, shape = (64, 64), 0, np.dtype(np.uint8), (2500, 1700, 9)

        def __init__(self):
            self.windows = []

        def read(self, window):
            self.windows.append(window)
            return pixels[window], None

    pixels = rng.integers(0, 256, (2500, 1700, 9), np.uint8)
    source = Recorded()
    flat = rng.integers(0, 2500 * 1700, 500)
    found = texture.planes_of(Image(source), flat)
    np.testing.assert_array_equal(found, texture.planes_of(Image(pixels), flat))
    read = np.zeros((2500, 1700), int)
    for window in source.windows:
        read[window] += 1
    assert len(source.windows) == len(Image(source).windows()) > 1
    assert read.max() <= 2  # where the surroundings of two windows overlap


def test_what_is_masked_does_not_leak(rng):
    pixels = rng.integers(0, 256, (70, 80, 3), np.uint8)
    valid = np.ones((70, 80), bool)
    valid[20:40, 30:60] = False
    valid[50, ::2] = False
    other = np.where(valid[..., None], pixels, 255 - pixels)
    first, second = (planes(Image(each, color=True, valid=valid)) for each in (pixels, other))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, planes(Image(pixels, color=True)))
    assert np.isfinite(first[:, valid]).all()


def test_missing_bands_do_not_leak(rng):
    pixels = rng.normal(0, 1, (60, 50, 3)).astype(np.float32)
    gaps = pixels.copy()
    gaps[20:30, 10:30, 1] = np.nan
    gaps[40, 40, 0] = np.inf
    image = Image.from_array(gaps, channel_axis=-1)
    known = np.isfinite(gaps).all(axis=-1)
    np.testing.assert_array_equal(planes(image), planes(Image(pixels, valid=known)))
    assert np.isfinite(planes(image)).any()


def test_nothing_around_is_nan():
    pixels = np.full((200, 60, 1), np.nan, np.float32)
    pixels[:20] = 1
    found = planes(Image(pixels))
    assert np.isnan(found[:, 100:]).all()
    np.testing.assert_array_equal(found[0, :20], 1)
    np.testing.assert_array_equal(found[1:, :20], 0)


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (2, 3, 2), (4,)])
def test_tiny_images_have_texture(shape, rng):
    image = Image.from_array(rng.integers(0, 256, (*shape, 1), np.uint8), channel_axis=-1)
    found = planes(image)
    assert found.shape == (len(TEXTURE.names(image)), *shape)
    assert np.isfinite(found).all()


# ---------------------------------------------------------------------------------------------------------------------
# What the planes say
# ---------------------------------------------------------------------------------------------------------------------


def test_energy_grows_with_contrast_as_its_cube_root(rng):
    noise = rng.standard_normal((80, 80, 1)).astype(np.float32)
    once, eight = (planes(Image(noise * gain)) for gain in (1, 8))
    np.testing.assert_allclose(eight[1:3], 4 * once[1:3], rtol=1e-5)
    np.testing.assert_allclose(eight[3:], once[3:], atol=1e-6)


def test_scales_of_a_volume_follow_its_spacing(rng):
    # Slices four times as thick as pixels are wide: smoothed along z no farther than the same length.
    volume = rng.standard_normal((30, 40, 40, 1)).astype(np.float32)
    reach = {spacing: texture.context(Image(volume, spacing=spacing)) for spacing in ((1, 1, 1), (4, 1, 1), (8, 2, 2))}
    assert reach[1, 1, 1] == reach[4, 1, 1] == reach[8, 2, 2]
    changed = volume.copy()
    changed[15] += 1
    touched = {}
    for spacing in ((1.0, 1.0, 1.0), (4.0, 1.0, 1.0)):
        before, after = (planes(Image(each, spacing=spacing)) for each in (volume, changed))
        touched[spacing] = np.flatnonzero((before != after).any(axis=(0, 2, 3)))
    assert len(touched[4.0, 1.0, 1.0]) < len(touched[1.0, 1.0, 1.0]) / 2
    np.testing.assert_array_equal(
        planes(Image(volume, spacing=(4.0, 1.0, 1.0))), planes(Image(volume, spacing=(2.0, 0.5, 0.5)))
    )


def test_names_say_what_directions_are():
    names = TEXTURE.names(Image(np.zeros((2, 2, 1))))
    assert names == ("local mean", "fine energy", "coarse energy", "direction x-y", "direction xy")
    assert TEXTURE.names(Image(np.zeros((2, 2, 2, 1))))[3:] == tuple(
        f"direction {pair}" for pair in ("x-y", "xy-z", "xy", "xz", "yz")
    )


# ---------------------------------------------------------------------------------------------------------------------
# Segmentation
# ---------------------------------------------------------------------------------------------------------------------


def gratings(pairs, n=384):
    rng = np.random.default_rng(1)
    return [grating((n, n), angle, period, rng) for angle, period in pairs]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pairs", "least"),
    [
        ([(0, 8), (np.pi / 4, 8), (np.pi / 2, 8), (3 * np.pi / 4, 8)], 0.96),
        ([(0.3, 4), (0.3, 8), (0.3, 16)], 0.94),
        ([(0, 5), (np.pi / 2, 5), (0, 11), (np.pi / 2, 11)], 0.96),
    ],
    ids=["directions", "frequencies", "both"],
)
@pytest.mark.parametrize("seed", [3, 5])
def test_gratings_are_told_apart(pairs, least, seed):
    image, truth = mosaic(gratings(pairs), seed)
    assert accuracy(gmmseg.segment(image, len(pairs), features="intensity").labels, truth) < 0.5
    assert accuracy(gmmseg.segment(image, len(pairs), features="intensity,texture").labels, truth) > least


@pytest.mark.slow
@pytest.mark.parametrize("seed", [3, 5])
def test_brick_grass_and_gravel_of_equal_contrast_are_told_apart(seed):
    sources = [getattr(data, name)() for name in ("brick", "grass", "gravel")]
    image, truth = mosaic([(s - s.mean()) / s.std() * 30 + 120 for s in sources], seed)
    assert accuracy(gmmseg.segment(image, 3, features="texture").labels, truth) > 0.85


@pytest.mark.slow
def test_threads_do_not_change_the_labels():
    image, _ = mosaic(gratings([(0, 8), (np.pi / 2, 8), (0, 16)]), 3)
    runs = [gmmseg.segment(image, 3, features="texture,intensity,xy", threads=threads) for threads in (1, 2, 7)]
    for run in runs[1:]:
        np.testing.assert_array_equal(run.labels, runs[0].labels)
        np.testing.assert_array_equal(run.probabilities, runs[0].probabilities)


@pytest.mark.slow
@pytest.mark.parametrize("features", ["bands,texture", "texture", "texture,xy"])
def test_an_image_in_its_file_has_the_labels_of_one_in_memory(features, tmp_path):
    image, _ = mosaic(gratings([(0, 8), (np.pi / 2, 8)]), 3)
    pixels = np.stack([image, 255 - image, image // 2], axis=-1).astype(np.uint16)
    mask = np.ones(image.shape, np.uint8)
    mask[100:140, 50:] = 0
    np.save(tmp_path / "scene.npy", pixels)
    options = {"features": features, "channel_axis": -1, "sample": 5000, "mask": mask}
    memory = gmmseg.segment(str(tmp_path / "scene.npy"), 2, **options)
    kept = gmmseg.segment(str(tmp_path / "scene.npy"), 2, **options, memory=1 << 19)
    assert not kept.image.in_memory
    for layer, expected in (("labels", memory.labels), ("probabilities", memory.probabilities)):
        kept.save(tmp_path / f"{layer}_kept.npy", layer=layer)
        np.testing.assert_array_equal(np.load(tmp_path / f"{layer}_kept.npy"), expected)
    np.testing.assert_array_equal(kept.log_density, memory.log_density)


def test_a_saved_model_gives_the_same_labels(tmp_path):
    image, _ = mosaic(gratings([(0, 8), (np.pi / 2, 8)], 200), 3)
    seg = gmmseg.segment(image, 2, features="intensity,texture,xy:0.5")
    seg.model.save(tmp_path / "model.json")
    model = gmmseg.load_model(tmp_path / "model.json")
    assert str(model.recipe) == "intensity,texture,xy:0.5"
    np.testing.assert_array_equal(gmmseg.apply(model, image).labels, seg.labels)


@pytest.mark.slow
def test_a_volume_of_two_textures_is_parted(rng):
    z, y, x = np.mgrid[:40, :48, :48]
    waves = np.where(x < 24, np.sin(y * 2 * np.pi / 6), np.sin(z * 2 * np.pi / 6))
    volume = 100 + 30 * waves + rng.normal(0, 10, waves.shape)
    seg = gmmseg.segment(volume, 2, channel_axis=None, features="texture")
    assert accuracy(seg.labels, (x >= 24).astype(int)) > 0.95


@pytest.mark.slow
def test_the_number_of_textures_can_be_chosen():
    image, _ = mosaic(gratings([(0, 8), (np.pi / 2, 8)]), 3)
    chosen = gmmseg.choose_k(image, max_k=5, features="texture")
    assert 2 <= chosen.k <= 4


@pytest.mark.slow
def test_a_model_of_textures_knows_its_own_images(rng):
    from gmmseg.model.adapting import explains

    image, _ = mosaic(gratings([(0, 8), (np.pi / 2, 8)]), 3)
    model = gmmseg.fit(image, 2, features="intensity,texture")
    assert explains(model, Image.from_array(image[:, ::-1].copy())).explained
    noise = rng.integers(60, 180, image.shape, np.uint8)
    assert not explains(model, Image.from_array(noise)).explained


def test_the_image_is_not_changed(rng):
    pixels = rng.integers(0, 256, (40, 50, 3), np.uint8)
    before = pixels.copy()
    pixels.flags.writeable = False
    image = Image.from_array(pixels)
    planes(image)
    planes(replace(image, valid=rng.random((40, 50)) < 0.5))
    np.testing.assert_array_equal(pixels, before)
