"""Rims: pixels on blurred borders belong to the side that they have more of."""

from __future__ import annotations

import numpy as np
import pytest
from noisy_images import few_photons
from scipy import ndimage

import gmmseg
from gmmseg.fitting import rims
from gmmseg.fitting.rims import half_level
from gmmseg.image import Image
from gmmseg.image.place import Place


def discs(shape: tuple[int, int] = (256, 256), blur: float = 2.5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Discs of 40 to 120 on an even ground of 5, blurred, in counted photons; and where they are."""
    rng, (rows, columns) = np.random.default_rng(seed), np.indices(shape)
    light = np.zeros(shape)
    for y in range(16, shape[0], 32):
        for x in range(16, shape[1], 32):
            inside = (rows - y) ** 2 + (columns - x) ** 2 < rng.uniform(7, 11) ** 2
            light[inside] = rng.uniform(40, 120)
    truth = light > 0
    return rng.poisson(5 + ndimage.gaussian_filter(light, blur)).clip(0, 255).astype(np.uint8), truth


def dice(mask: np.ndarray, truth: np.ndarray) -> float:
    return float(2 * (mask & truth).sum() / (mask.sum() + truth.sum()))


def glowing(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Discs of 120 to 200 with a glow around them that reaches far; and where they are."""
    rng, (rows, columns) = np.random.default_rng(seed), np.indices((256, 256))
    light = np.zeros((256, 256))
    for y in range(32, 256, 64):
        for x in range(32, 256, 64):
            light[(rows - y) ** 2 + (columns - x) ** 2 < rng.uniform(9, 12) ** 2] = rng.uniform(120, 200)
    sharp, glow = (ndimage.gaussian_filter(light, sigma) for sigma in (1.5, 9))
    return rng.poisson(3 + sharp + 0.15 * glow).clip(0, 255).astype(np.uint8), light > 0


def of_all_heights(spread: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Discs whose heights are lognormal, blurred; and where they are."""
    rng, (rows, columns) = np.random.default_rng(seed), np.indices((256, 256))
    light = np.zeros((256, 256))
    for y in range(16, 256, 32):
        for x in range(16, 256, 32):
            inside = (rows - y) ** 2 + (columns - x) ** 2 < rng.uniform(7, 11) ** 2
            light[inside] = 40 * np.exp(rng.normal(0, spread))
    return rng.poisson(10 + ndimage.gaussian_filter(light, 2)).clip(0, 255).astype(np.uint8), light > 0


def faint() -> tuple[np.ndarray, np.ndarray]:
    """Discs of some six photons on a ground that has hardly any; and where they are."""
    rng, (rows, columns) = np.random.default_rng(0), np.indices((256, 256))
    light = np.zeros((256, 256))
    for y in range(16, 256, 32):
        for x in range(16, 256, 32):
            light[(rows - y) ** 2 + (columns - x) ** 2 < rng.uniform(7, 11) ** 2] = 6 * rng.uniform(0.6, 1.4)
    return rng.poisson(0.3 + ndimage.gaussian_filter(light, 1.5)).astype(np.uint8), light > 0


def clipped() -> tuple[np.ndarray, np.ndarray]:
    """Discs of which every fourth one, about, is brighter than a picture can say; and where they are."""
    rng, (rows, columns) = np.random.default_rng(1), np.indices((256, 256))
    light = np.zeros((256, 256))
    for y in range(16, 256, 32):
        for x in range(16, 256, 32):
            light[(rows - y) ** 2 + (columns - x) ** 2 < rng.uniform(7, 11) ** 2] = rng.choice([60, 120, 200, 600])
    return rng.poisson(5 + ndimage.gaussian_filter(light, 2)).clip(0, 255).astype(np.uint8), light > 0


def cells(seed: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Dim cells with bright nuclei; where the cells are, and the nuclei."""
    rng, (rows, columns) = np.random.default_rng(seed), np.indices((240, 240))
    light = np.full((240, 240), 3.0)
    whole, nuclei = np.zeros(light.shape, bool), np.zeros(light.shape, bool)
    for y in range(30, 240, 60):
        for x in range(30, 240, 60):
            away = (rows - y) ** 2 + (columns - x) ** 2
            light[away < 22**2] += rng.uniform(8, 16)
            light[away < 9**2] += rng.uniform(80, 160)
            whole |= away < 22**2
            nuclei |= away < 9**2
    return rng.poisson(ndimage.gaussian_filter(light, 1.5)).clip(0, 255).astype(np.uint8), whole, nuclei


def test_a_mask_of_blurred_discs_is_as_large_as_the_discs() -> None:
    image, truth = discs()
    mask = gmmseg.segment(image, 2).mask(2)
    assert dice(mask, truth) > 0.88  # no threshold has more than .90
    assert abs(mask.sum() / truth.sum() - 1) < 0.2
    assert gmmseg.segment(image, 2, components=1).mask(2).sum() > 1.5 * truth.sum()  # what one Gaussian takes


def test_dark_objects_on_a_bright_ground_are_the_same() -> None:
    image, truth = discs()
    bright, dark = gmmseg.segment(image, 2), gmmseg.segment(255 - image, 2)
    np.testing.assert_array_equal(dark.model.memberships, [[1, 0, 0], [0, 1, 1]])
    np.testing.assert_array_equal(bright.model.memberships, [[1, 0, 1], [0, 1, 0]])
    assert dice(dark.mask(1), truth) > 0.88
    assert dice(dark.mask(1), bright.mask(2)) > 0.98


def test_a_field_over_them_changes_little() -> None:
    image, truth = discs()
    gain = np.linspace(0.5, 1, image.shape[1])
    shaded = np.rint(image * gain).astype(np.uint8)
    assert dice(gmmseg.segment(shaded, 2, bias_field=True).mask(2), truth) > 0.88


def test_sharp_objects_have_no_rim() -> None:
    image, truth = discs(blur=0)
    seg = gmmseg.segment(image, 2)
    assert seg.model.memberships is None
    assert dice(seg.mask(2), truth) > 0.98


@pytest.mark.parametrize(
    "option", [{"components": 1}, {"partial_volume": True}, {"outliers": "uniform"}, {"features": "intensity,texture"}]
)
def test_classes_of_which_more_is_said_have_none(option: dict[str, object]) -> None:
    memberships = gmmseg.segment(discs()[0], 2, **option).model.memberships
    assert memberships is None or memberships.shape == (2, 2)


@pytest.mark.parametrize(("dtype", "unit"), [(np.int16, 1), (np.float32, 0.25), (np.float64, 1 / 255)])
def test_the_type_of_numbers_changes_no_mask(dtype: type, unit: float) -> None:
    image, truth = discs()
    found = gmmseg.segment((image * np.float64(unit)).astype(dtype), 2)
    assert (found.labels == gmmseg.segment(image, 2).labels).mean() > 0.998
    assert dice(found.mask(2), truth) > 0.88


def test_a_file_gives_what_the_array_gives(tmp_path) -> None:
    image, truth = discs((1088, 1088))  # too large to be looked at whole
    np.save(tmp_path / "discs.npy", image)
    seg = gmmseg.segment(image, 2)
    assert seg.model.memberships is not None
    assert dice(seg.mask(2), truth) > 0.88
    in_file = gmmseg.segment(tmp_path / "discs.npy", 2, channel_axis=None, memory=1 << 18)
    assert not in_file.image.in_memory
    np.testing.assert_array_equal(in_file.labels, seg.labels)


def test_a_saved_model_and_other_threads_give_the_same(tmp_path) -> None:
    image, _ = discs()
    seg = gmmseg.segment(image, 2, threads=1)
    np.testing.assert_array_equal(gmmseg.segment(image, 2, threads=2).labels, seg.labels)
    seg.model.save(tmp_path / "model.json")
    np.testing.assert_array_equal(gmmseg.apply(gmmseg.load_model(tmp_path / "model.json"), image).labels, seg.labels)


def test_a_turned_picture_has_the_turned_mask() -> None:
    image, _ = discs()
    mask = gmmseg.segment(image, 2).mask(2)
    for turn in (np.transpose, np.flipud, np.fliplr):
        assert dice(turn(gmmseg.segment(np.ascontiguousarray(turn(image)), 2).mask(2)), mask) > 0.99


def test_masked_pixels_are_nothing() -> None:
    image, truth = discs()
    known = np.ones(image.shape, bool)
    known[:, :60] = False
    hidden = np.where(known, image, 255).astype(np.uint8)
    labels = gmmseg.segment(hidden, 2, mask=known).labels
    assert not labels[~known].any()
    assert dice((labels == 2)[known], truth[known]) > 0.88


def test_the_level_is_half_of_what_is_alike() -> None:
    ramp = np.concatenate([np.zeros(10), np.arange(11), np.full(10, 10), np.arange(11)[::-1], np.zeros(10)])
    square = np.repeat(ramp[None, None], 40, axis=1)
    valid = np.ones(square.shape, bool)
    assert half_level(square, valid, 0.5)[0] == pytest.approx(
        4.5, abs=0.6
    )  # the mean that counts itself is a little under 10
    assert half_level(10 * square, valid, 5)[0] == pytest.approx(10 * half_level(square, valid, 0.5)[0])


def test_few_bright_objects_do_not_hide_many_dim_ones() -> None:
    profile = np.concatenate([np.zeros(8), np.full(16, 10.0), np.zeros(8)])
    dim = ndimage.gaussian_filter1d(np.tile(profile, 20), 1.5)
    rows = np.repeat(dim[None], 40, axis=0)
    rows[:, :64] *= 10
    assert 4 < half_level(rows[None], np.ones((1, *rows.shape), bool), 0.5)[0] < 8


def test_the_level_lies_half_way_between_two_values() -> None:
    profile = np.array([0, 0, 0, 2, 4, 8, 8, 8, 8, 8, 8, 4, 2, 0, 0, 0])
    rows = np.repeat(profile[None, None], 12, axis=1)
    valid = np.ones(rows.shape, bool)
    lowest, _ = half_level(rows, valid, 0.5)
    assert 2 <= lowest < 2.1  # no pixel lies between 2 and 4
    assert half_level(rows, valid, 0.5, step=1)[0] == pytest.approx(lowest + 0.5)
    assert half_level(rows, valid, 0.5, step=9)[0] == pytest.approx((lowest + 4) / 2, abs=0.01)
    assert half_level(rows, valid, 3, step=9)[0] == 3  # as good as any


@pytest.mark.parametrize("seed", [1, 2])
def test_noise_hardly_moves_the_level(seed: int) -> None:
    image, _ = of_all_heights(0.8, seed)
    levels = []
    for i in range(8):
        heights = (image + np.random.default_rng(i).normal(-10, 1, image.shape)).astype(np.float32)[None]
        levels.append(half_level(heights, np.ones(heights.shape, bool), 6)[0])
    assert 8 < np.mean(levels) < 12
    assert np.std(levels) < 0.25  # the very best one varies by .8 and .5


def test_without_objects_the_border_stays() -> None:
    nothing = np.zeros((1, 9, 9))
    assert half_level(nothing, nothing == 0, 0.5) == (0.5, 0)
    assert half_level(nothing + 1, nothing == 1, 0.5) == (0.5, 0)


def test_cells_with_bright_nuclei_have_one_border_however_the_picture_is_cut() -> None:
    image, _, _ = cells()
    mask = gmmseg.segment(image, 2).mask(2)
    for part in (np.s_[1:, 1:], np.s_[:-1, :-1], np.s_[2:, :-2]):
        assert dice(gmmseg.segment(np.ascontiguousarray(image[part]), 2).mask(2), mask[part]) > 0.97
    assert dice(np.fliplr(gmmseg.segment(np.ascontiguousarray(np.fliplr(image)), 2).mask(2)), mask) > 0.97


@pytest.mark.parametrize("seed", [0, 1])
def test_the_bright_class_of_three_has_no_glow(seed: int) -> None:
    image, truth = glowing(seed)
    seg = gmmseg.segment(image, 3)
    assert dice(seg.mask(3), truth) > 0.96  # no threshold has more than .98
    assert dice(gmmseg.segment(image, 3, components=1).mask(3), truth) < 0.85
    np.testing.assert_array_equal(seg.model.memberships, [[1, 0, 0, 0], [0, 1, 0, 1], [0, 0, 1, 0]])
    dark = gmmseg.segment(255 - image, 3)
    np.testing.assert_array_equal(dark.model.memberships, [[1, 0, 0, 0], [0, 1, 0, 1], [0, 0, 1, 0]])
    assert dice(dark.mask(1), seg.mask(3)) > 0.98


def test_what_is_not_the_darkest_of_three_is_as_large_as_the_discs() -> None:
    image, truth = of_all_heights(0.6, seed=0)
    seg = gmmseg.segment(image, 3)
    assert dice(seg.labels > 1, truth) > 0.86  # no threshold has more than .87
    assert dice(gmmseg.segment(image, 3, components=1).labels > 1, truth) < 0.85
    np.testing.assert_array_equal(seg.model.memberships[:, 3], [1, 0, 0])
    assert (seg.labels == 3).any()


def test_a_class_that_is_mostly_rims_leaves_the_objects_to_the_brightest() -> None:
    image, truth = of_all_heights(0.4, seed=1)
    seg, dark = gmmseg.segment(image, 3), gmmseg.segment(255 - image, 3)
    assert dice(seg.mask(3), truth) > 0.89  # as the best threshold has it
    assert dice(gmmseg.segment(image, 3, components=1).mask(3), truth) < 0.87
    np.testing.assert_array_equal(seg.model.memberships, [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 1]])
    np.testing.assert_array_equal(dark.model.memberships, [[1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 1, 0]])
    assert dice(dark.mask(1), seg.mask(3)) > 0.98


def test_a_class_of_noise_has_no_rims() -> None:
    image, truth = faint()
    seg = gmmseg.segment(image, 3)
    assert dice(seg.mask(3), truth) > 0.9
    np.testing.assert_array_equal(seg.labels, gmmseg.segment(image, 3, components=1).labels)


@pytest.mark.parametrize(("light", "ground", "seed"), [(20, 0.3, 1), (20, 0.6, 0), (40, 0.6, 1)])
def test_above_a_ground_of_two_classes_the_brightest_has_no_rims(light: float, ground: float, seed: int) -> None:
    image, truth = few_photons(light, ground, seed)
    seg, dark = gmmseg.segment(image, 3), gmmseg.segment(255 - image, 3)
    assert dice(seg.mask(3), truth) > 0.93
    assert dice(gmmseg.segment(image, 3, components=1).mask(3), truth) < 0.91
    np.testing.assert_array_equal(seg.model.memberships, [[1, 0, 0, 0], [0, 1, 0, 1], [0, 0, 1, 0]])
    assert dice(dark.mask(1), seg.mask(3)) > 0.98


@pytest.mark.parametrize(("blur", "glow"), [(2, 0.2), (3, 0)])
def test_objects_begin_half_way_above_what_is_between(blur: float, glow: float) -> None:
    rng, (rows, columns) = np.random.default_rng(1), np.indices((256, 256))
    light = np.zeros((256, 256))
    for y in range(16, 256, 32):
        for x in range(16, 256, 32):
            height = 60 * np.exp(rng.normal(0, 0.6))
            light[(rows - y) ** 2 + (columns - x) ** 2 < rng.uniform(7.04, 10.88) ** 2] = height
    sharp, wide = (ndimage.gaussian_filter(light, sigma) for sigma in (blur, 32 / 3))
    image = rng.poisson(5 + sharp + glow * wide).clip(0, 255).astype(np.uint8)
    seg = gmmseg.segment(image, 3)
    plain = dice(gmmseg.segment(image, 3, components=1).mask(3), light > 0)
    assert dice(seg.mask(3), light > 0) > max(0.8, plain + 0.04)
    np.testing.assert_array_equal(seg.model.memberships, [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 1]])


