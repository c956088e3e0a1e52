"""The four covariance families."""

import numpy as np
import pytest
from mixtures import families, mixture_of

from gmmseg import Mixture, ParameterError
from gmmseg.mixture.covariance import family, inverse_of_lower


@pytest.mark.parametrize(("covariance", "expected"), [("full", 17), ("tied", 11), ("diag", 14), ("spherical", 11)])
def test_free_parameters_are_counted(covariance, expected):
    assert mixture_of(covariance).n_parameters == expected


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
