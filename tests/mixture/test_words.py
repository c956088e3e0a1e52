"""What callers may say of a mixture."""

import pytest

from gmmseg import ParameterError
from gmmseg.mixture.covariance import FAMILIES
from gmmseg.mixture.words import COVARIANCES, known_covariance


def test_each_covariance_has_its_family():
    assert tuple(FAMILIES) == COVARIANCES
    shapes = [FAMILIES[name].shape(3, 2) for name in COVARIANCES]
    assert shapes == [(3, 2, 2), (2, 2), (3, 2), (3,)]
    assert [known_covariance(name) for name in COVARIANCES] == list(COVARIANCES)


@pytest.mark.parametrize("name", ["round", "", None, ["full"]])
def test_other_names_are_refused_with_the_choices(name):
    with pytest.raises(ParameterError) as caught:
        known_covariance(name, "covariance_type")
    assert str(caught.value) == f"covariance_type={name!r} is not known; use one of full, tied, diag, spherical"
