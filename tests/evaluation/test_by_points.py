"""Accuracy by a sample of points: the example of Olofsson et al. (2014)."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from gmmseg import ParameterError
from gmmseg.evaluation import accuracy

# Their table 8: deforestation, forest gain, stable forest, stable non-forest; mapped areas in pixels.
COUNTS = np.array([[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]])
AREAS = {1: 200_000, 2: 150_000, 3: 3_200_000, 4: 6_450_000}


def points(counts):
    pairs = [(i, j) for i, row in enumerate(counts, 1) for j, n in enumerate(row, 1) for _ in range(n)]
    return np.array(pairs).T


def test_the_published_example():
    found = accuracy(*points(COUNTS), areas=AREAS)
    assert found.matrix == COUNTS.tolist()

    def rounded(estimates):
        return [(round(each.value, 2), round(each.error, 2)) for each in estimates.values()]

    assert rounded(found.users) == [(0.88, 0.07), (0.73, 0.10), (0.93, 0.04), (0.96, 0.02)]
    assert [value for value, _ in rounded(found.producers)] == [0.75, 0.85, 0.93, 0.96]
    assert rounded(found.producers)[0] == (0.75, 0.21)
    assert (round(found.overall.value, 2), round(found.overall.error, 2)) == (0.95, 0.02)
    # 10 million pixels of 30 m: 21 158 +- 6 158 ha of deforestation, where the map has 18 000.
    hectares = [900_000 * each for each in (found.area[1].value, found.area[1].error)]
    assert hectares == [pytest.approx(21_158, abs=1), pytest.approx(6_158, abs=2)]
    assert sum(each.value for each in found.area.values()) == pytest.approx(1)


def test_producers_intervals_are_those_of_a_ratio_of_stratified_means():
    """Cochran (1977), section 6.11: of the indicators "mapped right" and "of the class"."""
    ours, theirs = points(COUNTS)
    total = sum(AREAS.values())
    for number, found in accuracy(ours, theirs, areas=AREAS).producers.items():
        of_class, variance = 0.0, 0.0
        for stratum, area in AREAS.items():
            there = theirs[ours == stratum] == number
            rest = (there & (stratum == number)) - found.value * there
            of_class += area / total * there.mean()
            variance += (area / total) ** 2 * rest.var(ddof=1) / len(there)
        assert found.error == pytest.approx(1.95996 * np.sqrt(variance) / of_class, rel=1e-4)


def test_without_areas_it_is_what_the_points_say():
    ours, theirs = points(COUNTS)
    found = accuracy(ours, theirs)
    assert found.overall.value == pytest.approx((ours == theirs).mean())
    assert found.kappa == pytest.approx(cohen_kappa_score(ours, theirs))
    assert found.users[2].value == pytest.approx(55 / 75)
    assert found.producers[2].value == pytest.approx(55 / 56)


def test_a_class_on_one_side_only():
    found = accuracy([1, 1, 5], [1, 3, 1], areas={1: 3, 5: 1, 7: 9})
    assert found.classes == (1, 3, 5)
    assert np.isnan(found.users[3].value)
    assert np.isnan(found.producers[5].value)
    assert (found.users[5].value, found.producers[3].value) == (0, 0)
    assert found.area[3].value == pytest.approx(0.375)


def test_confidence_widens_intervals():
    narrow, wide = (accuracy(*points(COUNTS), confidence=c).overall.error for c in (0.8, 0.99))
    assert wide / narrow == pytest.approx(2.5758 / 1.2816, rel=1e-3)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"mapped": [], "truth": []}, "0 points have a label and 0 a truth"),
        ({"mapped": [1, 2], "truth": [1]}, "2 points have a label and 1 a truth"),
        ({"mapped": [1], "truth": [1], "areas": {2: 5}}, "class 1 has points, but areas say nothing of it"),
        ({"mapped": [1], "truth": [1], "confidence": 95}, "confidence=95 is not usable"),
    ],
)
def test_refusals(arguments, words):
    with pytest.raises(ParameterError, match=words):
        accuracy(**arguments)
