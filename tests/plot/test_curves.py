"""The numbers behind figures."""

import numpy as np
import pytest

from gmmseg.mixture.parameters import Mixture
from gmmseg.plot.curves import bin_edges, dense, normal, spreads


def test_bins_of_whole_numbers_hold_equally_many_of_them(rng):
    values = rng.integers(0, 256, 20_000).astype(float)
    edges = bin_edges(values)
    widths = np.diff(edges)
    np.testing.assert_allclose(widths, round(widths[0]), atol=1e-9)
    assert set(np.mod(edges, 1).round(6)) == {0.5}


@pytest.mark.parametrize("values", [np.array([]), np.full(9, 3.25)])
def test_there_are_bins_where_nothing_varies(values):
    assert np.isfinite(bin_edges(values)).all()
    assert (np.diff(bin_edges(values)) > 0).all()


def test_densities_have_an_area_of_one():
    x = np.linspace(-9, 12, 4001)
    assert np.trapezoid(normal(x, 1.5, 1.25), x) == pytest.approx(1)


def test_contours_are_roots_of_the_marginal_covariances():
    covariance = np.array([[[4.0, 1.0, 0.5], [1.0, 9.0, 0.0], [0.5, 0.0, 1.0]]])
    mixture = Mixture(np.ones(1), np.zeros((1, 3)), covariance, "full")
    root = spreads(mixture, [1, 0])[0]
    np.testing.assert_allclose(root @ root.T, dense(mixture)[0][np.ix_([1, 0], [1, 0])])
