"""How many components."""

from dataclasses import replace

import numpy as np
import pytest

from gmmseg.errors import ParameterError
from gmmseg.mixture.choosing import CRITERIA, Candidate, choose, grow
from gmmseg.mixture.em import Iteration
from gmmseg.mixture.parameters import Mixture

FAMILIES = ["full", "tied", "diag", "spherical"]


def lattice(k, n=400, apart=6.0, seed=0):
    """Samples (2, n k) of k round clusters, none nearer than `apart` to another."""
    rng = np.random.default_rng(seed)
    centers = apart * np.stack(np.unravel_index(np.arange(k), (3, 3)))
    return np.repeat(centers, n, axis=1) + rng.normal(size=(2, n * k))


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("k", [1, 2, 5, 7])
def test_separate_clusters_are_counted(family, k, rng):
    planes = lattice(k)
    choice = choose(planes, range(1, 10), [family], rng, effective=planes.shape[1])
    assert (choice.k, choice.best.covariance) == (k, family)
    assert f"{k} class" in choice.reason


@pytest.mark.slow
def test_more_components_are_never_less_likely(rng):
    planes = lattice(5, apart=2.5)
    choice = choose(planes, range(1, 9), ["full"], rng, effective=100)
    assert [each.k for each in choice.candidates] == list(range(1, 9))
    assert (np.diff([each.log_likelihood for each in choice.candidates]) > -1e-3).all()


@pytest.mark.slow
def test_fewer_effective_samples_never_ask_for_more(rng):
    planes = lattice(6, apart=2.5)
    chosen = [
        choose(planes, range(1, 9), ["full"], np.random.default_rng(0), effective=n, criterion="bic").k
        for n in (5, 50, 500, 2400)
    ]
    assert chosen == sorted(chosen)
    assert chosen[0] < chosen[-1]


def test_no_more_effective_samples_than_samples(rng):
    planes = lattice(2, n=50)
    assert choose(planes, [1, 2], ["full"], rng, effective=1e9).effective == 100


def test_the_criteria_are_those_of_the_papers():
    mixture = Mixture(np.array([0.25, 0.75]), np.zeros((2, 1)), np.ones((2, 1, 1)))
    each = Candidate(mixture, log_likelihood=-1.5, ambiguity=0.1, effective=480.0)
    assert each.n_parameters == 5
    assert each.bic == pytest.approx(1440 + 5 * np.log(480))
    assert each.aic == pytest.approx(1440 + 10)
    assert each.icl == pytest.approx(each.bic + 96)
    # Equation 15 of Figueiredo and Jain, twice: two parameters a component.
    assert each.mdl == pytest.approx(2 * (np.log(10) + np.log(30)) + 2 * np.log(40) + 2 * 3 + 1440)


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_change_nothing(threads):
    planes = lattice(4, n=2000).astype(np.float32)
    one, many = (grow(planes, 6, "full", np.random.default_rng(0), Iteration(threads=t)) for t in (1, threads))
    for a, b in zip(one, many, strict=True):
        np.testing.assert_array_equal(a.means, b.means)


@pytest.mark.slow
def test_samples_that_are_all_alike_are_one_class(rng):
    planes = np.full((2, 50), 3.0)
    planes.flags.writeable = False
    assert choose(planes, range(1, 5), FAMILIES, rng, effective=50, iteration=Iteration(noise=1e-4)).k == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"ks": []}, "ks="),
        ({"ks": [0]}, "at least 1"),
        ({"families": []}, "families is empty"),
        ({"families": ["round"]}, "covariance='round'"),
        ({"effective": 0}, "effective=0"),
        ({"criterion": "cv"}, ", ".join(CRITERIA)),
    ],
)
def test_useless_parameters_are_named(options, words, rng):
    settings = {"ks": [1, 2], "families": ["full"], "effective": 10.0, **options}
    with pytest.raises(ParameterError, match=words):
        choose(lattice(1), settings.pop("ks"), settings.pop("families"), rng, **settings)


@pytest.mark.slow
def test_with_one_feature_untied_families_are_one(rng):
    choice = choose(rng.normal(size=(1, 300)), [1, 2], ["diag", "full", "tied", "spherical"], rng, effective=300)
    assert [(each.covariance, each.k) for each in choice.candidates] == [
        ("diag", 1),
        ("diag", 2),
        ("tied", 1),
        ("tied", 2),
    ]


@pytest.mark.slow
def test_a_number_has_to_justify_its_own_effective_size(rng):
    asked = []

    def effective(mixture):
        asked.append(mixture.n_components)
        return 40.0 * mixture.n_components

    choice = choose(lattice(3), range(1, 9), ["full"], rng, effective=effective)
    assert (asked, choice.k, choice.effective) == ([8, 3], 3, 120)


@pytest.mark.slow
def test_the_reason_compares_with_the_next_best_and_one_more(rng):
    choice = choose(lattice(3), range(1, 7), ["full"], rng, effective=1200)
    values = sorted((each.icl, each.k) for each in choice.candidates)
    ahead = f"ahead of {values[1][1]} by {values[1][0] - values[0][0]:.0f}; 4 would gain"
    assert choice.reason.startswith(f"3 classes: ICL is lowest ({values[0][0]:.0f}), {ahead}")
    assert choose(lattice(2), [2], ["full"], rng, effective=800).reason.endswith("no other number was tried.")


def test_no_more_classes_than_are_apart(rng):
    planes = np.concatenate([rng.normal(m, 1, 400) for m in (0, 6, 12)])[None]
    choice = choose(planes, range(1, 5), ["full"], rng, effective=1200)
    assert choice.k == 3
    few = replace(choice, apart=2)
    assert few.k == few.mixture.n_components == 2
    assert few.reason.startswith("2 classes: ICL is lowest with 3 components, but")
    larger = choose(planes, range(3, 5), ["full"], rng, effective=1200)
    assert replace(larger, apart=2).k == 3  # no less was tried


def test_fewer_are_chosen_where_some_are_what_borders_mix(rng):
    choice = choose(lattice(4), range(1, 6), ["full"], rng, effective=1600)
    assert choice.k == 4
    for mixed, what in ((1, "1 of these is what borders of"), (2, "2 of these are what borders of")):
        fewer = replace(choice, mixed=mixed)
        assert fewer.k == 4 - mixed == fewer.mixture.n_components
        classes = "3 classes" if mixed == 1 else "2 classes"
        assert fewer.reason == f"{classes}: ICL has 4 components, but {what} the others mix."
