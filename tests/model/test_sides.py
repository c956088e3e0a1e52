"""An object and what is around it, told apart by what all of a picture says."""

import re

import numpy as np
import pytest

import gmmseg
from gmmseg import Image
from gmmseg.errors import DataWarning
from gmmseg.model.sides import _end, _Thin, has_sides, relearned, settled
from gmmseg.records import replace
from gmmseg.spatial.guidance import Guidance
from gmmseg.spatial.minimum_cut import minimum_cut


@pytest.fixture
def scene(rng):
    """A brown animal on grass, and soil nearly as brown that no stroke is on, all over the lower third."""
    rows, columns = np.mgrid[:90, :120]
    truth = ((rows - 36) / 18) ** 2 + ((columns - 60) / 26) ** 2 < 1
    colors = np.full((90, 120, 3), (70.0, 120, 60))
    colors[62:] = 112, 92, 66
    colors[truth] = 130, 88, 60
    image = (colors + rng.normal(0, 14, colors.shape)).clip(0, 255).astype(np.uint8)
    strokes = np.zeros(truth.shape, np.uint8)
    strokes[30:36, 46:76], strokes[4:9, 10:80], strokes[20:56, 6:10] = 1, 2, 2
    return image, truth, strokes


def test_what_no_stroke_has_shown_is_of_the_side_that_it_lies_on(scene):
    image, truth, strokes = scene
    found = gmmseg.segment(image, 2, scribbles=strokes)
    assert found.mask(2)[66:].all()
    assert (found.mask(1) == truth).mean() > 0.99
    np.testing.assert_array_equal(found.labels[strokes > 0], strokes[strokes > 0])
    by_colour = gmmseg.segment(image, 2, scribbles=strokes, features="lab")
    assert by_colour.mask(1)[66:].mean() > 0.2


def test_a_patch_of_its_own_colour_within_the_object_is_of_it(scene):
    image, truth, strokes = scene
    image = image.copy()
    image[38:48, 60:74] = image[38:48, 60:74] + np.uint8([0, 0, 120])
    found = gmmseg.segment(image, 2, scribbles=strokes)
    assert found.mask(1)[39:47, 61:73].mean() > 0.95
    assert (found.mask(1) == truth).mean() > 0.98


def test_what_goes_on_from_the_object_to_the_end_of_the_picture_is_not_of_it(rng):
    rows, columns = np.mgrid[:90, :160]
    truth = ((rows - 45) / 14) ** 2 + ((columns - 40) / 14) ** 2 < 1
    branch = (abs(rows - 45) < 4) & (columns > 50)  # of exactly its colours
    image = np.where((truth | branch)[..., None], (130, 88, 60), (70, 120, 60)) + rng.normal(0, 14, (90, 160, 3))
    strokes = np.zeros(truth.shape, np.uint8)
    strokes[38:41, 34:46], strokes[5:9, 10:150], strokes[43:48, 150:156] = 1, 2, 2
    for shown in (strokes, np.select([strokes > 0], [3 - strokes]).astype(np.uint8)):  # either may be the first class
        with pytest.warns(DataWarning, match="around row 4[0-9], column [67][0-9]; draw a stroke there"):
            found = gmmseg.segment(image.clip(0, 255).astype(np.uint8), 2, scribbles=shown)
        (doubt,) = found.warnings
        assert abs(doubt.place[0] - 45) < 5
        assert 60 <= doubt.place[1] < 80
        here = found.mask(int(shown[39, 40]))
        assert here[truth].mean() > 0.97
        assert not here[:, 100:].any()


def discs(rng, *centres):
    """A green picture (90, 160) with noise, brown within some distance of centres; and where each disc is."""
    rows, columns = np.mgrid[:90, :160]
    each = [(rows - row) ** 2 + (columns - column) ** 2 < radius**2 for row, column, radius in centres]
    colors = np.where(np.any(each, axis=0)[..., None], (130, 88, 60), (70, 120, 60))
    return (colors + rng.normal(0, 14, (90, 160, 3))).clip(0, 255).astype(np.uint8), each


