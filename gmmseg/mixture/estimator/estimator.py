"""GaussianMixture: scikit-learn's interface as a thin skin over the mixture core. scikit-learn itself is not needed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from gmmseg import kernels
from gmmseg.arrays import Array
from gmmseg.checks import whole_number
from gmmseg.errors import ConvergenceWarning, ParameterError, compatible, warn
from gmmseg.kernels.blas import one_blas_thread
from gmmseg.mixture import patterns
from gmmseg.mixture.anomaly import p_values
from gmmseg.mixture.covariance import factors_of_precisions
from gmmseg.mixture.em import Fit
from gmmseg.mixture.estimator.protocol import DensityEstimator
from gmmseg.mixture.estimator.restarts import Restarts
from gmmseg.mixture.estimator.tables import choose, standard_errors
from gmmseg.mixture.estimator.validation import (
    NotFittedError,
    as_rows,
    as_sample,
    cast,
    check_finite,
    check_names,
    check_parameters,
    checked_weights,
    drawn_by_factors,
    feature_names,
    feature_numbers,
    initial_values,
    random_state,
    sample_count,
    wide_enough,
)
from gmmseg.mixture.memberships import by_overlap
from gmmseg.mixture.parameters import Mixture, densities_of
from gmmseg.mixture.prior import Prior
from gmmseg.threads import thread_count

__all__ = ["GaussianMixture"]

_FURTHER = ("dof", "outlier_weight", "outlier_ranges", "outlier_center")  # of Mixture, where outliers are allowed for


class GaussianMixture(DensityEstimator):
    """Gaussian mixture with the constructor, methods and attributes of `sklearn.mixture.GaussianMixture`.

    Parameters
    ----------
    n_components : int
    covariance_type : {"full", "tied", "diag", "spherical"}
    tol : float
        EM stops when an iteration gains less, in nats a sample.
    reg_covar : float
        Added to the variances. With 0, components that cannot be told apart are an error.
    max_iter : int
        Below 10, "kmeans" starts are those of k-means alone, without short runs of EM.
    n_init : int
        Independent fits; the one of highest likelihood is kept.
    init_params : {"kmeans", "k-means++", "random", "random_from_data"}
    weights_init, means_init, precisions_init : array_like, optional
        Starting values, (K,), (K, d), and precisions of the family's shape.
    random_state : int, numpy RandomState or Generator, optional
        NumPy's global state by default.
    warm_start : bool
        Start the next fit from the result of the last.
    verbose : int
        Write to stdout how each fit went: 1 for its iterations, 2 for times and gains as well.
    verbose_interval : int
        Iterations from one such line to the next.
    outliers : {"uniform", "student"}, optional
        Allow for gross errors: by a uniform component beside the others, whose samples count for none of them, or by
        Student-t components, whose tails are as long as the data say.
    prior : Prior, optional
        What is known of the components beforehand, in the data's units; the posterior's highest point is fitted.
    frozen : sequence of int
        Components that keep the mean and covariance of `means_init` and `precisions_init`, and the degrees of freedom
        of `dof_init`.
    dof_init : float or array_like, shape (K,), optional
        Degrees of freedom that Student-t components start with: 8 by default.
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
        Iterations since a component was last set up anew, at which the likelihood may fall, or EM went on in float64.
    lower_bound_ : float
        Mean log-likelihood a sample of the best fit, in nats.
    lower_bounds_ : list of float
        The same at each of them.
    n_features_in_ : int
    dof_, outlier_weight_, outlier_ranges_, outlier_center_ : ndarray, shape (K,), float, two ndarrays, shape (d,)
        Only where `outliers` are allowed for: degrees of freedom of Student-t components, whose `covariances_` are
        scale matrices, or None; weight of the uniform component, which sums to 1 with `weights_`, and the sides and
        the middle of the box that it is uniform in, or None.
    feature_names_in_ : ndarray of str, shape (d,)
        Columns of the data frame of the fit, if it was one.

    Notes
    -----
    Fitted arrays have the dtype of the samples, float32 or float64, which is taken also where float32 does not reach as
    far as the covariances or precisions, or is too coarse for the means. EM adds in float64, and goes on in it where
    the likelihood of up to 16 million numbers of float32 fell by more than `tol`. A model put together by hand needs
    `weights_`, `means_`, `covariances_` and `precisions_cholesky_`; any P with P P^T the precision will do as the last.

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
    precisions_: Array
    precisions_cholesky_: Array
    converged_: bool
    n_iter_: int
    lower_bound_: float
    lower_bounds_: list[float]
    n_features_in_: int
    dof_: Array | None
    outlier_weight_: float
    outlier_ranges_: Array | None
    outlier_center_: Array | None
    feature_names_in_: Array
    choice_: dict[tuple[str, int], float]

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
        outliers: str | None = None,
        prior: Prior | None = None,
        frozen: Sequence[int] = (),
        dof_init: ArrayLike | None = None,
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
        self.outliers = outliers
        self.prior = prior
        self.frozen = frozen
        self.dof_init = dof_init
        self.threads = threads

    # -----------------------------------------------------------------------------------------------------------------
    # Fitting
    # -----------------------------------------------------------------------------------------------------------------

    def fit(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the mixture by EM.

        Parameters
        ----------
        X : array_like, shape (n, d)
            float32 is computed as float32, everything else as float64. NaN is a feature that is not known: it is left
            out of the densities and imputed by its conditional moments (Ghahramani and Jordan 1994).
        y : ignored
        sample_weight : array_like, shape (n,), optional
            Not negative; a weight of 2 counts a sample twice.

        Raises
        ------
        ParameterError
            (a ValueError) for unusable data, such as infinity, numbers above 1e140 or fewer samples with a weight and a
            feature than components, and for unusable parameters.
        """
        self._fit_silently(X, sample_weight)
        if not self.converged_ and self.max_iter > 0:
            warn(
                "Best performing initialization did not converge. Try different init parameters, or increase max_iter, "
                f"tol, or check for degenerate data (max_iter={self.max_iter}, tol={self.tol:g})",
                compatible(ConvergenceWarning),
            )
        return self

    def _fit_silently(self, X: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the mixture as `fit` does, without a warning where EM did not converge."""
        names, rows = feature_names(X), as_rows(X)
        check_parameters(self, len(rows))
        given = initial_values(self, rows.shape[1])
        weights = checked_weights(sample_weight, len(rows), rows.dtype)
        if weights is not None and not weights.all():  # a sample of weight 0 may hold anything
            rows, weights = rows[weights > 0], weights[weights > 0]
        if missing := patterns.has_missing(rows):
            some = ~np.isnan(rows).all(axis=1)
            rows, weights = rows[some], None if weights is None else weights[some]
        check_parameters(self, len(rows))
        warm = self.warm_start and hasattr(self, "converged_")
        restarts = Restarts(self, rows, weights, given, missing=missing)
        best = restarts.best(self._last_mixture(rows.shape[1]) if warm else None)
        self._publish(best, restarts, rows.dtype)
        vars(self).pop("feature_names_in_", None)
        if names is not None:
            self.feature_names_in_ = names
        return self

    def fit_predict(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> Array:
        """Fit the mixture and return each sample's component (n,), int64."""
        return self.fit(X, y, sample_weight).predict(X)

    def _last_mixture(self, d: int) -> Mixture:
        if np.shape(self.means_)[1] != d:
            raise ParameterError(
                f"X has {d} features, but warm_start goes on from a fit of {np.shape(self.means_)[1]}; "
                "give as many, or use warm_start=False"
            )
        return self._exact_mixture()

    def _exact_mixture(self) -> Mixture:
        """The fitted mixture, from its precision factors: float32 covariances may have lost their positivity."""
        return self._own_mixture().of_precisions(np.asarray(self.precisions_cholesky_, np.float64))

    def _publish(self, fit: Fit, restarts: Restarts, dtype: Any) -> None:
        """Set the fitted attributes, in the data's units and of its dtype."""
        mixture = fit.mixture.transform(restarts.scale, restarts.center)
        factors = mixture.precisions_cholesky
        square = self.covariance_type in ("full", "tied")
        with one_blas_thread(factors.shape[-1]):
            precisions = factors @ np.swapaxes(factors, -1, -2) if square else factors**2
        values = mixture.weights, mixture.means, mixture.covariances, precisions, factors
        dtype = wide_enough(dtype, mixture.means, factors, square=square)
        self.weights_, self.means_, self.covariances_, self.precisions_, self.precisions_cholesky_ = cast(values, dtype)
        self.converged_, self.n_iter_ = fit.converged, len(fit.history)
        self.lower_bounds_ = [value - restarts.unit for value in fit.history]
        self.lower_bound_ = self.lower_bounds_[-1] if self.lower_bounds_ else -np.inf
        self.n_features_in_ = mixture.n_features
        for name in _FURTHER:  # scikit-learn's attributes alone where there is nothing to say
            vars(self).pop(name + "_", None)
            if self.outliers is not None:
                setattr(self, name + "_", getattr(mixture, name))

    # -----------------------------------------------------------------------------------------------------------------
    # What a fitted mixture says
    # -----------------------------------------------------------------------------------------------------------------

    def predict(self, X: ArrayLike) -> Array:
        """Return each sample's likeliest component (n,), int64; 0 where every feature is NaN."""
        planes = self._planes(X, check=False)
        out = np.empty(planes.shape[1], np.int64)
        if not patterns.classify(planes, self._arguments_of, out, 0, threads=self._workers):
            check_finite(planes)
        return out

    def predict_proba(self, X: ArrayLike) -> Array:
        """Return the posterior probabilities (n, K), in Fortran order; the weights where every feature is NaN."""
        planes = self._planes(X, check=False)
        out = np.empty((len(self.weights_), planes.shape[1]), planes.dtype)
        if not patterns.posterior(planes, self._arguments_of, out, None, threads=self._workers):
            check_finite(planes)
            out[:, np.isnan(out[0])] = np.reshape(self.weights_ / np.sum(self.weights_), (-1, 1))
        return out.T

    def score_samples(self, X: ArrayLike) -> Array:
        """Return the log density of each sample (n,), in nats: of the features that are not NaN."""
        if getattr(self, "outlier_ranges_", None) is not None:
            return self._exact_mixture().log_density(self._planes(X), threads=self._workers)
        planes = self._planes(X, check=False)
        out = np.empty(planes.shape[1], planes.dtype)
        if not patterns.posterior(planes, self._arguments_of, None, out, threads=self._workers):
            check_finite(planes)
        return out

    def p_values(self, X: ArrayLike) -> Array:
        """Return how usual each sample is (n,): the probability that one of its component lies as far out, 0 to 1.

        Small for outliers, evenly spread for samples of the mixture; NaN where every feature is NaN.
        """
        return p_values(self._planes(X), self._arguments_of, threads=self._workers)

    def score(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> float:
        """Return the mean log-likelihood a sample, in nats, of the samples with a feature that is not NaN.

        `sample_weight` (n,) counts samples as in `fit`.
        """
        some, scores = self._known_scores(X)
        weights = checked_weights(sample_weight, len(some), np.float64)
        if weights is None:
            return float(scores.mean()) if len(scores) else np.nan
        mass = weights[some]
        return float(mass @ scores / mass.sum()) if mass.any() else np.nan

    def bic(self, X: ArrayLike) -> float:
        """Bayesian information criterion; lower is better. Samples and parameters count that say or are told anything.

        That is samples with a feature that is not NaN, and of frozen components the weights alone.
        """
        _, scores = self._known_scores(X)
        return self._own_mixture().bic(float(scores.sum(dtype=np.float64)), max(len(scores), 1), len(set(self.frozen)))

    def aic(self, X: ArrayLike) -> float:
        """Akaike information criterion; lower is better. Of frozen components the weights alone count."""
        _, scores = self._known_scores(X)
        return self._own_mixture().aic(float(scores.sum(dtype=np.float64)), len(set(self.frozen)))

    def _known_scores(self, x: ArrayLike) -> tuple[Array, Array]:
        """Which samples (n,) have a feature that is not NaN, and the log densities of these."""
        scores, rows = self.score_samples(x), as_rows(x)
        some = np.isfinite(rows).any(axis=1) if patterns.has_missing(rows) else np.ones(len(rows), bool)
        return np.asarray(some), scores[some]

    def sample(self, n_samples: int = 1) -> tuple[Array, Array]:
        """Draw samples (n, d), float64, and their components (n,): scikit-learn's for the same parameters and seed.

        Outliers come last, as component -1.
        """
        mixture = self._own_mixture()
        n_samples = sample_count(n_samples)
        rng = random_state(self.random_state)
        if drawn_by_factors(self):
            planes, components = self._exact_mixture().sample(n_samples, rng)
            return planes.T, components
        counts = rng.multinomial(n_samples, mixture.weights / mixture.weights.sum())
        if self.covariance_type in ("full", "tied"):
            dense = mixture.family.dense(mixture.covariances, mixture.n_components, mixture.n_features)
            parts = [
                # Not checked: rounding, to float32 above all, may leave a covariance not quite positive.
                rng.multivariate_normal(mean, covariance, count, check_valid="ignore")
                for mean, covariance, count in zip(mixture.means, dense, counts, strict=True)
            ]
        else:
            parts = [
                mean + rng.standard_normal((count, mixture.n_features)) * np.sqrt(variances)
                for mean, variances, count in zip(mixture.means, mixture.covariances, counts, strict=True)
            ]
        return np.concatenate(parts), np.repeat(np.arange(mixture.n_components), counts)

    def impute(self, X: ArrayLike) -> Array:
        """Return the samples (n, d) with what is NaN as it is expected from the rest.

        With a target as one of the features of the fit, this predicts it where it is NaN: Gaussian mixture regression.

        Examples
        --------
        >>> t = np.linspace(-1, 1, 201)
        >>> model = GaussianMixture(2, random_state=0).fit(np.c_[t, np.abs(t)])
        >>> model.impute([[-0.5, np.nan], [0.8, np.nan]]).round(2).tolist()
        [[-0.5, 0.5], [0.8, 0.8]]
        """
        return self._exact_mixture().impute(self._planes(X), threads=self._workers).T

    def conditional(self, sample: ArrayLike) -> Mixture:
        """Return the Mixture of the features that a sample (d,) lacks, its NaN, given those that it has.

        Examples
        --------
        >>> t = np.linspace(-1, 1, 201)
        >>> model = GaussianMixture(2, random_state=0).fit(np.c_[t, np.abs(t)])
        >>> given = model.conditional([np.nan, 0.5])
        >>> sorted(given.means.ravel().round(2).tolist()), given.weights.round(2).tolist()
        ([-0.5, 0.5], [0.5, 0.5])
        """
        return self._exact_mixture().conditional(as_sample(sample))

    def marginal(self, features: Sequence[int]) -> Mixture:
        """Return the Mixture of some of the features, such as [0, 2], in this order."""
        return self._exact_mixture().marginal(feature_numbers(features, np.shape(self.means_)[1]))

    @classmethod
    def choose(
        cls,
        X: ArrayLike,
        n_components: Iterable[int] = range(1, 10),
        covariance_types: Sequence[str] = ("full", "tied", "diag", "spherical"),
        *,
        criterion: str = "bic",
        **options: Any,
    ) -> GaussianMixture:
        """Return the fit of lowest "bic", "aic" or "icl" among numbers of components and covariance types.

        `options` are the constructor's. What every fit had of the criterion is in `choice_`, by type and number. Of
        values rounded to steps h a component can shrink onto one, with a DataWarning: give `reg_covar=h**2 / 12`.

        Examples
        --------
        >>> x = np.random.default_rng(0).normal([[0.0], [5.0], [10.0]], 1.0, (3, 200)).reshape(-1, 1)
        >>> GaussianMixture.choose(x, range(1, 5), ["full"], random_state=0).n_components
        3
        """
        return choose(cls, X, n_components, covariance_types, criterion, options)

    def standard_errors(
        self, X: ArrayLike, n_resamples: int = 100, *, sample_weight: ArrayLike | None = None
    ) -> dict[str, Array]:
        """Return standard errors of `weights`, `means` and `covariances`, of their shapes, by the bootstrap.

        Samples (n, d), those of the fit, are drawn with replacement, each with its own weight, and each draw is fitted
        from here (Efron 1979): where a weight counts repeats, repeat the samples instead.

        >>> x = np.arange(100.0)[:, None]  # the mean of 100 numbers of deviation 28.9
        >>> GaussianMixture(random_state=0).fit(x).standard_errors(x)["means"].round().tolist()
        [[3.0]]
        """
        self._check_fitted()
        return standard_errors(self, X, n_resamples, sample_weight)

    def merge(self, X: ArrayLike, n_classes: int) -> Array:
        """Return the class (K,) of each component, 0 to n_classes - 1, where those that overlap make one class.

        What overlaps is told by samples (n, d): pair after pair, the one whose samples are freed of most doubt, each
        (Baudry, Raftery, Celeux, Lo and Gottardo 2010). `merge(X, 2)[predict(X)]` are the classes of the samples.

        >>> x = np.r_[np.linspace(-1, 1, 99), np.linspace(8, 9, 50)][:, None]
        >>> model = GaussianMixture(3, means_init=[[-0.5], [8.5], [0.5]], random_state=0).fit(x)
        >>> model.merge(x, 2).tolist()
        [0, 1, 0]
        """
        n_classes = whole_number("n_classes", n_classes, 1, len(self.weights_))
        return np.asarray(by_overlap(self.predict_proba(X)[self._known_scores(X)[0]].T, n_classes).argmax(axis=0))

    # -----------------------------------------------------------------------------------------------------------------
    # Checks
    # -----------------------------------------------------------------------------------------------------------------

    @property
    def _workers(self) -> int:
        return thread_count(self.threads)

    def _own_mixture(self) -> Mixture:
        self._check_fitted()
        return Mixture.of(self)

    def _arguments_of(self, observed: Array | None) -> kernels.Densities:
        """The components as the kernels take them, from the attributes: of a model put together by hand too."""
        if observed is not None:
            return self._exact_mixture().arguments_of(observed)
        k, d = np.shape(self.means_)
        if np.shape(self.weights_) != (k,):
            raise ParameterError(f"weights_ has shape {np.shape(self.weights_)}; give a number for each of {k} means")
        factors = np.asarray(self.precisions_cholesky_, np.float64)
        if self.covariance_type in ("full", "tied"):
            factors = np.broadcast_to(factors_of_precisions(factors), (k, d, d))
        else:
            factors = np.broadcast_to(np.abs(factors).reshape(k, -1), (k, d))
        return densities_of(np.asarray(self.weights_), np.asarray(self.means_), factors, getattr(self, "dof_", None))

    def _planes(self, x: ArrayLike, *, check: bool = True) -> Array:
        self._check_fitted()
        check_names(type(self).__name__, getattr(self, "feature_names_in_", None), feature_names(x))
        rows, d = as_rows(x), np.shape(self.means_)[1]
        if rows.shape[1] != d:
            raise ParameterError(
                f"X has {rows.shape[1]} features, but {type(self).__name__} is expecting {d} features as input"
            )
        if check:
            check_finite(rows)
        square = self.covariance_type in ("full", "tied")
        return rows.astype(wide_enough(rows.dtype, self.means_, self.precisions_cholesky_, square=square), copy=False).T

    def _check_fitted(self) -> None:
        if not hasattr(self, "means_"):
            raise compatible(NotFittedError)(
                f"This {type(self).__name__} instance is not fitted yet. Call 'fit' with appropriate arguments before "
                "using this estimator."
            )

    def _n_parameters(self) -> int:
        return self._own_mixture().count_parameters(len(set(self.frozen)))
