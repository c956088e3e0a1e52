"""No thread works but those that `threads=` allows: none of NumPy's BLAS, of SciPy's or of OpenCV."""

import json
import os

import pytest
from processes import process

RUN = """
import json, os, resource, sys, time
import cv2, numpy as np, scipy.linalg
import gmmseg

def seconds():
    found = {}
    for task in os.listdir("/proc/self/task"):
        with open(f"/proc/self/task/{task}/schedstat") as numbers:
            found[task] = int(numbers.read().split()[0]) / 1e9
    return found

rng = np.random.default_rng(0)
JOB
cv2.setNumThreads(2)
time.sleep(0.5)  # until the pools, which spin after their start too, have fallen asleep
before, processor, start = seconds(), time.process_time(), time.perf_counter()
gmmseg.segment(image, 4, threads=THREADS, **options)
processor, wall = time.process_time() - processor, time.perf_counter() - start
time.sleep(0.1)  # until those that have ended are gone
after = seconds()
pools = sum(after[task] - before[task] for task in before if task != str(os.getpid()))
new = len(after.keys() - before)
print(json.dumps({"ratio": processor / wall, "pools": pools, "idle": len(before) - 1, "new": new}))
"""

CUBE = """
spectra = rng.uniform(100, 1000, (4, 150))
image = (spectra[np.indices((96, 96)).sum(0) // 48] + rng.normal(0, 40, (96, 96, 150))).astype(np.float32)
options = {"channel_axis": -1}
"""
GAPS = CUBE + "image[rng.random(image.shape) < 0.01] = np.nan\n"
VOLUME = """
places = np.indices((96, 96, 96)) / 96
inside = np.digitize(np.linalg.norm(places - 0.5, axis=0), [0.15, 0.3, 0.45])
image = np.array([800, 600, 300, 20])[inside] * (0.7 + 0.6 * places[2]) + rng.normal(0, 20, inside.shape)
image, options = image.astype(np.int16), {"channel_axis": None, "bias_field": True}
"""
BANDS = """
image, options = rng.normal(0, 1, (64, 64, 40)), {"channel_axis": -1, "features": "bands"}
image[:, 32:] += 1
"""
WIDE = """
image, options = rng.normal(0, 1, (48, 48, 120)), {"channel_axis": -1, "features": "bands"}
image[:, 24:] += 1
"""
LUV = """
image, options = rng.integers(0, 256, (600, 600, 3), np.uint8), {"features": "luv"}
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("job", "threads"),
    [(CUBE, 1), (CUBE, 2), (GAPS, 1), (VOLUME, 1), (BANDS, 1), (WIDE, 1), (LUV, 1)],
    ids=["cube", "cube on two", "gaps", "volume", "bands", "many bands", "luv"],
)
def test_only_as_many_threads_work_as_were_asked_for(job, threads):
    """Pools are there, of more threads, and hardly any time passes in them."""
    program = RUN.replace("JOB", job).replace("THREADS", str(threads))
    finished = process("-c", program, env={**os.environ, "OPENBLAS_NUM_THREADS": "4"})
    assert finished.returncode == 0, finished.stderr
    found = json.loads(finished.stdout)
    assert found["idle"] >= 2
    assert found["pools"] < 0.02
    assert found["new"] == 0
    assert found["ratio"] < threads + 0.1
