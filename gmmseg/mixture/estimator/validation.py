"""What GaussianMixture takes: samples, weights, parameters. Refusals use scikit-learn's words for programs' sake."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from gmmseg.arrays import Array
from gmmseg.checks import is_flag, number_within, single, whole_number
from gmmseg.errors import DataWarning, GmmsegError, ParameterError, warn
from gmmseg.mixture.covariance import family
from gmmseg.mixture.prior import Prior
from gmmseg.mixture.words import OUTLIERS

__all__ = [
    "NotFittedError",
    "as_rows",
    "as_sample",
    "cast",
    "check_finite",
    "check_names",
    "check_parameters",
    "checked_weights",
    "drawn_by_factors",
    "feature_names",
    "feature_numbers",
    "generator",
    "initial_values",
    "random_state",
    "sample_count",
    "wide_enough",
]

_DIGITS = 1e12  # of the 1e16 that float64 has, so that a variance keeps four of its own
_SINGLE = (
    *("n_components", "covariance_type", "tol", "reg_covar", "max_iter", "n_init", "init_params", "warm_start"),
    *("verbose", "verbose_interval", "outliers"),
)
_SEEDINGS = ("kmeans", "k-means++", "random", "random_from_data")


class NotFittedError(GmmsegError, ValueError, AttributeError):
    """The mixture was asked something before it was fitted."""


class WrongTypeError(ParameterError, TypeError):
    """The samples are of a kind that cannot be used."""


# ---------------------------------------------------------------------------------------------------------------------
# Samples
# ---------------------------------------------------------------------------------------------------------------------


def as_rows(x: ArrayLike) -> Array:
    """Samples as a 2-D array (n, d) of float32 (kept) or float64, without a copy where possible."""
    if hasattr(x, "toarray"):
        raise WrongTypeError("X is sparse, but dense data is required; use X.toarray()")
    try:
        rows = np.asarray(_without_masks(x))
        if np.iscomplexobj(rows):
            raise ParameterError("Complex data not supported: X is complex; give real and imaginary parts as features")
        if rows.dtype != np.float32:
            rows = np.asarray(rows, np.float64)
    except TypeError as fault:
        raise WrongTypeError(f"X holds what is not a number: {fault}; give numbers") from None
    except ParameterError:
        raise
    except (ValueError, OverflowError) as fault:
        raise ParameterError(f"X is no array of numbers: {fault}; give as many numbers for each sample") from None
    if rows.ndim != 2:
        raise ParameterError(
            f"X has shape {rows.shape}, but a 2-D array is expected. Reshape your data to samples by features: "
            "X.reshape(-1, 1) if it has one feature, X.reshape(1, -1) if it is one sample"
        )
    for axis, noun in enumerate(("sample", "feature")):
        if rows.shape[axis] == 0:
            raise ParameterError(
                f"X is empty: 0 {noun}(s) (shape={rows.shape}) while a minimum of 1 is required; give at least one"
            )
    return rows


def as_sample(x: ArrayLike) -> Array:
    """One sample (d,), float64, with NaN for what it lacks."""
    whole: Any = _without_masks(x)
    if np.ndim(whole) != 1:
        raise ParameterError(f"the sample has shape {np.shape(whole)}; give one number for each feature")
    sample: Array = as_rows([whole])[0].astype(np.float64)
    check_finite(sample)
    return sample


def feature_numbers(features: ArrayLike, d: int) -> Array:
    """Different features of d, by their numbers; those below 0 count from the last."""
    numbers = np.asarray(features)
    whole = numbers.ndim == 1 and numbers.size > 0 and numbers.dtype.kind in "iu"
    if not whole or (np.abs(numbers + 0.5) > d).any() or len(set(numbers % d)) < len(numbers):
        raise ParameterError(f"features={features!r} is not usable; give different whole numbers from 0 to {d - 1}")
    return np.asarray(numbers % d, np.intp)


def _without_masks(x: Any) -> Any:
    """Samples with NaN where a masked array is masked, and where nullable numbers of pandas are missing."""
    if isinstance(x, np.ma.MaskedArray):
        return np.ma.filled(x.astype(x.dtype if x.dtype.kind in "fc" else np.float64), np.nan)
    kinds = getattr(x, "dtypes", ())
    kinds = [kinds] if hasattr(kinds, "kind") else list(kinds)
    if hasattr(x, "to_numpy") and any(hasattr(kind, "numpy_dtype") for kind in kinds):
        common = np.result_type(*(getattr(kind, "numpy_dtype", kind) for kind in kinds))
        return x.to_numpy(np.float32 if common == np.float32 else np.float64, na_value=np.nan)
    return x


def cast(values: Sequence[Array], dtype: Any) -> list[Array]:
    """Arrays of this dtype, or all of float64 where it cannot hold one of them."""
    with np.errstate(over="ignore"):
        found = [array.astype(dtype) for array in values]
    return found if all(np.isfinite(array).all() for array in found) else list(values)


def wide_enough(dtype: Any, means: ArrayLike, precisions_cholesky: ArrayLike, *, square: bool) -> Any:
    """The dtype itself, or float64 where its rounding moves a mean (K, d) by a thousandth of a deviation or more."""
    exact, factors = np.asarray(means, np.float64), np.asarray(precisions_cholesky, np.float64)
    inverse = np.sqrt((factors**2).sum(axis=-1)) if square else np.abs(factors).reshape(len(factors), -1)
    with np.errstate(over="ignore", invalid="ignore"):
        moved = np.abs(exact - exact.astype(dtype)) * inverse
    return dtype if (moved < 1e-3).all() else np.dtype(np.float64)


def sample_count(value: Any) -> int:
    """How many samples are to be drawn, at least one."""
    try:
        return whole_number("n_samples", value, 1, sys.maxsize)
    except ParameterError:
        raise ParameterError(f"Invalid value for 'n_samples': {value!r}; ask for at least 1") from None


def drawn_by_factors(model: Any) -> bool:
    """Whether a fitted model's samples are drawn by its precision factors, not in scikit-learn's way.

    That knows neither Student-t components nor outliers, and takes covariances apart in which the narrow features of
    units that lie far apart have no digits left.
    """
    if any(getattr(model, name, None) is not None for name in ("dof_", "outlier_ranges_")):
        return True
    if model.covariance_type not in ("full", "tied"):
        return False
    variances = np.diagonal(model.covariances_, axis1=-2, axis2=-1)
    return bool((variances.max(axis=-1) / _DIGITS > variances.min(axis=-1)).any())  # what is multiplied may overflow


def check_finite(x: Array) -> None:
    """Refuse infinity in the samples; NaN is a feature that is not known."""
    if not x.size or (np.isfinite(x.min()) and np.isfinite(x.max())):  # quicker than looking at each
        return
    if np.isinf(x).any():
        raise ParameterError("X contains infinity; use NaN for what is not known")


def feature_names(x: Any) -> Array | None:
    """Column names (d,) of a data frame, object; None where there are none, or none of them is a string."""
    columns = getattr(x, "columns", None)
    if columns is None:
        return None
    names = list(columns)
    kinds = sorted({type(name).__name__ for name in names if not isinstance(name, str)})
    if kinds and any(isinstance(name, str) for name in names):
        raise WrongTypeError(
            "Feature names are only supported if all input features have string names, but some are of type "
            f"{', '.join(kinds)}; use X.columns = X.columns.astype(str)"
        )
    return np.array(names, object) if names and not kinds else None


def check_names(estimator: str, fitted: Array | None, given: Array | None) -> None:
    """Refuse a data frame whose columns are not those of the fit; warn where one of the two has no names."""
    if fitted is None and given is not None:
        warn(f"X has feature names, but {estimator} was fitted without feature names", DataWarning)
    elif fitted is not None and given is None:
        warn(f"X does not have valid feature names, but {estimator} was fitted with feature names", DataWarning)
    elif fitted is not None and given is not None and list(fitted) != list(given):
        unseen, missing = sorted({*given} - {*fitted}), sorted({*fitted} - {*given})
        # The one message of more than a line: its layout is part of scikit-learn's interface.
        lines = ["The feature names should match those that were passed during fit."]
        for heading, names in (("unseen at fit time", unseen), ("seen at fit time, yet now missing", missing)):
            if names:
                shown = [f"- {name}" for name in names[:5]] + ["- ..."] * (len(names) > 5)
                lines += [f"Feature names {heading}:", *shown]
        if not unseen and not missing:
            lines.append("Feature names must be in the same order as they were in fit.")
        raise ParameterError("\n".join(lines) + "\n")


def checked_weights(weights: ArrayLike | None, n: int, dtype: Any) -> Array | None:
    """Sample weights (n,) scaled to a mean of 1, of the samples' dtype; None stays None."""
    if weights is None:
        return None
    try:
        array = np.asarray(_without_masks(weights), np.float64)
    except (TypeError, ValueError, OverflowError) as fault:
        raise ParameterError(f"sample_weight is no array of numbers: {fault}; give one for each sample") from None
    if array.shape != (n,):
        raise ParameterError(f"sample_weight has shape {array.shape}; it should be ({n},)")
    if not (np.isfinite(array).all() and (array >= 0).all()):
        raise ParameterError("sample_weight has negative or infinite values or NaN; give weights of at least 0")
    if not array.any():
        raise ParameterError("sample_weight is all 0, so every weight is zero; give some samples a weight above 0")
    largest = array / array.max()
    scaled = largest / largest.mean()
    # What is too little for the samples' dtype stays a weight.
    return np.ascontiguousarray(np.where(array > 0, np.maximum(scaled, np.finfo(dtype).tiny), 0), dtype)


