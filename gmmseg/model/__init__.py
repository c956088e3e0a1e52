"""Models: a fitted mixture with all that is needed to apply it, in memory and as a JSON file."""

from gmmseg.model.file import load_model
from gmmseg.model.model import Model, Training

__all__ = ["Model", "Training", "load_model"]
