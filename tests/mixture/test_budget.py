"""The budget of a search for a start."""

import pytest

from gmmseg.mixture.budget import Budget, work_of_pass


def test_a_pass_takes_the_sums_of_a_covariance_over_the_samples():
    for covariance, sums in (("full", 210), ("tied", 210), ("diag", 20 * 2.6), ("spherical", 20 * 2.6)):
        more = work_of_pass(2000, 20, covariance) - work_of_pass(1000, 20, covariance)
        assert more == pytest.approx(1000 * sums)


def test_a_budget_counts_once_it_is_bound():
    budget = Budget(10)
    budget.spend(7)
    assert budget.affords(1e9)
    budget.bound = True
    assert budget.affords(3)
    assert not budget.affords(3.5)
    budget.spend(4)
    assert not budget.affords(0)


def test_without_a_bound_everything_is_affordable():
    budget = Budget()
    budget.bound = True
    budget.spend(1e300)
    assert budget.affords(1e300)


@pytest.mark.parametrize(
    ("n", "d", "k", "covariance", "passes"),
    [
        (300, 10, 5, "full", 233),
        (3000, 30, 5, "full", 36),
        (3000, 30, 5, "tied", 25),
        (3000, 30, 5, "diag", 60),
    ],
)
def test_one_start_of_others_is_worth_many_passes_of_few_features_and_few_of_many(n, d, k, covariance, passes):
    """scikit-learn's takes as long as so many of ours (measured); a fit takes some time beside its search."""
    one = work_of_pass(n, d, covariance)
    assert 0.5 < Budget.of_one_start(n, d, k, covariance).most / (k * one * passes) < 1.5


def test_what_a_part_takes_is_taken_of_the_whole():
    whole, part = Budget(10), Budget(5)
    part.spend(6)
    whole.add(part)
    assert (whole.spent, whole.bound) == (6, False)
    part.bound = True
    whole.add(part)
    assert not whole.affords(0)
