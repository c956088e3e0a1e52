"""Budget: the work that a search for a start may take where samples have long tails."""

from __future__ import annotations

__all__ = ["Budget", "work_of_pass"]

# Multiply-adds that take as long as one start of scikit-learn's where it ends after two iterations of EM, as it does
# with long tails, less what a fit takes beside its search: for itself, a component, and a sample and component. Of 78
# such tables chosen for being slow (d of 5 to 50) some 30 took more than 1.5 times such a start, up to 3.3, and with
# this bound some 10, up to 1.8. What is lost, in eight of them, are up to 1.2 of 4 to 50 nats that are gained, and in
# one with a quarter as many samples as parameters all of it (scripts/benchmark_tables.py kinds).
_ALONE, _A_COMPONENT, _A_SAMPLE = 9e6, 2e6, 4000
_PRODUCTS = {"full": 8, "tied": 3, "diag": 0, "spherical": 0}  # of features, for each sample and component
_A_SQUARE = 2.6  # of a feature, where no products are needed: as long as so many multiply-adds of products
_BESIDE = 3000  # multiply-adds that take as long as what a component takes beside its sums over the samples


def work_of_pass(n: int, d: int, covariance: str) -> float:
    """Return the multiply-adds, and what takes as long, of a component in one iteration of EM over n samples."""
    products = d * (d + 1) // 2 if _PRODUCTS[covariance] else _A_SQUARE * d
    return n * products + _BESIDE


class Budget:
    """The work that a search may take, once it is bound.

    Parameters
    ----------
    most : float
        Multiply-adds; without a bound by default.

    Notes
    -----
    It is bound where samples turn out to have long tails: EM settles at once from a start, or moves gain a lot. One
    start of scikit-learn's, though less likely by nats, takes two iterations there. Elsewhere EM is slow, for either
    program, and the last thousandths of a nat are worth their time.
    """

    def __init__(self, most: float = float("inf")) -> None:
        self.most, self.spent, self.bound = most, 0.0, False

    @classmethod
    def of_one_start(cls, n: int, d: int, k: int, covariance: str) -> Budget:
        """Return what takes about as long as one start of k components from n samples of d features."""
        return cls(_ALONE + k * (_A_COMPONENT + n * (_A_SAMPLE + _PRODUCTS[covariance] * d**2)))

    def affords(self, work: float) -> bool:
        """Whether so much more may be done."""
        return not self.bound or self.spent + work <= self.most

    def spend(self, work: float) -> None:
        """Count what is done."""
        self.spent += work

    def add(self, part: Budget) -> None:
        """Count what was done by a part of it, and be bound if that is."""
        self.spend(part.spent)
        self.bound |= part.bound
