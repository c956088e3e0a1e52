"""Scores against a truth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score, mutual_info_score, rand_score

from gmmseg import ParameterError
from gmmseg.evaluation import evaluate


def blocks(rng, shape, k):
    return 1 + rng.integers(0, k, (4, 5)).repeat(shape[0] // 4, 0).repeat(shape[1] // 5, 1)


@pytest.mark.slow
@given(seed=st.integers(0, 1000), k=st.integers(1, 6), m=st.integers(1, 6))
def test_scores_are_those_of_their_definitions(seed, k, m):
    rng = np.random.default_rng(seed)
    ours, truths = blocks(rng, (20, 25), k), [blocks(rng, (20, 25), m) for _ in range(2)]
    found = evaluate(ours, truths)
    a, bs = ours.ravel(), [t.ravel() for t in truths]
    assert found.rand_index == pytest.approx(np.mean([rand_score(a, b) for b in bs]))
    assert found.adjusted_rand_index == pytest.approx(np.mean([adjusted_rand_score(a, b) for b in bs]))

    def entropy(x):
        p = np.unique(x, return_counts=True)[1] / x.size
        return -(p * np.log2(p)).sum()

    expected = [entropy(a) + entropy(b) - 2 * mutual_info_score(a, b) / np.log(2) for b in bs]
    assert found.variation_of_information == pytest.approx(np.mean(expected), abs=1e-9)
    covered = sum(
        (b == number).sum() * max(((a == n) & (b == number)).sum() / ((a == n) | (b == number)).sum() for n in set(a))
        for b in bs
        for number in set(b)
    )
    assert found.covering == pytest.approx(covered / sum(b.size for b in bs))


def test_numbers_do_not_matter():
    rng = np.random.default_rng(0)
    truth = blocks(rng, (40, 50), 4)
    renamed = np.array([0, 70_000, 3, 255, 12], np.uint32)[truth]
    found = evaluate(renamed, truth)
    assert (found.rand_index, found.covering, found.adjusted_rand_index, found.boundary_f) == (1, 1, 1, 1)
    assert found.variation_of_information == 0
    assert found.dice == {1: 1.0, 2: 1.0, 3: 1.0, 4: 1.0}
    assert found.matching == {1: 70_000, 2: 3, 3: 255, 4: 12}
    assert found.segments == 4


def test_dice_of_a_class_that_no_label_is_left_for():
    found = evaluate(np.array([[1, 1, 1, 1]]), np.array([[1, 1, 2, 0]]))
    assert found.dice == {1: pytest.approx(2 * 2 / (4 + 2)), 2: 0.0}
    assert found.matching == {1: 1, 2: 0}


def test_pixels_without_a_truth_count_for_dice_alone():
    ours = np.array([[1, 1, 2, 2, 2]])
    truth = np.array([[1, 1, 2, 0, 0]])
    found = evaluate(ours, truth)
    assert found.covering == 1
    assert found.dice[2] == pytest.approx(2 * 1 / (3 + 1))


def test_a_partly_labelled_truth_counts_where_it_is_labelled():
    labels = np.repeat([1, 2], 20)[None].repeat(30, 0)
    truth = np.zeros((30, 40), int)
    truth[2:8, 5:15], truth[20:25, 22:38] = 4, 9  # two training areas, all right
    whole, partly = evaluate(labels, truth), evaluate(labels, truth, partly_labelled=True)
    assert partly.dice == {4: 1.0, 9: 1.0}
    assert (partly.boundary_f, partly.confusion) == (1.0, whole.confusion)
    assert whole.dice == {4: pytest.approx(2 * 60 / (600 + 60)), 9: pytest.approx(2 * 80 / (600 + 80))}
    assert whole.boundary_f < 1
    labels[2, 5], labels[21, 22] = 0, 1  # no label, and a wrong one
    worse = evaluate(labels, truth, partly_labelled=True)
    assert worse.dice == {4: pytest.approx(2 * 59 / (60 + 60)), 9: pytest.approx(2 * 79 / (79 + 80))}
    assert worse.boundary_f < 1


def test_one_class_that_is_partly_labelled_is_no_mask():
    found = evaluate([[1, 1, 2, 2]], [[7, 7, 0, 0]], partly_labelled=True)
    assert (found.dice, found.matching) == ({7: 1.0}, {7: 1})
    with pytest.raises(ParameterError, match="leave one of them out"):
        evaluate([[1, 2]], [[1, 2]], background=True, partly_labelled=True)


def test_boundaries_may_lie_a_little_apart():
    truth, near, far = (np.ones((200, 200), int) for _ in range(3))
    truth[:, 100:], near[:, 102:], far[:, 110:] = 2, 2, 2
    assert evaluate(near, truth).boundary_f == 1
    assert evaluate(far, truth).boundary_f == 0
    assert evaluate(np.ones((200, 200), int), truth).boundary_f == 0
    assert evaluate(np.ones((5, 5, 5), int), np.ones((5, 5, 5), int)).boundary_f is None


@pytest.mark.parametrize(
    ("ours", "truth", "words"),
    [
        (np.ones((2, 3), int), np.ones((3, 2), int), r"labels have shape \(2, 3\), the truth has \(3, 2\)"),
        (np.ones((2, 3)), np.ones((2, 3), int), "give whole numbers from 0"),
        ("labels.png", np.ones((2, 3), int), "labels has dtype .*, as gmmseg.io.read_labels reads them from a file"),
        (np.ones((2, 3), int), -np.ones((2, 3), int), "truth has dtype int64"),
        (np.zeros((2, 3), int), np.ones((2, 3), int), "nothing to compare"),
    ],
)
def test_what_cannot_be_compared(ours, truth, words):
    with pytest.raises(ParameterError, match=words):
        evaluate(ours, truth)


def test_a_mask_has_a_background():
    truth = np.zeros((20, 30), np.uint8)
    truth[5:15, 5:15] = 255
    labels = 1 + (np.roll(truth, 1, axis=1) > 0)
    found = evaluate(labels, truth)
    assert found.matching == {0: 1, 255: 2}
    assert found.dice == {0: pytest.approx(490 / 500), 255: pytest.approx(0.9)}
    both = evaluate(np.roll(truth, 1, axis=1), truth)
    assert (both.rand_index, both.dice) == (found.rand_index, found.dice)
    assert both.matching == {0: 0, 255: 255}
    assert evaluate(labels, truth, background=False).dice == {255: pytest.approx(0.9)}


def test_zero_is_a_class_where_it_is_said():
    labels, truth = np.array([[0, 0, 1, 2, 2]]), np.array([[0, 1, 1, 2, 2]])
    found = evaluate(labels, truth, background=True, as_numbered=True)
    assert found.dice == {0: pytest.approx(2 / 3), 1: pytest.approx(2 / 3), 2: 1.0}
    assert evaluate(labels, truth).dice == {1: pytest.approx(2 / 3), 2: 1.0}


def test_numbers_count_where_it_is_said():
    labels, truth = np.array([[1, 1, 2, 2, 3]]), np.array([[2, 2, 1, 2, 4]])
    assert evaluate(labels, truth).matching == {1: 2, 2: 1, 4: 3}
    found = evaluate(labels, truth, as_numbered=True)
    assert found.dice == {1: 0.0, 2: pytest.approx(2 / 5), 4: 0.0}
    assert found.matching == {1: 1, 2: 2, 4: 0}
