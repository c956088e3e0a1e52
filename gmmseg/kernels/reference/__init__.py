"""The kernels in NumPy: the tests' oracle, and the fallback where nothing was compiled."""

from gmmseg.kernels.reference.color import lab
from gmmseg.kernels.reference.mixture import classify, posterior, statistics
from gmmseg.kernels.reference.spatial import smooth

__all__ = ["classify", "lab", "posterior", "smooth", "statistics"]