def test_a_second_ground_is_told_by_its_height_and_by_how_well_objects_agree() -> None:
    def level(profile: np.ndarray, places: list[float], borders: list[float]) -> float | None:
        heights = np.tile(profile.astype(np.float32), (40, 1))
        labels = np.searchsorted(borders, heights.ravel()) + 1
        classes = rims.Classes(np.arange(3), np.array(places), borders, labels, heights.ravel())
        return classes.level(np.ones(heights.size, bool), (1, *heights.shape), 1, 0.0)

    top = ndimage.gaussian_filter1d(np.repeat([0, 100, 0], [12, 16, 12]).astype(float), 2)
    objects = np.tile(top, 6)
    own = level(objects, [0, 30, 90], [10, 60])
    assert own is not None
    assert 38 < own < 50
    # Most of what is above the ground is even: a second one, and they are half as high above that.
    on_second = np.concatenate([np.zeros(200), np.full(3000, 20.0), np.zeros(20), 20 + objects])
    assert level(on_second, [0, 20, 110], [10, 50]) == pytest.approx(20 + own, abs=4)
    assert level(np.concatenate([np.zeros(200), np.full(200, 20.0)]), [0, 20, 110], [10, 100]) is None  # no objects


@pytest.mark.parametrize("inverted", [False, True])
def test_what_is_clipped_is_no_ground(inverted: bool) -> None:
    image, truth = clipped()
    labels = 4 - gmmseg.segment(255 - image, 3).labels if inverted else gmmseg.segment(image, 3).labels
    assert dice(labels > 1, truth) > 0.83  # no threshold has more than .84
    assert dice(labels == 3, image == 255) > 0.99
    plain = gmmseg.segment(image, 3, components=1).labels
    assert dice(plain > 1, truth) < 0.75


