"""What callers may say of a mixture."""

import numpy as np
import pytest

from gmmseg import ParameterError
from gmmseg.mixture.covariance import FAMILIES
from gmmseg.mixture.words import COVARIANCES, known_covariance, known_covariances


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


def test_several_families():
    assert known_covariances("diag") == ("diag",)
    assert known_covariances(["full", "tied"]) == known_covariances(np.array(["full", "tied"])) == ("full", "tied")


@pytest.mark.parametrize("names", [3, None, np.array(3), ["full", 2], b"full", object])
def test_what_names_no_families_is_refused(names):
    with pytest.raises(ParameterError, match=r"^covariance=.* is not known; use one of full, tied, diag, spherical$"):
        known_covariances(names)
