"""Calls that nobody should make, and that must not bring the process down or pass in silence."""

import numpy as np
import pytest

from gmmseg import GaussianMixture, Mixture
from gmmseg.errors import DataWarning


def test_fewer_distinct_samples_than_components_are_named():
    with pytest.warns(DataWarning, match="only 1 distinct"):
        model = GaussianMixture(3, means_init=[[1, 1], [2, 2], [3, 3]]).fit(np.ones((50, 2)))
    assert model.means_.shape == (1, 2)
    assert np.isfinite(model.covariances_).all()


@pytest.mark.parametrize(
    ("mixture", "features"),
    [
        (Mixture(np.ones(1), np.zeros((1, 3)), np.eye(3)[None]), 2),
        (Mixture(np.ones(1), np.zeros((5, 3)), np.eye(3)[None]), 3),
        (Mixture(np.ones(2) / 2, np.zeros((2, 3)), np.eye(3)[None]), 3),
    ],
    ids=["planes", "means", "covariances"],
)
def test_parts_that_do_not_fit_are_refused(mixture, features):
    with pytest.raises(ValueError, match=r"number|broadcast|same"):
        mixture.classify(np.zeros((features, 10)))


def test_a_mixture_put_together_wrongly_by_hand_is_refused():
    x = np.random.default_rng(0).normal(size=(100, 2))
    model = GaussianMixture(3, random_state=0).fit(x)
    model.weights_ = np.ones(1)
    with pytest.raises(ValueError, match=r"number|broadcast"):
        model.predict_proba(x)


@pytest.mark.slow
@pytest.mark.parametrize("fill", [1e9, 1e20, -1e30])
@pytest.mark.parametrize("scale", [1.0, 1e-18, 1e30])
def test_samples_of_weight_zero_may_hold_anything(fill, scale):
    rng = np.random.default_rng(0)
    used = np.r_[rng.normal(0, 1, (100, 2)), rng.normal(8, 1, (100, 2))]
    x, weights = np.r_[np.full((5000, 2), fill), used], np.r_[np.zeros(5000), np.full(200, scale)]
    masked = GaussianMixture(2, random_state=0).fit(x, sample_weight=weights)
    alone = GaussianMixture(2, random_state=0).fit(used)
    np.testing.assert_allclose(masked.means_, alone.means_, rtol=1e-10)


def test_a_constant_feature_does_not_spoil_the_others():
    rng = np.random.default_rng(0)
    x = np.c_[np.concatenate([rng.normal(c, 0.1, 100) for c in (0, 5, 9)]), np.ones(300)]
    with pytest.warns(DataWarning, match="raised"):
        model = GaussianMixture(1, reg_covar=0).fit(x)
    assert model.covariances_[0, 0, 0] == pytest.approx(x[:, 0].var(), rel=1e-4)
    assert model.converged_
