"""What results of the mixture say of themselves at a prompt: one line each, whatever arrays they hold."""

from dataclasses import replace

import numpy as np
import pytest

from gmmseg import GaussianMixture, Mixture, Prior
from gmmseg.mixture.choosing import Candidate, Choice, choose
from gmmseg.mixture.em import Fit, Iteration, expectation_maximization
from gmmseg.mixture.patterns import SortedSamples
from gmmseg.mixture.statistics import measure

MIXTURE = Mixture(np.full(2, 0.5), np.zeros((2, 3)), np.tile(np.eye(3), (2, 1, 1)))
SAMPLES = np.random.default_rng(0).normal(size=(3, 100))


def of_components(k, covariance="full"):
    return Mixture(np.full(k, 1 / k), np.zeros((k, 1)), np.ones((k, 1, 1)), covariance)


def test_a_mixture_says_how_many_components_of_what_kind():
    assert repr(MIXTURE) == "Mixture(k=2, n_features=3, covariance='full')"
    assert repr(replace(MIXTURE, dof=np.full(2, 8.0))) == "Mixture(k=2, n_features=3, covariance='full', Student-t)"
    polluted = replace(MIXTURE, outlier_weight=0.05, outlier_ranges=np.ones(3))
    assert repr(polluted) == "Mixture(k=2, n_features=3, covariance='full', outlier_weight=0.05)"


def test_a_fit_says_how_em_went():
    fit = Fit(MIXTURE, (-4.5, -4.25), True)
    assert repr(fit) == f"Fit({MIXTURE!r}, 2 iterations, converged, -4.25 nats a sample, rescued=0)"
    assert repr(Fit(MIXTURE, (), False, 1)) == f"Fit({MIXTURE!r}, 0 iterations, not converged, rescued=1)"


def test_a_choice_says_what_was_chosen_from_how_much():
    likelier = [Candidate(of_components(k), -1.5 + 0.5 * (k > 2), 0.1, 480.0) for k in range(1, 5)]
    assert repr(likelier[2]) == "Candidate(k=3, covariance='full', log_likelihood=-1, ambiguity=0.1, effective=480)"
    assert repr(Choice(tuple(likelier))) == "Choice(k=3, covariance='full', criterion='icl', 4 candidates)"
    assert repr(Choice(tuple(likelier[:1]), "bic")) == "Choice(k=1, covariance='full', criterion='bic', 1 candidate)"


def test_a_prior_says_how_strong_it_is():
    prior = Prior(MIXTURE, 1, np.array([20.0, 0.5]), 30)
    assert repr(prior) == (
        "Prior(Mixture(k=2, n_features=3, covariance='full'), "
        "weight_strength=1, mean_strength=0.5 to 20, covariance_strength=30)"
    )
    assert repr(prior) in repr(GaussianMixture(2, prior=prior))


def test_statistics_and_sorted_samples_say_of_how_much_they_are():
    assert repr(measure(SAMPLES, MIXTURE)).startswith("Statistics(k=2, n_features=3, weight=100, log_likelihood=-")
    gappy = SAMPLES.copy()
    gappy[1, :30] = np.nan
    samples = SortedSamples.of(gappy)
    assert repr(samples) == "SortedSamples(n_samples=100, n_features=3, n_patterns=2, dtype='float64')"
    parts = {"Part(n_samples=30, n_features=2)", "Part(n_samples=70, n_features=3)"}
    assert set(map(repr, samples.parts)) == parts


@pytest.mark.slow
@pytest.mark.parametrize("d", [1, 40])
def test_none_takes_more_than_a_line(d):
    planes = np.random.default_rng(1).normal(size=(d, 400))
    start = Mixture(np.full(2, 0.5), planes[:, :2].T.copy(), np.tile(4 * np.eye(d), (2, 1, 1)))
    fit = expectation_maximization(planes, start, Iteration(1e-1))
    choice = choose(planes, [1, 2], ["diag"], np.random.default_rng(0), effective=400)
    found = (fit, fit.mixture, measure(planes, start), Prior(start, 1, 1, 1), choice, choice.best)
    for said in map(repr, found):
        assert "\n" not in said
        assert "array" not in said
        assert len(said) < 160
