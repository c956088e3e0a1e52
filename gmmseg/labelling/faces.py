"""Faces: how a segmentation is looked at and handed on, much of it by rooms above this one, found by their names."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from gmmseg.extras import face
from gmmseg.image import Image

if TYPE_CHECKING:
    from gmmseg.labelling.result import Segmentation
    from gmmseg.labelling.tiles import Rule

__all__ = ["Faces"]


class Faces:
    """What a `Segmentation` can be looked at by: a report, figures, a page, a notebook, arrays of other libraries."""

    image: Image
    rule: Rule

    def report(
        self,
        path: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        command: str | None = None,
        warnings: Sequence[str] | None = None,
    ) -> None:
        """Write a report: one HTML file of less than 500 kB that needs nothing else, neither network nor other files.

        Parameters
        ----------
        path : path-like
            .html or .htm.
        overwrite : bool
            Whether an existing file may be replaced.
        command : str, optional
            By which the image was segmented, as it would be typed; shown as it is.
        warnings : sequence of str, optional
            What was said meanwhile, by default `warnings` of the segmentation; shown among the quality flags, with what
            the result itself tells. Pixels that they are about are marked on the picture.

        Raises
        ------
        OutputError
            The suffix is another one, the file exists, or the folder cannot be written.

        Notes
        -----
        It holds the picture with its classes, or planes of a volume, the table of the classes, what their Gaussians are
        like among the pixels, the uncertainty, and how the classes were found. There is no time in it: the same input
        gives the same bytes. Of an image that stays in its file, labels and uncertainty are computed once more.

        Examples
        --------
        >>> import pathlib, tempfile, gmmseg, numpy
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     gmmseg.segment(numpy.uint8([[10, 200], [10, 200]]), k=2).report(f"{folder}/report.html")
        ...     pathlib.Path(f"{folder}/report.html").read_text()[:15]
        '<!DOCTYPE html>'
        """
        face("gmmseg.report:image_report")(self, path, overwrite=overwrite, command=command, warnings=warnings)

    def view(self, *, folder: str | os.PathLike[str] = ".", browser: bool = True) -> Path:
        """Go on in the browser; return the log of what was done once the page is closed.

        Parameters
        ----------
        folder : path-like
            Where the log and what is exported go; nothing outside it is written.
        browser : bool
            Open the page, instead of printing its address alone.

        Raises
        ------
        ParameterError
            The image is no file, which the commands of the page could name.
        """
        found: Path = face("gmmseg.web:view_segmentation")(self, folder=folder, browser=browser)
        return found

    def widget(self) -> Any:
        """Return a widget, with which a notebook goes on with a picture: with k, smoothing, strokes and merging.

        Returns
        -------
        anywidget.AnyWidget
            Its `segmentation` and `labels` are those of all pixels, as the classes stand when they are asked for; while
            one works, classes are found on a copy of at most 600 000 pixels.

        Raises
        ------
        GmmsegError
            anywidget is not installed, which comes with the extra [notebook].
        ParameterError
            The image is no picture in memory.
        """
        return face("gmmseg.web.widget:widget")(self)

    def plot(self, *, features: Sequence[int | str] | None = None, kind: str = "all", seed: int = 0) -> Any:
        """Return a figure of the classes among the pixels, which a notebook shows; see `gmmseg.plot.figure`.

        Parameters
        ----------
        features : sequence of int or str, optional
            One to five, by name or by number from 0; by default the two in which the classes lie farthest apart.
        kind : {"all", "scatter", "density"}
            A panel for each pair of features, for each feature, or both.
        seed : int
            Of the choice of pixels.

        Returns
        -------
        matplotlib.figure.Figure
        """
        from gmmseg.labelling.picking import without_bias  # here, because most are never looked at

        image = without_bias(self.image, self.rule.bias)
        return face("gmmseg.plot:figure")(self.rule.model, image, features=features, kind=kind, seed=seed)

    def to_dask(self, layer: str = "labels", *, chunk: int | None = None) -> Any:
        """Return a layer as a dask array, nothing computed; chunks are those of the one segmented, or such squares."""
        from gmmseg.labelling.graph import layer_of  # here, because most runs need no dask

        return layer_of(cast("Segmentation", self), layer, chunk)

    def to_xarray(self, layer: str = "labels", *, chunk: int | None = None) -> Any:
        """Return a layer as an xarray.DataArray with coordinates and classes; lazy, as `to_dask`, unless in memory."""
        from gmmseg.labelling.graph import labelled_layer  # here, because most runs need no xarray

        return labelled_layer(cast("Segmentation", self), layer, chunk)

    def _repr_html_(self) -> str:
        """Show the classes in a notebook."""
        return str(face("gmmseg.integrations.notebook.html_views:segmentation_html")(self))
