"""Every hot loop, on bare arrays: compiled, or the same functions in NumPy where nothing was compiled.

Kernels trust their caller and never change their input. Planes are `(n_features, n_samples)` with any strides, float32
or float64. A mixture is passed as `Densities`, and whom each voxel hears as a `Neighbourhood`. A `log_prior` `(K, n)`
of the planes' dtype holds logarithms of prior probabilities, added to the components' log densities sample by sample.

What each one does is told at its twin in `reference/`. Results do not depend on `threads`. Setting the environment
variable GMMSEG_KERNELS to "reference" selects NumPy.
"""

from __future__ import annotations

import contextlib
import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from gmmseg.kernels.densities import Densities
from gmmseg.kernels.neighbours import Neighbourhood

native: Any = None
if os.environ.get("GMMSEG_KERNELS") != "reference":
    with contextlib.suppress(ImportError):
        native = import_module("gmmseg.kernels._native")  # of native/module.cpp

__all__ = [
    "IMPLEMENTATION",
    "INSTRUCTION_SET",
    "Densities",
    "Neighbourhood",
    "add_colors",
    "agreement",
    "attempt",
    "begin",
    "calmest",
    "class_moments",
    "classify",
    "climb",
    "climb_each",
    "cluster",
    "conditional_sums",
    "divide",
    "divisions",
    "expected",
    "expected_error",
    "half_counts",
    "halve",
    "invert_lower",
    "known_distances",
    "lab",
    "mean_cosine",
    "merge",
    "outlying",
    "plus_plus",
    "posterior",
    "precision_factors",
    "rounding",
    "second_mass",
    "smooth",
    "smooth_planes",
    "split",
    "squared_changes",
    "squared_slopes",
    "statistics",
    "step_levels",
    "stepped",
    "texture",
    "tie",
    "unfilter",
    "uniform",
]

if TYPE_CHECKING or native is None:
    from gmmseg.kernels import reference as _kernels  # only here: a run on a picture does without its modules
else:
    _kernels = native

agreement, smooth, smooth_planes = _kernels.agreement, _kernels.smooth, _kernels.smooth_planes
add_colors = _kernels.add_colors
attempt, climb, climb_each = _kernels.attempt, _kernels.climb, _kernels.climb_each
class_moments, cluster, plus_plus = _kernels.class_moments, _kernels.cluster, _kernels.plus_plus
calmest, half_counts, halve = _kernels.calmest, _kernels.half_counts, _kernels.halve
conditional_sums, expected, known_distances = _kernels.conditional_sums, _kernels.expected, _kernels.known_distances
begin, divide, divisions = _kernels.begin, _kernels.divide, _kernels.divisions
merge, outlying, split = _kernels.merge, _kernels.outlying, _kernels.split
expected_error, invert_lower = _kernels.expected_error, _kernels.invert_lower
precision_factors = _kernels.precision_factors
lab, texture = _kernels.lab, _kernels.texture
rounding, mean_cosine, stepped = _kernels.rounding, _kernels.mean_cosine, _kernels.stepped
second_mass, squared_changes, squared_slopes = _kernels.second_mass, _kernels.squared_changes, _kernels.squared_slopes
posterior, classify, statistics = _kernels.posterior, _kernels.classify, _kernels.statistics
step_levels, tie, unfilter = _kernels.step_levels, _kernels.tie, _kernels.unfilter

IMPLEMENTATION = "native" if native else "reference"
INSTRUCTION_SET: str = native.INSTRUCTION_SET if native else "NumPy"


def uniform(seed: int, first: int, count: int) -> Any:
    """Return so many random numbers `(count,)` from 0 to 1, float64: those of `numpy.random.default_rng(seed).random`.

    `first` of them are left out before. Compiled and reference give the same bits.
    """
    words = [seed >> place & 0xFFFFFFFF for place in range(0, max(seed.bit_length(), 1), 32)]
    return _kernels.uniform(words, first, count)
