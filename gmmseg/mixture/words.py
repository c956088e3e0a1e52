"""What callers may say of a mixture; without NumPy, for a batch checks it before a worker loads that."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from gmmseg.errors import ParameterError

__all__ = ["COVARIANCES", "MOST_COMPONENTS", "OUTLIERS", "known_covariance", "known_covariances"]

COVARIANCES = ("full", "tied", "diag", "spherical")
"""Names of the covariance families, see `gmmseg.mixture.covariance`."""

OUTLIERS = ("uniform", "student")
"""What takes samples that are of no class, see `gmmseg.mixture.em.with_outliers`."""

MOST_COMPONENTS = 4096
"""Of all classes of a model together."""


def known_covariance(name: str, parameter: str = "covariance", choices: Sequence[str] = COVARIANCES) -> str:
    """Return the name of a family; ParameterError names the parameter and the choices where there is none."""
    if not isinstance(name, str) or name not in choices:
        raise ParameterError(f"{parameter}={name!r} is not known; use one of {', '.join(choices)}")
    return name


def known_covariances(names: Any, parameter: str = "covariance") -> tuple[str, ...]:
    """Return the names of one family or of several."""
    several = isinstance(names, Iterable) and not isinstance(names, str) and getattr(names, "ndim", 1) == 1
    return tuple(known_covariance(name, parameter) for name in (names if several else (names,)))
