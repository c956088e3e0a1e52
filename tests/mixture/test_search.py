"""The search for a start: when it ends, and what it does not do twice."""

import numpy as np
import pytest
from clusters import clusters, same_partition

from gmmseg.mixture import search, seeding
from gmmseg.mixture.budget import Budget, work_of_pass
from gmmseg.mixture.kmeans import both_spaces, clustered
from gmmseg.mixture.moves import split_and_merge
from gmmseg.mixture.parameters import Mixture
from gmmseg.mixture.search import Samples, Search, Seeding
from gmmseg.mixture.seeding import seed_mixture


def searched(planes, k, how, seed=0, budget=None):
    samples = Samples(planes, planes, both_spaces(planes), None)
    return Search(samples, k, np.random.default_rng(seed), how, budget).best()


def tails(rng, d, n, k):
    """Samples (d, n) of k classes with tails of Student's t of 2 degrees of freedom."""
    middles = rng.normal(0, 3, (d, k))[:, rng.integers(k, size=n)]
    return middles + rng.normal(size=(d, n)) / np.sqrt(rng.chisquare(2, n) / 2)


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


def test_long_tails_bind_a_search_to_its_budget(monkeypatch, rng):
    """Moves gain nats there; what is spent beyond it is the one trial that every round makes, and what leads to it."""
    begun = []
    one_round = Search._round
    monkeypatch.setattr(Search, "_round", lambda self: begun.append(1) or one_round(self))
    planes = tails(rng, 10, 400, 5)
    free, bound = Budget(), Budget(700 * work_of_pass(400, 10, "full"))
    most, _ = searched(planes, 5, Seeding(judged=True), budget=free)
    assert free.bound
    assert len(begun) > 1
    begun.clear()
    some, _ = searched(planes, 5, Seeding(judged=True), budget=bound)
    assert len(begun) == 1
    assert bound.spent < 900 * work_of_pass(400, 10, "full")
    first, _ = searched(planes, 5, Seeding(judged=True, moves=False))
    reached = [each.log_density(planes).mean() for each in (first, some, most)]
    assert reached[1] - reached[0] > 0.5 * (reached[2] - reached[0])


def test_classes_that_overlap_bind_no_search(rng):
    touching = rng.normal(0, 0.5, (10, 5))[:, rng.integers(5, size=600)] + rng.normal(size=(10, 600))
    budget = Budget(0.0)
    searched(touching, 5, Seeding(judged=True), budget=budget)
    assert not budget.bound
    assert budget.spent > 0


@pytest.mark.parametrize(("left", "begun_there"), [(0.0, 0), (np.inf, 1)])
def test_with_a_start_on_axes_there_are_others_where_they_are_affordable(monkeypatch, rng, left, begun_there):
    begun = []
    monkeypatch.setattr(
        search, "clustered", lambda *given, **how: begun.append(len(given[0])) or clustered(*given, **how)
    )
    bound = Budget(left)
    bound.bound = True
    monkeypatch.setattr(seeding.Budget, "of_one_start", lambda *_: bound)
    seed_mixture(tails(rng, 20, 1000, 2), 2, np.random.default_rng(0), Seeding(judged=True))
    assert begun.count(20) == begun_there


@pytest.mark.parametrize(("d", "share"), [(20, 0.5), (40, 1.0)], ids=["all features follow", "axes alone"])
def test_a_search_on_axes_leaves_some_of_the_budget_where_one_in_all_features_follows(monkeypatch, rng, d, share):
    begun = []
    on_axes = seeding._seed_on_axes
    monkeypatch.setattr(seeding, "_seed_on_axes", lambda *given: begun.append(given[-1]) or on_axes(*given))
    seed_mixture(tails(rng, d, 1000, 2), 2, np.random.default_rng(0), Seeding(judged=True))
    assert begun[0].most == share * Budget.of_one_start(1000, d, 2, "full").most


@pytest.mark.parametrize(("left", "looked_for"), [(0.0, 0), (np.inf, 1)])
def test_rare_classes_are_looked_for_where_that_is_affordable(monkeypatch, rng, left, looked_for):
    called = []
    monkeypatch.setattr(seeding, "with_rare_classes", lambda found, *_, **__: called.append(1) or found)
    bound = Budget(left)
    bound.bound = True
    monkeypatch.setattr(seeding.Budget, "of_one_start", lambda *_: bound)
    seed_mixture(tails(rng, 5, 1000, 2), 2, np.random.default_rng(0), Seeding(judged=True))
    assert len(called) == looked_for


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
