"""How much more mass two intervals hold than one: both kernels, and every pair of intervals."""

import itertools

import numpy as np
import pytest
from implementations import both, compiled

from gmmseg.kernels import reference


def by_hand(places, level):
    """The largest excess of two intervals that do not overlap, less that of one."""
    n = len(places)
    above = np.arange(n) / (n - 1) - level * (places - places[0])
    one = {(i, j): above[j] - above[i] for i in range(n) for j in range(i, n)}
    pairs = (one[a] + one[b] for a, b in itertools.product(one, one) if a[1] <= b[0])
    return max(pairs) - max(one.values())


@both
@pytest.mark.parametrize("n", [2, 3, 9])
def test_it_is_that_of_the_best_pair_of_all(kernel, rng, n):
    places = np.sort(rng.normal(size=n) + 3 * (np.arange(n) % 2))
    levels = np.array([0.0, 0.02, 0.2, 0.5, 1, 3, 9, 50, 1e3])
    for level in levels:
        found = kernel.second_mass(places, np.array([level]))
        assert found == pytest.approx(by_hand(places, level), abs=1e-12)
    assert kernel.second_mass(places, levels) == pytest.approx(max(by_hand(places, level) for level in levels))


@both
def test_two_heaps_far_apart_hold_a_half_each(kernel):
    places = np.append(np.linspace(0, 1, 500), np.linspace(1000, 1001, 500))
    places.flags.writeable = False
    assert kernel.second_mass(places, np.array([0.01])) == pytest.approx(0.5, abs=0.02)
    assert kernel.second_mass(places[:500], np.geomspace(0.1, 10, 20)) == pytest.approx(0, abs=1e-12)


@compiled
def test_twins_find_the_same(kernel, rng):
    for n, m in ((1024, 64), (40, 3), (700, 17)):
        places, levels = np.sort(rng.standard_cauchy(n)), np.geomspace(1e-6, 1e3, m)
        assert kernel.second_mass(places, levels) == pytest.approx(reference.second_mass(places, levels), abs=1e-12)


@compiled
def test_one_place_is_refused(kernel):
    with pytest.raises(Exception, match="no interval"):
        kernel.second_mass(np.zeros(1), np.ones(1))
