"""What the plugin offers: algorithms with their parameters, and the command of `gmmseg` that each becomes.

Plain Python, without QGIS: `gmmseg.integrations.qgis.algorithm` makes widgets of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["ALGORITHMS", "RUNNING", "Algorithm", "Parameter"]

RUNNING = ("--progress", "json")
"""Options of commands that say how far they are."""


@dataclass(frozen=True)
class Parameter:
    """A parameter of an algorithm.

    Parameters
    ----------
    name : str
        As scripts write it, such as "INPUT".
    kind : str
        "raster", "rasters", "file", "text", "whole", "number", "flag", "choice"; of outputs "raster out", "vector out",
        "file out".
    label : str
    option : str
        Of the command; an argument by its place where it is empty.
    default : object
    choices : tuple of str
        Words of a "choice", as the command takes them.
    least, most : float, optional
        Range of a number.
    files : str
        Filter of file names, as QGIS takes it.
    optional : bool
        Whether it may be left out.
    advanced : bool
        Whether it is shown only on request.
    """

    name: str
    kind: str
    label: str
    option: str = ""
    default: Any = None
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    files: str = ""
    optional: bool = False
    advanced: bool = False

    @property
    def is_output(self) -> bool:
        """Whether it names what is written."""
        return self.kind.endswith(" out")

    def words(self, value: Any) -> list[str]:
        """Return what a command line says for a value: nothing where it is left out.

        Examples
        --------
        >>> Parameter("K", "whole", "Classes", "-k").words(4)
        ['-k', '4']
        >>> Parameter("ADAPT", "flag", "Adapt", "--adapt=each").words(True)
        ['--adapt=each']
        """
        if value is None or value is False or value == "":
            return []
        if self.kind == "flag":
            return [self.option]
        texts = [f"{each:g}" if isinstance(each, float) else str(each) for each in _listed(value)]
        return [self.option, *texts] if self.option else texts


@dataclass(frozen=True)
class Algorithm:
    """An algorithm: a command of `gmmseg` and what it is given.

    Parameters
    ----------
    name : str
        As scripts write it: gmmseg:name.
    command : str
        Of `gmmseg`.
    title, help : str
    parameters : tuple of Parameter
        Those without an option stand in the order of the command's arguments.
    fixed : tuple of str
        Options that are always given.
    style : str
        Name of the output beside which a style lies, by which QGIS shows its classes.
    answer : tuple of (str, str)
        Numbers in what the command prints as JSON, by the names of outputs: ("K", "k").
    """

    name: str
    command: str
    title: str
    help: str
    parameters: tuple[Parameter, ...]
    fixed: tuple[str, ...] = ()
    style: str = ""
    answer: tuple[tuple[str, str], ...] = ()

    def arguments(self, values: Mapping[str, Any]) -> list[str]:
        """Return what follows `gmmseg` on the command line.

        Parameters
        ----------
        values : mapping of str to object
            By the names of parameters: paths, numbers, words; what is missing is left out.
        """
        given = [(each, each.words(values.get(each.name))) for each in self.parameters]
        options = [word for each, words in given if each.option for word in words]
        places = [word for each, words in given if not each.option for word in words]
        style = ["--style", str(self.style_of(values))] if self.style_of(values) else []
        format_ = [word for each, words in given if each.kind == "vector out" for word in _format(words)]
        return [self.command, *places, *options, *format_, *style, *self.fixed]

    def style_of(self, values: Mapping[str, Any]) -> Path | None:
        """Return the file of the style that is written with these values."""
        labels = values.get(self.style)
        return Path(labels).with_suffix(".qml") if labels else None


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _format(words: list[str]) -> list[str]:
    """Return the format of a vector file, which its suffix says."""
    if not words:
        return []
    return ["--to", "gpkg" if words[-1].lower().endswith(".gpkg") else "geojson"]


_JSON = "gmmseg models (*.json)"

_INPUT = Parameter("INPUT", "raster", "Image")
_CHANNELS = Parameter(
    "CHANNELS", "text", "Bands, as numbers or names: 4,3,2 or nir,red (all)", "--channels", optional=True
)
_NODATA = Parameter(
    "NODATA", "text", "What stands for no data where the file does not say it", "--nodata", optional=True, advanced=True
)
_K = Parameter("K", "text", "Number of classes, or auto", "-k", default="4")
_FITTING = (
    _CHANNELS,
    Parameter("FEATURES", "text", "Features (by the image)", "--features", optional=True, advanced=True),
    Parameter(
        "COVARIANCE",
        "choice",
        "Shape of classes",
        "--covariance",
        default="auto",
        choices=("auto", "full", "tied", "diag", "spherical"),
        advanced=True,
    ),
    Parameter("NAMES", "text", "Names of the classes, dark to bright: water,forest", "--class-names", optional=True),
    Parameter("SEED", "whole", "Start of the random choices", "--seed", default=0, least=0, advanced=True),
    _NODATA,
)
_MASK = Parameter("MASK", "raster", "Use pixels where this is not 0", "--mask", optional=True, advanced=True)
_SMOOTH = Parameter(
    "SMOOTH",
    "number",
    "How much neighbouring pixels agree (estimated)",
    "--smooth",
    least=0,
    most=1,
    optional=True,
    advanced=True,
)
_MIN_SIZE = Parameter(
    "MIN_SIZE", "text", "Give smaller regions to their neighbours: 50 (pixels) or 0.5ha", "--min-size", optional=True
)
_LABELS_IN = Parameter("LABELS", "raster", "Label map")
_LABELS = Parameter("OUTPUT", "raster out", "Label map", "-o")
_UNCERTAINTY = Parameter("UNCERTAINTY", "raster out", "Uncertainty", "--uncertainty", optional=True)
_SOFT = Parameter("PROBABILITIES", "raster out", "Probability of each class", "--soft", optional=True)
_REPLACE = ("--overwrite",)

ALGORITHMS = (
    Algorithm(
        "segment",
        "segment",
        "Segment into classes",
        "Finds classes in an image and gives each pixel the number of its class, from 1, dark to bright; 0 is no data. "
        "The classes can be kept as a model, which 'Apply classes' gives to other images.",
        (
            _INPUT,
            _K,
            *_FITTING,
            _SMOOTH,
            _MASK,
            _MIN_SIZE,
            _LABELS,
            _SOFT,
            _UNCERTAINTY,
            Parameter("MODEL", "file out", "Model", "--model", files=_JSON, optional=True),
        ),
        (*_REPLACE, *RUNNING),
        style="OUTPUT",
    ),
    Algorithm(
        "fit",
        "fit",
        "Find classes of many images",
        "Fits one model to one image or to many of a kind, of which each has the same say.",
        (
            Parameter("INPUTS", "rasters", "Images"),
            _K,
            *_FITTING,
            _SMOOTH,
            Parameter("OUTPUT", "file out", "Model", "-o", files=_JSON),
        ),
        (*_REPLACE, *RUNNING),
    ),
    Algorithm(
        "apply",
        "apply",
        "Apply classes",
        "Gives the pixels of an image the classes of a model, with the same numbers. An image that the model does not "
        "explain is reported.",
        (
            Parameter("MODEL", "file", "Model", files=_JSON),
            _INPUT,
            Parameter("ADAPT", "flag", "Allow for another exposure or sensor", "--adapt=each", default=False),
            _CHANNELS,
            _NODATA,
            _SMOOTH,
            _MASK,
            _MIN_SIZE,
            _LABELS,
            _SOFT,
            _UNCERTAINTY,
        ),
        (*_REPLACE, *RUNNING),
        style="OUTPUT",
    ),
    Algorithm(
        "regions",
        "regions",
        "Cut into regions",
        "Cuts a picture into connected regions, numbered from 1; 0 is no data.",
        (
            _INPUT,
            Parameter("NUMBER", "whole", "How many regions (by the picture)", "-n", least=1, optional=True),
            _CHANNELS,
            _NODATA,
            _MASK,
            Parameter("MIN_SIZE", "text", _MIN_SIZE.label, "--min-size", optional=True),
            _LABELS,
        ),
        (*_REPLACE, *RUNNING),
    ),
    Algorithm(
        "choosek",
        "choose-k",
        "Choose the number of classes",
        "Compares mixtures of 1, 2, ... classes, and returns the number that fits best.",
        (
            _INPUT,
            Parameter("MAX_K", "whole", "Largest number to try", "--max-k", default=12, least=1, most=255),
            Parameter(
                "CRITERION",
                "choice",
                "What decides",
                "--criterion",
                default="icl",
                choices=("icl", "bic", "aic", "mdl"),
                advanced=True,
            ),
            _CHANNELS,
            _NODATA,
            _MASK,
        ),
        ("--json", *RUNNING),
        answer=(("K", "k"),),
    ),
    Algorithm(
        "measure",
        "measure",
        "Measure classes",
        "Lists the share and the area of each class on the ground, whatever the projection does to areas; with the "
        "image that was segmented also the mean and spread of each band.",
        (
            _LABELS_IN,
            Parameter("IMAGE", "raster", "Image that was segmented", optional=True),
            Parameter("OUTPUT", "file out", "Table", "-o", files="Tables (*.csv *.json)"),
        ),
        _REPLACE,
    ),
    Algorithm(
        "export",
        "export",
        "Classes to polygons",
        "Outlines connected regions of a label map as polygons with the name of their class; edges that two share stay "
        "shared. A GeoPackage has the coordinates of the raster.",
        (
            _LABELS_IN,
            Parameter("MIN_PIXELS", "whole", "Leave out smaller regions (pixels)", "--min-size", default=1, least=1),
            Parameter("SIMPLIFY", "number", "Smooth outlines by so many pixels", "--simplify", least=0, optional=True),
            Parameter("BACKGROUND", "text", "Classes to leave out", "--background", optional=True),
            Parameter("OUTPUT", "vector out", "Polygons", "-o"),
        ),
        (*_REPLACE, *RUNNING),
    ),
)
"""In the order in which QGIS lists them."""