def test_a_part_without_a_stroke_that_leaves_the_picture_is_not_of_the_object(rng):
    image, (own, other) = discs(rng, (40, 60, 20), (82, 90, 20))
    strokes = np.zeros(own.shape, np.uint8)
    strokes[33:47, 50:70], strokes[4:9, 10:150] = 1, 2
    with pytest.warns(DataWarning, match="as much of class 2"):  # it may be one more
        found = gmmseg.segment(image, 2, scribbles=strokes)
    assert (found.mask(1) == own).mean() > 0.99
    assert not found.mask(1)[other].any()
    strokes[80:86, 84:96] = 1  # a stroke on it is heard
    assert gmmseg.segment(image, 2, scribbles=strokes).mask(1)[other].mean() > 0.95


def test_of_several_objects_of_a_kind_all_are_found_with_those_at_the_end(rng):
    image, each = discs(rng, (45, 40, 15), (45, 80, 14), (87, 60, 14), (70, 110, 7), (64, 30, 3))
    strokes = np.zeros(image.shape[:2], np.uint8)
    strokes[38:52, 30:50], strokes[4:9, 10:150] = 1, 2
    found = gmmseg.segment(image, 2, scribbles=strokes)
    assert [found.mask(1)[disc].mean().round() for disc in each] == [1, 1, 1, 1, 0]  # the last is a speck


def test_strokes_on_two_objects_of_a_kind_say_that_there_may_be_more(rng):
    image, each = discs(rng, (45, 40, 15), (45, 80, 14), (86, 60, 12))
    strokes = np.zeros(image.shape[:2], np.uint8)
    strokes[38:52, 30:50], strokes[38:52, 74:86], strokes[4:9, 10:150] = 1, 1, 2
    found = gmmseg.segment(image, 2, scribbles=strokes)
    assert [found.mask(1)[disc].mean().round() for disc in each] == [1, 1, 1]


def test_the_rest_is_what_the_end_of_the_picture_is_of_where_strokes_on_objects_lie_as_far_out(rng):
    image, each = discs(rng, (22, 22, 12), (66, 140, 12), (60, 50, 12), (24, 110, 12), (80, 100, 14))
    strokes = np.zeros(image.shape[:2], np.uint8)
    strokes[18:26, 14:30], strokes[62:70, 132:148], strokes[40:44, 60:100] = 1, 1, 2
    assert Guidance(strokes).outermost() == 1
    for shown in (strokes, np.select([strokes > 0], [3 - strokes]).astype(np.uint8)):
        found = gmmseg.segment(image, 2, scribbles=shown)
        assert (found.mask(int(shown[20, 20])) == np.any(each, axis=0)).mean() > 0.98


def test_an_object_along_most_of_the_end_of_the_picture_is_the_object(rng):
    rows, columns = np.mgrid[:90, :160]
    truth = (rows > 50) | (columns < 12) | (columns > 148)
    image = np.where(truth[..., None], (130, 88, 60), (70, 120, 60)) + rng.normal(0, 14, (90, 160, 3))
    strokes = np.zeros(truth.shape, np.uint8)
    strokes[60:70, 60:100], strokes[4:9, 20:140] = 1, 2
    end, _ = _end(truth.shape, None)
    assert truth[end].mean() > 0.7
    image = image.clip(0, 255).astype(np.uint8)
    model, picture = gmmseg.fit(image, 2, scribbles=strokes), Image.from_array(image)
    assert _Thin(picture, model, Guidance(strokes)).rest == 2


@pytest.mark.parametrize("rows", [6, 20])
@pytest.mark.parametrize("upright", [False, True])
def test_an_object_across_a_strip_stays(rng, rows, upright):
    truth = np.broadcast_to(abs(np.arange(300) - 150) < 50, (rows, 300))
    image = np.where(truth[..., None], (130, 88, 60), (70, 120, 60)) + rng.normal(0, 14, (rows, 300, 3))
    strokes = np.zeros(truth.shape, np.uint8)
    strokes[:, 140:160], strokes[:, 10:40], strokes[:, 260:280] = 1, 2, 2
    image, truth, strokes = (np.swapaxes(each, 0, int(upright)) for each in (image, truth, strokes))
    found = gmmseg.segment(image.clip(0, 255).astype(np.uint8), 2, scribbles=np.ascontiguousarray(strokes))
    assert (found.mask(1) == truth).mean() > 0.97


def test_a_picture_ends_where_its_data_do_but_not_at_holes():
    valid = np.zeros((40, 50), bool)
    valid[5:40, 10:50] = True
    frame = valid.copy()
    frame[6:39, 11:49] = False
    valid[20:24, 20:30] = False
    end, nats = _end(valid.shape, valid.ravel())
    np.testing.assert_array_equal(end, frame)
    assert nats == _end((35, 40), None)[1] == 7.3
    assert _end((3, 600), None)[1] < 0.5
    assert not _end((4, 5), np.zeros(20, bool))[0].any()


