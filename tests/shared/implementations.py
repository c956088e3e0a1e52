"""The kernels under test: the compiled ones and their NumPy twins."""

import pytest

from gmmseg import kernels
from gmmseg.kernels import reference

IMPLEMENTATIONS = [
    pytest.param(reference, id="reference"),
    pytest.param(
        kernels.native, id="native", marks=pytest.mark.skipif(kernels.native is None, reason="nothing was compiled")
    ),
]
both = pytest.mark.parametrize("kernel", IMPLEMENTATIONS)
compiled = pytest.mark.parametrize("kernel", IMPLEMENTATIONS[1:])
