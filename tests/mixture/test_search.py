"""The search for a start: when it ends, and what it does not do twice."""

import numpy as np
import pytest
from clusters import clusters, same_partition

from gmmseg.mixture import search
from gmmseg.mixture.kmeans import both_spaces, clustered
from gmmseg.mixture.moves import split_and_merge
from gmmseg.mixture.parameters import Mixture
from gmmseg.mixture.search import Samples, Search, Seeding
from gmmseg.mixture.seeding import seed_mixture


def searched(planes, k, how, seed=0):
    return Search(Samples(planes, planes, both_spaces(planes), None), k, np.random.default_rng(seed), how).best()


def test_rounds_end_where_two_starts_agree_and_no_sample_is_in_doubt(monkeypatch):
    begun = []
    monkeypatch.setattr(search, "clustered", lambda *given, **how: begun.append(1) or clustered(*given, **how))
    apart, component = clusters(n=50)
    start = seed_mixture(apart, 6, np.random.default_rng(0))
    assert same_partition(start.classify(apart), component)
    assert len(begun) <= 4
    begun.clear()
    touching, _ = clusters(n=50, apart=1.0)
    seed_mixture(touching, 6, np.random.default_rng(0))
    assert len(begun) == 12


@pytest.mark.parametrize("judged", [False, True])
def test_moves_are_not_made_again_from_where_they_were_made(monkeypatch, judged):
    """All starts of two clusters that overlap come to the same maximum, in six rounds."""
    begun = []

    def counted(fit, *given, **further):
        begun.append(fit.history[-1])
        return split_and_merge(fit, *given, **further)

    monkeypatch.setattr(search, "split_and_merge", counted)
    planes, _ = clusters(n=150, k=2, apart=4.0)
    found, _ = searched(planes, 2, Seeding(judged=judged))
    np.testing.assert_allclose(np.sort(found.means[:, 1]), [0, 4], atol=0.3)
    assert len(begun) == 1


@pytest.mark.parametrize(
    ("n", "k", "judged", "rounds"),
    [(200, 4, False, 6), (200, 4, True, 4), (300, 4, True, 6)],
    ids=["of an image", "more parameters than samples", "fewer parameters"],
)
def test_rounds_are_few_where_the_likeliest_is_so_by_chance(monkeypatch, rng, n, k, judged, rounds):
    """Four components of ten features have 263 parameters; of noise there are more maxima than rounds."""
    begun = []
    one_round = Search._round
    monkeypatch.setattr(Search, "_round", lambda self: begun.append(1) or one_round(self))
    searched(rng.normal(size=(10, n)), k, Seeding(judged=judged))
    assert len(begun) == rounds


@pytest.mark.parametrize(("judged", "rounds"), [(False, 6), (True, 4)])
def test_rounds_take_no_longer_than_they_are_worth(monkeypatch, rng, judged, rounds):
    """Five components that all but cover each other, of which every round finds others."""
    begun = []
    one_round = Search._round
    monkeypatch.setattr(Search, "_round", lambda self: begun.append(1) or one_round(self))
    touching = rng.normal(0, 0.5, (10, 5))[:, rng.integers(5, size=600)] + rng.normal(size=(10, 600))
    searched(touching, 5, Seeding(judged=judged))
    assert len(begun) == rounds


@pytest.mark.parametrize(("judged", "rounds"), [(False, 2), (True, 1)])
def test_rounds_are_few_where_em_settles_at_once(monkeypatch, rng, judged, rounds):
    """Long tails, by which a component for those far out is soon found: a second round would find it again."""
    begun = []
    one_round = Search._round
    monkeypatch.setattr(Search, "_round", lambda self: begun.append(1) or one_round(self))
    tailed = rng.normal(size=(10, 1000)) / np.sqrt(rng.chisquare(2, 1000) / 2)
    searched(tailed, 2, Seeding(judged=judged))
    assert len(begun) == rounds


def test_the_better_half_of_many_starts_goes_on(monkeypatch):
    iterations = []
    climb = Search._climb

    def counted(self, mixture, n):
        iterations.append(n)
        return climb(self, mixture, n)

    monkeypatch.setattr(Search, "_climb", counted)
    monkeypatch.setattr(search, "split_and_merge", lambda fit, *_, **__: fit)
    planes, _ = clusters(n=1000, apart=2.0)  # of six, by seven components
    searched(planes, 7, Seeding(judged=True))
    assert iterations == [2, 2, 2, 2, 2, 2, 6]
    iterations.clear()
    searched(planes, 7, Seeding())
    assert iterations == [4, 4, 4, 4, 6]


def test_starts_that_agree_without_doubt_are_enough(monkeypatch):
    begun = []
    monkeypatch.setattr(search, "clustered", lambda *given, **how: begun.append(1) or clustered(*given, **how))
    apart, component = clusters(n=60, k=3)
    found, certain = searched(
        np.tile(apart, (4, 1)) + np.random.default_rng(0).normal(size=(8, 180)), 3, Seeding(judged=True)
    )
    assert certain
    assert len(begun) == 2
    assert found.n_components == len(set(component))


def test_doubt_of_samples_with_gaps_is_that_of_what_is_known_of_them():
    """Among them one of which nothing is, and one of which all is known."""
    rng = np.random.default_rng(0)
    means = rng.normal(size=(3, 5))
    mixture = Mixture(np.array([0.5, 0.3, 0.2]), means, np.stack([np.eye(5) + 0.2] * 3))
    planes = means[rng.integers(3, size=200)].T + rng.normal(size=(5, 200))
    planes[rng.random(planes.shape) < 0.4] = np.nan
    planes[:, 0], planes[:, 1] = np.nan, 0.1
    exact = 1 - mixture.posterior(planes).max(axis=0).mean()
    assert exact > 0.1
    assert search.doubt(mixture, planes) == pytest.approx(exact, rel=1e-12)