def test_a_part_without_a_stroke_at_the_end_of_the_data_is_not_of_the_object(rng):
    image, (own, other) = discs(rng, (40, 60, 20), (70, 90, 20))
    mask = np.ones(own.shape, bool)
    mask[76:] = mask[:, 130:] = False
    strokes = np.zeros(own.shape, np.uint8)
    strokes[33:47, 50:70], strokes[4:9, 10:120] = 1, 2
    with pytest.warns(DataWarning, match="as much of class 2"):
        found = gmmseg.segment(image, 2, scribbles=strokes, mask=mask)
    assert found.mask(1)[own].mean() > 0.97
    assert not found.mask(1)[other & ~own].any()


def test_background_in_the_colours_of_the_object_stays_where_it_leaves_the_picture(rng):
    """A brown animal on soil of nearly its colours, a little of which is between both."""
    image, (own, _) = discs(rng, (40, 80, 22), (300, 80, 1))
    image[58:] = rng.normal((121, 93, 63), 14, (32, 160, 3))
    strokes = np.zeros(own.shape, np.uint8)
    strokes[32:48, 70:90], strokes[4:9, 10:150], strokes[20:50, 6:12] = 1, 2, 2
    with pytest.warns(DataWarning, match="might as well be"):
        found = gmmseg.segment(image, 2, scribbles=strokes)
    assert found.mask(1)[own].mean() > 0.95
    assert found.mask(1)[70:].mean() < 0.15


def test_colours_of_a_large_object_alone_are_not_of_the_rest(rng):
    """A panda that fills the picture: what there is of its white speaks for nothing but itself."""
    rows, columns = np.mgrid[:90, :160]
    own = ((rows - 45) / 42) ** 2 + ((columns - 80) / 66) ** 2 < 1
    white = own & (columns > 66)
    colors = np.where(white[..., None], (220, 215, 205), np.where(own[..., None], (40, 38, 36), (95, 105, 70)))
    image = (colors + rng.normal(0, 12, (90, 160, 3))).clip(0, 255).astype(np.uint8)
    strokes = np.zeros(own.shape, np.uint8)
    strokes[40:46, 30:90], strokes[:4, :], strokes[86:, :], strokes[:, :5] = 1, 2, 2, 2
    found = gmmseg.segment(image, 2, scribbles=strokes)
    assert (found.mask(1) == own).mean() > 0.99
    lightness = found.model.mixture.means[:, 0]
    bright = lightness > lightness.min() + 0.75 * np.ptp(lightness)
    assert found.model.memberships[0, bright].min() > 0.97


@pytest.mark.parametrize("own", [1, 2])
def test_an_object_with_longer_strokes_than_what_is_around_it_is_the_object(rng, own):
    """A brown animal before a blue sky that a stroke is on, and a paler one that none is on."""
    rows, columns = np.mgrid[:90, :120]
    truth = ((rows - 45) / 30) ** 2 + ((columns - 60) / 40) ** 2 < 1
    sky = np.where((columns < 60)[..., None], (110, 150, 200), (150, 165, 180))
    image = np.where(truth[..., None], (130, 88, 60), sky) + rng.normal(0, 8, (90, 120, 3))
    strokes = np.zeros(truth.shape, np.uint8)
    strokes[43:47, 26:94], strokes[3:7, 6:40] = own, 3 - own
    found = gmmseg.segment(image.clip(0, 255).astype(np.uint8), 2, scribbles=strokes)
    assert (found.mask(own) == truth).mean() > 0.98


def test_components_become_of_the_side_where_they_are(scene):
    image, truth, strokes = scene
    model, guidance = gmmseg.fit(image, 2, scribbles=strokes), Guidance(strokes)
    picture = Image.from_array(image)
    undecided = np.full_like(model.memberships, 0.5)
    again = relearned(picture, replace(model, memberships=undecided), guidance)
    np.testing.assert_array_equal(again.memberships, model.memberships)  # strokes and regions tell them anew
    np.testing.assert_allclose(model.memberships.sum(axis=0), 1, atol=1e-6)
    shares = model.memberships @ model.mixture.weights
    np.testing.assert_allclose(shares, [truth.mean(), 1 - truth.mean()], atol=0.1)  # by strokes alone 0.2 too many


