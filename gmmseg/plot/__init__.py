"""Figures of a model: its classes among the pixels, its densities, its choice of k, its fit. Needs matplotlib.

`figure` and `save` make what `gmmseg plot` writes; the other functions draw on an Axes of your own, and take a fitted
`GaussianMixture` (scikit-learn's too) or a `Mixture` in place of a model. Nothing here touches pyplot.
"""

from gmmseg.plot.drawing import criteria, density, ellipses, history, scatter
from gmmseg.plot.figure import check_target, figure, save

__all__ = ["check_target", "criteria", "density", "ellipses", "figure", "history", "save", "scatter"]
