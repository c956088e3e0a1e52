"""What statisticians ask of a fitted GaussianMixture besides: how many components, how sure, which belong together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from gmmseg.arrays import Array
from gmmseg.checks import whole_number
from gmmseg.errors import DataWarning, ParameterError, warn
from gmmseg.mixture.covariance import FAMILIES
from gmmseg.mixture.estimator.validation import as_rows, checked_weights, generator
from gmmseg.mixture.words import known_covariances

if TYPE_CHECKING:
    from gmmseg.mixture.estimator.estimator import GaussianMixture

__all__ = ["choose", "standard_errors"]

_CRITERIA = ("bic", "aic", "icl")
_ESTIMATED = ("weights_", "means_", "covariances_")


def choose(
    kind: type[GaussianMixture],
    x: ArrayLike,
    numbers: Iterable[int],
    families: Sequence[str],
    criterion: str,
    options: dict[str, Any],
) -> GaussianMixture:
    """See GaussianMixture.choose."""
    if not isinstance(criterion, str) or criterion not in _CRITERIA:
        raise ParameterError(f"criterion={criterion!r} is not known; use one of {', '.join(_CRITERIA)}")
    families = known_covariances(families, "covariance_types")
    if not families:
        raise ParameterError(f"covariance_types is empty; use some of {', '.join(FAMILIES)}")
    if not isinstance(numbers, Iterable) or getattr(numbers, "ndim", 1) != 1:
        raise ParameterError(f"n_components={numbers!r} is not usable; give several, such as range(1, 10)")
    numbers = list(numbers)
    found: dict[tuple[str, int], float] = {}
    best = None
    for name in families:
        for k in numbers:
            model = kind(k, covariance_type=name, **options)._fit_silently(x)
            if len(model.weights_) < k:
                continue
            value = model.aic(x) if criterion == "aic" else model.bic(x)
            if criterion == "icl":
                known = ~np.isnan(as_rows(x)).all(axis=1)
                value -= 2 * float(np.log(model.predict_proba(x)[known].max(axis=1)).sum(dtype=np.float64))
            if best is None or value < min(found.values()):
                best = model
            found[name, k] = value
    if best is None:
        raise ParameterError("no number of components can be chosen; give numbers that the distinct samples support")
    best.choice_ = found
    _warn_of_steps(best, as_rows(x))
    return best


def _warn_of_steps(model: GaussianMixture, rows: Array) -> None:
    """Warn where a component is narrower than the steps in which a feature is given: it may be one of these alone."""
    d = rows.shape[1]
    dense = FAMILIES[model.covariance_type].dense(np.asarray(model.covariances_, np.float64), len(model.weights_), d)
    narrowest = np.diagonal(dense, axis1=1, axis2=2).min(axis=0)
    for feature, column in enumerate(rows.T):
        gaps = np.diff(np.unique(column[~np.isnan(column)]).astype(np.float64))
        noise = float(gaps.min()) ** 2 / 12 if len(gaps) else 0.0
        if narrowest[feature] < 0.9 * noise:
            warn(
                f"a component's variance of feature {feature} is {narrowest[feature]:.2g}, less than that of rounding "
                f"to the steps of {np.sqrt(12 * noise):.3g} in which it is given: the component may be one such step; "
                f"give reg_covar={noise:.2g} or more",
                DataWarning,
            )
            return


def standard_errors(
    model: GaussianMixture, x: ArrayLike, resamples: int, sample_weight: ArrayLike | None
) -> dict[str, Array]:
    """See GaussianMixture.standard_errors."""
    n, resamples = len(as_rows(x)), whole_number("n_resamples", resamples, 2, None)
    weights = checked_weights(sample_weight, n, np.float64)
    rng = generator(model.random_state)
    start = {
        "n_components": len(model.weights_),
        "weights_init": model.weights_ / np.sum(model.weights_, dtype=np.float64),
        "means_init": model.means_,
        "precisions_init": model.precisions_,
        "n_init": 1,
        "warm_start": False,
        "verbose": 0,
        "random_state": 0,
    }
    if getattr(model, "dof_", None) is not None:
        start["dof_init"] = model.dof_
    drawn: dict[str, list[Array]] = {name: [] for name in _ESTIMATED}
    fault = ParameterError(f"n_resamples={resamples} leaves fewer than 2 fits with all components; draw more")
    for _ in range(resamples):
        counts = rng.multinomial(n, np.full(n, 1 / n))
        other = type(model)(**{**model.get_params(), **start})
        try:
            other._fit_silently(x, counts if weights is None else counts * weights)
        except ParameterError as error:  # as of a draw of fewer samples than components
            fault = error
            continue
        if len(other.weights_) == len(model.weights_):
            for name, values in drawn.items():
                values.append(np.asarray(getattr(other, name), np.float64))
    if len(drawn["weights_"]) < 2:
        raise fault
    return {name.removesuffix("_"): np.std(values, axis=0, ddof=1) for name, values in drawn.items()}
