"""The mixture with the interface of scikit-learn's estimators."""

from gmmseg.mixture.estimator.estimator import GaussianMixture

__all__ = ["GaussianMixture"]
