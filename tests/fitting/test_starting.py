"""Where EM begins: seeds, mirrors, sizes and crops give the same classes; one that is rare and wide is not lost."""

from types import SimpleNamespace

import numpy as np
import pytest

import gmmseg
from gmmseg.evaluation import evaluate
from gmmseg.fitting import starting
from gmmseg.mixture.em import Iteration, Starts
from gmmseg.mixture.kmeans import from_labels
from gmmseg.mixture.seeding import seed_mixture


def ragged(rng, shape=(120, 160)):
    """A picture without clear classes: fields of colour that run into each other, with grain."""
    import cv2  # here, because nothing else draws

    fields = [cv2.GaussianBlur(rng.normal(0, 1, shape).astype(np.float32), (0, 0), 12) for _ in range(3)]
    picture = np.stack([128 + 60 * field / field.std() for field in fields], axis=-1) + rng.normal(0, 12, (*shape, 3))
    return picture.clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("k", [3, 4, 5])
def test_other_seeds_mirrors_and_sizes_give_the_same_classes(rng, k):
    picture = ragged(rng)
    found = gmmseg.segment(picture, k).labels
    np.testing.assert_array_equal(gmmseg.segment(picture, k, seed=7).labels, found)
    mirrored = gmmseg.segment(picture[:, ::-1].copy(), k).labels[:, ::-1]
    double = gmmseg.segment(picture.repeat(2, axis=0).repeat(2, axis=1), k).labels[::2, ::2]
    assert evaluate(mirrored, found).adjusted_rand_index > 0.95
    assert evaluate(double, found).adjusted_rand_index > 0.9


@pytest.mark.parametrize("seed", [36, 96, 97])
def test_a_crop_has_the_same_two_classes(seed):
    """Four fields of which two classes can be made in several ways that are about as likely."""
    import cv2

    rng = np.random.default_rng(seed)
    heights = [cv2.GaussianBlur(rng.normal(size=(64, 64)), (0, 0), 6) for _ in range(4)]
    field = np.argmax(heights, axis=0)
    colors, grain = rng.uniform(40, 215, (4, 1)) + rng.normal(0, 12, (4, 3)), rng.choice([2, 8, 25], 4)
    picture = np.clip(colors[field] + grain[field][..., None] * rng.normal(size=(64, 64, 3)), 0, 255).astype(np.uint8)
    found = gmmseg.segment(picture, 2).labels
    for crop in np.s_[1:, 1:], np.s_[:-1, :-1], np.s_[:, ::-1]:
        again = gmmseg.segment(np.ascontiguousarray(picture[crop]), 2).labels
        assert evaluate(again, found[crop]).adjusted_rand_index > 0.95


@pytest.mark.slow
def test_the_other_start_is_looked_for_in_the_whole_image(rng, monkeypatch):
    """Places that are alike come in fours, one in each quarter: every fourth sample would be of the same one."""
    seen, divide = [], starting.divide
    monkeypatch.setattr(
        starting, "seed_mixture", lambda planes, *_, **__: seen.append(planes) or seed_mixture(planes, *_, **__)
    )
    monkeypatch.setattr(starting, "divide", lambda *_, **__: divide(*_, **__).select([0, 0, 0]))  # all classes in one
    monkeypatch.setattr(starting, "_SEVERAL", ())
    image = np.clip(128 + rng.normal(0, 9, (200, 300, 3)), 0, 255).astype(np.uint8)
    image[:60, :60] = 255 - image[:60, :60] // 4
    gmmseg.segment(image, 3, features="lab,xy")
    shares = [((seen[0][3] < 0) == up) & ((seen[0][4] < 0) == left) for up in (True, False) for left in (True, False)]
    np.testing.assert_allclose(np.mean(shares, axis=1), 0.25, atol=0.02)


