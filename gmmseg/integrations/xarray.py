"""The accessor of xarray: after `import gmmseg.integrations.xarray`, `array.gmmseg.segment(k=5)` gives labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gmmseg.extras import require
from gmmseg.segmentation import apply, fit, segment

if TYPE_CHECKING:
    from gmmseg.labelling.result import Segmentation
    from gmmseg.model import Model

__all__ = ["Accessor"]


class Accessor:
    """What arrays and datasets of xarray get as their `gmmseg`.

    Parameters
    ----------
    source : xarray.DataArray or xarray.Dataset
    """

    def __init__(self, source: Any) -> None:
        self.source = source

    def segment(self, k: Any = None, *, channel_dim: str | None = None, **options: Any) -> Any:
        """Return the labels of k classes as a DataArray, lazy where the source is; options are of `gmmseg.segment`."""
        return self.segmentation(k, channel_dim=channel_dim, **options).to_xarray()

    def segmentation(self, k: Any = None, *, channel_dim: str | None = None, **options: Any) -> Segmentation:
        """Return the whole result of `gmmseg.segment`, whose `to_xarray` gives each layer."""
        return segment(self.source, k, **_asked(channel_dim), **options)

    def fit(self, k: Any = None, *, channel_dim: str | None = None, **options: Any) -> Model:
        """Return a model of k classes; options are of `gmmseg.fit`."""
        return fit(self.source, k, **_asked(channel_dim), **options)

    def apply(self, model: Model, *, channel_dim: str | None = None, layer: str = "labels", **options: Any) -> Any:
        """Return the labels by a model, or another layer, as a DataArray; options are of `gmmseg.apply`."""
        return apply(model, self.source, **_asked(channel_dim), **options).to_xarray(layer)


def _asked(channel_dim: str | None) -> dict[str, Any]:
    return {} if channel_dim is None else {"channel_axis": channel_dim}


_xarray = require("xarray", "dask", "the accessor of xarray needs")
for _register in (_xarray.register_dataarray_accessor, _xarray.register_dataset_accessor):
    _register("gmmseg")(Accessor)