# ---------------------------------------------------------------------------------------------------------------------
# Parameters
# ---------------------------------------------------------------------------------------------------------------------


def check_parameters(model: Any, n: int) -> None:
    """Refuse constructor parameters that no fit of n samples can use; starting values have a check of their own."""
    for name in _SINGLE:
        single(name, getattr(model, name))
    for name, least in (("n_components", 1), ("n_init", 1), ("max_iter", 0), ("verbose_interval", 1)):
        value = getattr(model, name)
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
            raise ParameterError(f"{name}={value!r} is not usable; use a whole number of at least {least}")
    for name in ("tol", "reg_covar", "verbose"):
        value = getattr(model, name)
        wanted = "is not usable; use a number of at least 0"
        if not isinstance(value, Real | np.bool_):
            raise ParameterError(f"{name}={value!r} {wanted}")
        number_within(name, value, 0, np.finfo(np.float64).max, wanted)
    if not is_flag(model.warm_start):
        raise ParameterError(f"warm_start={model.warm_start!r} is not usable; use True or False")
    if model.init_params not in _SEEDINGS:
        raise ParameterError(f"init_params={model.init_params!r} is not known; use one of {', '.join(_SEEDINGS)}")
    family(model.covariance_type, "covariance_type")
    if model.outliers not in (None, *OUTLIERS):
        raise ParameterError(f"outliers={model.outliers!r} is not known; use {' or '.join(OUTLIERS)}, or None")
    _check_known(model)
    k = model.n_components
    if n < k:
        raise ParameterError(
            f"Expected n_samples >= n_components but got n_components = {k}, n_samples = {n}; "
            + (f"use {n} components or fewer" if n else "give samples with a weight and a feature that is not NaN")
        )


