"""Tiles: the same result for any tiles, threads and memory."""

import numpy as np
import pytest
from detailed_pictures import enlarged, made
from regions import CASES, holes, outputs, scene, spatial

import gmmseg
from gmmseg import Image
from gmmseg.labelling.graph import work_on
from gmmseg.labelling.layers import layer_named
from gmmseg.labelling.tiles import Rule, empty_layer, visit
from gmmseg.records import replace
from gmmseg.spatial.grain import Grain, put_together


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


def test_tiles_away_from_the_border_have_rows_of_whole_registers_with_their_halo(monkeypatch):
    rng = np.random.default_rng(0)
    image = Image.from_array(rng.integers(0, 255, (60, 700, 3), np.uint8))
    model, widths = gmmseg.fit(image, 2, sample=3000), []
    plain = gmmseg.labelling.tiles._with_data

    def seen(tile, *arguments):
        widths.append(tile.shape[-1])
        return plain(tile, *arguments)

    monkeypatch.setattr("gmmseg.labelling.tiles.tile_sides", lambda shape, pixels, halo: (shape[0], 200))
    monkeypatch.setattr("gmmseg.labelling.tiles._with_data", seen)
    labels = gmmseg.apply(model, image, smooth=0.5).labels
    assert labels.min() == 1
    assert len(widths) > 3
    assert all(width % 32 == 0 for width in widths[1:-1])


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


def test_the_last_tile_of_a_row_is_not_mostly_halo(monkeypatch):
    monkeypatch.setattr("gmmseg.labelling.tiles.TILE_BYTES", 20 * 64 * 128)  # so many pixels of two classes
    image, calls = np.repeat(np.uint8([[10], [200]]), 32, axis=0) + np.zeros((64, 690), np.uint8), []
    gmmseg.segment(image, 2, smooth=0.5, progress=lambda done, total: calls.append(total))
    assert calls == [5] * 5  # of 144 columns; of 112, which are a register less, there would be 18 left for a seventh


@pytest.fixture
def large(rng):
    """A picture without detail of single pixels, whose last blocks are not whole, and its model."""
    image = Image(enlarged(made(rng))[:-1, :-1], color=True)
    model = gmmseg.fit(image, 3)
    assert model.grain == Grain((0, 0), "cubic -0.75")
    return image, model


@pytest.mark.parametrize("grain", [Grain(), Grain((0, 0), "cubic -0.75"), Grain((1, 0), "linear")], ids=str)
@pytest.mark.parametrize("masked", [False, True], ids=["all", "masked"])
@pytest.mark.parametrize("smooth", [True, False])
def test_blocks_give_windows_and_tiles_the_labels_of_the_whole(large, smooth, masked, grain, monkeypatch):
    image, model = large
    mask = holes(image.shape) if masked else None
    image = Image(image.array, color=True, valid=mask)
    model = replace(model, strength=0.5 * smooth, grain=grain)
    whole = outputs(gmmseg.apply(model, image))
    monkeypatch.setattr("gmmseg.labelling.tiles.tile_sides", small_sides)
    for tiled, expected in zip(outputs(gmmseg.apply(model, image, threads=3)), whole, strict=True):
        assert tiled.tobytes() == expected.tobytes()
    halo, labels = model.halo(image), gmmseg.apply(model, image).labels
    for inner in ((slice(61, 90), slice(70, 121)), (slice(0, 40), slice(160, 219)), (slice(100, 179), slice(33, 66))):
        outer = tuple(
            slice(max(s.start - halo, 0), min(s.stop + halo, n)) for s, n in zip(inner, image.shape, strict=True)
        )
        crop = image.crop(outer)
        found = empty_layer(layer_named("labels"), model, crop.shape)
        visit(crop, Rule(model), layer_named("labels"), found)
        local = tuple(slice(s.start - o.start, s.stop - o.start) for s, o in zip(inner, outer, strict=True))
        np.testing.assert_array_equal(found[local], labels[inner])


def test_an_enlarged_picture_is_put_together_once_and_its_windows_anew(large, monkeypatch):
    image, model = large
    expected, calls = outputs(gmmseg.apply(model, image)), []

    def counted(*arguments):
        calls.append(arguments[0])
        return put_together(*arguments)

    monkeypatch.setattr("gmmseg.labelling.tiles.put_together", counted)
    found = gmmseg.segment(image, 3)
    for own, other in zip(outputs(found), expected, strict=True):
        assert own.tobytes() == other.tobytes()
    assert not calls
    crop = image.crop((slice(0, 150), slice(0, 160)))
    visit(crop, found.rule, layer_named("labels"), labels := empty_layer(layer_named("labels"), model, crop.shape))
    assert calls == [crop]
    np.testing.assert_array_equal(labels[:50, :50], found.labels[:50, :50])
    assert work_on(found, layer_named("labels")).rule.blocks is None