def test_cells_and_their_nuclei_are_two_of_three_classes() -> None:
    image, whole, nuclei = cells()
    seg, plain = gmmseg.segment(image, 3), gmmseg.segment(image, 3, components=1)
    assert dice(seg.mask(3), nuclei) > max(0.87, dice(plain.mask(3), nuclei) + 0.03)
    assert dice(seg.labels > 1, whole) > 0.95


@pytest.mark.parametrize("k", [3, 4])
def test_sharp_discs_of_several_heights_stay(k: int) -> None:
    image, truth = discs(blur=0)
    labels = gmmseg.segment(image, k).labels
    assert max(dice(labels > below, truth) for below in range(1, k)) > 0.98


def test_borders_of_classes_lie_where_their_gaussians_cross() -> None:
    def densities(height: float) -> np.ndarray:
        return weights / deviations * np.exp(-(((height - places) / deviations) ** 2) / 2)

    places, deviations, weights = np.array([0.0, 4.0, 20.0]), np.array([1.0, 0.8, 5.0]), np.array([0.5, 0.2, 0.3])
    borders = rims._borders(places, deviations, weights)
    for i, border in enumerate(borders):
        assert places[i] < border < places[i + 1]
        assert densities(border)[i] == pytest.approx(densities(border)[i + 1])
    assert len(borders) == 2
    assert rims._borders(places, deviations, np.array([0.5, 0.0, 0.5])) == []  # a class of nothing has none
    assert rims._borders(np.zeros(2), deviations[:2], weights[:2]) == []
    assert len(rims._borders(places, np.ones(3), weights)) == 2  # of one width


