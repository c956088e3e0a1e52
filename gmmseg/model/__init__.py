"""Models: a fitted mixture with all that is needed to apply it, in memory and as a JSON file."""

from gmmseg.model.model import Model, Training, load_model

__all__ = ["Model", "Training", "load_model"]
