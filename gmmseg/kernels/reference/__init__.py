"""The kernels in NumPy: the tests' oracle, and the fallback where nothing was compiled."""

from gmmseg.kernels.intervals import rounding, stepped
from gmmseg.kernels.reference.at_once import begin, outlying, tie
from gmmseg.kernels.reference.bumps import second_mass
from gmmseg.kernels.reference.calming import calmest
from gmmseg.kernels.reference.chance import uniform
from gmmseg.kernels.reference.climbing import attempt, climb, climb_each, merge, split
from gmmseg.kernels.reference.clustering import class_moments, cluster, plus_plus
from gmmseg.kernels.reference.color import lab
from gmmseg.kernels.reference.coloring import add_colors
from gmmseg.kernels.reference.dividing import divide, divisions
from gmmseg.kernels.reference.factoring import expected_error, invert_lower, precision_factors
from gmmseg.kernels.reference.gaps import conditional_sums, expected, known_distances
from gmmseg.kernels.reference.halving import halve
from gmmseg.kernels.reference.heights import half_counts
from gmmseg.kernels.reference.mixture import classify, posterior, statistics
from gmmseg.kernels.reference.slopes import mean_cosine, squared_changes, squared_slopes
from gmmseg.kernels.reference.spatial import agreement, smooth, smooth_planes
from gmmseg.kernels.reference.stepping import step_levels
from gmmseg.kernels.reference.texture import texture
from gmmseg.kernels.reference.unfiltering import unfilter

__all__ = [
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