def _check_known(model: Any) -> None:
    """Refuse a prior or frozen components that do not fit the number of components."""
    k, prior = model.n_components, model.prior
    if prior is not None and (not isinstance(prior, Prior) or prior.mixture.n_components != k):
        found = prior.mixture.n_components if isinstance(prior, Prior) else repr(prior)
        raise ParameterError(f"prior is of {found} components; give a gmmseg.Prior of {k}")
    if model.dof_init is not None:
        dof = _numbers("dof_init", model.dof_init)
        if model.outliers != "student" or dof.shape not in ((), (k,)) or not (np.isfinite(dof) & (dof > 0)).all():
            raise ParameterError(
                f"dof_init={model.dof_init!r} is not usable; give a number above 0, or one for each of {k} components, "
                "with outliers='student'"
            )
    if not isinstance(model.frozen, Collection) or getattr(model.frozen, "ndim", 1) != 1:
        raise ParameterError(f"frozen={model.frozen!r} is not usable; give a list of numbers of components")
    for index in model.frozen:
        if isinstance(index, bool) or not isinstance(index, int | np.integer) or not 0 <= index < k:
            raise ParameterError(f"frozen={model.frozen!r} is not usable; use numbers of components, 0 to {k - 1}")
    if len(model.frozen) and (model.means_init is None or model.precisions_init is None):
        raise ParameterError("frozen components need means_init and precisions_init, which say where they are")


