"""Classes of several components: the average of mixtures, examples, overlap, and the moments of classes."""

import numpy as np
import pytest

from gmmseg.mixture.covariance import FAMILIES, family
from gmmseg.mixture.memberships import average, by_examples, by_overlap, by_votes, moments
from gmmseg.mixture.parameters import Mixture


def made(rng, k, covariance="full", **options):
    roots = rng.normal(0, 1, (k, 2, 2)) + 2 * np.eye(2)
    second = roots @ np.swapaxes(roots, 1, 2)
    rules = family(covariance)
    second = np.diagonal(second, axis1=1, axis2=2) if rules.diagonal else second
    weights = rng.dirichlet(np.ones(k)) * (1 - options.get("outlier_weight", 0.0))
    return Mixture(
        weights, rng.normal(0, 4, (k, 2)), rules.estimate(np.ones(k), second, np.zeros(2)), covariance, **options
    )


@pytest.mark.parametrize("covariance", FAMILIES)
@pytest.mark.parametrize("outliers", [False, True])
def test_an_average_has_the_mean_of_the_densities(rng, covariance, outliers):
    options = (
        {"outlier_weight": 0.1, "outlier_ranges": np.full(2, 30.0), "outlier_center": np.zeros(2)} if outliers else {}
    )
    parts = [made(rng, k, covariance, **options) for k in (2, 3)]
    planes = rng.normal(0, 5, (2, 200))
    densities = [np.exp(part.log_density(planes)) for part in parts]
    np.testing.assert_allclose(np.exp(average(parts).log_density(planes)), np.mean(densities, axis=0), rtol=1e-9)


def test_an_average_of_long_tails_keeps_them(rng):
    parts = [made(rng, 2, dof=np.array([3.0, 9.0])), made(rng, 1, dof=np.array([5.0]))]
    planes = rng.normal(0, 5, (2, 50))
    densities = [np.exp(part.log_density(planes)) for part in parts]
    np.testing.assert_allclose(np.exp(average(parts).log_density(planes)), np.mean(densities, axis=0), rtol=1e-9)


def test_examples_share_out_the_components():
    """Two classes of which the first has thrice the examples: it is counted once all the same."""
    posterior = np.array([[1, 1, 0, 0, 0, 0.5, 0, 0.0], [0, 0, 1, 1, 1, 0.5, 0.5, 0.5], [0, 0, 0, 0, 0, 0, 0.5, 0.5]])
    classes = np.array([1, 1, 1, 1, 1, 1, 2, 2])
    weights = np.array([0.3, 0.3, 0.2, 0.2])
    found = by_examples(np.vstack([posterior, np.zeros(8)]), classes, weights, 2)
    first = np.array([2.5 / 6, 3.5 / 6, 0, 0])
    second = np.array([0, 0.5, 0.5, 0]) + 0.1 * weights
    np.testing.assert_allclose(found, [first / (first + second), second / (first + second)], atol=1e-12)
    assert found[:, 3].tolist() == [0, 1]  # what no example shows is of the class of the rest


def test_components_that_overlap_become_one_class(rng):
    """A ring of eight components around a ninth: each overlaps its neighbours, none of them the middle."""
    angles = np.arange(8) * np.pi / 4
    means = np.vstack([10 * np.stack([np.cos(angles), np.sin(angles)], axis=1), [[0, 0]]])
    spreads = np.array([9.0] * 8 + [2.25])[:, None, None] * np.eye(2)
    ring = Mixture(np.full(9, 1 / 9), means, spreads)
    planes = ring.sample(4000, rng)[0]
    found = by_overlap(ring.posterior(planes), 2)
    assert sorted(found.sum(axis=1).tolist()) == [1, 8]
    np.testing.assert_array_equal(found[:, 8], found.sum(axis=1) == 1)


def test_overlap_counts_weights_as_copies(rng):
    mixture = made(rng, 6)
    planes = mixture.sample(300, rng)[0]
    copies = rng.integers(1, 5, 300)
    posterior = mixture.posterior(planes)
    for k in (2, 3, 4):
        np.testing.assert_array_equal(
            by_overlap(posterior, k, copies), by_overlap(np.repeat(posterior, copies, axis=1), k)
        )


def test_most_votes_count_and_a_class_without_components_is_none():
    components, classes = np.array([0, 0, 0, 1, 1, 2]), np.array([2, 2, 0, 0, 0, 1])
    assert by_votes(components, classes, 3).tolist() == [[0, 1, 0], [0, 0, 1], [1, 0, 0]]
    assert by_votes(components, classes, 3, np.array([1, 1, 9, 1, 1, 1])).tolist() == [[1, 1, 0], [0, 0, 1]]


def test_components_that_no_sample_is_of_are_members_too():
    assert by_votes(np.array([1, 1, 2]), np.array([0, 0, 1]), 4).tolist() == [[1, 1, 0, 1], [0, 0, 1, 0]]


@pytest.mark.parametrize("covariance", FAMILIES)
def test_moments_are_those_of_samples(rng, covariance):
    mixture = made(rng, 4, covariance)
    memberships = np.array([[1, 0.5, 0, 0.2], [0, 0.5, 1, 0.8]])
    found = moments(mixture, memberships)
    planes, owner = mixture.sample(400_000, rng)
    for row in range(2):
        weights = memberships[row, owner]
        assert abs(found.weights[row] - weights.mean()) < 0.01
        np.testing.assert_allclose(found.means[row], np.average(planes, axis=1, weights=weights), atol=0.05)
        np.testing.assert_allclose(found.covariances[row], np.cov(planes, aweights=weights), rtol=0.05, atol=0.2)
