"""The confusion matrix of two maps."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, cohen_kappa_score, confusion_matrix, precision_score, recall_score

from gmmseg.evaluation import evaluate


def test_it_is_scikit_learns_where_the_numbers_are_those_of_the_truth(rng):
    truth = rng.integers(1, 5, (30, 40))
    ours = np.where(rng.random(truth.shape) < 0.7, truth, rng.integers(1, 5, truth.shape))
    found = evaluate(ours, truth, as_numbered=True).confusion
    a, b = ours.ravel(), truth.ravel()
    assert (found.labels, found.classes) == ((1, 2, 3, 4), (1, 2, 3, 4))
    np.testing.assert_array_equal(found.matrix, confusion_matrix(b, a).T)
    assert found.overall == pytest.approx(accuracy_score(b, a))
    assert found.kappa == pytest.approx(cohen_kappa_score(b, a))
    assert list(found.users.values()) == pytest.approx(precision_score(b, a, average=None))
    assert list(found.producers.values()) == pytest.approx(recall_score(b, a, average=None))


def test_rows_are_in_the_order_of_the_classes_they_match_and_others_last():
    found = evaluate([[3, 3, 1, 1, 1, 2, 0]], [[5, 5, 8, 8, 8, 8, 8]]).confusion
    assert (found.labels, found.classes) == ((3, 1, 2), (5, 8))
    assert found.matrix == [[2, 0], [0, 3], [0, 1]]
    assert (found.overall, found.users, found.producers) == (5 / 6, {5: 1.0, 8: 1.0}, {5: 1.0, 8: 0.75})


def test_a_class_without_a_label_is_all_wrong():
    found = evaluate([[1, 1, 1]], [[1, 1, 2]]).confusion
    assert (found.users, found.producers) == ({1: 2 / 3, 2: None}, {1: 1.0, 2: 0.0})
    assert (found.matrix, found.overall, found.kappa) == ([[2, 1]], 2 / 3, 0.0)


def test_a_class_of_which_no_pixel_has_a_label():
    found = evaluate([[1, 1, 0]], [[1, 1, 2]], as_numbered=True).confusion
    assert (found.users[2], found.producers[2], found.overall) == (None, None, 1.0)


def test_the_background_of_masks_is_a_class():
    found = evaluate([[0, 0, 0, 9]], [[0, 0, 255, 255]]).confusion
    assert (found.labels, found.classes, found.matrix) == ((0, 9), (0, 255), [[2, 1], [0, 1]])
    assert found.kappa == pytest.approx(0.5)


def test_thousands_of_objects_make_no_matrix():
    numbers = np.arange(1, 301)[None]
    found = evaluate(numbers, numbers).confusion
    assert (found.matrix, found.overall) == (None, 1.0)