def test_strokes_of_any_size_are_heard_beside_large_ones(scene):
    image, truth, _ = scene
    image, truth = image.repeat(3, axis=0).repeat(3, axis=1), truth.repeat(3, axis=0).repeat(3, axis=1)
    strokes = np.zeros(truth.shape, np.uint8)
    strokes[:40, :] = strokes[200:, :] = strokes[40:200, :80] = 2
    strokes[70:150, 180] = 1  # the last of 81 in each row: one of three misses them
    found = gmmseg.segment(image, 2, scribbles=strokes)
    assert np.isfinite(found.model.memberships).all()
    assert (found.mask(1) == truth).mean() > 0.97


def test_colours_without_data_say_nothing(scene):
    image, truth, strokes = scene
    mask = np.ones(truth.shape, bool)
    mask[:7, 40:], mask[50:60, 80:] = False, False  # strokes are on some of it
    one, two = image.copy(), image.copy()
    one[~mask], two[~mask] = (130, 88, 60), (70, 120, 60)
    first, second = (gmmseg.segment(each, 2, scribbles=strokes, mask=mask) for each in (one, two))
    np.testing.assert_array_equal(first.model.memberships, second.model.memberships)
    np.testing.assert_array_equal(first.labels, second.labels)


def test_sides_are_likely_but_near_the_border(scene):
    image, truth, strokes = scene
    model = gmmseg.fit(image, 2, scribbles=strokes)
    given = settled(Image.from_array(image), model, Guidance(strokes))
    np.testing.assert_array_equal(given.scribbles, strokes)
    np.testing.assert_allclose(given.maps.sum(axis=0), 1, atol=1e-6)
    near = np.isclose(given.maps[0], 0.5, atol=1e-6)
    assert near.mean() < 0.1
    assert ((given.maps[0] > 0.5) == truth)[~near].mean() > 0.99
    assert np.abs(given.maps[0] - 0.5)[~near].min() > 0.2  # one nat to the side


def test_soft_masks_are_less_sure_where_colours_contradict(scene):
    image, truth, strokes = scene
    image = image.copy()
    image[30:33, 76:79] = image[2:5, 20:23]  # grass, too small to be a hole
    found = gmmseg.segment(image, 2, scribbles=strokes, smooth=0.1)
    assert (found.mask(1) == truth).mean() > 0.98
    assert found.uncertainty[31, 77] > 10 * np.median(found.uncertainty[truth])
    assert 0 < found.probabilities[1, 31, 77] < 0.5


@pytest.fixture
def birds(rng):
    """What `segment` finds in noisy levels (90, 120) with strokes of a class in columns, of the other at the right."""
    strokes = np.zeros((90, 120), np.uint8)

    def found(levels, of, columns):
        strokes[5:85, columns], strokes[5:85, 105:110], strokes[4:9, 90:110] = of, 3 - of, 3 - of
        pixels = levels[..., None] + rng.normal(0, 20, (*levels.shape, 3))
        return gmmseg.segment(pixels.clip(0, 255).astype(np.uint8), 2, scribbles=strokes, class_names=["bird", "sky"])

    return found


@pytest.mark.parametrize("pixels", [80_000, 2700])  # 2700: every other pixel of each axis
@pytest.mark.parametrize("of", [1, 2])
def test_where_the_rest_is_in_doubt_is_said(birds, monkeypatch, of, pixels):
    monkeypatch.setattr("gmmseg.model.sides._PIXELS", pixels)
    columns, names = np.mgrid[:90, :120][1], ["bird", "sky"]
    levels = np.where(columns < 40, 130.0, 100)
    mask = birds(levels, of, slice(14, 38)).mask(of)  # and nothing is said: warnings are errors
    assert (mask == (columns < 40)).mean() > 0.98
    levels[(columns >= 44) & (columns < 84)] = 111  # paler sky
    own, other = names[of - 1], names[2 - of]
    doubt = rf"^image: as much of {other} as \d+ % of {own} might as well be {own}, "
    with pytest.warns(DataWarning, match=doubt) as said:
        mask = birds(levels, of, slice(14, 38)).mask(of)
    (column,) = re.findall(r"around row \d+, column (\d+); draw a stroke there", str(said[0].message))
    assert 50 < int(column) < 78
    assert (mask == (columns < 40)).mean() > 0.95