def initial_values(model: Any, d: int) -> dict[str, Array]:
    """Starting values that were given for d features, float64, by the names of Mixture's fields."""
    k, covariance = model.n_components, model.covariance_type
    square = {"full": (k, d, d), "tied": (d, d)}.get(covariance, family(covariance).shape(k, d))
    if model.prior is not None and model.prior.mixture.n_features != d:
        raise ParameterError(
            f"prior is of {model.prior.mixture.n_features} features, but X has {d}; give a gmmseg.Prior of {d}"
        )
    found = {}
    for name, noun, shape in (
        ("weights_init", "weights", (k,)),
        ("means_init", "means", (k, d)),
        ("precisions_init", f"{covariance} precision", square),
    ):
        value = getattr(model, name)
        if value is None:
            continue
        array = _numbers(name, value)
        if array.shape != shape:
            raise ParameterError(
                f"The parameter '{noun}' should have the shape of {shape}, but got {array.shape}; correct {name}"
            )
        if not np.isfinite(array).all():
            raise ParameterError(f"{name} contains NaN or infinity; give finite numbers")
        if noun == "weights":
            _check_proportions(array, np.asarray(value).dtype)
        found[noun if noun in ("weights", "means") else "covariances"] = array
    if "covariances" in found:
        found["covariances"] = _inverse(found["covariances"], covariance)
    return found


def _numbers(name: str, value: Any) -> Array:
    try:
        return np.asarray(value, np.float64)
    except (TypeError, ValueError, OverflowError) as fault:
        raise ParameterError(f"{name} is no array of numbers: {fault}; give finite numbers") from None


def _check_proportions(weights: Array, dtype: Any) -> None:
    if weights.min() < 0 or weights.max() > 1:
        raise ParameterError(
            f"The parameter 'weights' should be in the range [0, 1], but got max value {weights.max():.5f}, "
            f"min value {weights.min():.5f}; correct weights_init"
        )
    if abs(weights.sum() - 1) > (1e-6 if dtype == np.float32 else 1e-8):
        raise ParameterError(
            f"The parameter 'weights' should be normalized, but got sum(weights) = {weights.sum():.5f}; "
            "divide weights_init by its sum"
        )


def _inverse(precisions: Array, covariance: str) -> Array:
    if covariance not in ("full", "tied"):
        if (precisions > 0).all():
            return np.asarray(1 / precisions)
        raise ParameterError(f"'{covariance} precision' should be positive; precisions_init holds inverse variances")
    symmetric = np.allclose(precisions, np.swapaxes(precisions, -1, -2))
    if not symmetric or (np.linalg.eigvalsh(precisions) <= 0).any():
        raise ParameterError(
            f"'{covariance} precision' should be symmetric, positive-definite; precisions_init holds inverses of "
            "covariances"
        )
    return np.asarray(np.linalg.inv(precisions))


def random_state(state: Any) -> Any:
    """A RandomState or Generator: as given, of an int, or for None NumPy's global one, which `np.random.seed` sets."""
    if isinstance(state, np.random.RandomState | np.random.Generator):
        return state
    legacy: Any = np.random  # its type stubs leave get_bit_generator out
    try:
        return np.random.RandomState(legacy.get_bit_generator() if state is None else state)
    except (TypeError, ValueError) as fault:
        raise ParameterError(
            f"random_state={state!r} is not usable ({fault}); use a whole number from 0 to 2**32 - 1, a RandomState, "
            "a Generator or None"
        ) from None


def generator(state: Any) -> np.random.Generator:
    """A Generator from what `random_state` takes; an int gives the same one each time."""
    if isinstance(state, int | np.integer) and 0 <= state < 2**32:  # a RandomState takes ten times as long to make
        return np.random.default_rng(state)
    source = random_state(state)
    return source if isinstance(source, np.random.Generator) else np.random.default_rng(source.randint(2**31, size=4))
