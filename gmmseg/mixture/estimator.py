"""GaussianMixture: scikit-learn's interface as a thin skin over the mixture core. scikit-learn itself is not needed."""

from __future__ import annotations

import inspect
import warnings
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gmmseg import kernels
from gmmseg.errors import ConvergenceWarning, DataWarning, ParameterError
from gmmseg.mixture.covariance import family
from gmmseg.mixture.fitting import Fit, expectation_maximization
from gmmseg.mixture.parameters import Mixture, kernel_arguments
from gmmseg.mixture.seeding import from_labels, nearest, plus_plus, seed_mixture

__all__ = ["GaussianMixture"]

Array = NDArray[Any]

_SEEDINGS = ("kmeans", "k-means++", "random", "random_from_data")


class GaussianMixture:
    """Gaussian mixture with the constructor, methods and attributes of `sklearn.mixture.GaussianMixture`.

    Parameters
    ----------
    n_components : int
    covariance_type : {"full", "tied", "diag", "spherical"}
    tol : float
        EM stops when an iteration gains less, in nats a sample.
    reg_covar : float
        Added to the variances.
    max_iter : int
    n_init : int
        Independent fits; the one of highest likelihood is kept.
    init_params : {"kmeans", "k-means++", "random", "random_from_data"}
    weights_init, means_init, precisions_init : array_like, optional
        Starting values, (K,), (K, d), and precisions of the family's shape.
    random_state : int, numpy RandomState or Generator, optional
    warm_start : bool
        Start the next fit from the result of the last.
    verbose, verbose_interval : int
        Accepted for compatibility; progress is logged by `logging.getLogger("gmmseg")`.
    threads : int, optional
        All processors by default; changes the time, never the result.

    Attributes
    ----------
    weights_ : ndarray, shape (K,)
    means_ : ndarray, shape (K, d)
    covariances_, precisions_, precisions_cholesky_ : ndarray
        (K, d, d) for "full", (d, d) for "tied", (K, d) for "diag", (K,) for "spherical".
    converged_ : bool
    n_iter_ : int
    lower_bound_ : float
        Mean log-likelihood a sample of the best fit, in nats.
    lower_bounds_ : list of float
        The same at every iteration.
    n_features_in_ : int

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[1.0], [1.2], [0.8], [8.0], [8.3], [7.7]])
    >>> np.sort(GaussianMixture(2, random_state=0).fit(x).means_.ravel()).round(1).tolist()
    [1.0, 8.0]
    """

    weights_: Array
    means_: Array
    covariances_: Array
    precisions_cholesky_: Array
    converged_: bool
    n_iter_: int
    lower_bound_: float
    lower_bounds_: list[float]
    n_features_in_: int

    def __init__(
        self,
        n_components: int = 1,
        *,
        covariance_type: str = "full",
        tol: float = 1e-3,
        reg_covar: float = 1e-6,
        max_iter: int = 100,
        n_init: int = 1,
        init_params: str = "kmeans",
        weights_init: ArrayLike | None = None,
        means_init: ArrayLike | None = None,
        precisions_init: ArrayLike | None = None,
        random_state: Any = None,
        warm_start: bool = False,
        verbose: int = 0,
        verbose_interval: int = 10,
        threads: int | None = None,
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.weights_init = weights_init
        self.means_init = means_init
        self.precisions_init = precisions_init
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.verbose_interval = verbose_interval
        self.threads = threads

    # -----------------------------------------------------------------------------------------------------------------
    # Parameters
    # -----------------------------------------------------------------------------------------------------------------

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the constructor's parameters by name."""
        return {name: getattr(self, name) for name in self._parameter_names()}

    def set_params(self, **params: Any) -> Self:
        """Set constructor parameters by name."""
        names = self._parameter_names()
        for name, value in params.items():
            if name not in names:
                raise ParameterError(
                    f"{name!r} is not a parameter of {type(self).__name__}; use any of {', '.join(names)}"
                )
            setattr(self, name, value)
        return self

    @classmethod
    def _parameter_names(cls) -> list[str]:
        return [name for name in inspect.signature(cls).parameters if name != "self"]

    def __repr__(self) -> str:
        defaults = inspect.signature(type(self)).parameters
        changed = (f"{n}={v!r}" for n, v in self.get_params().items() if v is not defaults[n].default)
        return f"{type(self).__name__}({', '.join(changed)})"

    # -----------------------------------------------------------------------------------------------------------------
    # Fitting
    # -----------------------------------------------------------------------------------------------------------------

    def fit(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the mixture by EM.

        Parameters
        ----------
        X : array_like, shape (n, d)
            float32 is computed as float32, everything else as float64.
        y : ignored
        sample_weight : array_like, shape (n,), optional
            Not negative; a weight of 2 counts a sample twice.

        Raises
        ------
        ParameterError
            (a ValueError) for unusable data or parameters.
        """
        rows = _rows(X)
        n, d = rows.shape
        self._check_parameters(n, d)
        weights = _checked_weights(sample_weight, n, rows.dtype)
        if weights is not None and not weights.all():  # a sample of weight 0 may hold anything
            rows, weights = rows[weights > 0], weights[weights > 0]
        planes = np.array(rows.T, order="C")
        center, scale = _frame(planes, common=self.covariance_type == "spherical")
        planes -= center.astype(planes.dtype)[:, None]
        planes *= (1 / scale).astype(planes.dtype)[:, None]
        _check_finite(planes)
        best: Fit | None = None
        warm = self.warm_start and hasattr(self, "converged_")
        rng = _generator(self.random_state)
        for _ in range(1 if warm else self.n_init):
            start = self._own_mixture() if warm else self._start(planes, weights, rng, center, scale)
            fit = self._iterate(planes, weights, start.transform(1 / scale, -center / scale), scale)
            if best is None or (fit.history and fit.history[-1] > best.history[-1]):
                best = fit
        assert best is not None
        self._publish(best, center, scale)
        if not best.converged and self.max_iter > 0:
            warnings.warn(
                f"EM did not settle within tol={self.tol:g} in max_iter={self.max_iter} iterations; raise one of them",
                ConvergenceWarning,
                stacklevel=2,
            )
        return self

    def fit_predict(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> Array:
        """Fit the mixture and return each sample's component (n,), int64."""
        return self.fit(X, y, sample_weight).predict(X)

    def _iterate(self, planes: Array, weights: Array | None, start: Mixture, scale: Array) -> Fit:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # said once, by fit, of the best of n_init
            return expectation_maximization(
                planes,
                start,
                weights=weights,
                regularization=self.reg_covar / scale**2,
                tolerance=self.tol,
                max_iterations=self.max_iter,
                threads=kernels.thread_count(self.threads),
            )

    def _start(
        self, planes: Array, weights: Array | None, rng: np.random.Generator, center: Array, scale: Array
    ) -> Mixture:
        """Starting mixture in the data's units: seeded, with the initial values that were given put in place."""
        k, d = self.n_components, len(planes)
        start = Mixture(np.full(k, 1 / k), np.zeros((k, d)), np.empty(0), self.covariance_type)
        if self.weights_init is None or self.means_init is None or self.precisions_init is None:
            start = self._seed(planes, weights, rng, scale).transform(scale, center)
        if start.n_components < k:
            warnings.warn(
                f"n_components={k}, but the samples have only {start.n_components} distinct values; "
                f"{start.n_components} components were fitted",
                DataWarning,
                stacklevel=3,
            )
            return start
        if self.weights_init is not None:
            start = replace(start, weights=np.asarray(self.weights_init, np.float64))
        if self.means_init is not None:
            start = replace(start, means=np.asarray(self.means_init, np.float64))
        if self.precisions_init is not None:
            start = replace(start, covariances=_inverse(self.precisions_init, self.covariance_type))
        return start

    def _seed(self, planes: Array, weights: Array | None, rng: np.random.Generator, scale: Array) -> Mixture:
        k, regularization = self.n_components, self.reg_covar / scale**2
        if self.init_params == "kmeans":
            return seed_mixture(
                planes,
                k,
                rng,
                covariance=self.covariance_type,
                weights=weights,
                regularization=regularization,
                threads=kernels.thread_count(self.threads),
            )
        if self.init_params == "random":
            labels = rng.permutation(np.arange(planes.shape[1]) % k)
        else:
            drawn = rng.choice(planes.shape[1], k, replace=False)
            plain = self.init_params == "random_from_data"
            centers = planes[:, drawn].T if plain else plus_plus(planes, k, rng, weights)
            labels = nearest(planes, centers.astype(np.float64))
        return from_labels(planes, labels, k, self.covariance_type, weights, regularization)

    def _publish(self, fit: Fit, center: Array, scale: Array) -> None:
        """Set the fitted attributes, in the data's units."""
        mixture = fit.mixture.transform(scale, center)
        unit = float(np.log(scale).sum())  # log density in the data's units = that of the scaled data - unit
        self.weights_, self.means_, self.covariances_ = mixture.weights, mixture.means, mixture.covariances
        self.precisions_cholesky_ = _sklearn_factors(mixture)
        self.converged_, self.n_iter_ = fit.converged, len(fit.history)
        self.lower_bounds_ = [value - unit for value in fit.history]
        self.lower_bound_ = self.lower_bounds_[-1] if self.lower_bounds_ else -np.inf
        self.n_features_in_ = mixture.n_features

    # -----------------------------------------------------------------------------------------------------------------
    # What a fitted mixture says
    # -----------------------------------------------------------------------------------------------------------------

    @property
    def precisions_(self) -> Array:
        """Inverses of the covariances, in their shape."""
        self._check_fitted()
        factors = self.precisions_cholesky_
        return factors @ np.swapaxes(factors, -1, -2) if self.covariance_type in ("full", "tied") else factors**2

    def predict(self, X: ArrayLike) -> Array:
        """Return each sample's likeliest component (n,), int64."""
        planes = self._planes(X)
        out = np.empty(planes.shape[1], np.int64)
        kernels.classify(planes, *self._arguments(), out, 0, kernels.thread_count(self.threads))
        return out

    def predict_proba(self, X: ArrayLike) -> Array:
        """Return the posterior probabilities (n, K), in Fortran order."""
        planes = self._planes(X)
        out = np.empty((len(self.weights_), planes.shape[1]), planes.dtype)
        kernels.posterior(planes, *self._arguments(), out, None, kernels.thread_count(self.threads))
        return out.T

    def score_samples(self, X: ArrayLike) -> Array:
        """Return the log density of each sample (n,), in nats."""
        planes = self._planes(X)
        out = np.empty(planes.shape[1], planes.dtype)
        kernels.posterior(planes, *self._arguments(), None, out, kernels.thread_count(self.threads))
        return out

    def score(self, X: ArrayLike, y: Any = None) -> float:
        """Return the mean log-likelihood a sample, in nats."""
        return float(self.score_samples(X).mean(dtype=np.float64))

    def bic(self, X: ArrayLike) -> float:
        """Bayesian information criterion; lower is better."""
        n = len(_rows(X))
        return self._own_mixture().bic(self.score(X) * n, n)

    def aic(self, X: ArrayLike) -> float:
        """Akaike information criterion; lower is better."""
        return self._own_mixture().aic(self.score(X) * len(_rows(X)))

    def sample(self, n_samples: int = 1) -> tuple[Array, Array]:
        """Draw samples (n, d) and their components (n,)."""
        if n_samples < 1:
            raise ParameterError(f"n_samples={n_samples!r} is too few; ask for at least 1")
        planes, components = self._own_mixture().sample(n_samples, _generator(self.random_state))
        return planes.T, components

    # -----------------------------------------------------------------------------------------------------------------
    # Checks
    # -----------------------------------------------------------------------------------------------------------------

    def _own_mixture(self) -> Mixture:
        self._check_fitted()
        weights, means, covariances = (
            np.asarray(a, np.float64) for a in (self.weights_, self.means_, self.covariances_)
        )
        return Mixture(weights, means, covariances, self.covariance_type)

    def _arguments(self) -> tuple[Array, Array, Array]:
        """Kernel arguments from the attributes, so that a model put together by hand works too."""
        k, d = np.shape(self.means_)
        if np.shape(self.weights_) != (k,):
            raise ParameterError(
                f"weights_ has shape {np.shape(self.weights_)}; a number for each of {k} means is needed"
            )
        factors = np.asarray(self.precisions_cholesky_, np.float64)
        if self.covariance_type in ("full", "tied"):
            factors = np.broadcast_to(np.swapaxes(factors, -1, -2), (k, d, d))
        else:
            factors = np.broadcast_to(factors.reshape(k, -1), (k, d))
        return kernel_arguments(np.asarray(self.weights_), np.asarray(self.means_), factors)

    def _planes(self, x: ArrayLike) -> Array:
        self._check_fitted()
        rows = _rows(x)
        d = np.shape(self.means_)[1]
        if rows.shape[1] != d:
            raise ParameterError(f"X has {rows.shape[1]} features, but {type(self).__name__} is expecting {d} features")
        _check_finite(rows)
        return rows.T

    def _check_fitted(self) -> None:
        if not hasattr(self, "means_"):
            raise NotFittedError(f"This {type(self).__name__} instance is not fitted yet; call fit first")

    def _check_parameters(self, n: int, d: int) -> None:
        k = self.n_components
        whole = {"n_components": k, "n_init": self.n_init}
        for name, value in whole.items():
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
                raise ParameterError(f"{name}={value!r} is not usable; use a whole number of at least 1")
        if isinstance(self.max_iter, bool) or not isinstance(self.max_iter, int | np.integer):
            raise ParameterError(f"max_iter={self.max_iter!r} is not usable; use a whole number of at least 0")
        for name in ("tol", "reg_covar", "max_iter"):
            if not 0 <= getattr(self, name) < np.inf:
                raise ParameterError(f"{name}={getattr(self, name)!r} is not usable; use a number of at least 0")
        if self.init_params not in _SEEDINGS:
            raise ParameterError(f"init_params={self.init_params!r} is not known; use one of {', '.join(_SEEDINGS)}")
        rules = family(self.covariance_type)
        if n < k:
            raise ParameterError(f"n_components={k} is more than the {n} samples; use {n} or fewer")
        shape = {"full": (k, d, d), "tied": (d, d)}.get(self.covariance_type, rules.shape(k, d))
        for name, wanted in (("weights_init", (k,)), ("means_init", (k, d)), ("precisions_init", shape)):
            value = getattr(self, name)
            if value is not None and np.shape(value) != wanted:
                raise ParameterError(f"{name} has shape {np.shape(value)}; it should be {wanted}")


class NotFittedError(ValueError, AttributeError):
    """The mixture was asked something before it was fitted."""


def _rows(x: ArrayLike) -> Array:
    """Samples as a 2-D array of float32 (kept) or float64, without a copy where possible."""
    rows = np.asarray(x)
    if rows.dtype != np.float32:
        rows = np.asarray(rows, np.float64)
    if rows.ndim != 2 or 0 in rows.shape:
        raise ParameterError(f"X has shape {rows.shape}; give a 2-D array of samples by features, at least one of each")
    return rows


def _check_finite(x: Array) -> None:
    with np.errstate(over="ignore", invalid="ignore"):
        finite = np.isfinite(x.sum())  # a sum is quicker than looking at each; large numbers may overflow it
    if not (finite or np.isfinite(x).all()):
        raise ParameterError("X contains NaN or infinity; remove those samples")


def _checked_weights(weights: ArrayLike | None, n: int, dtype: Any) -> Array | None:
    if weights is None:
        return None
    array = np.asarray(weights, np.float64)
    if array.shape != (n,):
        raise ParameterError(f"sample_weight has shape {array.shape}; it should be ({n},)")
    if not (np.isfinite(array).all() and (array >= 0).all() and array.any()):
        raise ParameterError("sample_weight has negative or infinite values or is all 0; give weights of at least 0")
    largest = array / array.max()
    return np.ascontiguousarray(largest / largest.mean(), dtype)


def _frame(planes: Array, *, common: bool) -> tuple[Array, Array]:
    """A centre near the mean and a scale, a power of two, near the standard deviation, so that no sum cancels."""
    some = planes[:, :: max(1, planes.shape[1] // 4096)].astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        center, scale = some.mean(axis=1), some.std(axis=1)
    if not (np.isfinite(center).all() and np.isfinite(scale).all()):
        return np.zeros(len(planes)), np.ones(len(planes))
    scale = np.where(scale > 0, scale, 1)
    scale = 2.0 ** np.round(np.log2(np.full_like(scale, scale.max()) if common else scale))
    return center.astype(planes.dtype).astype(np.float64), scale


def _generator(state: Any) -> np.random.Generator:
    """A Generator from an int, None, a Generator or a RandomState."""
    if isinstance(state, np.random.RandomState):
        return np.random.default_rng(state.randint(2**31, size=4))
    return np.random.default_rng(state)


def _inverse(precisions: ArrayLike, covariance: str) -> Array:
    array = np.asarray(precisions, np.float64)
    try:
        if covariance in ("full", "tied"):
            np.linalg.cholesky(array)
            return np.asarray(np.linalg.inv(array))
        if (array > 0).all():
            return np.asarray(1 / array)
    except np.linalg.LinAlgError:
        pass
    raise ParameterError("precisions_init should be positive definite; give inverses of covariances")


def _sklearn_factors(mixture: Mixture) -> Array:
    """Upper triangular U with U U^T the precision; for diagonal families the inverse standard deviations."""
    if mixture.covariance == "spherical":
        return mixture.factors[:, 0]
    upper = mixture.factors if mixture.covariance == "diag" else np.swapaxes(mixture.factors, 1, 2)
    return upper[0] if mixture.covariance == "tied" else upper
