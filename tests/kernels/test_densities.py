"""Densities: classes of one or several components."""

import numpy as np

from gmmseg.kernels import Densities

FOUR = Densities(np.zeros(4), np.zeros((4, 2)), np.ones((4, 2, 2)))


def test_without_more_said_components_are_classes():
    numbers = np.arange(12.0).reshape(4, 3)
    assert FOUR.n_classes == 4
    assert FOUR.of_classes(numbers) is numbers


def test_classes_have_components_in_their_order_or_none():
    some = FOUR._replace(per_class=np.array([2, 0, 1, 1]))
    assert some.n_classes == 4
    found = some.of_classes(np.float32([[1, 2], [10, 20], [3, 4], [5, 6]]))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, [[11, 22], [0, 0], [3, 4], [5, 6]])
