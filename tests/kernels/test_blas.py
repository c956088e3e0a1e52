"""The number of BLAS threads is as before once a call has ended, however it ended; small products start none."""

import threading

import numpy as np
import pytest
import scipy.linalg  # noqa: F401  # has a BLAS of its own
from threadpoolctl import threadpool_info, threadpool_limits

from gmmseg.kernels import blas
from gmmseg.kernels.blas import one_blas_thread, product


def numbers():
    return [each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"]


@pytest.fixture(autouse=True)
def three_threads():
    blas._libraries.cache_clear()  # other tests may have loaded another BLAS since, such as OpenCV's
    with threadpool_limits(3, user_api="blas"):
        assert set(numbers()) == {3}
        yield


def test_large_matrices_are_for_one_thread_and_small_ones_change_nothing():
    with one_blas_thread(25):
        assert set(numbers()) == {1}
        with one_blas_thread(100):
            assert set(numbers()) == {1}
        assert set(numbers()) == {1}
    assert set(numbers()) == {3}
    with one_blas_thread(24):
        assert set(numbers()) == {3}


def test_an_error_leaves_the_number_as_it_was():
    with pytest.raises(np.linalg.LinAlgError), one_blas_thread(100):
        np.linalg.cholesky(-np.eye(100))
    assert set(numbers()) == {3}


def test_a_second_thread_waits_and_both_leave_the_number_as_it_was():
    inside, seen = threading.Event(), []

    def other():
        inside.wait()
        with one_blas_thread(100):
            seen.append(numbers())

    thread = threading.Thread(target=other)
    thread.start()
    with threadpool_limits(None), one_blas_thread(100):
        inside.set()
        thread.join(0.1)
        assert seen == []
    thread.join()
    assert len(seen) == 1
    assert set(numbers()) == {3}


@pytest.mark.parametrize("n", [0, 1, 53, 1000])
@pytest.mark.parametrize(("c", "m"), [(17, 16), (150, 1), (150, 16), (4096, 3), (60, 60)])
def test_products_are_those_of_numpy(rng, n, c, m):
    samples, rows = rng.normal(size=(n, c)), rng.normal(size=(m, c))
    expected = rows @ samples.T
    for layout in (samples, np.asfortranarray(samples), np.repeat(samples, 2, axis=1)[:, ::2]):
        layout.flags.writeable = False
        np.testing.assert_allclose(product(layout, rows), expected, rtol=1e-12, atol=1e-11)


def test_products_keep_the_type_of_numbers(rng):
    samples = rng.normal(size=(40, 30)).astype(np.float32)
    assert product(samples, samples[:3]).dtype == np.float32
