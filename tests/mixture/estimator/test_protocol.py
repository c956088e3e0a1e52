"""What scikit-learn asks of every estimator."""

import pytest
import sklearn.base
from sklearn.mixture import GaussianMixture as Oracle

import gmmseg

GaussianMixture = gmmseg.GaussianMixture


def test_parameters_are_scikit_learn_s():
    ours, theirs = GaussianMixture().get_params(), Oracle().get_params()
    further = {name: ours.pop(name) for name in ("threads", "outliers", "prior", "frozen", "dof_init")}
    assert further == {"threads": None, "outliers": None, "prior": None, "frozen": (), "dof_init": None}
    assert ours == theirs


def test_parameters_can_be_set_and_cloned():
    original = GaussianMixture(3, covariance_type="diag", tol=1e-5, random_state=4)
    assert original.get_params()["n_components"] == 3
    copy = sklearn.base.clone(original)
    assert copy is not original
    assert copy.get_params() == original.get_params()
    assert copy.set_params(n_components=5, tol=0.1) is copy
    assert (copy.n_components, copy.tol) == (5, 0.1)
    assert repr(original) == "GaussianMixture(n_components=3, covariance_type='diag', tol=1e-05, random_state=4)"
    with pytest.raises(ValueError, match="Invalid parameter 'components'.*n_components"):
        copy.set_params(components=2)


def test_fit_and_score_ask_for_weights_one_by_one():
    model = GaussianMixture().set_fit_request(sample_weight=True).set_score_request(sample_weight="mass")
    routing = model.get_metadata_routing()
    assert (routing.fit.requests, routing.score.requests) == ({"sample_weight": True}, {"sample_weight": "mass"})
    asked = GaussianMixture().get_metadata_routing()
    assert (asked.fit.requests, asked.score.requests) == ({"sample_weight": None}, {"sample_weight": None})
