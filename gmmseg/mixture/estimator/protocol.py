"""What scikit-learn asks of every estimator: parameters, tags, metadata requests. scikit-learn itself is not needed."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any, Self

from gmmseg.errors import ParameterError

__all__ = ["DensityEstimator"]


class DensityEstimator:
    """Base of density estimators whose parameters are their constructor's arguments, kept under the same names."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the constructor's parameters by name."""
        return {name: getattr(self, name) for name in self._parameter_names()}

    def set_params(self, **params: Any) -> Self:
        """Set constructor parameters by name; none is set if one is unknown."""
        names = self._parameter_names()
        for name in params:
            if name not in names:
                raise ParameterError(
                    f"Invalid parameter {name!r} for estimator {type(self).__name__}; use any of {', '.join(names)}"
                )
        for name, value in params.items():
            setattr(self, name, value)
        return self

    @classmethod
    def _parameter_names(cls) -> list[str]:
        return list(inspect.signature(cls).parameters)

    def __repr__(self) -> str:
        defaults = inspect.signature(type(self)).parameters
        changed = (f"{n}={v!r}" for n, v in self.get_params().items() if v is not defaults[n].default)
        return f"{type(self).__name__}({', '.join(changed)})"

    def __sklearn_tags__(self) -> Any:
        utils = import_module("sklearn.utils")  # only scikit-learn calls this
        return utils.Tags(
            estimator_type="density_estimator",
            target_tags=utils.TargetTags(required=False),
            input_tags=utils.InputTags(allow_nan=True),
        )

    def set_fit_request(self, *, sample_weight: bool | str | None) -> Self:
        """Say whether meta-estimators shall pass `sample_weight` to `fit`, or under which name they get it."""
        return self._asking("fit", sample_weight)

    def set_score_request(self, *, sample_weight: bool | str | None) -> Self:
        """Say whether meta-estimators shall pass `sample_weight` to `score`, or under which name they get it."""
        return self._asking("score", sample_weight)

    def get_metadata_routing(self) -> Any:
        """Return scikit-learn's MetadataRequest, which tells meta-estimators what to pass."""
        held = getattr(self, "_metadata_request", None)
        if held is not None:
            return held
        request = import_module("sklearn.utils.metadata_routing").MetadataRequest(owner=self)
        for method in (request.fit, request.score):
            method.add_request(param="sample_weight", alias=None)
        return request

    def _asking(self, method: str, alias: bool | str | None) -> Self:
        request = self.get_metadata_routing()
        getattr(request, method).add_request(param="sample_weight", alias=alias)
        self._metadata_request = request  # under the name that scikit-learn's clone copies
        return self
