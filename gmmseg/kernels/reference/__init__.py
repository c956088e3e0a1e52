"""The kernels in NumPy: the tests' oracle, the fallback where nothing was compiled, and the path of wide samples."""

from gmmseg.kernels.reference.color import lab
from gmmseg.kernels.reference.mixture import classify, posterior, statistics
from gmmseg.kernels.reference.spatial import smooth

__all__ = ["classify", "lab", "posterior", "smooth", "statistics"]
