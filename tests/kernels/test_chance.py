"""Random numbers are those of NumPy, whoever draws them."""

import copy
import pickle
import textwrap

import numpy as np
import pytest

from gmmseg import kernels
from gmmseg.kernels import reference
from gmmseg.kernels.chance import default_rng, words_of

SEEDS = [0, 1, 12345, 2**32 - 1, 2**32, 2**64 + 5, 2**128 - 1, 2**200 + 11]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("first", [0, 1, 1000, 10**12])
def test_the_kernel_and_its_twin_draw_the_same_bits(seed, first):
    found = kernels.uniform(words_of(seed), first, 50)
    np.testing.assert_array_equal(found, reference.uniform(words_of(seed), first, 50))
    assert found.dtype == np.float64
    if first < 10**6:
        np.testing.assert_array_equal(found, np.random.default_rng(seed).random(first + 50)[first:])


@pytest.mark.parametrize("seed", SEEDS)
def test_a_generator_goes_on_as_that_of_numpy(seed):
    ours, theirs = default_rng(seed), np.random.default_rng(seed)
    draws = [
        lambda rng: rng.random(3),
        lambda rng: rng.random(),
        lambda rng: rng.random((2, 5)),
        lambda rng: rng.standard_normal(4),
        lambda rng: rng.random(2),
        lambda rng: rng.permutation(9),
        lambda rng: rng.multinomial(100, [0.2, 0.8]),
        lambda rng: rng.random(),
    ]
    for draw in draws:
        one, other = draw(ours), draw(theirs)
        assert type(one) is type(other)
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("same", [copy.deepcopy, lambda rng: pickle.loads(pickle.dumps(rng))])
def test_a_copy_draws_what_the_generator_will(same, begun):
    rng = default_rng(3)
    rng.random(5)
    if begun:
        rng.standard_normal(2)
    other = same(rng)
    np.testing.assert_array_equal(other.random(4), rng.random(4))
    np.testing.assert_array_equal(other.permutation(6), rng.permutation(6))


def test_uniform_numbers_do_without_the_module_of_numpy(fresh_python):
    code = """
    import sys
    from gmmseg import kernels
    from gmmseg.kernels.chance import default_rng
    default_rng(0).random((3, 4))
    print(kernels.IMPLEMENTATION == "native" and "numpy.random" in sys.modules)
    """
    assert fresh_python(textwrap.dedent(code)).strip() == "False"
