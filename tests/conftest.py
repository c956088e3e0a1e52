"""What every test may use: hypothesis that gives the same examples each time, the sample pictures, a fresh process."""

import gc
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from threadpoolctl import threadpool_limits

import gmmseg

ROOT = Path(__file__).parents[1]

# Children take the package that is installed, which has the compiled kernels, as this process does; without this
# `python -c` and `python -m` take the sources that lie in the current folder.
os.environ["PYTHONSAFEPATH"] = "1"

# What a shell starts in the background may ignore the interrupt key; so would the children that tests interrupt.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile(
    "gmmseg",
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("gmmseg")


def pytest_collection_finish():
    """The collector of garbage need not look through ten thousand tests again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def chromium():
    """One browser for all pages: two at once do not get on in one process."""
    from browsers import browser  # here, because it loads the server of the page

    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def one_blas_thread():
    """For tests that fit scikit-learn's mixtures: threads for its small products spin, for 30 times the work itself."""
    with threadpool_limits(1):
        yield


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def pictures():
    """The folder of sample pictures."""
    return ROOT / "images"


@pytest.fixture
def fresh_python(tmp_path):
    """Run code in a new interpreter, in an empty folder: (code, *arguments, **environment) -> its stdout."""

    def run(code, *arguments, **environment):
        # The package that this process tests, wherever it is installed.
        path = os.pathsep.join(p for p in (str(Path(gmmseg.__file__).parents[1]), os.environ.get("PYTHONPATH")) if p)
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code, *map(str, arguments)],
            env={**os.environ, "PYTHONPATH": path, **environment},
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
