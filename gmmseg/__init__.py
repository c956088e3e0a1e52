"""Image segmentation with Gaussian mixture models.

`segment` makes a `Segmentation` of one image: labels, probabilities, tables, files. `fit` makes one `Model` of many
images, `apply` finds its classes in others, `load_model` opens a saved one. `choose_k` says how many classes there are,
`regions` cuts a picture into connected regions, `evaluate` compares labels with a truth.

`gmmseg.io` reads and writes files, `gmmseg.measuring` measures classes and objects, `gmmseg.export` makes polygons and
data sets for training, `gmmseg.batch` does folders; `gmmseg.plot`, `gmmseg.report` and `gmmseg.web` show results.
"""

from __future__ import annotations

TYPE_CHECKING = False  # what typing calls so, without the 10 ms of importing it
if TYPE_CHECKING:
    from typing import Any

    from gmmseg.errors import GmmsegError as GmmsegError
    from gmmseg.errors import GmmsegWarning as GmmsegWarning
    from gmmseg.errors import InputError as InputError
    from gmmseg.errors import OutputError as OutputError
    from gmmseg.errors import ParameterError as ParameterError
    from gmmseg.evaluation import evaluate as evaluate
    from gmmseg.hierarchy.regions import regions as regions
    from gmmseg.image import Image as Image
    from gmmseg.labelling.relabelling import relabel as relabel
    from gmmseg.labelling.result import Segmentation as Segmentation
    from gmmseg.mixture.estimator import GaussianMixture as GaussianMixture
    from gmmseg.mixture.parameters import Mixture as Mixture
    from gmmseg.mixture.prior import Prior as Prior
    from gmmseg.model import Model as Model
    from gmmseg.model import load_model as load_model
    from gmmseg.segmentation import apply as apply
    from gmmseg.segmentation import choose_k as choose_k
    from gmmseg.segmentation import fit as fit
    from gmmseg.segmentation import segment as segment

__version__ = "0.2.0"

_HOMES = {
    "GaussianMixture": "gmmseg.mixture.estimator",
    "GmmsegError": "gmmseg.errors",
    "GmmsegWarning": "gmmseg.errors",
    "Image": "gmmseg.image",
    "InputError": "gmmseg.errors",
    "Mixture": "gmmseg.mixture.parameters",
    "Model": "gmmseg.model",
    "OutputError": "gmmseg.errors",
    "ParameterError": "gmmseg.errors",
    "Prior": "gmmseg.mixture.prior",
    "Segmentation": "gmmseg.labelling.result",
    "apply": "gmmseg.segmentation",
    "choose_k": "gmmseg.segmentation",
    "evaluate": "gmmseg.evaluation",
    "fit": "gmmseg.segmentation",
    "load_model": "gmmseg.model",
    "regions": "gmmseg.hierarchy.regions",
    "relabel": "gmmseg.labelling.relabelling",
    "segment": "gmmseg.segmentation",
}

_PACKAGES = "batch", "evaluation", "export", "io", "measuring", "plot", "report", "web"

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    """Load a public name or package where it is first used, so that `import gmmseg` is instant."""
    if name in _PACKAGES:
        from importlib import import_module  # here, because the face of a package loads nothing by itself

        return import_module(f"{__name__}.{name}")
    from gmmseg.extras import loaded  # here, because the face of a package loads nothing by itself

    return loaded(__name__, name, _HOMES)


def __dir__() -> list[str]:
    return sorted([*__all__, *_PACKAGES])