@pytest.mark.parametrize("pixels", [80_000, 2700])
@pytest.mark.parametrize("of", [1, 2])
def test_where_an_object_is_in_doubt_is_said(birds, monkeypatch, of, pixels):
    monkeypatch.setattr("gmmseg.model.sides._PIXELS", pixels)
    columns, names = np.mgrid[:90, :120][1], ["bird", "sky"]
    levels = np.where(columns < 60, 124.0, 100)
    mask = birds(levels, of, slice(10, 36)).mask(of)  # and nothing is said: warnings are errors
    assert (mask == (columns < 60)).mean() > 0.98
    levels[abs(columns - 60) < 22] = 115
    doubt = rf"^image: \d+ % of {names[of - 1]} might as well be {names[2 - of]}, "
    with pytest.warns(DataWarning, match=doubt) as said:
        birds(levels, of, slice(10, 36))
    (column,) = re.findall(r"around row \d+, column (\d+); draw a stroke there", str(said[0].message))
    assert 38 < int(column) < 82


def test_the_middle_of_a_region_is_told_in_pixels_of_the_picture(scene, monkeypatch):
    image, _, strokes = scene
    model = gmmseg.fit(image, 2, scribbles=strokes)
    monkeypatch.setattr("gmmseg.model.sides._PIXELS", 100)
    thin = _Thin(Image.from_array(image), model, Guidance(strokes))
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    region = (abs(rows - 30) <= 15) & (abs(columns - 50) <= 15)
    row, column = thin.thickest(region[np.ix_(*thin.places)])
    assert thin.step > 6
    assert max(abs(row - 30), abs(column - 50)) <= thin.step // 2


def test_pictures_that_are_thinned_out_get_the_same_object(scene, monkeypatch):
    image, truth, strokes = scene
    monkeypatch.setattr("gmmseg.model.sides._PIXELS", 2000)  # every third pixel of each axis
    model = gmmseg.fit(image, 2, scribbles=strokes)
    assert (gmmseg.apply(model, image, scribbles=strokes).mask(1) == truth).mean() > 0.98
    thin = np.zeros_like(strokes)
    thin[32, 46:76], thin[6, 10:80], thin[20:56, 7] = 1, 2, 2  # in the middle of no block
    assert (gmmseg.apply(model, image, scribbles=thin).mask(1) == truth).mean() > 0.98


def test_pixels_without_data_are_on_no_side_and_link_nothing(scene, monkeypatch):
    image, truth, strokes = scene
    guides = []
    monkeypatch.setattr(
        "gmmseg.model.sides.minimum_cut", lambda o, g, *rest: guides.append(g) or minimum_cut(o, g, *rest)
    )
    mask = np.ones(truth.shape, bool)
    mask[:, 84:90] = False
    found = gmmseg.segment(image, 2, scribbles=strokes, mask=mask)
    assert (found.labels[:, 84:90] == 0).all()
    assert (found.mask(1) == (truth & mask))[mask].mean() > 0.98
    assert guides
    for guide in guides:
        np.testing.assert_array_equal(np.isnan(guide), np.broadcast_to(~mask, guide.shape))


def test_a_map_is_heard_beside_strokes(scene):
    image, truth, strokes = scene
    model = gmmseg.fit(image, 2, scribbles=strokes)
    here = np.zeros(truth.shape)
    here[10:20, 90:110] = 1
    maps = np.where(here, 1 - 1e-6, 0.5), np.where(here, 1e-6, 0.5)
    found = gmmseg.apply(model, image, scribbles=strokes, prior=np.stack(maps), prior_weight=2.0)
    assert found.mask(1)[12:18, 92:108].mean() > 0.9
    assert not gmmseg.apply(model, image, scribbles=strokes).mask(1)[12:18, 92:108].any()


def test_two_classes_of_a_picture_with_strokes_on_both_have_sides(scene):
    image, _, strokes = scene
    picture, model = Image.from_array(image), gmmseg.fit(image, 2, scribbles=strokes)
    assert has_sides(picture, model, Guidance(strokes))
    assert not has_sides(picture, model, Guidance(np.minimum(strokes, 1)))
    assert not has_sides(picture, gmmseg.fit(image, 2), Guidance(strokes))
    for options in ({"smooth": False}, {"features": "lab"}):
        assert not has_sides(picture, gmmseg.fit(image, 2, scribbles=strokes, **options), Guidance(strokes))
    three = strokes.copy()
    three[80:86, 20:100] = 3
    assert not has_sides(picture, gmmseg.fit(image, 3, scribbles=three), Guidance(three))
