"""The table of layers: every result of which there is a number for each pixel, in one row.

`Segmentation.save`, batches, the command line and its help read it. To add a layer: a row here, how it is computed in
`gmmseg.labelling.tiles` (or beside the bias field in `gmmseg.labelling.saving`), a property of `Segmentation`.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from gmmseg.errors import ParameterError

__all__ = ["LAYERS", "Layer", "layer_named"]


class Layer(NamedTuple):
    """One result of which there is a number for each pixel.

    Parameters
    ----------
    name : str
        What `Segmentation` calls it: its property, and `layer=` of `Segmentation.save`.
    output : str
        What batches, tables and file names call it: "soft" in photo_soft.npz.
    kind : {"labels", "soft", "map"}
        How files hold it: as a label map, as one number a class, or as one number (of an image without its bias field
        one a channel).
    dtype : str
        "image" is that of the image's pixels.
    nodata : float
        What a pixel without data has, in memory and in files.
    ending : str
        Of a file that is named after its image; empty where that follows the image's format.
    option : str
        On the command line.
    help : str
        What the command line says of it.
    smoothed : bool
        Whether it depends on the neighbourhood that the model smooths over.
    corrects : bool
        Whether it is of the bias field, and not of the classes.
    """

    name: str
    output: str
    kind: Literal["labels", "soft", "map"]
    dtype: str
    nodata: float
    ending: str
    option: str
    help: str
    smoothed: bool = False
    corrects: bool = False


_NAN = float("nan")

LAYERS = (
    Layer("labels", "labels", "labels", "uint8", 0, "", "--output", "Label map", smoothed=True),
    Layer(
        "probabilities",
        "soft",
        "soft",
        "float32",
        0,
        ".npz",
        "--soft",
        "Probability, or by --partial-volume fraction, of each class",
        smoothed=True,
    ),
    Layer(
        "uncertainty",
        "uncertainty",
        "map",
        "float32",
        _NAN,
        ".tif",
        "--uncertainty",
        "How unsure the class of each pixel is, 1 less its probability",
        smoothed=True,
    ),
    Layer("anomaly", "anomaly", "map", "float32", _NAN, ".tif", "--anomaly", "How usual each pixel is, as a p-value"),
    Layer(
        "log_density",
        "log_density",
        "map",
        "float32",
        _NAN,
        ".tif",
        "--log-density",
        "Log density of each pixel under the mixture, in nats",
    ),
    Layer(
        "bias_field", "bias", "map", "float32", _NAN, ".tif", "--save-bias", "The bias field, as a gain", corrects=True
    ),
    Layer(
        "corrected",
        "corrected",
        "map",
        "image",
        _NAN,
        ".tif",
        "--save-corrected",
        "The image without its bias field",
        corrects=True,
    ),
)
"""Every layer, in the order in which they are written."""


def layer_named(name: str) -> Layer:
    """Return the row of a layer by its name.

    Raises
    ------
    ParameterError
        There is none; the message names all.

    Examples
    --------
    >>> layer_named("probabilities").ending
    '.npz'
    """
    for layer in LAYERS:
        if isinstance(name, str) and layer.name == name:
            return layer
    names = ", ".join(layer.name for layer in LAYERS)
    raise ParameterError(f"layer={name!r} is not known; use one of {names}")
