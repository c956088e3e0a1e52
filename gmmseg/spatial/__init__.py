"""The neighbourhood: smoothing of posteriors."""

from gmmseg.spatial.smoothing import Smoothing

__all__ = ["Smoothing"]
