"""Every compiled instruction set and the reference give the same results, each in a process of its own."""

import platform

import numpy as np
import pytest

from gmmseg import kernels

pytestmark = pytest.mark.skipif(kernels.native is None, reason="nothing was compiled")

KERNELS = """
import sys
import numpy as np
from gmmseg import kernels

results, rng = {"used": kernels.INSTRUCTION_SET}, np.random.default_rng(0)
for dtype in ("float32", "float64"):
    for d in (3, 5, 11):
        x = rng.normal(size=(d, 9001)).astype(dtype)
        full = np.tril(rng.normal(0, 0.3, (4, d, d)), -1) + np.eye(d)
        for shape, factors in (("full", full), ("diagonal", rng.uniform(0.5, 2, (4, d)))):
            name = f"{dtype}, {d} features, {shape}"
            mixture = kernels.Densities(np.log([0.1, 0.2, 0.3, 0.4]), rng.normal(size=(4, d)), factors)
            out, density = np.empty((4, 9001), dtype), np.empty(9001, dtype)
            sums, total = kernels.statistics(x, None, mixture, 2)
            kernels.posterior(x, mixture, out, density, 2)
            results |= {name + ": sums": sums / 9001, name + ": total": total / 9001, name + ": density": density}
            results |= {name + ": posterior": out}
pixels = rng.integers(0, 256, (40, 70, 3), np.uint8)
results["float32: lab"] = np.empty((3, 2800), np.float32)
kernels.lab((pixels / np.float32(255)).astype(np.float32), None, results["float32: lab"])
prior = rng.dirichlet(np.ones(3), (1, 40, 70)).transpose(3, 0, 1, 2).astype(np.float32).copy()
results["float32: smooth"] = np.empty_like(prior)
offsets = np.array([[0, 0, 1], [0, 1, -1], [0, 1, 0], [0, 1, 1]])
guide = rng.normal(size=(2, 1, 40, 70)).astype(np.float32)
heard = kernels.Neighbourhood(offsets, np.full(4, 0.5, np.float32), np.full(2, 0.5, np.float32), 1)
kernels.smooth(prior, guide, None, heard, (0, 0, 0), None, results["float32: smooth"])
valid, table = np.ones((1, 1, 40, 70), np.uint8), (offsets, heard.strengths, heard.sharpness)
total = kernels.agreement(prior[:, None], guide[:, None], valid, valid, *table, 3.0, 24.0, 1e-4, 50)
results["float32: agreement"] = np.array(total)
np.savez(sys.argv[1], **results)
"""

SEGMENT = """
import sys
import gmmseg
from gmmseg import kernels
import numpy as np

picture, volume = gmmseg.segment(sys.argv[1], k=3), np.random.default_rng(0).normal(size=(6, 20, 30))
volume[:, :, 10:] += 5
np.savez(sys.argv[2], used=kernels.IMPLEMENTATION, picture=picture.labels,
         volume=gmmseg.segment(volume, k=2, channel_axis=None).labels)
"""


@pytest.fixture
def kernel_results(fresh_python, tmp_path):
    def run(**environment):
        fresh_python(KERNELS, tmp_path / "results.npz", **environment)
        with np.load(tmp_path / "results.npz") as file:
            return dict(file)

    return run


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="one instruction set only")
@pytest.mark.parametrize("instructions", ["x86-64-v3", "x86-64"])
def test_lesser_instruction_sets_give_the_same_to_rounding(kernel_results, instructions):
    best, lesser = kernel_results(), kernel_results(GMMSEG_INSTRUCTIONS=instructions)
    assert str(lesser.pop("used")) <= instructions
    assert str(best.pop("used")) == kernels.INSTRUCTION_SET
    assert best.keys() == lesser.keys()
    for name, expected in best.items():
        # Sums of hundreds of terms of size up to about 100, in an order that the registers' width decides.
        tolerance = 2e-4 if name == "float32: lab" else 2e-5 if "float32" in name else 1e-12
        np.testing.assert_allclose(lesser[name], expected, rtol=tolerance, atol=tolerance, err_msg=name)


@pytest.mark.slow
def test_the_reference_segments_as_the_compiled_kernels_do(fresh_python, pictures, tmp_path):
    results = {}
    for environment in ({}, {"GMMSEG_KERNELS": "reference"}):
        fresh_python(SEGMENT, pictures / "chelsea.png", tmp_path / "labels.npz", **environment)
        with np.load(tmp_path / "labels.npz") as file:
            results[str(file["used"])] = (file["picture"], file["volume"])
    assert results.keys() == {"native", "reference"}
    for compiled, plain in zip(*results.values(), strict=True):
        assert (compiled > 0).all()
        assert (compiled == plain).mean() > 0.999
