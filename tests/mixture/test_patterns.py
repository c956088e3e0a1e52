"""Samples sorted by which of their features are known."""

import numpy as np
import pytest
from gappy_samples import TRUE, gappy
from scipy.stats import multivariate_normal

from gmmseg.mixture import patterns
from gmmseg.mixture.parameters import Mixture
from gmmseg.mixture.patterns import SortedSamples
from gmmseg.mixture.statistics import measure


def test_samples_without_any_feature_change_nothing():
    planes = gappy(1000)
    more = np.concatenate([planes, np.full((3, 50), np.nan)], axis=1)
    np.testing.assert_array_equal(measure(more, TRUE).second, measure(planes, TRUE).second)
    kept = sum(part.planes.shape[1] for part in SortedSamples.of(more).parts)
    assert kept == np.isfinite(planes).any(axis=0).sum()
    assert (TRUE.classify(more)[-50:] == 0).all()
    assert (TRUE.labels(more)[-50:] == 0).all()
    assert (TRUE.log_density(more)[-50:] == 0).all()
    np.testing.assert_allclose(TRUE.posterior(more)[:, -50:], np.repeat(TRUE.weights[:, None], 50, axis=1))


def test_posteriors_are_those_of_the_known_features():
    planes = gappy(500)
    soft, density = TRUE.posterior(planes), TRUE.log_density(planes)
    np.testing.assert_allclose(soft.sum(axis=0), 1)
    for i in np.flatnonzero(np.isfinite(planes).any(axis=0))[:60]:
        o = np.isfinite(planes[:, i])
        joint = [
            np.log(w) + multivariate_normal(m[o], c[np.ix_(o, o)]).logpdf(planes[o, i])
            for w, m, c in zip(TRUE.weights, TRUE.means, TRUE.covariances, strict=True)
        ]
        assert density[i] == pytest.approx(np.logaddexp.reduce(joint))
        np.testing.assert_allclose(soft[:, i], np.exp(joint - density[i]), rtol=1e-9)
        assert TRUE.classify(planes)[i] == soft[:, i].argmax()


def test_only_a_whole_set_of_samples_takes_those_of_rare_patterns_one_by_one(monkeypatch):
    rng = np.random.default_rng(3)
    mixture = Mixture(np.full(2, 0.5), np.stack([np.zeros(9), np.full(9, 2.0)]), np.stack([np.eye(9)] * 2))
    planes = rng.normal(1, 1, (9, 700))
    planes[0, :300] = np.nan  # a pattern that is not rare
    planes[1:, 300:690] = np.where(rng.random((8, 390)) < 0.3, np.nan, planes[1:, 300:690])
    planes[:, 300] = np.nan
    rare = np.isnan(planes[1:, 301:]).any(axis=0).sum()
    alone, plain = [], patterns.posterior_of_incomplete

    def noted(planes, *arguments):
        alone.append(planes)
        return plain(planes, *arguments)

    monkeypatch.setattr(patterns, "posterior_of_incomplete", noted)
    by_patterns = np.empty((2, 700))
    patterns.posterior(planes, mixture.arguments_of, by_patterns, None)
    assert not alone  # as of a tile, whose labels depend on nothing else in it
    found = mixture.posterior(planes)
    assert sum(part.shape[1] for part in alone) == rare > 300
    known = ~np.isnan(by_patterns[0])
    np.testing.assert_allclose(found[:, known], by_patterns[:, known], rtol=0, atol=1e-12)
    np.testing.assert_array_equal(found[:, 300], mixture.weights)