def balls(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A stack of blurred balls of 300 to 500 on a ground of 100, in counted photons; and where they are."""
    rng, (planes, rows, columns) = np.random.default_rng(seed), np.indices((20, 96, 96))
    light = np.zeros(planes.shape)
    for y in range(16, 96, 32):
        for x in range(16, 96, 32):
            inside = ((planes - 10) / 5) ** 2 + ((rows - y) / 9) ** 2 + ((columns - x) / 9) ** 2 < 1
            light[inside] = rng.uniform(300, 500)
    return rng.poisson(100 + ndimage.gaussian_filter(light, 1.2)).astype(np.uint16), light > 0


def test_objects_keep_some_pixels() -> None:
    """At 60 deviations of what is around objects nothing of it is left to put the border there."""
    parts = rims._Parts(np.array([0.0, 0.5, 60.0]), np.array([1.0, 0.1, 1.0]), 0.5)
    assert parts.shared_at(40.0) is None
    wide = rims._Parts(np.array([0.0, 20.0, 60.0]), np.array([10.0, 10.0, 10.0]), 0.5)
    weights = wide.shared_at(40.0)
    assert weights is not None
    assert (weights > 0).all()
    assert weights.sum() == pytest.approx(1)
    assert wide.are_objects(np.array([39.9, 40.1]), weights).tolist() == [False, True]


def test_objects_of_a_time_lapse_are_no_larger_than_those_of_its_frames() -> None:
    frames, truth = map(np.stack, zip(*(discs(seed=seed) for seed in range(3)), strict=True))
    found = gmmseg.segment(frames, k=2, axes="TYX").labels == 2
    alone = [dice(gmmseg.segment(frame, k=2).labels == 2, each) for frame, each in zip(frames, truth, strict=True)]
    assert min(alone) > 0.88
    assert dice(found, truth) > min(alone) - 0.005
    assert dice(gmmseg.segment(frames, k=2, axes="TYX", components=1).labels == 2, truth) < 0.8


def test_images_under_one_model_have_rims_whatever_their_sizes() -> None:
    images = [discs(shape, seed=seed) for seed, shape in enumerate([(256, 256), (192, 320), (256, 256)])]
    model = gmmseg.fit([pixels for pixels, _ in images], k=2)
    assert np.shape(model.memberships) == (2, 3)
    assert all(dice(gmmseg.apply(model, pixels).labels == 2, truth) > 0.88 for pixels, truth in images)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_objects_of_a_volume_have_rims(order: tuple[int, ...]) -> None:
    pixels, truth = (each.transpose(order) for each in balls())
    found = gmmseg.segment(pixels, k=2, channel_axis=None).labels == 2
    assert dice(found, truth) > 0.955
    assert abs(found.sum() / truth.sum() - 1) < 0.05
    assert dice(gmmseg.segment(pixels, k=2, channel_axis=None, components=1).labels == 2, truth) < 0.8


def test_few_objects_of_a_large_volume_have_rims() -> None:
    """Boxes at even distances would have none of them."""
    pixels = np.random.default_rng(1).poisson(100, (20, 280, 280)).astype(np.uint16)
    some, own = balls()
    truth = np.zeros(pixels.shape, bool)
    pixels[:, 180:276, 4:100], truth[:, 180:276, 4:100] = some, own
    found = gmmseg.segment(pixels, k=2, channel_axis=None).labels == 2
    assert abs(found.sum() / truth.sum() - 1) < 0.05
    assert gmmseg.segment(pixels, k=2, channel_axis=None, components=1).mask(2).sum() > 1.4 * truth.sum()


def test_tissues_of_scans_and_of_three_classes_have_none() -> None:
    """What is between two of them may be another one."""
    pixels, _ = balls()
    scan = Image(pixels[..., None], place=Place(affine3d=tuple(map(tuple, np.eye(4)))))
    assert scan.is_scan
    assert gmmseg.fit(scan, k=2).memberships is None
    assert gmmseg.fit(pixels, k=3, channel_axis=None).memberships is None
