"""Large squares: which frames of a time-lapse are looked at for the rims of objects, and where."""

from __future__ import annotations

import weakref
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

import gmmseg
from gmmseg import Image
from gmmseg.features import Recipe
from gmmseg.fitting.large_squares import LargeSquares, Place
from gmmseg.fitting.sampling import SampleRequest, take_sample
from gmmseg.fitting.survey import SurveyRequest, survey

RECIPE = Recipe.parse("intensity")


def film(n: int = 12, *, with_discs: tuple[int, ...], gains: dict[int, float] | None = None) -> tuple[np.ndarray, ...]:
    """Frames of a ground of 20 photons, of which some have blurred discs of 60 to 120; and where these are."""
    rng, (rows, columns) = np.random.default_rng(0), np.indices((256, 256))
    frames, truth = [], []
    for number in range(n):
        light = np.zeros((256, 256))
        for y, x in rng.uniform(20, 236, (12 if number in with_discs else 0, 2)):
            light[(rows - y) ** 2 + (columns - x) ** 2 < rng.uniform(7, 11) ** 2] = rng.uniform(60, 120)
        truth.append(light > 0)
        light = rng.poisson(20 + ndimage.gaussian_filter(light, 2))
        frames.append(np.rint(light * (gains or {}).get(number, 1)).astype(np.uint16))
    return np.stack(frames), np.stack(truth)


def looked_at(frames: np.ndarray, valid: np.ndarray | None = None, *, n_images: int = 1) -> list[np.ndarray]:
    """The pixels of each frame that is looked at."""
    large = LargeSquares(2, n_images)
    for number, pixels in enumerate(frames):
        image = Image(pixels[..., None], valid=None if valid is None else valid[number])
        request = SampleRequest(RECIPE, 5000, 2, squares=large.pixels(Place(0, len(frames))))
        large.add(
            image, Place(0, len(frames)), RECIPE, take_sample(image, request, np.random.default_rng(0)), np.ones(1)
        )
    large.end()
    return [scene.features.reshape(scene.patches.shape)[0] for scene in large.scaled(np.zeros(1), np.ones(1))]


def dice(mask: np.ndarray, truth: np.ndarray) -> float:
    return float(2 * (mask & truth).sum() / (mask.sum() + truth.sum()))


def test_of_every_other_quarter_it_is_the_frame_that_differs_most() -> None:
    checks = np.indices((32, 32)).sum(axis=0) % 2
    spreads = [3, 1, 2, 6, 4, 5, 8, 7, 9, 10, 12, 11]
    found = looked_at(np.stack([(checks * spread).astype(np.uint16) for spread in spreads]))
    assert [int(pixels.max()) for pixels in found] == [2, 6, 8, 12]


@pytest.mark.parametrize("n", [2, 3, 5])
def test_short_time_lapses_are_looked_at_as_far_as_they_go(n: int) -> None:
    assert len(looked_at(np.zeros((n, 16, 16), np.uint16))) == min(n, 4)


def test_none_is_looked_at_where_nothing_asks_for_it() -> None:
    assert looked_at(np.zeros((5, 16, 16), np.uint16), n_images=0) == []


def test_of_a_large_frame_it_is_where_the_object_is() -> None:
    frames, valid = np.zeros((2, 600, 600), np.uint16), np.ones((2, 600, 600), bool)
    frames[:, 80:90, 480:500] = 100
    frames[:, 450:, 100:] = 60_000
    frames[:, 450:, :300] = 30_000
    valid[:, 440:] = False
    for pixels in looked_at(frames, valid):
        assert pixels.shape == (127, 127)
        assert (pixels == 100).sum() > 100


def test_objects_of_few_frames_are_found_and_no_flicker_widens_them() -> None:
    rare, truth = film(with_discs=(4,))
    assert dice(gmmseg.segment(rare, 2, axes="TYX").labels == 2, truth) > 0.9
    lit, truth = film(with_discs=tuple(range(12)), gains={1: 2.0, 5: 2.0, 8: 2.0, 10: 2.0})
    steady, _ = film(with_discs=tuple(range(12)))
    for pixels in (lit, steady):
        assert dice(gmmseg.segment(pixels, 2, axes="TYX").labels[0] == 2, truth[0]) > 0.9


def test_a_file_gives_what_the_array_gives(tmp_path: Path) -> None:
    frames, _ = film(6, with_discs=(1, 4))
    np.save(tmp_path / "film.npy", frames)
    seg = gmmseg.segment(tmp_path / "film.npy", 2, axes="TYX", memory=1 << 18)
    assert not seg.image.in_memory
    np.testing.assert_array_equal(seg.labels, gmmseg.segment(frames, 2, axes="TYX").labels)


def test_of_several_time_lapses_one_at_a_time_is_held() -> None:
    held: list[weakref.ref[np.ndarray]] = []

    def one_after_the_other():
        for seed in range(4):
            assert all(each() is None for each in held[1:-1])  # the first one says what kind the others are of
            pixels = np.random.default_rng(seed).poisson(20, (4, 64, 64, 1)).astype(np.uint16)
            held.append(weakref.ref(pixels))
            yield Image(pixels, time=True)
            del pixels

    found = survey(one_after_the_other(), SurveyRequest(RECIPE, 500, 2, 4, squares=True), np.random.default_rng(0))
    assert len(found.squares) == 16
    assert len(held) == 4