@pytest.mark.parametrize("layer", ["labels", "probabilities", "uncertainty"])
def test_a_pixel_has_what_its_block_has(large, layer):
    image, model = large
    model = replace(model, grain=Grain((1, 0), "cubic -0.75"))
    blocks = getattr(gmmseg.apply(replace(model, grain=None), put_together(image, model.grain)), layer)
    mask = holes(image.shape)
    found = getattr(gmmseg.apply(model, image), layer)
    expected = blocks.repeat(2, axis=-1).repeat(2, axis=-2)[..., 1:, :]
    np.testing.assert_array_equal(found, expected[..., : image.shape[0], : image.shape[1]])
    masked = getattr(gmmseg.apply(model, image, mask=mask), layer)
    by_pixels = getattr(gmmseg.apply(replace(model, grain=None), image, mask=mask), layer)
    np.testing.assert_array_equal(masked[..., ~mask], by_pixels[..., ~mask])


def test_blocks_know_dropped_classes_and_pixels_without_data(large):
    image, model = large
    valid = np.ones(image.shape, bool)
    valid[51:, 80:] = False
    spoilt = np.where(valid[..., None], image.array, 255).astype(np.uint8)
    every = gmmseg.apply(model, Image(image.array, color=True, valid=valid))
    assert (every.labels == 0).tolist() == (~valid).tolist()
    assert gmmseg.apply(model, Image(spoilt, color=True, valid=valid)).labels.tobytes() == every.labels.tobytes()
    np.testing.assert_allclose(every.probabilities.sum(axis=0), valid, atol=1e-5)
    dropped = gmmseg.apply(model.relabel(drop=2, keep_numbers=True), image)
    whole = gmmseg.apply(model, image).labels
    assert (dropped.labels == np.where(whole == 2, 0, whole)).mean() > 0.999
    assert not dropped.probabilities[:, dropped.labels == 0].any()


def test_what_is_drawn_is_of_single_pixels_where_others_are_of_blocks(large):
    image, model = large
    strokes = np.zeros(image.shape, np.uint8)
    strokes[31, 20:60], strokes[32, 20:60] = 1, 3
    labels = gmmseg.apply(model, image, scribbles=strokes).labels
    assert (labels[31, 20:60] == 1).all()
    assert (labels[32, 20:60] == 3).all()


@pytest.mark.parametrize("gaps", [False, True], ids=["all", "gaps"])
@pytest.mark.parametrize("smooth", [0, 0.5])
@pytest.mark.parametrize(
    "given", [{"components": 3}, {"merge": [(1, 3), (2, 4)]}, {"merge": [(1, 4)], "drop": 2}], ids=str
)
def test_classes_of_several_components_are_the_same_for_any_tiles_and_likeliest(given, smooth, gaps, monkeypatch):
    image = scene("picture", noise=80)[1].astype(np.float32)
    if gaps:
        image[30:50, 40:70, 1] = np.nan
    components = given.get("components")
    model = gmmseg.fit(image, 2 if components else 4, components=components, channel_axis=2, sample=3000)
    model = model if components else model.relabel(**given)
    assert np.isin(model.memberships, (0, 1)).all()
    results = []
    for sides, threads in ((small_sides, 3), (whole_sides, 1)):
        monkeypatch.setattr("gmmseg.labelling.tiles.tile_sides", sides)
        seg = gmmseg.apply(model, image, channel_axis=2, smooth=smooth, threads=threads)
        results.append((seg.labels, seg.probabilities))
        known = seg.labels > 0
        np.testing.assert_array_equal(seg.labels[known], (seg.probabilities.argmax(axis=0) + 1)[known])
    for tiled, whole in zip(*results, strict=True):
        assert tiled.tobytes() == whole.tobytes()
    assert len(np.unique(results[0][0])) == model.k + ("drop" in given)
    if not smooth:  # by hand, in double precision
        scaled = (image.reshape(-1, 3).T.astype(np.float64) - model.center[:, None]) / model.scale[:, None]
        exact = model.complete.memberships @ model.mixture.posterior(scaled)
        decided = np.ptp(np.sort(exact, axis=0)[-2:], axis=0) > 1e-4
        labels = exact.argmax(axis=0) + 1
        labels[labels > model.k] = 0
        np.testing.assert_array_equal(results[0][0].reshape(-1)[decided], labels[decided])
