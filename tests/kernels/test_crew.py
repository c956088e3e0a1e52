"""Threads that share the work of a kernel: the same bytes from any number of them, and the caller stays where it is."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from implementations import compiled

from gmmseg.kernels import Densities


@pytest.fixture
def problem(rng):
    """Samples (4, 30 000) and densities of three components."""
    planes = rng.normal(size=(4, 30_000)).astype(np.float32)
    return planes, Densities(np.zeros(3), rng.normal(size=(3, 4)), np.stack([np.eye(4)] * 3))


@pytest.fixture
def processors():
    """The processors of this thread, which it has again afterwards."""
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("only Linux says on which processors a thread may run")
    allowed = os.sched_getaffinity(0)
    yield allowed
    os.sched_setaffinity(0, allowed)


@pytest.fixture
def spinning():
    """Threads that never rest, one for each processor."""
    over = threading.Event()

    def spin():
        numbers = np.arange(100_000.0)
        while not over.is_set():
            np.sqrt(numbers)  # without Python's lock

    threads = [threading.Thread(target=spin) for _ in range(os.cpu_count())]
    for thread in threads:
        thread.start()
    yield
    over.set()
    for thread in threads:
        thread.join()


def found(kernel, problem, threads):
    """Statistics and labels, as bytes."""
    planes, densities = problem
    sums, likelihood = kernel.statistics(planes, None, densities, threads)
    labels = np.zeros(planes.shape[1], np.uint8)
    kernel.classify(planes, densities, labels, 1, threads)
    return sums.tobytes(), likelihood, labels.tobytes()


@compiled
def test_any_number_of_threads_beside_others_that_never_rest(kernel, problem, spinning):
    alone = found(kernel, problem, 1)
    for threads in (2, 3, 64) * 5:
        assert found(kernel, problem, threads) == alone


@compiled
def test_the_processors_of_a_thread_stay_those_it_had(kernel, problem, processors, spinning):
    alone = found(kernel, problem, 1)
    for allowed in (processors, {max(processors)}):
        os.sched_setaffinity(0, allowed)
        for threads in (2, 64) * 5:
            assert found(kernel, problem, threads) == alone
            assert os.sched_getaffinity(0) == allowed


@compiled
def test_threads_of_python_call_kernels_at_once(kernel, problem):
    alone = found(kernel, problem, 1)
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda threads: found(kernel, problem, threads), (1, 2, 3, 5) * 4)) == {alone}
