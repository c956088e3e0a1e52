"""Likelihoods beside those of R's mclust, which starts from hierarchical clustering: ours may not be lower.

`mclust.json` says how its numbers were made; nothing here needs R.
"""

import json
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_iris, load_wine

import gmmseg
from gmmseg.mixture.moves import merge_down
from gmmseg.mixture.parameters import Mixture

REFERENCE = json.loads(Path(__file__).with_name("mclust.json").read_text())
RESULTS = REFERENCE["results"]
ALLOWED = 1e-3  # of the absolute value
SEEDS = 5
# Where the least variance of a component in any direction is so small a part of the samples' own in that direction, it
# has collapsed: such a likelihood has no bound and is nothing to be measured against.
SPIKE = 1e-6

CASES = [
    pytest.param(name, covariance, int(k), id=f"{name}-{covariance}-{k}")
    for name, models in RESULTS.items()
    for covariance, fits in models.items()
    for k, fit in fits.items()
    if fit is not None and fit["least_variance"] > SPIKE
]


@cache
def samples(name):
    """The rows (n, d) that mclust had."""
    if name in REFERENCE["samples"]:
        return np.array(REFERENCE["samples"][name], np.float64)
    cancer = load_breast_cancer().data
    return {
        "iris": load_iris().data,
        "wine": load_wine().data,
        "breast cancer": cancer[:, [1, 23, 24]],
        "breast cancer means": cancer[:, :10],
    }[name]


def log_likelihood(x, k, covariance, seed):
    """Of a fit whose variances nothing bounds from below."""
    model = gmmseg.GaussianMixture(
        k, covariance_type=covariance, reg_covar=0, tol=1e-8, max_iter=1000, random_state=seed
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gmmseg.errors.ConvergenceWarning)  # the last digits may take longer
        return model.fit(x).score(x) * len(x)


def test_the_reference_is_complete():
    assert set(RESULTS) == {"iris", "wine", "breast cancer", "breast cancer means", "faithful", "precip", "thyroid"}
    for name, models in RESULTS.items():
        assert set(models) == {"full", "tied", "diag", "spherical"}, name
        assert all(set(fits) == set("12345") for fits in models.values()), name
    assert len(CASES) == 7 * 4 * 5  # mclust failed nowhere, and nowhere on a spike


@pytest.mark.parametrize("name", RESULTS)
def test_both_sides_have_the_same_samples(name):
    """One Gaussian distribution has a likelihood in closed form."""
    x = samples(name)
    n, d = x.shape
    scatter = np.cov(x, rowvar=False, bias=True).reshape(d, d)
    expected = -n / 2 * (d * np.log(2 * np.pi) + np.linalg.slogdet(scatter)[1] + d)
    assert RESULTS[name]["full"]["1"]["log_likelihood"] == pytest.approx(expected, rel=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "covariance", "k"), CASES)
def test_likelihoods_are_no_lower_than_mclust_s(name, covariance, k):
    reached = [log_likelihood(samples(name), k, covariance, seed) for seed in range(SEEDS)]
    theirs = RESULTS[name][covariance][str(k)]["log_likelihood"]
    assert np.median(reached) >= theirs - ALLOWED * abs(theirs)
    if k == 1:
        np.testing.assert_allclose(reached, theirs, rtol=1e-9)


def test_components_of_a_family_merge_by_its_volumes():
    """A pair six apart along an axis costs ellipsoids less than one 3.5 apart along both, and balls more."""
    means = np.array([[0.0, 0.0], [6.0, 0.0], [100.0, 0.0], [103.5, 3.5]])
    for covariance, covariances, left in (
        ("diag", np.ones((4, 2)), [3, 100, 103.5]),
        ("spherical", np.ones(4), [0, 6, 101.75]),
    ):
        merged = merge_down(Mixture(np.full(4, 0.25), means, covariances, covariance), 3)
        np.testing.assert_allclose(np.sort(merged.means[:, 0]), left)
