"""Tiles: the same result for any tiles, threads and memory."""

import numpy as np
import pytest
from regions import CASES, holes, outputs, scene, spatial

import gmmseg


@pytest.mark.slow
@pytest.mark.parametrize("smooth", [0, 0.5, 1.0])
@pytest.mark.parametrize("masked", [False, True], ids=["all", "masked"])
@pytest.mark.parametrize("case", CASES)
def test_tiles_give_the_whole_bit_for_bit(case, masked, smooth, monkeypatch):
    # Noise leaves pixels undecided: what happens at a tile's far border is felt throughout its halo.
    options, image = scene(case, noise=80)
    mask = holes(spatial(case, image)) if masked else None
    axis = options.get("channel_axis", "auto")
    model = gmmseg.fit(image, 3, mask=mask, sample=3000, **options)
    results = []
    for sides in (small_sides, whole_sides):
        monkeypatch.setattr("gmmseg.labelling.tiles.tile_sides", sides)
        results.append(outputs(gmmseg.apply(model, image, mask=mask, channel_axis=axis, smooth=smooth)))
    for tiled, whole in zip(*results, strict=True):
        assert tiled.tobytes() == whole.tobytes()


def small_sides(shape, pixels, halo):
    """Sides far below the usual, so that small images have many tiles."""
    return tuple(min(n, side) for n, side in zip(shape, (11, 17, 13), strict=False))


def whole_sides(shape, pixels, halo):
    return shape


@pytest.mark.slow
@pytest.mark.parametrize("features", ["lab,xy", "luv", "hsv,xy:2", "hed", "rgb", "gray"])
def test_tiles_give_the_whole_for_every_feature(features, monkeypatch):
    _, image = scene("picture")
    model, results = gmmseg.fit(image, 3, features=features, sample=3000), []
    for sides in (small_sides, whole_sides):
        monkeypatch.setattr("gmmseg.labelling.tiles.tile_sides", sides)
        results.append(outputs(gmmseg.apply(model, image)))
    for tiled, whole in zip(*results, strict=True):
        assert tiled.tobytes() == whole.tobytes()


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_the_same_bytes_for_any_number_of_threads(case, monkeypatch):
    monkeypatch.setattr("gmmseg.labelling.tiles.tile_sides", small_sides)
    options, image = scene(case)
    results = [[a.tobytes() for a in outputs(gmmseg.segment(image, 3, threads=t, **options))] for t in (1, 2, 7)]
    assert results[0] == results[1] == results[2]


@pytest.mark.slow
@pytest.mark.parametrize("tile_bytes", [1 << 12, 1 << 16, 1 << 40])
def test_the_memory_of_a_tile_does_not_matter(tile_bytes, monkeypatch):
    image = np.tile(scene("picture")[1], (3, 3, 1))
    model = gmmseg.fit(image, 3, sample=3000)
    usual = gmmseg.apply(model, image).probabilities
    monkeypatch.setattr("gmmseg.labelling.tiles.TILE_BYTES", tile_bytes)
    assert gmmseg.apply(model, image).probabilities.tobytes() == usual.tobytes()


def test_progress_counts_the_tiles(monkeypatch):
    monkeypatch.setattr("gmmseg.labelling.tiles.tile_sides", small_sides)
    calls = []
    gmmseg.segment(scene("grey")[1], 2, progress=lambda done, total: calls.append((done, total)))
    total = -(-90 // 11) * -(-110 // 17)
    assert calls == [(i, total) for i in range(1, total + 1)]