@pytest.mark.parametrize("misses", [False, True])
def test_the_other_start_is_looked_for_only_where_moves_gain_among_some_samples(rng, monkeypatch, misses):
    colours = np.uint8([[30, 40, 60], [90, 120, 70], [150, 140, 160], [230, 220, 190]])
    image = np.clip(colours[np.arange(64) // 16] + rng.normal(0, 4, (64, 64, 3)), 0, 255).astype(np.uint8)
    seen, divide = [], starting.divide

    def seeded(planes, *arguments, **options):
        seen.append(planes.shape[1])
        return seed_mixture(planes, *arguments, **options)

    def divided(*arguments, **options):
        found = divide(*arguments, **options)
        return found.select([0, 0, 0, 0]) if misses else found  # all classes in one

    monkeypatch.setattr(starting, "seed_mixture", seeded)
    monkeypatch.setattr(starting, "divide", divided)
    monkeypatch.setattr(starting, "divide_and_settle", lambda *_: None)  # so that it is made of that
    labels = gmmseg.segment(image, 4).labels
    assert seen == ([4096] if misses else [])
    assert (labels == np.arange(64) // 16 + 1).mean() > 0.999


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("bright", [0.0, 0.0007, 0.005])
def test_outliers_take_no_rare_and_wide_class(dtype, bright):
    """A class of 7 % that spreads as far as the next one lies, and bright pixels anywhere above."""
    rng = np.random.default_rng(26)
    truth = np.searchsorted([0.07, 0.45, 0.8], np.arange(90_000) / 90_000).reshape(300, 300)
    image = rng.normal(np.array([60, 110, 150, 185])[truth], np.array([14, 6, 6, 6])[truth])
    hit = rng.choice(image.size, int(bright * image.size), replace=False)
    image.flat[hit] = rng.uniform(220, 255, len(hit)) if dtype == "uint8" else rng.uniform(300, 4000, len(hit))
    image = (image.round() if dtype == "uint8" else image).astype(dtype)
    kept = np.setdiff1d(np.arange(image.size), hit)
    one, two, three = (gmmseg.segment(image, 4, outliers="uniform", smooth=False, seed=seed) for seed in range(3))
    assert (one.labels.flat[kept] == truth.flat[kept] + 1).mean() > 0.98
    assert one.model.mixture.outlier_weight < 0.035  # half of the class
    for other in (two, three):  # no luck is in it
        assert (one.labels == other.labels).all()


@pytest.mark.parametrize(
    ("likelier", "apart", "taken"),
    [(0, 0, False), (0.002, 0, False), (0.004, 0, True), (0, 0.1, True), (-0.02, 0.1, False)],
)
def test_another_start_is_taken_if_it_is_clearly_likelier_or_more_apart(rng, monkeypatch, likelier, apart, taken):
    planes = np.ascontiguousarray(rng.normal(size=(3, 500)), np.float32)
    given, other = (from_labels(planes, planes[row] > 0, 2, "full", None, 0.0) for row in (0, 1))
    several = Starts(*(getattr(other, name)[None] for name in ("weights", "means", "covariances")), "full")

    def measured(some, mixture, **_):
        found = likelier if mixture.means[0, 1] == other.means[0, 1] else 0
        return SimpleNamespace(log_likelihood=some.shape[1] * (found - 5), weight=some.shape[1])

    monkeypatch.setattr(starting, "divide_widely", lambda *_: several)
    monkeypatch.setattr(starting, "measure", measured)
    monkeypatch.setattr(starting, "_within", lambda each: 0.5 - apart * (each.means[0, 1] == other.means[0, 1]))
    found = starting._best_of_several(given, planes, planes, Iteration())
    assert (found.means[0, 1] == other.means[0, 1]) == taken


@pytest.mark.parametrize("covariance", ["full", "diag", "spherical", "tied"])
def test_the_share_of_the_variance_within_classes(rng, covariance):
    planes, owner = rng.normal(size=(3, 9000)), rng.integers(0, 2, 9000)
    planes[1] += 3 * owner  # of a variance of 9 / 4 between classes, beside three of 1
    found = starting._within(from_labels(planes, owner, 2, covariance, None, 0.0))
    assert found == pytest.approx(3 / (3 + 9 / 4), rel=0.03)
