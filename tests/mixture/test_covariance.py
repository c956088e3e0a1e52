"""The four covariance families."""

import numpy as np
import pytest
from mixtures import families, mixture_of

from gmmseg import Mixture, ParameterError
from gmmseg.mixture.covariance import count_parameters, family, inverse_of_lower


@pytest.mark.parametrize(
    ("covariance", "expected", "moving"),
    [("full", 17, 12), ("tied", 11, 9), ("diag", 14, 10), ("spherical", 11, 8)],
)
def test_free_parameters_are_counted(covariance, expected, moving):
    assert mixture_of(covariance).n_parameters == count_parameters(family(covariance), 3, 2) == expected
    assert mixture_of(covariance).count_parameters(frozen=1) == moving


@families
def test_factors_whiten(covariance):
    mixture = mixture_of(covariance)
    dense = mixture.family.dense(mixture.covariances, 3, 2)
    factors = mixture.factors
    if factors.ndim == 2:
        factors = factors[:, :, None] * np.eye(2)
    np.testing.assert_allclose(factors @ dense @ factors.transpose(0, 2, 1), np.stack([np.eye(2)] * 3), atol=1e-12)
    assert (np.triu(factors, 1) == 0).all()


@pytest.mark.parametrize(
    ("covariance", "degenerate"),
    [
        ("full", np.ones((1, 2, 2))),
        ("full", np.full((1, 2, 2), np.nan)),
        ("tied", np.zeros((2, 2))),
        ("diag", np.array([[1.0, 0.0]])),
        ("diag", np.array([[1.0, np.inf]])),
        ("spherical", np.array([-1.0])),
        ("spherical", np.array([np.nan])),
    ],
)
def test_degenerate_covariances_are_reported(covariance, degenerate):
    with pytest.raises(np.linalg.LinAlgError):
        _ = Mixture(np.ones(1), np.zeros((1, 2)), degenerate, covariance).factors


@pytest.mark.parametrize("name", ["ful", "", None, 3, ["full"]])
def test_an_unknown_family_is_refused_by_name(name):
    with pytest.raises(ParameterError, match="full, tied, diag, spherical") as caught:
        family(name)
    assert repr(name) in str(caught.value)


@pytest.mark.parametrize("d", [2, 24, 25, 60])
def test_the_inverse_of_a_triangle_is_one(rng, d):
    lower = np.tril(rng.normal(size=(3, d, d)), -1) / d + rng.uniform(0.5, 2, (3, d))[:, :, None] * np.eye(d)
    lower.flags.writeable = False
    inverse = inverse_of_lower(lower)
    np.testing.assert_allclose(inverse @ lower, np.broadcast_to(np.eye(d), lower.shape), atol=1e-12)
    assert not np.triu(inverse, 1).any()


def likelihood(covariances, counts, moments):
    """Of Gaussian samples with these second moments, as far as it depends on covariances (K, d, d)."""
    inner = np.trace(np.linalg.solve(covariances, moments), axis1=1, axis2=2)
    return -counts @ (np.linalg.slogdet(covariances)[1] + inner)


@families
def test_the_likeliest_covariances_above_a_floor(covariance):
    """No other ones above it are likelier; what is above it anyway stays as it is."""
    rng = np.random.default_rng(0)
    floor, counts, kind = np.array([0.5, 0.02]), np.array([3.0, 5.0]), family(covariance)
    axes = rng.normal(size=(2, 2, 2))
    moments = axes @ axes.transpose(0, 2, 1) * [[[1.0]], [[1e-3]]]
    second = np.diagonal(moments, axis1=1, axis2=2) if kind.diagonal else moments
    free = kind.estimate(counts, second, np.zeros(2))
    found = kind.at_least(free, floor)
    dense = kind.dense(found, 2, 2)
    assert np.linalg.eigvalsh(dense / np.sqrt(np.outer(floor, floor))).min() == pytest.approx(1)
    best = likelihood(dense, counts, moments)
    steps = kind.estimate(counts, np.ones_like(second), np.zeros(2))
    for size in (1e-3, 0.1, 3.0):
        for _ in range(50):
            moved = rng.normal(size=(2, 2, 2))
            moved = moved @ moved.transpose(0, 2, 1)
            other = kind.estimate(counts, np.diagonal(moved, axis1=1, axis2=2) if kind.diagonal else moved, np.zeros(2))
            other = kind.at_least(found + size * (other - steps * rng.random()), floor)
            assert likelihood(kind.dense(other, 2, 2), counts, moments) <= best + 1e-9
    np.testing.assert_array_equal(kind.at_least(10 * found, floor), 10 * found)
