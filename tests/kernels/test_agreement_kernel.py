"""What tells how strongly neighbours agree: compiled and reference against float64."""

import numpy as np
import pytest
from implementations import both


@both
@pytest.mark.parametrize("n", [1, 15, 512, 1027])
@pytest.mark.parametrize("classes", [1, 2, 5])
@pytest.mark.parametrize("total", [0.0, 3.0, 24.0])
def test_mean_and_variance_are_those_of_the_classes(kernel, n, classes, total):
    said = np.random.default_rng(n).uniform(-1, 0, (classes, n))
    said -= said.max(axis=0)
    said[-1, ::7] = -40  # a class that no neighbour has
    said[0, ::7] = 0
    given = said.astype(np.float32)
    given.flags.writeable = False
    p = np.exp(total * given.astype(float))
    p /= p.sum(axis=0)
    mean = (p * given).sum(axis=0)
    variance = (p * (given - mean) ** 2).sum(axis=0)
    np.testing.assert_allclose(kernel.agreement(given, total), (mean.sum(), variance.sum()), rtol=1e-5, atol=1e-5 * n)
