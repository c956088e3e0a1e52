"""Every hot loop, on bare arrays: compiled, or the same functions in NumPy where nothing was compiled.

Kernels trust their caller and never change their input. Planes are `(n_features, n_samples)` with any strides, float32
or float64. A mixture is passed as `Densities`, and whom each voxel hears as a `Neighbourhood`. A `log_prior` `(K, n)`
of the planes' dtype holds logarithms of prior probabilities, added to the components' log densities sample by sample.

What each one does is told at its twin in `reference/`. Results do not depend on `threads`. Setting the environment
variable GMMSEG_KERNELS to "reference" selects NumPy.
"""

from __future__ import annotations

import contextlib
import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from gmmseg.kernels.densities import Densities
from gmmseg.kernels.neighbours import Neighbourhood

native: Any = None
if os.environ.get("GMMSEG_KERNELS") != "reference":
    with contextlib.suppress(ImportError):
        native = import_module("gmmseg.kernels._native")  # of native/module.cpp

__all__ = ["IMPLEMENTATION", "INSTRUCTION_SET", "Densities", "Neighbourhood"]

# Only one of the two is loaded: a run on a picture does without the modules of the reference.
_kernels: Any = native or import_module("gmmseg.kernels.reference")
if TYPE_CHECKING:
    from gmmseg.kernels.reference import *  # noqa: F403  # all kernels are listed there
else:
    _names = [name for name in getattr(_kernels, "__all__", dir(_kernels)) if name.islower() and name[0] != "_"]
    globals().update({name: getattr(_kernels, name) for name in _names})
    __all__ += _names

IMPLEMENTATION = "native" if native else "reference"
INSTRUCTION_SET: str = native.INSTRUCTION_SET if native else "NumPy"
