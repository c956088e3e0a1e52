"""What GaussianMixture takes, and the words in which it refuses the rest."""

import numpy as np
import pytest

import gmmseg

GaussianMixture = gmmseg.GaussianMixture
GOOD = np.random.default_rng(0).normal(size=(20, 2))
BAD_DATA = {
    "NaN alone": (np.full((20, 2), np.nan), "n_components = 3, n_samples = 0"),
    "infinity": (np.where(np.eye(20, 2) > 0, -np.inf, GOOD), "infinity"),
    "one axis": (GOOD[:, 0], r"shape \(20,\)"),
    "three axes": (GOOD[None], r"shape \(1, 20, 2\)"),
    "no samples": (GOOD[:0], r"0 sample.*shape=\(0, 2\)"),
    "no features": (GOOD[:, :0], r"0 feature.*shape=\(20, 0\)"),
    "too few": (GOOD[:2], "n_components = 3, n_samples = 2; use 2"),
}


@pytest.mark.parametrize("case", BAD_DATA)
def test_unusable_samples_are_refused(case):
    x, message = BAD_DATA[case]
    with pytest.raises(ValueError, match=message) as caught:
        GaussianMixture(3).fit(x)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, gmmseg.GmmsegError)


@pytest.mark.parametrize("parameter", ["n_components", "n_init"])
@pytest.mark.parametrize("value", [0, -1, 1.5, True, "2", None])
def test_unusable_counts_are_refused(parameter, value):
    with pytest.raises(ValueError, match=f"{parameter}={value!r}"):
        GaussianMixture().set_params(**{parameter: value}).fit(GOOD)


def test_a_covariance_that_is_none_is_named_as_the_parameter_is():
    with pytest.raises(ValueError, match="covariance_type='round' is not known; use one of full, tied"):
        GaussianMixture(covariance_type="round").fit(GOOD)


@pytest.mark.parametrize("parameter", ["tol", "reg_covar", "max_iter"])
@pytest.mark.parametrize("value", [-1, float("nan")])
def test_unusable_numbers_are_refused(parameter, value):
    with pytest.raises(ValueError, match=f"{parameter}={value!r}"):
        GaussianMixture(**{parameter: value}).fit(GOOD)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"covariance_type": "round"}, "'round'.*full, tied, diag, spherical"),
        ({"init_params": "guess"}, "init_params='guess'.*kmeans"),
        ({"weights_init": [1.0]}, r"\(2,\), but got \(1,\); correct weights_init"),
        ({"means_init": [[1.0, 2.0]]}, r"\(2, 2\), but got \(1, 2\); correct means_init"),
        ({"precisions_init": np.eye(2)}, r"\(2, 2, 2\), but got \(2, 2\); correct precisions_init"),
        ({"precisions_init": np.stack([-np.eye(2)] * 2)}, "symmetric, positive-definite; precisions_init"),
        ({"precisions_init": np.array([1.0, -1.0]), "covariance_type": "spherical"}, "positive; precisions_init"),
        ({"threads": 0}, "threads=0"),
    ],
)
def test_unusable_parameters_are_refused(parameters, message):
    with pytest.raises(ValueError, match=message):
        GaussianMixture(2, **parameters).fit(GOOD)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(19), r"shape \(19,\).*\(20,\)"),
        (-np.ones(20), "negative"),
        (np.zeros(20), "all 0"),
        (np.full(20, np.nan), "sample_weight"),
        (np.full(20, np.inf), "infinite"),
    ],
)
def test_unusable_weights_are_refused(weights, message):
    with pytest.raises(ValueError, match=message):
        GaussianMixture(2).fit(GOOD, sample_weight=weights)
